"""
The OpenAI-wire family: one state machine, every difference between servers in its `Dialect`.

Start is a gate of two: the vendor greets (`session.created`), we configure, and only its answer
(`session.updated`) opens the session. A first update that is refused is discarded whole and the vendor would
talk on with default instructions and voice (OpenAI Realtime, captured), so it fails the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal
from uuid import uuid4

import attrs

from realtime_core import g711
from realtime_core.capabilities import Capabilities
from realtime_core.errors import (
    ConnectError,
    ErrorKind,
    RealtimeError,
    RemoteProtocolError,
)
from realtime_core.events import ErrorEvent, Event, Initiator, SessionClose, SessionOpen
from realtime_core.log import SessionLog
from realtime_core.options import Options
from realtime_core.usage import Transcription
from realtime_core.wire.codec import STANDARD_CODEC, Codec
from realtime_core.wire.dialect import Dialect, ServerFrame
from realtime_core.wire.effects import AudioDelta, Effect, StartRefused
from realtime_core.wire.error_table import Verdict
from realtime_core.wire.inbox import Inbox
from realtime_core.wire.openai_conversation import Conversation, Handler
from realtime_core.wire.openai_frames import (
    BETA_NAMES,
    NEEDS_NOTHING,
    client_frame,
    object_at,
    text_at,
)
from realtime_core.wire.protocol import UrgentFrame, WireProtocol, WireState
from realtime_core.wire.settings import SessionSettings, instructions_update, session_object

__all__ = ["GOODBYE_LIMIT_S", "OpenAIWire"]

GOODBYE_LIMIT_S = 2.0
"""How long the vendor's close is awaited after a fatal error."""

_APPEND_HEAD = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_TAIL = b'"}'

