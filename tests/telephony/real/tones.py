"""Replies that are known by their tone, packet by packet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from realtime_core.g711 import ulaw_decode
from tests.telephony.real.capture import RtpPacket
from tests.telephony.real.sound import Sound

__all__ = ["Said", "said", "tone"]

RATE_HZ = 8000
AUDIBLE = 400  # of a tone of 8000; what a codec and a resampler ring with is less
NEAR_HZ = 40.0


def tone(hz: float, seconds: float, rate_hz: int) -> Sound:
    """Make a tone."""
    moments = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.asarray(8000 * np.sin(2 * np.pi * hz * moments), dtype=np.int16)


@frozen
class Said:
    """What was sent of one tone."""

    first_s: float
    """Time of its first packet."""
    last_s: float
    """Time of its last."""
    ms: float
    """How much sound of it there is in the packets."""


def said(packets: Sequence[RtpPacket], tones_hz: Sequence[float]) -> dict[int, Said]:
    """
    Look up in packets of mu-law when each tone was sent and how much of it.

    Returns:
        By index into the tones; one that was not sent is missing.
    """
    found: dict[int, Said] = {}
    for packet in packets:
        sound = np.frombuffer(ulaw_decode(packet.payload), dtype="<i2").astype(np.float64)
        loud = np.flatnonzero(np.abs(sound) > AUDIBLE)
        if not len(loud):
            continue
        part = sound[loud[0] : loud[-1] + 1]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part) + 2)[1:-1], RATE_HZ // 2))
        hz = 2.0 * float(np.argmax(spectrum))
        index = int(np.argmin(np.abs(np.asarray(tones_hz) - hz)))
        if abs(tones_hz[index] - hz) > NEAR_HZ and len(part) > RATE_HZ // 100:
            raise AssertionError(f"a packet of {hz:.0f} Hz, which nobody said")
        before = found.get(index, Said(packet.time_s, packet.time_s, 0.0))
        found[index] = Said(before.first_s, packet.time_s, before.ms + len(part) * 1000 / RATE_HZ)
    return found
