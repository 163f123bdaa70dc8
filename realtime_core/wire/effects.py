"""What a wire asks of its driver besides delivering events."""

from __future__ import annotations

from attrs import define, field, frozen

from realtime_core.errors import RealtimeError
from realtime_core.events import Event

__all__ = ["AudioDelta", "AudioEnd", "Effect", "FlushPlayback", "StartRefused"]


@frozen
class StartRefused:
    """The session did not open; `Agent.start` raises this, nothing is emitted."""

    error: RealtimeError


@define  # as good as frozen, and made twice as fast
class AudioDelta:
    """A piece of a reply's audio at the wire's rate; the driver resamples it into `AssistantAudio`."""

    pcm: bytes = field(repr=False)
    item_id: str | None
    response_id: str | None
    raw: str | None = field(default=None, repr=False)


@frozen
class AudioEnd:
    """An item's audio is whole; the driver delivers what its resampler still holds."""

    item_id: str | None
    response_id: str | None


@frozen
class FlushPlayback:
    """The reply was cut: the driver forgets its audio, in the resampler and in any queue."""

    response_id: str | None


Effect = Event | StartRefused | AudioDelta | AudioEnd | FlushPlayback
"""Everything a wire can ask for, in order."""
