"""Counts what goes through a session; read as `SessionStats`."""

from __future__ import annotations

from attrs import define, field

from realtime_core.audio import BYTES_PER_SAMPLE, pcm_ms
from realtime_core.events import (
    AssistantAudio,
    AssistantTurnEnd,
    Event,
    UserSpeechEnded,
)
from realtime_core.stats import SessionStats
from realtime_core.usage import Transcription, Usage

__all__ = ["Meter"]


@define
class Meter:
    """Plain counters, cheap enough for every frame."""

    input_rate_hz: int
    output_rate_hz: int
    audio_out_bytes: int = 0
    frames_received: int = 0
    events: int = 0
    turns: int = 0
    usage: Usage = field(factory=Usage)
    start_called_at: float = 0.0
    time_to_session_ms: float | None = None
    last_response_latency_ms: float | None = None
    last_playout_latency_ms: float | None = None
    last_silence_latency_ms: float | None = None
    _caller_ended_at: float | None = None
    _unplayed_since: float | None = None
    _spoken_reply: str | None = None
    """Of the newest audio."""
    _reply_before: str | None = None
    """The one that spoke last when the caller ended; what still comes of it answers an earlier turn."""
    _answer_item: str | None = None
    """Where the answer's audio began."""
    _cut_at: float | None = None

    def opened(self, now: float) -> None:
        """Note that the session is open."""
        self.time_to_session_ms = (now - self.start_called_at) * 1000

    def caller_ended(self, now: float) -> None:
        """Note the end of the caller's turn."""
        self._caller_ended_at, self._unplayed_since = now, None
        self._reply_before = self._spoken_reply

    def cut(self, now: float) -> None:
        """Note that a reply was cut."""
        self._cut_at = now

    def played(self, item_id: str, played_ms: int, final: bool, now: float) -> None:
        """Note a report of the output side."""
        if played_ms > 0 and self._unplayed_since is not None and item_id == self._answer_item:
            self.last_playout_latency_ms = (now - self._unplayed_since) * 1000
            self._unplayed_since = None
        if final and self._cut_at is not None:
            self.last_silence_latency_ms = (now - self._cut_at) * 1000
            self._cut_at = None

    def delivered(self, event: Event, now: float) -> None:
        """Note an event on its way to the application."""
        self.events += 1
        match event:
            case AssistantAudio():
                self.audio_out_bytes += len(event.audio)
                self._cut_at = None  # what was cut is silent: nothing of it comes after the cut
                reply, self._spoken_reply = event.response_id, event.response_id
                if self._caller_ended_at is not None and (
                    reply is None or reply != self._reply_before
                ):
                    self.last_response_latency_ms = (now - self._caller_ended_at) * 1000
                    self._unplayed_since, self._answer_item = self._caller_ended_at, event.item_id
                    self._caller_ended_at = None
            case UserSpeechEnded():
                self.caller_ended(now)
            case AssistantTurnEnd():
                self.turns += 1
                if event.usage is not None:
                    self.usage += event.usage
            case _:
                pass

    def snapshot(
        self,
        *,
        audio_in_bytes: int,
        frames_sent: int,
        frames_ignored: int,
        transcription: Transcription,
        drops: dict[str, int],
    ) -> SessionStats:
        """Freeze the figures."""
        return SessionStats(
            audio_in_samples=audio_in_bytes // BYTES_PER_SAMPLE,
            audio_in_ms=pcm_ms(audio_in_bytes, self.input_rate_hz),
            audio_out_samples=self.audio_out_bytes // BYTES_PER_SAMPLE,
            audio_out_ms=pcm_ms(self.audio_out_bytes, self.output_rate_hz),
            frames_sent=frames_sent,
            frames_received=self.frames_received,
            frames_ignored=frames_ignored,
            events=self.events,
            turns=self.turns,
            drops={cause: count for cause, count in drops.items() if count},
            usage=self.usage,
            transcription=transcription,
            time_to_session_ms=self.time_to_session_ms,
            last_response_latency_ms=self.last_response_latency_ms,
            last_playout_latency_ms=self.last_playout_latency_ms,
            last_silence_latency_ms=self.last_silence_latency_ms,
        )
