"""Counts what goes through a session; read as `SessionStats`."""

from __future__ import annotations

from attrs import define, field

from realtime_core.audio import BYTES_PER_SAMPLE, pcm_ms
from realtime_core.events import AssistantAudio, AssistantTurnEnd, Event, UserSpeechEnded
from realtime_core.stats import SessionStats
from realtime_core.usage import Usage

__all__ = ["Meter"]


@define
class Meter:
    """Plain counters, cheap enough for every frame."""

    input_rate_hz: int
    output_rate_hz: int
    audio_in_bytes: int = 0
    audio_out_bytes: int = 0
    frames_received: int = 0
    events: int = 0
    turns: int = 0
    usage: Usage = field(factory=Usage)
    start_called_at: float = 0.0
    time_to_session_ms: float | None = None
    last_response_latency_ms: float | None = None
    _caller_ended_at: float | None = None

    def opened(self, now: float) -> None:
        """Note that the session is open."""
        self.time_to_session_ms = (now - self.start_called_at) * 1000

    def caller_ended(self, now: float) -> None:
        """Note the end of the caller's turn."""
        self._caller_ended_at = now

    def delivered(self, event: Event, now: float) -> None:
        """Note an event on its way to the application."""
        self.events += 1
        match event:
            case AssistantAudio():
                self.audio_out_bytes += len(event.audio)
                if self._caller_ended_at is not None:
                    self.last_response_latency_ms = (now - self._caller_ended_at) * 1000
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
        self, *, frames_sent: int, frames_ignored: int, drops: dict[str, int]
    ) -> SessionStats:
        """Freeze the figures."""
        return SessionStats(
            audio_in_samples=self.audio_in_bytes // BYTES_PER_SAMPLE,
            audio_in_ms=pcm_ms(self.audio_in_bytes, self.input_rate_hz),
            audio_out_samples=self.audio_out_bytes // BYTES_PER_SAMPLE,
            audio_out_ms=pcm_ms(self.audio_out_bytes, self.output_rate_hz),
            frames_sent=frames_sent,
            frames_received=self.frames_received,
            frames_ignored=frames_ignored,
            events=self.events,
            turns=self.turns,
            drops={cause: count for cause, count in drops.items() if count},
            usage=self.usage,
            time_to_session_ms=self.time_to_session_ms,
            last_response_latency_ms=self.last_response_latency_ms,
        )
