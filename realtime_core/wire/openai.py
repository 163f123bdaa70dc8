"""
The OpenAI-wire family: one state machine, every difference between servers in its `Dialect`.

Start is a gate of two: the vendor greets (`session.created`), we configure, and only its answer
(`session.updated`) opens the session. A first update that is refused is discarded whole and the vendor would
talk on with default instructions and voice (OpenAI Realtime, captured), so it fails the start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Literal
from uuid import uuid4

import attrs

from realtime_core.audio import pcm_ms
from realtime_core.capabilities import Capabilities
from realtime_core.errors import (
    AgentStateError,
    ConfigError,
    ConnectError,
    ErrorKind,
    RealtimeError,
    RemoteProtocolError,
    SessionLostError,
    VendorError,
)
from realtime_core.events import ErrorEvent, Event, Initiator, SessionClose, SessionOpen
from realtime_core.options import Options
from realtime_core.wire.codec import STANDARD_CODEC, Codec
from realtime_core.wire.dialect import Dialect, ServerFrame
from realtime_core.wire.effects import AudioDelta, Effect, StartRefused
from realtime_core.wire.error_table import Verdict
from realtime_core.wire.inbox import Inbox
from realtime_core.wire.openai_asking import Asking
from realtime_core.wire.openai_caller import CallerSide
from realtime_core.wire.openai_frames import BETA_NAMES, client_frame, object_at, text_at
from realtime_core.wire.openai_replies import Replies, Reply
from realtime_core.wire.protocol import WireProtocol, WireState
from realtime_core.wire.settings import SessionSettings, instructions_update, session_object

__all__ = ["GOODBYE_LIMIT_S", "REPLY_SILENCE_LIMIT_S", "OpenAIWire"]

REPLY_SILENCE_LIMIT_S = 30.0
"""A reply that was begun or asked for and says nothing for this long is dead."""
GOODBYE_LIMIT_S = 2.0
"""How long the vendor's close is awaited after a fatal error."""

_APPEND_HEAD = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_TAIL = b'"}'

_BEFORE_OPEN = frozenset({"session.created", "conversation.created", "session.updated", "error"})
_Handler = Callable[[ServerFrame, float], None]

_log = logging.getLogger("realtime_core.wire")


def _new_event_id() -> str:
    return f"event_{uuid4().hex}"


