"""The assistant's side of the OpenAI wire: replies, their items, audio, text, calls and end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

from realtime_core.audio import BYTES_PER_SAMPLE, pcm_ms
from realtime_core.errors import RemoteProtocolError
from realtime_core.events import (
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    ToolCall,
    TurnStatus,
)
from realtime_core.tool_calls import CallBook
from realtime_core.usage import Usage
from realtime_core.wire.codec import Codec
from realtime_core.wire.dialect import ServerFrame
from realtime_core.wire.effects import AudioDelta, AudioEnd, Effect, FlushPlayback
from realtime_core.wire.openai_frames import (
    arguments_of,
    items_of,
    number_at,
    object_at,
    status_of,
    text_at,
    text_of_item,
    usage_of,
)

__all__ = ["Replies", "Reply"]

_ENDED_REMEMBERED = 64


@define
class Reply:
    """A reply under way."""

    response_id: str | None
    heard_from_at: float
    """When its last frame came."""
    muted: bool = False
    """It was cut: nothing more of it is delivered."""
    unwanted: bool = False
    """It was given up before it began: not even its text is delivered."""
    messages: list[str] = field(factory=list)
    """Ids of the message items that were announced."""
    half_sample: bytes = b""
    """An odd byte, kept for the next delta of the same item."""
    audio_item: str | None = None
    """The item whose audio came last and has not ended."""
    texts: dict[str | None, str] = field(factory=dict)
    """Text so far of items that are not final yet."""
    final_texts: dict[str | None, str] = field(factory=dict)
    """Final text so far by item; each of an item's parts has its own."""
    final_parts: set[tuple[str | None, int | None]] = field(factory=set)
    """Items and parts of which nothing more is told; part `None` is the item as a whole."""
    calls: dict[str, str] = field(factory=dict)
    """Name by id of the tools it called."""


