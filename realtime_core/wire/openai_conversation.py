"""The open session on the OpenAI wire: turns, replies, tools and barge-in, between two vendors' events and commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from realtime_core import g711
from realtime_core.audio import pcm_ms
from realtime_core.errors import (
    AgentStateError,
    ConfigError,
    ErrorKind,
    RealtimeError,
    SessionLostError,
    VendorError,
)
from realtime_core.events import TurnStatus
from realtime_core.options import Options
from realtime_core.usage import Transcription
from realtime_core.wire.barge_in import BargeIn
from realtime_core.wire.codec import Codec
from realtime_core.wire.dialect import Dialect, ServerFrame
from realtime_core.wire.effects import Effect
from realtime_core.wire.error_table import Verdict
from realtime_core.wire.openai_asking import Asking, SendEvent
from realtime_core.wire.openai_caller import CallerSide
from realtime_core.wire.openai_frames import object_at, text_at
from realtime_core.wire.openai_replies import Replies, Reply

__all__ = ["CUT_REPLY_LIMIT_S", "REPLY_SILENCE_LIMIT_S", "Conversation", "Handler"]

REPLY_SILENCE_LIMIT_S = 30.0
"""A reply that was begun or asked for and says nothing for this long is dead."""
CUT_REPLY_LIMIT_S = 5.0
"""A reply that was cut and is not ended by the vendor within this is ended here."""

Handler = Callable[[ServerFrame, float], None]
"""Takes an event of the vendor's and the time."""

_EXPAND = {"ulaw": g711.ulaw_decode, "alaw": g711.alaw_decode}


class _ReportError(Protocol):
    """Tells the application, and ends the session when it is fatal."""

    def __call__(self, error: RealtimeError, *, fatal: bool = False) -> None:
        """Report."""


