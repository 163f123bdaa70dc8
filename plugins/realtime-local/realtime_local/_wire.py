"""
The rules of a conversation with the model in the box: who speaks when, what is remembered, what the application is told.

Pure like every wire: no clock, no tasks, no engines. The work is done by `EngineRoom`, which is the other end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from realtime_core.arbiter import Arbiter, ReplyRequest
from realtime_core.audio import pcm_ms
from realtime_core.capabilities import Capabilities
from realtime_core.errors import (
    AgentStateError,
    ConfigError,
    ErrorKind,
    RealtimeError,
    SessionLostError,
)
from realtime_core.events import (
    ErrorEvent,
    Initiator,
    SessionClose,
    SessionOpen,
    ToolCall,
    TurnStatus,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.options import Options
from realtime_core.tool_calls import CallBook
from realtime_core.usage import Transcription
from realtime_core.wire import (
    AudioDelta,
    AudioEnd,
    Effect,
    FlushPlayback,
    StartRefused,
    WireProtocol,
    WireState,
)
from realtime_core.wire.barge_in import BargeIn
from realtime_local._caller import CallerTurns
from realtime_local._frames import (
    SPOKEN,
    caller_audio,
    from_json,
    messages_to,
    spoken_parts,
    to_json,
)
from realtime_local._memory import Memory
from realtime_local._reply import LocalReply
from realtime_local.engines import MODEL_RATE_HZ

__all__ = ["ENGINE_SILENCE_LIMIT_S", "LOCAL", "MINIMUM_COMMIT_MS", "LocalWire"]

ENGINE_SILENCE_LIMIT_S = 30.0
"""How long an engine may be silent over its work before the session ends."""
MINIMUM_COMMIT_MS = 100
"""The shortest turn that can be committed by hand."""

LOCAL = Capabilities(
    truncation=True,
    tools=True,
    text_input=True,
    input_wire_rate_hz=MODEL_RATE_HZ,
)
"""What the model in the box can do."""


class LocalWire(WireProtocol):
    """
    One conversation.

    Args:
        vendor: Slug for events.
        options: What the application asks for.
        instructions: The tenant's part, in front of the application's.
        session_id: Of this session.
        output_rate_hz: Of the speech engine.
    """

    def __init__(
        self,
        *,
        vendor: str,
        options: Options,
        instructions: str,
        session_id: str,
        output_rate_hz: int,
    ) -> None:
        self.vendor = vendor
        self.state: WireState = WireState.NEW
        self.capabilities: Capabilities = attrs.evolve(LOCAL, output_wire_rate_hz=output_rate_hz)
        self.input_rate_hz: int = MODEL_RATE_HZ
        self.output_rate_hz: int = output_rate_hz
        self.frames_ignored: int = 0
        self.late_audio: int = 0
        self.transcription: Transcription = Transcription()
        self._session_id = session_id
        self._tenant_instructions = instructions
        self._instructions = options.system_prompt
        self._manual = options.disable_server_vad
        self._aloud = tuple(options.modalities) != ("text",)
        self._interrupts = options.vad is None or options.vad.interrupt
        self._responds = options.vad is None or options.vad.respond
        self._frames: list[bytes] = []
        self._effects: list[Effect] = []
        self._memory = Memory()
        self._arbiter = Arbiter()
        self._calls = CallBook()
        self._barge_in = BargeIn(vendor, self._effects.append, self._cut_memory, truncates=True)
        self._reply: LocalReply | None = None
        self._replies = 0
        self._turns = CallerTurns()
        self._uncommitted_bytes = 0
        self._commits = 0
        self._handlers: dict[str, Callable[[dict[str, Any], float], None]] = {
            "speech_started": self._on_speech_started,
            "speech_ended": self._on_speech_ended,
            "transcript": self._on_transcript,
            "say": self._on_say,
            "said": self._on_said,
            "call": self._on_call,
            "done": self._on_done,
            "error": self._on_error,
        }

    # Commands

    def open(self, now: float) -> None:
        """The engines are loaded when the transport is connected: the session is open at once."""
        self.state = WireState.OPEN
        self._effects.append(SessionOpen(vendor=self.vendor, session_id=self._session_id))

    def audio_frame(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Write one frame of caller audio."""
        self._uncommitted_bytes += len(pcm)
        return caller_audio(pcm)

    def commit_input_audio(self, now: float) -> bool:
        """End the caller's turn by hand; a running reply is cut first."""
        if not self._manual:
            return False
        have_ms = pcm_ms(self._uncommitted_bytes, MODEL_RATE_HZ)
        if have_ms < MINIMUM_COMMIT_MS:
            self._report(
                AgentStateError(
                    f"commit_input_audio: expected at least {MINIMUM_COMMIT_MS} ms of audio "
                    f"since the last commit, got {have_ms:.0f} ms; nothing was sent"
                )
            )
            return False
        self.cancel(None, now)
        self._uncommitted_bytes = 0
        self._commits += 1
        item_id = f"turn_{self._commits}"
        self._turns.ended(item_id, now)
        self._arbiter.caller_started(now)  # nobody answers before the words are known
        self._send("commit", item=item_id)
        return True

    def clear_input_audio(self, now: float) -> None:
        """Forget audio that is no utterance yet."""
        self._uncommitted_bytes = 0
        self._send("clear")

    def create_response(self, instructions: str | None, now: float) -> None:
        """Ask for a reply, now or when the running one has ended and the caller is silent."""
        self._ask(now, instructions)

    def send_text(self, text: str, respond: bool, now: float) -> None:
        """Remember a written message, and answer it."""
        self._memory.caller_said(text)
        if respond:
            self._ask(now)

    def cancel(self, played_ms: int | None, now: float) -> None:
        """Stop the running reply, forget what was not heard of it, and drop wishes that wait."""
        self._arbiter.forget()
        if self._manual:
            self._turns.give_up()
        if self._reply is None and not self._barge_in.audible(now):
            if played_ms is not None:  # a cut by the caller's speech may be waiting for the figure
                self._barge_in.settle_at(played_ms)
            return
        self._cut(now)
        self._end_reply("cancelled", now)
        if played_ms is not None:
            self._barge_in.settle_at(played_ms)
        else:
            self._barge_in.settle_if_known()

    def update_instructions(self, instructions: str, now: float) -> None:
        """Replace the application's part; holds from the next reply."""
        self._instructions = instructions

    def waits_for(self, call_id: str) -> bool:
        """Say whether a tool call has no answer yet."""
        return self._calls.waits(call_id)

    def send_tool_result(self, call_id: str, output: str, now: float) -> None:
        """Take an answer; those of a reply are taken note of together when it has ended."""
        if not self.waits_for(call_id):
            raise ConfigError(
                f"send_tool_result: no tool call {call_id!r} waits for an answer; "
                "use ToolCall.call_id, once"
            )
        self._calls.answer(call_id, output)
        self._take_results(now)

    def report_playback(self, item_id: str, played_ms: int, final: bool, now: float) -> None:
        """Take note of what was heard."""
        self._barge_in.report(item_id, played_ms, final=final, now=now)

    # The three beats

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
        """Say when a cut has to be settled, or an engine is taken for dead."""
        if self.state is not WireState.OPEN:
            return None
        waits = [self._barge_in.deadline, self._arbiter.hold_until, *self._silent_engines()]
        return min((wait for wait in waits if wait is not None), default=None)

    def on_timer(self, now: float) -> None:
        """Do what is due."""
        if self.state is not WireState.OPEN:
            return
        settle_at = self._barge_in.deadline
        if settle_at is not None and now >= settle_at:
            self._barge_in.settle_by_clock()
        self._reply_next(now)
        if any(now >= due for due in self._silent_engines()):
            what = f"a speech engine or replier was silent for {ENGINE_SILENCE_LIMIT_S:.0f} s"
            self.fail(SessionLostError(what, kind=ErrorKind.STALLED), now)

    def _silent_engines(self) -> list[float]:
        working = self._turns.recognised_since()
        if self._reply is not None:
            working.append(self._reply.heard_from_at)
        return [since + ENGINE_SILENCE_LIMIT_S for since in working]

    # What the engines say

    def receive(self, frame: bytes, now: float) -> None:
        """Take one frame of the engine room."""
        if self.state is not WireState.OPEN:
            return
        if frame[:1] == SPOKEN:
            self._on_audio(*spoken_parts(frame), now)
            return
        event = from_json(frame)
        self._handlers[event["type"]](event, now)

    def receive_eof(self, code: int, reason: str, now: float) -> None:
        """The engine room has gone without our asking."""
        if self.state is WireState.OPEN:
            self._effects.append(
                ErrorEvent(
                    vendor=self.vendor, error=SessionLostError(reason, code=code), fatal=True
                )
            )
            self._finish(code, reason, "vendor", "failed")
        self.state = WireState.CLOSED

    def fail(self, error: RealtimeError, now: float) -> None:
        """End for a reason of the driver's."""
        if self.state is WireState.NEW:
            self._effects.append(StartRefused(error))
        elif self.state is WireState.OPEN:
            self._effects.append(ErrorEvent(vendor=self.vendor, error=error, fatal=True))
            initiator: Initiator = "vendor" if error.kind is ErrorKind.STALLED else "client"
            self._finish(None, str(error), initiator, "failed")
        self.state = WireState.CLOSED

    def close(self, now: float) -> None:
        """End by the application's wish."""
        if self.state is WireState.OPEN:
            self._finish(1000, "", "client", "cancelled")
        self.state = WireState.CLOSED

    # The caller

    def _on_speech_started(self, event: dict[str, Any], now: float) -> None:
        self._turns.began(event["item"])
        self._arbiter.caller_started(now)
        interrupts = self._interrupts and (self._reply is not None or self._barge_in.audible(now))
        if interrupts:
            self._cut(now)
        self._effects.append(
            UserSpeechStarted(
                vendor=self.vendor,
                item_id=event["item"],
                at_ms=event["at_ms"],
                interrupts=interrupts,
            )
        )
        if interrupts:
            self._end_reply("cancelled", now)
            self._barge_in.settle_if_known()

    def _on_speech_ended(self, event: dict[str, Any], now: float) -> None:
        """Recognition has begun; who waits for a reply waits for the caller's words first."""
        self._turns.ended(event["item"], now)
        self._effects.append(
            UserSpeechEnded(vendor=self.vendor, item_id=event["item"], at_ms=event["at_ms"])
        )

    def _on_transcript(self, event: dict[str, Any], now: float) -> None:
        wanted = self._turns.known(event["item"])
        text: str = event["text"]
        if event["answered"]:
            self._memory.caller_said(text)
        if text:
            self._effects.append(
                UserTranscript(vendor=self.vendor, text=text, final=True, item_id=event["item"])
            )
        if event["answered"] and wanted and (self._manual or self._responds):
            self._ask(now)
        if not self._turns.are_open:
            self._arbiter.caller_stopped(now, answered_by_vendor=False)
            self._reply_next(now)

    # The reply

    def _ask(self, now: float, instructions: str | None = None, *, tools: bool = False) -> None:
        request = ReplyRequest(instructions, "tools" if tools else "application")
        if not self._arbiter.request(request):
            self._report(AgentStateError("too many replies are asked for; this one is left out"))
        self._reply_next(now)

    def _reply_next(self, now: float) -> None:
        """Begin the next reply, if it may begin now."""
        request = self._arbiter.next(now)
        if request is None:
            return
        self._arbiter.started(asked_for=True)
        self._barge_in.finish()  # what was heard before must be settled: the reply follows from it
        self._barge_in.ledger.reply_began(now)
        self._replies += 1
        self._reply = LocalReply(self._replies, now)
        parts = (self._tenant_instructions, self._instructions, request.instructions or "")
        history = self._memory.messages()
        self._memory.reply_began(self._reply.item_id)
        nothing_to_answer = not history or history[-1].role == "assistant"
        self._send(
            "reply",
            reply=self._replies,
            history=messages_to(history),
            instructions="\n\n".join(part for part in parts if part),
            is_greeting=nothing_to_answer and request.cause == "application",
        )

    def _current(self, number: int, now: float) -> LocalReply | None:
        reply = self._reply
        if reply is None or reply.number != number:
            return None
        reply.heard_from_at = now
        return reply

    def _on_say(self, event: dict[str, Any], now: float) -> None:
        reply = self._current(event["reply"], now)
        if reply is None:
            return
        text = event["text"]
        fragment = f" {text}" if self._memory.text_of(reply.item_id) else text
        self._memory.began_saying(reply.item_id, text)
        self._effects.append(reply.text(self.vendor, fragment, final=False))

    def _on_said(self, event: dict[str, Any], now: float) -> None:
        reply = self._current(event["reply"], now)
        if reply is not None:
            self._memory.said(reply.item_id)

    def _on_audio(self, number: int, pcm: bytes, now: float) -> None:
        reply = self._current(number, now)
        if reply is None:
            self.late_audio += 1
            return
        ms = pcm_ms(len(pcm), self.output_rate_hz)
        reply.speaking = True
        self._memory.spoke(reply.item_id, ms)
        self._barge_in.ledger.received(reply.item_id, ms, now)
        self._effects.append(AudioDelta(pcm, reply.item_id, reply.response_id))

    def _on_call(self, event: dict[str, Any], now: float) -> None:
        reply = self._current(event["reply"], now)
        if reply is None:
            return
        call_id, name, arguments = event["call_id"], event["name"], event["arguments"]
        self._memory.called(reply.item_id, call_id, name, arguments)
        self._calls.called(reply.response_id, call_id)
        reply.calls.append(name)
        self._effects.append(
            ToolCall(vendor=self.vendor, call_id=call_id, name=name, arguments=arguments)
        )

    def _on_done(self, event: dict[str, Any], now: float) -> None:
        if self._current(event["reply"], now) is None:
            return
        self._end_reply(event["status"], now)
        self._take_results(now)
        self._reply_next(now)

    def _on_error(self, event: dict[str, Any], now: float) -> None:
        error = RealtimeError(
            event["message"], kind=ErrorKind(event["error_kind"]), retryable=event["retryable"]
        )
        self._report(error)

    def _take_results(self, now: float) -> None:
        results, reply_wanted = self._calls.take_complete()
        for call_id, output in results:
            self._memory.tool_answered(call_id, output)
        if reply_wanted:
            self._ask(now, tools=True)

    def _cut(self, now: float) -> None:
        """Stop the reply and what may be playing, and begin to settle what was heard."""
        reply = self._reply
        if reply is not None:
            self._send("stop", reply=reply.number)
        self._barge_in.begin(
            now,
            reply_runs=reply is not None,
            unfinished=reply.item_id if reply is not None and reply.speaking else None,
        )
        self._effects.append(FlushPlayback(reply.response_id if reply is not None else None))

    def _cut_memory(self, kind: str, **fields: Any) -> None:
        """Take what a vendor would be told of a cut item."""
        self._memory.cut(fields["item_id"], fields.get("audio_end_ms", 0))

    def _end_reply(self, status: TurnStatus, now: float) -> None:
        reply, self._reply = self._reply, None
        if reply is None:
            return
        text = self._memory.text_of(reply.item_id)
        if text:
            self._effects.append(reply.text(self.vendor, text, final=True))
        if reply.speaking and status != "cancelled":
            self._effects.append(AudioEnd(reply.item_id, reply.response_id))
        if (
            self._aloud and not reply.speaking and status == "cancelled"
        ):  # nobody heard a word of it
            self._memory.cut(reply.item_id, 0)
        self._arbiter.ended()
        self._calls.reply_ended(reply.response_id, cut=status == "cancelled")
        self._barge_in.turn_ended(reply.end(self.vendor, status))

    # Pieces

    def _send(self, kind: str, **fields: Any) -> None:
        self._frames.append(to_json(kind, **fields))

    def _report(self, error: RealtimeError) -> None:
        self._effects.append(ErrorEvent(vendor=self.vendor, error=error))

    def _finish(
        self, code: int | None, reason: str, initiator: Initiator, open_reply: TurnStatus
    ) -> None:
        if self._reply is not None:
            self._send("stop", reply=self._reply.number)
            self._reply.speaking = (
                False  # nothing is heard behind the end, not even a resampler's rest
            )
        self._end_reply(open_reply, 0.0)
        self._barge_in.finish(session_over=True)
        self.state = WireState.CLOSED
        self._effects.append(
            SessionClose(vendor=self.vendor, code=code, reason=reason, initiator=initiator)
        )
