"""Figures of one session: what went through it and how fast."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from realtime_core.usage import Transcription, Usage

__all__ = ["SessionStats"]


@frozen(kw_only=True)
class SessionStats:
    """A snapshot of `Agent.stats`; counters only grow. Audio is counted at the caller's rates."""

    audio_in_samples: int = 0
    """Samples taken by `Agent.push_audio`."""
    audio_in_ms: float = 0.0
    """The same, in ms."""
    audio_out_samples: int = 0
    """Samples delivered in `AssistantAudio`."""
    audio_out_ms: float = 0.0
    """The same, in ms."""
    frames_sent: int = 0
    """Frames written to the transport."""
    frames_received: int = 0
    """Frames read from the transport."""
    frames_ignored: int = 0
    """Received frames of a kind we do not know; vendors add some."""
    events: int = 0
    """Events delivered to the application."""
    turns: int = 0
    """Replies ended, whatever their status."""
    drops: Mapping[str, int] = field(factory=dict)
    """
    What was thrown away, by cause: `input_full_ms` is outgoing audio dropped because the connection was
    too slow, in ms; `late_audio` counts audio deltas of a reply that was already cut; `undelivered` counts
    events that were not fetched in time or before the close.
    """
    usage: Usage = field(factory=Usage)
    """Sum over all replies."""
    transcription: Transcription = field(factory=Transcription)
    """What transcribing the caller cost."""
    time_to_session_ms: float | None = None
    """From the call of `Agent.start` to `SessionOpen`."""
    last_response_latency_ms: float | None = None
    """From the last `UserSpeechEnded` (or commit) to the first audio of the reply to it, as received here."""
    last_playout_latency_ms: float | None = None
    """From the same moment to the first report that something of that audio's item was heard."""
    last_silence_latency_ms: float | None = None
    """From the cut of a reply to the first final report of what was heard, before the next reply's audio."""