class OpenAIWire(WireProtocol):
    """
    One session with a server of the family.

    Args:
        vendor: Slug for events.
        dialect: How this server differs.
        settings: What the tenant's credential sets.
        options: What the application asks for.
        codec: Reads frames and writes audio.
        secrets: Taken out of whatever the vendor says, should it quote them; none shorter than 8 characters.
        new_event_id: Makes ids of client events.

    Raises:
        ConfigError: A setting this vendor would refuse.
    """

    def __init__(
        self,
        *,
        vendor: str,
        dialect: Dialect,
        settings: SessionSettings,
        options: Options,
        codec: Codec = STANDARD_CODEC,
        secrets: Sequence[str] = (),
        new_event_id: Callable[[], str] = _new_event_id,
    ) -> None:
        """Build the session object at once, so that a wrong setting fails before anything connects."""
        self.vendor = vendor
        self.dialect = dialect
        self.state: WireState = WireState.NEW
        self.capabilities: Capabilities = attrs.evolve(
            dialect.capabilities,
            input_wire_rate_hz=dialect.input_rate_hz,
            output_wire_rate_hz=dialect.output_rate_hz,
        )
        self.input_rate_hz: int = dialect.input_rate_hz
        self.output_rate_hz: int = dialect.output_rate_hz
        self.frames_ignored: int = 0
        self._settings = settings
        self._options = options
        self._instructions = options.system_prompt
        self._session = session_object(dialect, settings, options)
        self._encode_audio = codec.encode_audio
        self._new_event_id = new_event_id
        self._frames: list[bytes] = []
        self._effects: list[Effect] = []
        self._interrupts = options.vad is None or options.vad.interrupt
        self._replies = Replies(
            vendor, codec, self._effects.append, self._on_reply_began, dialect.output_rate_hz
        )
        self._caller = CallerSide(vendor, self._effects.append, dialect.partial_transcripts)
        self._asking = Asking(self._send, self._joined_instructions, dialect.cancels_by_id)
        self._configured_by: str | None = None
        self._session_id: str | None = None
        self._limit_at: float | None = None
        self._uncommitted_bytes = 0
        self._follow_up_due = False
        self._inbox = Inbox(codec, dialect.translate, dialect.drops_duplicates, secrets)
        self._handlers = self._handler_table()

    @property
    def late_audio(self) -> int:  # type: ignore[override] # counted where it is dropped
        """Audio deltas dropped because their reply was already cut."""
        return self._replies.late_audio

    def _handler_table(self) -> dict[str, _Handler]:
        """Who takes which event, by GA name; what is not here is ignored and counted."""
        replies, caller = self._replies, self._caller
        return {
            "session.created": self._on_session_created,
            # Greets instead of session.created on some compatible servers.
            "conversation.created": self._on_session_created,
            "session.updated": self._on_session_updated,
            "error": self._on_error,
            "input_audio_buffer.speech_started": self._on_speech_started,
            "input_audio_buffer.speech_stopped": caller.stopped,
            "conversation.item.input_audio_transcription.delta": caller.partial,
            "conversation.item.input_audio_transcription.completed": caller.final,
            "conversation.item.input_audio_transcription.failed": self._on_transcript_failed,
            "response.created": replies.created,
            "response.output_item.added": replies.activity,
            "response.content_part.added": replies.activity,
            "response.content_part.done": replies.activity,
            "response.function_call_arguments.delta": replies.activity,
            "response.function_call_arguments.done": replies.activity,
            "response.output_audio.delta": replies.audio_delta,
            "response.output_audio.done": replies.audio_done,
            "response.output_audio_transcript.delta": replies.text_delta,
            "response.output_audio_transcript.done": replies.text_done,
            "response.output_text.delta": replies.text_delta,
            "response.output_text.done": replies.text_done,
            "response.output_item.done": replies.item_done,
            "response.done": self._on_response_done,
        }

    # Commands

    def open(self, now: float) -> None:
        """Wait for the vendor's greeting."""
        self.state = WireState.STARTING

    def audio_frame(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Write one append; it carries no event id, since nothing answers it."""
        self._uncommitted_bytes += pcm.nbytes if isinstance(pcm, memoryview) else len(pcm)
        return b"".join((_APPEND_HEAD, self._encode_audio(pcm), _APPEND_TAIL))

    def commit_input_audio(self, now: float) -> bool:
        """Commit and ask for the reply; a running reply is cancelled first."""
        if not self._options.disable_server_vad:
            return False
        have_ms = pcm_ms(self._uncommitted_bytes, self.input_rate_hz)
        if have_ms < self.dialect.minimum_commit_ms:
            self._error(
                AgentStateError(
                    f"commit_input_audio: expected at least {self.dialect.minimum_commit_ms} ms of audio "
                    f"since the last commit, got {have_ms:.0f} ms; nothing was sent"
                )
            )
            return False
        self.cancel(None, now)
        self._send("input_audio_buffer.commit")
        self._uncommitted_bytes = 0
        self._ask(now)
        return True

    def clear_input_audio(self, now: float) -> None:
        """Empty the vendor's input buffer."""
        self._uncommitted_bytes = 0
        self._send("input_audio_buffer.clear")

    def create_response(self, instructions: str | None, now: float) -> None:
        """Ask for a reply, now or when the running one has ended."""
        self._ask(now, instructions)

    def send_text(self, text: str, respond: bool, now: float) -> None:
        """Add a user message."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self._send("conversation.item.create", item=item)
        if respond:
            self._ask(now)

    def cancel(self, played_ms: int | None, now: float) -> None:
        """Cancel the running reply, mute it, and drop requests that wait."""
        self._asking.give_up()
        self._follow_up_due = False
        reply = self._replies.current
        if reply is not None and not reply.muted:
            self._asking.cancel(reply.response_id)
        self._replies.mute(now)

    def update_instructions(self, instructions: str, now: float) -> None:
        """Send the instructions alone."""
        self._instructions = instructions
        session = instructions_update(self.dialect, self._joined_instructions())
        self._send("session.update", session=session)

    def send_tool_result(self, call_id: str, output: str, now: float) -> None:
        """Add the result; the last open one of an ended reply asks for the follow-up."""
        if call_id not in self._replies.open_calls:
            raise ConfigError(
                f"send_tool_result: no tool call {call_id!r} waits for an answer; "
                "use ToolCall.call_id, once"
            )
        self._replies.open_calls.discard(call_id)
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        self._send("conversation.item.create", item=item)
        self._follow_up_due = True
        self._follow_up(now)

    def report_playback(self, item_id: str, played_ms: int, final: bool, now: float) -> None:
        """Nothing to tell the vendor before a reply is cut."""

    def fail(self, error: RealtimeError, now: float) -> None:
        """End for a reason of the driver's."""
        if self.state is WireState.STARTING:
            self._refuse(error)
        elif self.state in (WireState.OPEN, WireState.ENDING):
            if self.state is WireState.OPEN:
                self._error(error, fatal=True)
            initiator: Initiator = "network" if error.kind is ErrorKind.STALLED else "client"
            self._finish(None, str(error), initiator, "failed")

    def close(self, now: float) -> None:
        """End by the application's wish."""
        if self.state in (WireState.OPEN, WireState.ENDING):
            self._finish(1000, "", "client", "cancelled")
        self.state = WireState.CLOSED

    # What the driver asks

    def take_frames(self) -> list[bytes]:
        """Give the frames to send."""
        frames, self._frames = self._frames, []
        return frames

    def take_effects(self) -> list[Effect]:
        """Give what to carry out."""
        effects = self._effects[:]
        self._effects.clear()
        return effects

    def deadline(self) -> float | None:
        """Say when a wait runs out: acknowledgement, silent reply, or the vendor's goodbye."""
        if self.state in (WireState.STARTING, WireState.ENDING):
            return self._limit_at
        if self.state is not WireState.OPEN:
            return None
        if self._replies.current is not None:
            return self._replies.current.heard_from_at + REPLY_SILENCE_LIMIT_S
        if self._asking.asked_at is not None:
            return self._asking.asked_at + REPLY_SILENCE_LIMIT_S
        return None

    def on_timer(self, now: float) -> None:
        """Do what is due."""
        due = self.deadline()
        if due is None or now < due:
            return
        if self.state is WireState.STARTING:
            self._opened()
        elif self.state is WireState.ENDING:
            self._finish(None, "the vendor did not close in time", "client", "failed")
        elif self.state is WireState.OPEN:
            self.fail(
                SessionLostError(
                    f"a reply was silent for {REPLY_SILENCE_LIMIT_S:.0f} s",
                    kind=ErrorKind.STALLED,
                ),
                now,
            )

    # What the vendor sends

    def receive(self, frame: bytes, now: float) -> None:
        """Take one frame; what is damaged or unknown never raises."""
        if self.state is WireState.CLOSED:
            return
        before = len(self._effects)
        try:
            event = self._inbox.read(frame)
        except ValueError:
            self._damaged(len(frame))
        else:
            if event is not None:
                self._take(event, now)
        if self._options.include_raw and len(self._effects) > before:
            raw = self._inbox.raw(frame)
            self._effects[before:] = [
                attrs.evolve(effect, raw=raw) if isinstance(effect, (Event, AudioDelta)) else effect
                for effect in self._effects[before:]
            ]

    def receive_eof(self, code: int, reason: str, now: float) -> None:
        """The connection ended without our asking."""
        reason = self._inbox.without_secrets(reason)
        lost = self.dialect.errors.lost(code, reason)
        if self.state is WireState.STARTING:
            self._refuse(
                ConnectError(f"while starting, {lost}", kind=lost.kind, retryable=lost.retryable)
            )
        elif self.state is WireState.OPEN:
            self._error(lost, fatal=True)
        initiator: Initiator = "network" if code == 1006 else "vendor"
        if self.state in (WireState.OPEN, WireState.ENDING):
            self._finish(code, reason, initiator, "failed")
        self.state = WireState.CLOSED

    def _take(self, event: ServerFrame, now: float) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            self.frames_ignored += 1
            return
        kind = BETA_NAMES.get(kind, kind)
        handler = self._handlers.get(kind)
        if handler is None:
            self.frames_ignored += 1
            _log.debug("%s: event %.60r is not known and ignored", self.vendor, kind)
        elif self.state is WireState.OPEN or kind in _BEFORE_OPEN:
            handler(event, now)

    def _damaged(self, size: int) -> None:
        error = RemoteProtocolError(
            f"expected a JSON object from the vendor, got {size} bytes that are none"
        )
        if self.state is WireState.OPEN:
            self._error(error)
        else:
            _log.warning("%s: %s", self.vendor, error)

    def _on_session_created(self, event: ServerFrame, now: float) -> None:
        if self.state is not WireState.STARTING or self._configured_by is not None:
            return
        self._session_id = text_at(object_at(event, "session"), "id")
        self._configured_by = self._send("session.update", session=self._session)
        if not self.dialect.acknowledges_updates:
            self._limit_at = now + self.dialect.acknowledge_within_s

    def _on_session_updated(self, event: ServerFrame, now: float) -> None:
        if self.state is not WireState.STARTING or self._configured_by is None:
            return
        session = object_at(event, "session")
        self._session_id = text_at(session, "id") or self._session_id
        echoed = object_at(object_at(object_at(session, "audio"), "output"), "format")
        rate = echoed.get("sample_rate", echoed.get("rate"))
        # DashScope's audio object is trusted over what was asked (Model Studio, Client events).
        if isinstance(rate, int) and not isinstance(rate, bool) and 8000 <= rate <= 48000:
            self.output_rate_hz = self._replies.output_rate_hz = rate
        self._opened()

    def _opened(self) -> None:
        self._limit_at = None
        self.state = WireState.OPEN
        self._effects.append(SessionOpen(vendor=self.vendor, session_id=self._session_id))

    def _on_error(self, event: ServerFrame, now: float) -> None:
        # Some compatible servers write the fields into the event itself, whose type is no type of error.
        flat = {key: value for key, value in event.items() if key not in ("type", "event_id")}
        verdict = self._judge(event.get("error", flat))
        error = verdict.error
        if self.state is WireState.STARTING:
            self._refuse(
                ConnectError(
                    f"the vendor refused the session: {error} (code {error.code})",
                    kind=error.kind,
                    retryable=error.retryable,
                ),
                cause=error,
            )
            return
        if self.state is not WireState.OPEN:
            return
        # A harmless race answers another command, whatever event it names or does not.
        if verdict.benign or self._asking.is_refusal(error, now):
            _log.info("%s: a harmless race: %s (code %s)", self.vendor, error, error.code)
            return
        self._error(error, fatal=verdict.fatal)
        if verdict.fatal:
            self._end_soon(now)

    def _on_speech_started(self, event: ServerFrame, now: float) -> None:
        if self._caller.is_repeated(event):
            return
        busy = self._replies.current is not None or now < self._replies.audible_until
        interrupts = self._interrupts and busy
        if interrupts:
            self._replies.mute(now)
        self._caller.started(event, interrupts=interrupts)

    def _on_transcript_failed(self, event: ServerFrame, now: float) -> None:
        self._caller.failed(event, now)
        self._error(self._judge(event.get("error")).error)

    def _on_reply_began(self, reply: Reply) -> None:
        if self._asking.started():  # it was cancelled between our request and this
            reply.muted = True
            self._asking.cancel(reply.response_id)

    def _on_response_done(self, event: ServerFrame, now: float) -> None:
        ended = self._replies.done(event, now)
        if ended is None:
            if self._replies.current is None:  # of a reply that never showed and held up a wish
                self._asking.ended(now)
            return
        status, details = ended
        fatal = False
        if status in ("failed", "incomplete"):  # the caller hears nothing more, so it must show
            error: RealtimeError
            if status == "failed":
                verdict = self._judge(details)
                error = verdict.error
                fatal = verdict.code_is_fatal
            else:
                reason = self._inbox.error_of(details)
                reason = reason.get("reason") if isinstance(reason, dict) else reason
                code = reason if isinstance(reason, str) and reason else None
                error = VendorError(
                    f"the reply is incomplete: {code or 'no reason given'}", code=code
                )
            self._error(error, fatal=fatal)
        self._replies.end(status, object_at(event, "response").get("usage"))
        if fatal:
            self._end_soon(now)
        else:
            self._follow_up(now)
            self._asking.ended(now)

    # Pieces

    def _follow_up(self, now: float) -> None:
        """Ask for one reply to all results, once the calling reply has ended and every call is answered."""
        if self._follow_up_due and self._replies.current is None and not self._replies.open_calls:
            self._follow_up_due = False
            self._ask(now)

    def _judge(self, error: Any) -> Verdict:
        return self.dialect.errors.judge(self._inbox.error_of(error))

    def _send(self, kind: str, **fields: Any) -> str:
        event_id = self._new_event_id()
        self._frames.append(client_frame(kind, event_id, **fields))
        return event_id

    def _ask(self, now: float, instructions: str | None = None) -> None:
        if not self._asking.ask(now, instructions):
            self._error(AgentStateError("too many replies are asked for; this one is left out"))

    def _joined_instructions(self) -> str:
        return self._settings.joined_instructions(self._instructions)

    def _error(self, error: RealtimeError, *, fatal: bool = False) -> None:
        self._effects.append(ErrorEvent(vendor=self.vendor, error=error, fatal=fatal))

    def _refuse(self, error: RealtimeError, cause: BaseException | None = None) -> None:
        error.__cause__ = cause
        self._effects.append(StartRefused(error))
        self.state = WireState.CLOSED

    def _end_soon(self, now: float) -> None:
        """After a fatal error the vendor closes; give it a moment, so that its reason is not lost."""
        self.state = WireState.ENDING
        self._limit_at = now + GOODBYE_LIMIT_S

    def _finish(
        self,
        code: int | None,
        reason: str,
        initiator: Initiator,
        open_reply: Literal["cancelled", "failed"],
    ) -> None:
        self._replies.end(open_reply)
        self.state = WireState.CLOSED
        self._limit_at = None
        self._effects.append(
            SessionClose(vendor=self.vendor, code=code, reason=reason, initiator=initiator)
        )
