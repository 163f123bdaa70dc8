"""
The record of one call: who spoke when, what was said, heard, called and cut, and the outline of both voices.

It knows no session and reads no clock: whoever has the call hands it the events and the audio, each with its time.
All times are ms on one clock, that of the call: 0 is its begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from attrs import define, evolve, field

from realtime_core.events import (
    AssistantAudio,
    AssistantText,
    ErrorEvent,
    Event,
    Interrupted,
    SessionClose,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.peaks import Peaks
from realtime_core.timeline_marks import BargeIn, Failure, Latency, Span, ToolUse, Words
from realtime_core.timeline_sides import AssistantSide, CallerSide, Marks

__all__ = ["Timeline"]


@final
@define(kw_only=True)
class Timeline:
    """
    The record of one call.

    Feed it each event with `take`, the caller's audio with `caller` and what the caller's ear got (the frames of a
    `Playout`) with `heard`. Cheap enough for every frame; its memory is bounded. Not for several threads.
    """

    provider: str = ""
    """Who answered, for the title."""
    caller_rate_hz: int = 16000
    """Of the audio given to `caller`."""
    heard_rate_hz: int = 24000
    """Of the audio given to `heard` and of `AssistantAudio`."""
    verdict: str = ""
    """How it went, in a few words; `conclude` sets it."""
    failed: bool = False
    """Whether it went wrong."""
    close: SessionClose | None = field(default=None, init=False)
    """The end of the session, once it came."""
    _caller: CallerSide = field(init=False)
    _assistant: AssistantSide = field(init=False)
    _tools: Marks[ToolUse] = field(factory=Marks, init=False)
    _barge_ins: Marks[BargeIn] = field(factory=Marks, init=False)
    _failures: Marks[Failure] = field(factory=Marks, init=False)
    _latencies: Marks[Latency] = field(factory=Marks, init=False)
    _last_ms: float = field(default=0.0, init=False)
    _cut_ms: float | None = field(default=None, init=False)
    """When a reply was cut of which it is not settled yet how much was heard."""
    _speech_ended_ms: float | None = field(default=None, init=False)
    """When the caller fell silent, until the answer is heard."""
    _answer_came: bool = field(default=False, init=False)
    _reply: str | None = field(default=None, init=False)
    """Of the newest audio."""
    _reply_before: str | None = field(default=None, init=False)
    """The one that spoke last when the caller ended; what still comes of it answers an earlier turn."""

    def __attrs_post_init__(self) -> None:
        self._caller = CallerSide(Peaks(self.caller_rate_hz))
        self._assistant = AssistantSide(self.heard_rate_hz, Peaks(self.heard_rate_hz))

    # What was recorded

    @property
    def duration_ms(self) -> float:
        """Up to the last event or audio, in ms."""
        return self._last_ms

    @property
    def caller_peaks(self) -> Peaks:
        """Outline of the caller's voice."""
        return self._caller.peaks

    @property
    def heard_peaks(self) -> Peaks:
        """Outline of what the caller heard."""
        return self._assistant.peaks

    @property
    def caller_spans(self) -> Sequence[Span]:
        """
        When the caller spoke, as the vendor understood it.

        The edges are those of the sound around the vendor's signals, which come later than it; without the
        caller's audio they are the signals.
        """
        return self._caller.spans(self.duration_ms)

    @property
    def assistant_spans(self) -> Sequence[Span]:
        """When the assistant was heard; pauses under 600 ms belong to the speech around them."""
        return self._assistant.spans()

    @property
    def caller_words(self) -> Sequence[Words]:
        """What the caller said, where a transcript came, each at its place."""
        return [each.words(self.duration_ms) for each in self._caller.utterances if each.text]

    @property
    def assistant_words(self) -> Sequence[Words]:
        """
        What the assistant said, each from the moment it was heard, or came when it has no voice.

        Where a call ended before a reply did, the rest was not heard.
        """
        return self._assistant.words(self.duration_ms)

    @property
    def tools(self) -> Sequence[ToolUse]:
        """Calls of tools, in order."""
        return list(self._tools)

    @property
    def barge_ins(self) -> Sequence[BargeIn]:
        """Replies that were cut, in order."""
        return list(self._barge_ins)

    @property
    def failures(self) -> Sequence[Failure]:
        """Errors, in order."""
        return list(self._failures)

    @property
    def latencies(self) -> Sequence[Latency]:
        """From the end of the caller's speech to the first sound of the answer heard, of each turn that has both."""
        return list(self._latencies)

    @property
    def dropped(self) -> int:
        """How many marks were not kept: 2000 of a kind are, the first ones."""
        kinds = (self._tools, self._barge_ins, self._failures, self._latencies)
        sides = (self._caller.utterances, self._assistant.utterances, self._assistant.sounds)
        return sum(marks.dropped for marks in (*kinds, *sides))

    # What is fed

    def take(self, event: Event, t_ms: float) -> None:
        """
        Take note of an event; those that say nothing here are ignored.

        Args:
            event: Any, in the order of the session.
            t_ms: When it came.
        """
        self._last_ms = max(self._last_ms, t_ms)
        match event:
            case UserSpeechStarted():
                self._speech_started(event, t_ms)
            case UserSpeechEnded():
                self._speech_ended(t_ms)
            case UserTranscript():
                self._caller.transcript(event, t_ms)
            case AssistantText():
                self._assistant.text(event, t_ms)
            case AssistantAudio():
                self._audio(event, t_ms)
            case ToolCall():
                self._tools.keep(ToolUse(event.call_id, event.name, event.arguments, t_ms))
            case Interrupted():
                self._interrupted(event, t_ms)
            case ErrorEvent():
                self.fail(str(event.error), t_ms, fatal=event.fatal)
            case SessionClose():
                self.close = event
            case _:
                pass

    def caller(self, pcm: bytes, t_ms: float) -> None:
        """
        Take the caller's audio, silence too.

        Args:
            pcm: PCM16LE mono at `caller_rate_hz`.
            t_ms: When it began.
        """
        self.caller_peaks.add(pcm, t_ms)
        self._last_ms = max(self._last_ms, self.caller_peaks.end_ms)

    def heard(self, pcm: bytes, t_ms: float) -> None:
        """
        Take what the caller's ear got, silence too.

        Args:
            pcm: PCM16LE mono at `heard_rate_hz`.
            t_ms: When it began.
        """
        began_ms = self._assistant.heard(pcm, t_ms, answers=self._answer_came)
        self._last_ms = max(self._last_ms, self.heard_peaks.end_ms)
        if began_ms is not None and self._answer_came and self._speech_ended_ms is not None:
            self._latencies.keep(Latency(self._speech_ended_ms, began_ms))
            self._speech_ended_ms, self._answer_came = None, False

    def answered(self, name: str, arguments: Mapping[str, Any], answer: str, t_ms: float) -> None:
        """
        Take note of a tool's answer, for the oldest call like this that has none.

        Args:
            name: Of the tool.
            arguments: Of the call.
            answer: What the model is told.
            t_ms: When it was there.
        """
        for index, tool in enumerate(self._tools):
            if tool.answer is None and (tool.name, tool.arguments) == (name, arguments):
                self._tools[index] = evolve(tool, answer=answer, answered_ms=t_ms)
                return

    def fail(self, message: str, t_ms: float, *, fatal: bool = True) -> None:
        """
        Take note of an error that is no event, such as a session that did not start.

        Args:
            message: For a person.
            t_ms: When it came.
            fatal: Whether it ended the call.
        """
        self._last_ms = max(self._last_ms, t_ms)
        self._failures.keep(Failure(message, t_ms, fatal))

    def conclude(self, verdict: str, *, failed: bool = False) -> None:
        """Say how it went, in a few words."""
        self.verdict, self.failed = verdict, failed

    # How it is understood

    def _speech_started(self, event: UserSpeechStarted, t_ms: float) -> None:
        self._caller.started(event.item_id, t_ms)
        self._speech_ended_ms, self._answer_came = None, False
        if event.interrupts:
            self._cut_ms = t_ms
            self._assistant.cut(t_ms)

    def _speech_ended(self, t_ms: float) -> None:
        self._speech_ended_ms, self._answer_came = self._caller.ended(t_ms), False
        self._reply_before = self._reply

    def _audio(self, event: AssistantAudio, t_ms: float) -> None:
        self._assistant.audio(event, t_ms)
        self._reply = event.response_id
        is_new = event.response_id is None or event.response_id != self._reply_before
        if self._speech_ended_ms is not None and is_new:
            self._answer_came = True

    def _interrupted(self, event: Interrupted, t_ms: float) -> None:
        if self._cut_ms is None:  # by the application
            self._assistant.cut(t_ms)
        cut_ms, self._cut_ms = t_ms if self._cut_ms is None else self._cut_ms, None
        lost = self._assistant.lost(event.cut_ms)
        self._barge_ins.keep(BargeIn(cut_ms, event.heard_ms, event.cut_ms, event.truncated, lost))