@define
class Replies:
    """
    Follows the vendor's replies; at most one is under way in the default conversation.

    A reply may come without `response.created`, end without an id, or be followed by stray frames after its
    end (all reported of real servers): frames are taken by `response_id`, and an ended id stays ended.
    """

    vendor: str
    codec: Codec
    emit: Callable[[Effect], None]
    on_begin: Callable[[Reply, ServerFrame], None]
    on_end: Callable[[AssistantTurnEnd], None]
    on_audio: Callable[[str, float, float], None]
    expand: Callable[[bytes], bytes] | None
    """Turns the wire's G.711 into PCM16LE; `None` where the wire has PCM."""
    output_rate_hz: int
    current: Reply | None = None
    late_audio: int = 0
    calls: CallBook = field(factory=CallBook)
    """Calls that wait for an answer."""
    _ended: deque[str] = field(factory=lambda: deque[str](maxlen=_ENDED_REMEMBERED))

    def is_over(self, response_id: str | None) -> bool:
        """Say whether a reply of this id has ended already."""
        return response_id is not None and response_id in self._ended

    def begin(
        self, response_id: str | None, now: float, response: ServerFrame | None = None
    ) -> Reply:
        """Start following a reply; one still under way is superseded and ends first."""
        if self.current is not None:
            self.end("cancelled")
        self.current = reply = Reply(response_id, now)
        self.on_begin(reply, response or {})
        return reply

    def reply_of(self, frame: ServerFrame, now: float) -> Reply | None:
        """Find the reply a frame belongs to; `None` for a stray frame of an ended one."""
        response_id = text_at(frame, "response_id")
        reply = self.current
        if reply is not None:
            if reply.response_id is None and not self.is_over(response_id):
                reply.response_id = response_id
                self.calls.named(response_id)
            if response_id in (None, reply.response_id):
                reply.heard_from_at = now
                return reply
        if response_id is None or self.is_over(response_id):
            return None
        return self.begin(response_id, now)

    def created(self, frame: ServerFrame, now: float) -> None:
        """Begin a reply; a repeated or late announcement changes nothing."""
        response = object_at(frame, "response")
        response_id = text_at(response, "id")
        known = self.current is not None and self.current.response_id == response_id
        if not self.is_over(response_id) and not (known and response_id is not None):
            self.begin(response_id, now, response)

    def activity(self, frame: ServerFrame, now: float) -> None:
        """Note that the reply is alive."""
        self.reply_of(frame, now)

    def item_added(self, frame: ServerFrame, now: float) -> None:
        """Note that the reply is alive and has an item more."""
        reply, item = self.reply_of(frame, now), object_at(frame, "item")
        item_id = text_at(item, "id")
        if reply is not None and item_id is not None and item.get("type") == "message":
            reply.messages.append(item_id)

    def audio_delta(self, frame: ServerFrame, now: float) -> None:
        """Take a piece of audio."""
        reply = self.reply_of(frame, now)
        delta = frame.get("delta")
        if reply is None or reply.muted:
            self.late_audio += 1
            return
        if not isinstance(delta, str):
            self._damaged("an audio delta without audio")
            return
        try:
            pcm = self.codec.decode_audio(delta)
        except ValueError:
            self._damaged("an audio delta that is no base64")
            return
        item_id = text_at(frame, "item_id")
        if item_id != reply.audio_item:
            reply.audio_item, reply.half_sample = item_id, b""
        if self.expand is not None:
            pcm = self.expand(pcm)
        if reply.half_sample:
            pcm, reply.half_sample = reply.half_sample + pcm, b""
        if len(pcm) % BYTES_PER_SAMPLE:
            pcm, reply.half_sample = pcm[:-1], pcm[-1:]
        if pcm:
            self.on_audio(item_id or "", pcm_ms(len(pcm), self.output_rate_hz), now)
            self.emit(AudioDelta(pcm, item_id, reply.response_id))

    def audio_done(self, frame: ServerFrame, now: float) -> None:
        """An item's audio is whole."""
        reply = self.reply_of(frame, now)
        if reply is not None and not reply.muted:
            reply.audio_item, reply.half_sample = None, b""
            self.emit(AudioEnd(text_at(frame, "item_id"), reply.response_id))

    def text_delta(self, frame: ServerFrame, now: float) -> None:
        """Take a fragment of the reply's text."""
        reply, delta = self.reply_of(frame, now), text_at(frame, "delta")
        if reply is None or reply.muted or delta is None:
            return
        item_id = text_at(frame, "item_id")
        reply.texts[item_id] = reply.texts.get(item_id, "") + delta
        self._text(reply, item_id, delta, final=False)

    def text_done(self, frame: ServerFrame, now: float) -> None:
        """Take the whole text of an item; it may stand in `text` or in `transcript`."""
        reply = self.reply_of(frame, now)
        if reply is not None:
            item_id = text_at(frame, "item_id")
            whole = text_at(frame, "transcript") or text_at(frame, "text")
            part = (item_id, number_at(frame, "content_index") or 0)
            if not reply.final_parts.intersection((part, (item_id, None))):
                reply.final_parts.add(part)
                self._finish_text(reply, item_id, whole)

    def item_done(self, frame: ServerFrame, now: float) -> None:
        """A message or a function call of the reply is whole."""
        reply, item = self.reply_of(frame, now), object_at(frame, "item")
        if reply is not None:
            self._finish_item(reply, item)

    def done(self, frame: ServerFrame, now: float) -> tuple[TurnStatus, Any] | None:
        """
        Take the end of a reply. Everything missed on the way is made up from its `output`.

        Returns:
            Its status and the vendor's error object, or `None` for a stray end. The caller ends it with `end`,
            after it has reported the error.
        """
        response = object_at(frame, "response")
        response_id = text_at(response, "id")
        if self.is_over(response_id) or (response_id is None and self.current is None):
            return None
        known = self.current.response_id if self.current is not None else None
        if response_id is not None and known not in (None, response_id):
            self._ended.append(response_id)  # nobody heard of it, and another is under way
            return None
        reply = self.reply_of({"response_id": response_id}, now)
        if reply is None:
            return None
        status = status_of(response)
        self._finish_items(reply, items_of(response, "output"), status)
        details = response.get("status_details")
        # Normally an object with the error inside; plain strings were seen too.
        error = details.get("error") if isinstance(details, dict) else details
        return status, error or details

    def end(self, status: TurnStatus, usage: Any = None) -> None:
        """End the reply under way: the final texts of a cut one, then `AssistantTurnEnd`."""
        reply = self.current
        if reply is None:
            return
        self.current = None
        for item_id in list(reply.texts):
            self._finish_text(reply, item_id, None)
        whole = status in ("completed", "incomplete") and not reply.muted
        if whole and reply.audio_item is not None:  # its own end was missed
            self.emit(AudioEnd(reply.audio_item, reply.response_id))
        if reply.response_id is not None:
            self._ended.append(reply.response_id)
        self.calls.reply_ended(reply.response_id, cut=reply.muted)
        figures: Usage | None = usage_of(usage)
        self.on_end(
            AssistantTurnEnd(
                vendor=self.vendor,
                response_id=reply.response_id,
                status=status,
                usage=figures,
                tool_names=tuple(reply.calls.values()),
            )
        )

    def mute(self) -> None:
        """Cut what is running or still audible: nothing more of it is delivered."""
        reply = self.current
        if reply is not None:
            reply.muted = True
        self.emit(FlushPlayback(reply.response_id if reply is not None else None))

    def _finish_items(self, reply: Reply, items: Iterable[ServerFrame], status: TurnStatus) -> None:
        for item in items:
            # A call inside a cut reply is not whole, whatever its own status says.
            if status == "completed" or item.get("type") != "function_call":
                self._finish_item(reply, item)

    def _finish_item(self, reply: Reply, item: ServerFrame) -> None:
        item_id = text_at(item, "id")
        if item.get("type") == "message":
            text, told = text_of_item(item), reply.final_texts.get(item_id)
            if told:  # of its first parts
                text = text.removeprefix(told) if text.startswith(told) else ""
            if text or item_id in reply.texts:
                self._finish_text(reply, item_id, text or None)
            reply.final_parts.add((item_id, None))
        elif item.get("type") == "function_call" and item.get("status") in ("completed", None):
            self._call(reply, item)

    def _call(self, reply: Reply, item: ServerFrame) -> None:
        call_id, name = text_at(item, "call_id") or text_at(item, "id"), text_at(item, "name")
        # Of this reply only: compatible servers count calls from the beginning in each.
        if call_id is None or name is None or call_id in reply.calls:
            return
        self.calls.called(reply.response_id, call_id)
        reply.calls[call_id] = name
        arguments = arguments_of(item.get("arguments"))
        self.emit(ToolCall(vendor=self.vendor, call_id=call_id, name=name, arguments=arguments))

    def _finish_text(self, reply: Reply, item_id: str | None, whole: str | None) -> None:
        text = whole or reply.texts.get(item_id, "")
        reply.texts.pop(item_id, None)
        if text and not reply.unwanted:
            reply.final_texts[item_id] = reply.final_texts.get(item_id, "") + text
            self._text(reply, item_id, text, final=True)

    def _text(self, reply: Reply, item_id: str | None, text: str, *, final: bool) -> None:
        self.emit(
            AssistantText(
                vendor=self.vendor,
                text=text,
                final=final,
                item_id=item_id,
                response_id=reply.response_id,
            )
        )

    def _damaged(self, what: str) -> None:
        error = RemoteProtocolError(f"the vendor sent {what}; it is left out")
        event: Event = ErrorEvent(vendor=self.vendor, error=error)
        self.emit(event)