class Conversation:
    """
    Everything between the opening and the end of a session.

    Args:
        vendor: Slug for events.
        dialect: How this server differs.
        options: What the application asks for.
        codec: Reads audio.
        emit: Takes effects.
        send: Writes client events.
        new_event_id: Makes their ids.
        instructions: Gives the session's instructions as they stand.
        report: Tells the application of an error.
        judge: Reads a vendor's error object.
        error_of: Takes secrets out of one.
    """

    def __init__(
        self,
        *,
        vendor: str,
        dialect: Dialect,
        options: Options,
        codec: Codec,
        emit: Callable[[Effect], None],
        send: SendEvent,
        new_event_id: Callable[[], str],
        instructions: Callable[[], str],
        report: _ReportError,
        judge: Callable[[Any], Verdict],
        error_of: Callable[[Any], Any],
    ) -> None:
        self._dialect = dialect
        self._send = send
        self._report = report
        self._judge = judge
        self._error_of = error_of
        self._manual = options.disable_server_vad
        self._vad_interrupts = options.vad is None or options.vad.interrupt
        self._vad_responds = not self._manual and (options.vad is None or options.vad.respond)
        self._uncommitted_bytes = 0
        self._barge_in = BargeIn(vendor, emit, send, dialect.capabilities.truncation)
        self._caller = CallerSide(vendor, emit, dialect.partial_transcripts)
        self._asking = Asking(
            send, new_event_id, instructions, dialect.cancels_by_id, dialect.correlates
        )
        self._replies = Replies(
            vendor,
            codec,
            emit,
            self._on_reply_began,
            self._barge_in.turn_ended,
            self._barge_in.ledger.received,
            _EXPAND[dialect.companding] if dialect.companding else None,
            dialect.output_rate_hz,
        )

    @property
    def late_audio(self) -> int:
        """Audio deltas dropped because their reply was already cut."""
        return self._replies.late_audio

    @property
    def transcription(self) -> Transcription:
        """What transcribing the caller cost."""
        return self._caller.transcription

    def set_output_rate(self, rate_hz: int) -> None:
        """Take the rate the vendor says it sends, in Hz."""
        self._replies.output_rate_hz = rate_hz

    def handlers(self) -> dict[str, Handler]:
        """Who takes which event of an open session, by GA name."""
        replies, caller = self._replies, self._caller
        return {
            "input_audio_buffer.speech_started": self._on_speech_started,
            "input_audio_buffer.speech_stopped": self._on_speech_stopped,
            "input_audio_buffer.cleared": self._on_cleared,
            "conversation.item.added": self._on_item_added,
            "conversation.item.input_audio_transcription.delta": self._on_partial,
            "conversation.item.input_audio_transcription.completed": caller.final,
            "conversation.item.input_audio_transcription.failed": self._on_transcript_failed,
            "response.created": replies.created,
            "response.output_item.added": replies.item_added,
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

    def heard_from(self, event: ServerFrame, now: float) -> None:
        """Take an event of the running reply that says nothing to us, but that it is alive."""
        reply = self._replies.current
        if reply is not None and text_at(event, "response_id") in (None, reply.response_id):
            reply.heard_from_at = now

    # Commands

    def audio_pushed(self, byte_count: int) -> None:
        """Count audio that went out and is not committed."""
        self._uncommitted_bytes += byte_count

    def commit(self, now: float) -> bool:
        """Commit and ask for the reply; a running reply is cancelled first. False when nothing was sent."""
        if not self._manual:
            return False
        have_ms = pcm_ms(self._uncommitted_bytes, self._dialect.input_rate_hz)
        if have_ms < self._dialect.minimum_commit_ms:
            self._report(
                AgentStateError(
                    f"commit_input_audio: expected at least {self._dialect.minimum_commit_ms} ms of audio "
                    f"since the last commit, got {have_ms:.0f} ms; nothing was sent"
                )
            )
            return False
        self.cancel(None, now)
        self._send("input_audio_buffer.commit")
        self._uncommitted_bytes = 0
        self.create_response(None, now)
        return True

    def clear(self) -> None:
        """Empty the vendor's input buffer."""
        self._uncommitted_bytes = 0
        self._send("input_audio_buffer.clear")

    def create_response(self, instructions: str | None, now: float) -> None:
        """Ask for a reply, now or when the running one has ended."""
        if not self._asking.ask(now, instructions):
            self._report(AgentStateError("too many replies are asked for; this one is left out"))

    def send_text(self, text: str, respond: bool, now: float) -> None:
        """Add a user message."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self._send("conversation.item.create", item=item)
        if respond:
            self.create_response(None, now)

    def cancel(self, played_ms: int | None, now: float) -> None:
        """Cancel the running reply, mute it, settle what was heard, and drop requests that wait."""
        self._asking.cancelled()
        reply = self._replies.current
        runs = reply is not None and not reply.muted
        if not runs and not self._barge_in.audible(now):
            if played_ms is not None:  # a cut by the caller's speech may be waiting for the figure
                self._barge_in.settle_at(played_ms)
            return
        if runs and reply is not None:
            self._asking.cancel(reply.response_id)
        self._cut(now)
        if played_ms is not None:
            self._barge_in.settle_at(played_ms)
        else:
            self._barge_in.settle_if_known()

    def waits_for(self, call_id: str) -> bool:
        """Say whether a call has no answer yet."""
        return self._replies.calls.waits(call_id)

    def tool_result(self, call_id: str, output: str, now: float) -> None:
        """Take an answer; those of a reply go back together when it has ended."""
        if not self.waits_for(call_id):
            raise ConfigError(
                f"send_tool_result: no tool call {call_id!r} waits for an answer; "
                "use ToolCall.call_id, once"
            )
        self._replies.calls.answer(call_id, output)
        self._return_results(now)

    def report_playback(self, item_id: str, played_ms: int, final: bool, now: float) -> None:
        """Take note of what was heard."""
        self._barge_in.report(item_id, played_ms, final=final, now=now)

    # Time and end

    def deadline(self) -> float | None:
        """Say when `on_timer` is due, if at all."""
        waits = (self._silent_until(), self._barge_in.deadline, self._asking.deadline)
        return min((wait for wait in waits if wait is not None), default=None)

    def on_timer(self, now: float) -> SessionLostError | None:
        """Do what is due; gives an error when the vendor is dead."""
        settle_at, ask_at = self._barge_in.deadline, self._asking.deadline
        if settle_at is not None and now >= settle_at:
            self._barge_in.settle_by_clock()
        if ask_at is not None and now >= ask_at:
            self._asking.on_timer(now)
        silent_until, reply = self._silent_until(), self._replies.current
        if silent_until is None or now < silent_until:
            return None
        if (
            reply is not None and reply.muted
        ):  # nobody misses it; some servers never end a cut reply
            self._replies.end("cancelled")
            self._asking.ended(now)
            self._return_results(now)
            return None
        what = f"a reply was silent for {REPLY_SILENCE_LIMIT_S:.0f} s"
        return SessionLostError(what, kind=ErrorKind.STALLED)

    def _silent_until(self) -> float | None:
        reply = self._replies.current
        if reply is not None:
            limit_s = CUT_REPLY_LIMIT_S if reply.muted else REPLY_SILENCE_LIMIT_S
            return reply.heard_from_at + limit_s
        asked_at = self._asking.asked_at
        return None if asked_at is None else asked_at + REPLY_SILENCE_LIMIT_S

    def end(self, open_reply: TurnStatus) -> None:
        """End what is open: nothing more will come."""
        self._replies.end(open_reply)
        self._barge_in.finish(session_over=True)

    def is_refusal(self, error: VendorError, now: float) -> bool:
        """Take note of an error that may answer a request for a reply; true when it needs no report."""
        return self._asking.is_refusal(error, now)

    def _cut(self, now: float) -> None:
        """Deliver nothing more of what runs or plays, and begin to settle what was heard."""
        reply = self._replies.current
        unfinished = reply.audio_item if reply is not None else None
        if reply is not None:
            reply.heard_from_at = now  # from here on its end is awaited, not its next word
        self._barge_in.begin(now, reply_runs=reply is not None, unfinished=unfinished)
        self._replies.mute()

    # Events

    def _on_speech_started(self, event: ServerFrame, now: float) -> None:
        if not self._manual:
            self._asking.caller_started(now)
        if self._caller.is_repeated(event):
            return
        reply = self._replies.current
        runs = reply is not None and not reply.muted
        interrupts = self._vad_interrupts and (runs or self._barge_in.audible(now))
        if interrupts:
            # The vendor itself cancels what it generates (OpenAI by interrupt_response, DashScope always); a
            # response.cancel of ours would only race with that.
            self._cut(now)
        if self._vad_interrupts:
            self._asking.cut()
        self._caller.started(event, interrupts=interrupts)
        self._barge_in.settle_if_known()

    def _on_speech_stopped(self, event: ServerFrame, now: float) -> None:
        self._caller.stopped(event, now)
        # Qwen-Audio's smart_turn discards what was not meant for it (Model Studio, Server events).
        discarded = text_at(event, "reason") == "turn_invalid"
        self._asking.caller_stopped(now, answered_by_vendor=self._vad_responds and not discarded)

    def _on_cleared(self, event: ServerFrame, now: float) -> None:
        """With its audio the vendor forgets the utterance, so no end of it will be reported."""
        if self._caller.speaking:
            self._caller.stopped(event, now)
            self._asking.caller_stopped(now, answered_by_vendor=False)

    def _on_partial(self, event: ServerFrame, now: float) -> None:
        self._asking.caller_speaks_on(now)
        self._caller.partial(event, now)

    def _on_item_added(self, event: ServerFrame, now: float) -> None:
        item = object_at(event, "item")
        if item.get("type") == "function_call_output":
            self._asking.result_taken(text_at(item, "call_id"))

    def _on_transcript_failed(self, event: ServerFrame, now: float) -> None:
        self._caller.failed(event, now)
        self._report(self._judge(event.get("error")).error)

    def _on_reply_began(self, reply: Reply, response: ServerFrame) -> None:
        self._barge_in.finish()
        self._barge_in.ledger.reply_began(reply.heard_from_at)
        if self._asking.started(response):  # it was given up between our request and this
            reply.muted = reply.unwanted = True
            self._asking.cancel(reply.response_id)

    def _on_response_done(self, event: ServerFrame, now: float) -> None:
        ended = self._replies.done(event, now)
        if ended is None:
            if self._replies.current is None:  # of a reply that never showed and held up a wish
                self._asking.ended(now)
            return
        status, details = ended
        reply, fatal = self._replies.current, False
        if reply is not None and reply.muted and status != "failed":
            status = "cancelled"  # how it would have ended does not matter to anybody
        if status in ("failed", "incomplete"):  # the caller hears nothing more, so it must show
            error: RealtimeError
            if status == "failed":
                verdict = self._judge(details)
                error, fatal = verdict.error, verdict.code_is_fatal
            else:
                reason = self._error_of(details)
                reason = reason.get("reason") if isinstance(reason, dict) else reason
                code = reason if isinstance(reason, str) and reason else None
                why = code or "no reason given"
                error = VendorError(f"the reply is incomplete: {why}", code=code)
            self._report(error, fatal=fatal)
        self._replies.end(status, object_at(event, "response").get("usage"))
        if not fatal:
            if reply is not None and reply.unwanted:
                self._forget_messages(reply)
            self._asking.ended(now)
            self._return_results(now)

    def _forget_messages(self, reply: Reply) -> None:
        """Take out of the vendor's memory what a reply nobody wanted had begun to say."""
        if self._dialect.capabilities.truncation:
            for item_id in reply.messages:
                self._send("conversation.item.delete", item_id=item_id)

    def _return_results(self, now: float) -> None:
        results, reply_wanted = self._replies.calls.take_complete()
        for call_id, output in results:
            item = {"type": "function_call_output", "call_id": call_id, "output": output}
            self._send("conversation.item.create", item=item)
            self._asking.result_sent(call_id)
        if reply_wanted and not self._asking.ask(now, cause="tools"):
            self._report(AgentStateError("too many replies are asked for; the tools' is left out"))
