"""What must hold of a session whatever is done to it, checked on everything that passes."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

from realtime_core import (
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Interrupted,
    SessionClose,
    SessionOpen,
    ToolCall,
    UserSpeechStarted,
)
from realtime_core.audio import pcm_ms
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.wire import (
    AudioDelta,
    AudioEnd,
    Dialect,
    Effect,
    FlushPlayback,
    StartRefused,
)

_CLIENT_EVENTS = frozenset(
    {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.truncate",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
    }
)
_AFTER_FATAL = (AssistantText, AssistantTurnEnd, Interrupted, SessionClose, FlushPlayback)
# What a vendor says of a request that came while another reply ran, or while the caller spoke.
_BAD_TIME = (
    "already has an active response",
    "another response is in progress",
    "while user is speaking",
)


@define
class Watch:
    """
    Follows one session from both sides.

    It knows what the vendor said (`fed`), what was sent to it (`sent`) and what the driver was asked for
    (`happened`), and fails at the first thing that may not be.
    """

    dialect: Dialect
    loads: Callable[[bytes], Any] = FAST_CODEC.loads
    log: list[tuple[str, object]] = field(factory=list)
    """What passed, for whoever reads a failure."""
    opens: int = 0
    closes: int = 0
    refusals: int = 0
    fatal: bool = False
    stalled: bool = False
    """The session was ended because of a silent vendor."""
    errors: list[ErrorEvent] = field(factory=list)
    begun: dict[str, None] = field(factory=dict)
    """Ids of replies of which anything was delivered or announced."""
    ended: list[str | None] = field(factory=list)
    """Ids of replies whose end was delivered, in order."""
    muted: set[str] = field(factory=set)
    cutting: bool = False
    """A cut has begun and was not settled."""
    cuts: int = 0
    interruptions: int = 0
    received_ms: dict[str, float] = field(factory=dict)
    """All audio delivered, by item."""
    unsettled_ms: dict[str, float] = field(factory=dict)
    """Audio that no cut has settled, by item."""
    of_reply_ms: dict[str | None, dict[str, float]] = field(factory=dict)
    """Audio by reply and item, as far as no cut has settled it."""
    at_least_ms: int = 0
    """What the cut under way must account for: all audio of the reply it cuts."""
    calls: dict[str, bool] = field(factory=dict)
    """Whether a tool call was answered on the wire, by id."""
    called: set[tuple[int, str]] = field(factory=set)
    """Calls, by how many replies had ended before, and by id."""
    waiting: Counter[str] = field(factory=Counter)
    """How many calls of an id wait for an answer."""
    told: set[str] = field(factory=set)
    """Items that were truncated or deleted."""
    cancelled: set[str] = field(factory=set)
    creates: list[dict[str, Any]] = field(factory=list)
    """Requests for replies, in order."""
    asked: str | None = None
    """The request on the wire that was neither refused nor followed by the end of a reply."""
    running: str | None = None
    """The reply the vendor is generating, by what it said so far."""
    announced: dict[str, None] = field(factory=dict)
    """Replies the vendor began in an open session."""
    items: set[str] = field(factory=set)
    """Message items of replies, as the vendor announced them."""
    over: set[str] = field(factory=set)
    """Replies the vendor ended, or left for another one."""
    ids_are_unique: bool = True
    """The vendor never uses an id for two things."""
    output_rate_hz: int = 24000
    seen: deque[str] = field(factory=lambda: deque[str](maxlen=256))
    """Ids of the vendor's events."""
    event_ids: set[str] = field(factory=set)
    frames: list[dict[str, Any]] = field(factory=list)
    """Everything sent but audio."""

    def told_last(self, most: int = 100_000) -> list[str]:
        """What passed, for whoever reads a failure."""
        shown = [
            (way, what.decode(errors="replace") if isinstance(what, bytes) else repr(what))
            for way, what in self.log[-most:]
        ]
        return [f"    {way} {text[:300]}" for way, text in shown]

    # What the vendor says

    def fed(self, frame: bytes, *, opened: bool) -> None:
        try:
            event: Any = self.loads(frame)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict) or self._is_repeated(event):
            return
        if not isinstance(event.get("type"), str):
            return
        kind: str = event["type"]
        if not kind.endswith("delta"):
            self.log.append(("<", frame))
        if not opened:
            return
        if kind.startswith("response."):
            self._follow(kind, event)
        if kind == "error":
            # Without an object, the event's own fields are meant; its id is the vendor's then.
            error = event.get("error", {**event, "event_id": None})
            error = error if isinstance(error, dict) else {"message": error}
            text = str(error.get("message")).lower()
            bad_time = error.get("code") == "conversation_already_has_active_response" or any(
                words in text for words in _BAD_TIME
            )
            named = error.get("event_id")
            if bad_time or not isinstance(named, str) or named in ("", self.asked):
                self.asked = None

    def _is_repeated(self, event: dict[str, Any]) -> bool:
        event_id = event.get("event_id")
        if not self.dialect.drops_duplicates or not isinstance(event_id, str) or not event_id:
            return False
        if event_id in self.seen:
            return True
        self.seen.append(event_id)
        return False

    def _follow(self, kind: str, event: dict[str, Any]) -> None:
        response = event.get("response")
        if kind in ("response.created", "response.done"):
            reply = response.get("id") if isinstance(response, dict) else None
        else:
            reply = event.get("response_id")
        reply = reply if isinstance(reply, str) and reply else None
        if kind == "response.output_item.added" and isinstance(event.get("item"), dict):
            self.items.add(str(event["item"].get("id")))
        if kind == "response.done":
            if reply is None or reply not in self.ended:
                self.asked = None
            if reply is None or reply == self.running:
                reply = reply or self.running
                self.running = None
            if reply is not None:
                self.over.add(reply)
        elif reply is not None and reply not in self.over and reply not in self.ended:
            if self.running not in (None, reply):
                self.over.add(str(self.running))
            self.running = reply
            if kind == "response.created":
                self.announced[reply] = None

    def gives_up(self, response_id: str | None) -> None:
        """A reply ends for the application, perhaps one the vendor has not ended: it was cut, and awaited long enough."""
        self.asked = None
        if self.running == response_id:
            self.running = None

    # What goes to the vendor

    def sent(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            event = json.loads(frame.decode("utf-8"))
            kind = event["type"]
            self.log.append((">", frame))
            assert kind in _CLIENT_EVENTS, event
            assert not self.closes, f"sent after the end: {event}"
            assert event["event_id"] not in self.event_ids, "an event id was used twice"
            self.event_ids.add(event["event_id"])
            if not self.opens:
                assert kind == "session.update", "nothing but the configuration opens a session"
                assert not self.frames, "configured twice"
            self.frames.append(event)
            match kind:
                case "response.create":
                    assert self.asked is None, f"two requests at once: {self.asked} and {event}"
                    assert self.running is None, f"while {self.running} runs: {event}"
                    self.asked = event["event_id"]
                    self.creates.append(event)
                case "response.cancel":
                    self._cancel(event)
                case "conversation.item.truncate":
                    self._truncate(event)
                case "conversation.item.delete":
                    self._memory(event["item_id"])
                case "conversation.item.create":
                    self._item(event["item"])
                case _:
                    pass

    def _cancel(self, event: dict[str, Any]) -> None:
        named = event.get("response_id")
        if named is not None:
            assert self.dialect.cancels_by_id, "this vendor cancels without an id"
            assert named not in self.ended, f"cancelled after its end: {named}"
            assert named not in self.cancelled, f"cancelled twice: {named}"
            self.cancelled.add(named)

    def _truncate(self, event: dict[str, Any]) -> None:
        item_id, end_ms = event["item_id"], event["audio_end_ms"]
        self._memory(item_id)
        assert isinstance(end_ms, int)
        assert event["content_index"] == 0
        received = self.received_ms[item_id]
        assert 0 <= end_ms <= received + 1e-6, f"{end_ms} ms of {received} ms"

    def _memory(self, item_id: str) -> None:
        assert self.dialect.capabilities.truncation, "this vendor cannot be told what was heard"
        assert item_id in self.received_ms or item_id in self.items, f"of no reply: {item_id}"
        assert item_id not in self.told or not self.ids_are_unique, f"told twice: {item_id}"
        self.told.add(item_id)

    def _item(self, item: dict[str, Any]) -> None:
        if item["type"] == "function_call_output":
            assert isinstance(item["output"], str)
            assert self.waiting[item["call_id"]] > 0, f"unknown or answered: {item}"
            self.waiting[item["call_id"]] -= 1
            self.calls[item["call_id"]] = not self.waiting[item["call_id"]]

    # What the application is told

    def happened(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self.log.append(("=", effect))
            assert not self.closes, f"after SessionClose: {effect}"
            assert not self.refusals, f"after a refused start: {effect}"
            if isinstance(effect, StartRefused):
                assert not self.opens
                self.refusals += 1
                continue
            if isinstance(effect, SessionOpen):
                self.opens += 1
            assert self.opens == 1, f"not once open: {effect}"
            if self.fatal:
                assert isinstance(effect, _AFTER_FATAL), f"after a fatal error: {effect}"
            self._take(effect)

    def _take(self, effect: Effect) -> None:
        match effect:
            case AudioDelta():
                self._audio(effect)
            case AudioEnd():
                self._part_of(effect.response_id)
                assert effect.response_id not in self.muted
            case AssistantText():
                self._part_of(effect.response_id)
                assert effect.final or effect.response_id not in self.muted, "stale text"
            case ToolCall():
                # Servers may give an id again, but not within a reply.
                call = (len(self.ended), effect.call_id)
                assert call not in self.called, f"called twice: {effect}"
                self.called.add(call)
                self.waiting[effect.call_id] += 1
                self.calls[effect.call_id] = False
            case FlushPlayback():
                self._cut(effect)
            case UserSpeechStarted():
                assert not effect.interrupts or self.cutting, "it interrupts nothing"
            case Interrupted():
                self._interrupted(effect)
            case AssistantTurnEnd():
                self._turn_end(effect)
            case ErrorEvent():
                self.errors.append(effect)
                self.fatal = self.fatal or effect.fatal
                self.stalled = self.stalled or (effect.fatal and effect.error.kind == "stalled")
            case SessionClose():
                assert not self.cutting, "a cut was never settled"
                left = [reply for reply in self.announced if reply not in self.ended]
                assert not self.open_replies, f"never ended: {self.open_replies}"
                assert not left, f"begun and never ended: {left}"
                self.closes += 1
            case _:
                pass

    @property
    def open_replies(self) -> list[str]:
        return [reply for reply in self.begun if reply not in self.ended]

    def _part_of(self, response_id: str | None) -> None:
        """Something of a reply came: it is begun, it is not over, and no other is under way."""
        if response_id is not None:
            assert response_id not in self.ended, f"after its end: {response_id}"
            self.begun[response_id] = None
            assert self.open_replies == [response_id], f"two at once: {self.open_replies}"

    def _audio(self, delta: AudioDelta) -> None:
        self._part_of(delta.response_id)
        assert delta.response_id not in self.muted, "audio of a reply that was cut"
        assert delta.pcm
        assert len(delta.pcm) % 2 == 0
        item = delta.item_id or ""
        ms = pcm_ms(len(delta.pcm), self.output_rate_hz)
        self.received_ms[item] = self.received_ms.get(item, 0.0) + ms
        self.unsettled_ms[item] = self.unsettled_ms.get(item, 0.0) + ms
        of_reply = self.of_reply_ms.setdefault(delta.response_id, {})
        of_reply[item] = of_reply.get(item, 0.0) + ms

    def _cut(self, flush: FlushPlayback) -> None:
        self.muted.update(self.begun)
        if flush.response_id is not None:
            self.muted.add(flush.response_id)
        if not self.cutting:
            self.cutting = True
            self.cuts += 1
            # A reply without an id cannot be told from the one before it.
            known = flush.response_id is not None
            of_reply = self.of_reply_ms.get(flush.response_id, {}) if known else {}
            self.at_least_ms = sum(int(ms + 1e-6) for ms in of_reply.values())

    def _interrupted(self, event: Interrupted) -> None:
        assert self.cutting, "nothing was cut"
        self.cutting = False
        self.interruptions += 1
        assert event.heard_ms >= 0
        assert event.cut_ms >= 0
        most = sum(int(ms + 1e-6) for ms in self.unsettled_ms.values())
        assert self.at_least_ms <= event.heard_ms + event.cut_ms <= most
        if event.item_id:
            assert event.item_id in self.unsettled_ms
        if event.truncated:
            assert self.dialect.capabilities.truncation
        self.unsettled_ms.clear()
        self.of_reply_ms.clear()

    def _turn_end(self, end: AssistantTurnEnd) -> None:
        assert not self.cutting, "the end of a cut reply comes behind Interrupted"
        if end.response_id is not None:
            assert end.response_id not in self.ended, f"ended twice: {end}"
            self.begun[end.response_id] = None
            assert self.open_replies == [end.response_id], f"two at once: {self.open_replies}"
            if self.running == end.response_id:
                self.running = None
        self.ended.append(end.response_id)