_COMPRESS = {"ulaw": g711.ulaw_encode, "alaw": g711.alaw_encode}
# They name what they are about, and nothing sent before them changes it.
_URGENT = frozenset({"response.cancel", "conversation.item.truncate", "conversation.item.delete"})
_BEFORE_OPEN = frozenset({"session.created", "conversation.created", "session.updated", "error"})


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
        self._log = SessionLog("realtime_core.wire", vendor)
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
        self._compress = _COMPRESS[dialect.companding] if dialect.companding else None
        self._new_event_id = new_event_id
        self._frames: list[bytes] = []
        self._effects: list[Effect] = []
        self._inbox = Inbox(codec, dialect.translate, dialect.drops_duplicates, secrets)
        self._conversation = Conversation(
            vendor=vendor,
            dialect=dialect,
            options=options,
            codec=codec,
            emit=self._effects.append,
            send=self._send,
            new_event_id=new_event_id,
            instructions=self._joined_instructions,
            report=self._report,
            judge=self._judge,
            error_of=self._inbox.error_of,
        )
        self._configured_by: str | None = None
        self._session_id: str | None = None
        self._limit_at: float | None = None
        self._handlers = self._handler_table()

    @property
    def late_audio(self) -> int:  # type: ignore[override] # counted where it is dropped
        """Audio deltas dropped because their reply was already cut."""
        return self._conversation.late_audio

    @property
    def transcription(self) -> Transcription:  # type: ignore[override] # kept where it is reported
        """What transcribing the caller cost."""
        return self._conversation.transcription

    def _handler_table(self) -> dict[str, Handler]:
        """Who takes which event, by GA name; what is not here is ignored and counted."""
        return {
            "session.created": self._on_session_created,
            # Greets instead of session.created on some compatible servers.
            "conversation.created": self._on_session_created,
            "session.updated": self._on_session_updated,
            "error": self._on_error,
            **self._conversation.handlers(),
        }

    # Commands

    def open(self, now: float) -> None:
        """Wait for the vendor's greeting."""
        self.state = WireState.STARTING

    def audio_frame(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Write one append; it carries no event id, since nothing answers it."""
        self._conversation.audio_pushed(pcm.nbytes if isinstance(pcm, memoryview) else len(pcm))
        if self._compress is not None:
            pcm = self._compress(pcm)
        return b"".join((_APPEND_HEAD, self._encode_audio(pcm), _APPEND_TAIL))

    def commit_input_audio(self, now: float) -> bool:
        """Commit and ask for the reply; false when nothing was sent."""
        return self._conversation.commit(now)

    def clear_input_audio(self, now: float) -> None:
        """Empty the vendor's input buffer."""
        self._conversation.clear()

    def create_response(self, instructions: str | None, now: float) -> None:
        """Ask for a reply, now or when the running one has ended."""
        self._conversation.create_response(instructions, now)

    def send_text(self, text: str, respond: bool, now: float) -> None:
        """Add a user message."""
        self._conversation.send_text(text, respond, now)

    def cancel(self, played_ms: int | None, now: float) -> None:
        """Cancel the running reply, and tell the vendor what was heard of it."""
        self._conversation.cancel(played_ms, now)

    def update_instructions(self, instructions: str, now: float) -> None:
        """Send the instructions alone."""
        self._instructions = instructions
        session = instructions_update(self.dialect, self._joined_instructions())
        self._send("session.update", session=session)

    def waits_for(self, call_id: str) -> bool:
        """Say whether a tool call has no answer yet."""
        return self._conversation.waits_for(call_id)

    def send_tool_result(self, call_id: str, output: str, now: float) -> None:
        """Take an answer; those of a reply go back together when it has ended."""
        self._conversation.tool_result(call_id, output, now)

    def report_playback(self, item_id: str, played_ms: int, final: bool, now: float) -> None:
        """Take note of what was heard."""
        self._conversation.report_playback(item_id, played_ms, final, now)

    def fail(self, error: RealtimeError, now: float) -> None:
        """End for a reason of the driver's."""
        if self.state is WireState.STARTING:
            self._refuse(error)
        elif self.state in (WireState.OPEN, WireState.ENDING):
            if self.state is WireState.OPEN:
                self._report(error, fatal=True)
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
        return self._conversation.deadline() if self.state is WireState.OPEN else None

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
            lost = self._conversation.on_timer(now)
            if lost is not None:
                self.fail(lost, now)

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
        if self.state is WireState.ENDING and self._limit_at is None:
            self._limit_at = now + GOODBYE_LIMIT_S
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
            self._report(lost, fatal=True)
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
            if kind.startswith("response."):  # such as a long call of the vendor's own
                self._conversation.heard_from(event, now)
            if kind not in NEEDS_NOTHING:
                self.frames_ignored += 1
                self._log.debug(
                    "event %.60r is not known and ignored", self._inbox.without_secrets(kind)
                )
        elif self.state is WireState.OPEN or kind in _BEFORE_OPEN:
            handler(event, now)

    def _damaged(self, size: int) -> None:
        error = RemoteProtocolError(
            f"expected a JSON object from the vendor, got {size} bytes that are none"
        )
        if self.state is WireState.OPEN:
            self._report(error)
        else:
            self._log.warning("%s", error)

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
        if (
            self.dialect.companding is None
            and isinstance(rate, int)
            and not isinstance(rate, bool)
            and 8000 <= rate <= 48000
        ):
            self.output_rate_hz = rate
            self._conversation.set_output_rate(rate)
        self._opened()

    def _opened(self) -> None:
        self._limit_at = None
        self._log.session_id = self._session_id
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
        if verdict.benign or self._conversation.is_refusal(error, now):
            self._log.info("a harmless race: %s (code %s)", error, error.code)
            return
        self._report(error, fatal=verdict.fatal)

    # Pieces

    def _judge(self, error: Any) -> Verdict:
        return self.dialect.errors.judge(self._inbox.error_of(error))

    def _send(self, kind: str, *, event_id: str | None = None, **fields: Any) -> str:
        event_id = event_id or self._new_event_id()
        frame = client_frame(kind, event_id, **fields)
        self._frames.append(UrgentFrame(frame) if kind in _URGENT else frame)
        return event_id

    def _joined_instructions(self) -> str:
        return self._settings.joined_instructions(self._instructions)

    def _report(self, error: RealtimeError, *, fatal: bool = False) -> None:
        """Tell the application; after a fatal error the vendor's close is awaited, so that its reason is not lost."""
        self._effects.append(ErrorEvent(vendor=self.vendor, error=error, fatal=fatal))
        if fatal and self.state is WireState.OPEN:
            self.state = WireState.ENDING

    def _refuse(self, error: RealtimeError, cause: BaseException | None = None) -> None:
        error.__cause__ = cause
        self._effects.append(StartRefused(error))
        self.state = WireState.CLOSED

    def _finish(
        self,
        code: int | None,
        reason: str,
        initiator: Initiator,
        open_reply: Literal["cancelled", "failed"],
    ) -> None:
        self._conversation.end(open_reply)
        self.state = WireState.CLOSED
        self._limit_at = None
        self._effects.append(
            SessionClose(vendor=self.vendor, code=code, reason=reason, initiator=initiator)
        )
