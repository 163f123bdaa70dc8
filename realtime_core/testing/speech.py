"""Sound that a level-based detector takes for speech, made without any library."""

from __future__ import annotations

import math
from array import array
from sys import byteorder

__all__ = ["silence", "speech_like"]

_PITCHES_HZ = (140.0, 280.0, 420.0, 700.0)
_SYLLABLES_HZ = 4.0
_PEAK = 9000


def speech_like(duration_ms: int, sample_rate_hz: int) -> bytes:
    """
    Make a voiced sound that swells and falls like syllables, without a pause.

    Args:
        duration_ms: Length in ms.
        sample_rate_hz: Rate in Hz.

    Returns:
        PCM16LE mono; the same for the same arguments.
    """
    samples = array("h")
    for index in range(duration_ms * sample_rate_hz // 1000):
        t = index / sample_rate_hz
        swell = 0.65 - 0.35 * math.cos(2 * math.pi * _SYLLABLES_HZ * t)
        voice = sum(math.sin(2 * math.pi * pitch * t) for pitch in _PITCHES_HZ)
        samples.append(int(_PEAK * swell * voice / len(_PITCHES_HZ)))
    if byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def silence(duration_ms: int, sample_rate_hz: int) -> bytes:
    """Make so many ms of nothing, as PCM16LE mono."""
    return bytes(2 * (duration_ms * sample_rate_hz // 1000))
