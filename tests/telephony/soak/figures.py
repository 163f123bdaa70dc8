"""What is made of captured packets and of positions: gaps, stretches of speech, drift. Arithmetic only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from attrs import frozen

from tests.telephony.real.capture import RtpPacket

__all__ = [
    "PACKET_MS",
    "PAUSE_MS",
    "Drift",
    "Gaps",
    "Position",
    "Stretches",
    "audible",
    "by_stream",
    "drift_of",
    "gaps_of",
    "stretches_of",
]

PACKET_MS = 20.0
PAUSE_MS = 300.0
"""From here on it is a pause between two replies and not a gap in one; how often that happens is counted and compared."""
# What mu-law and A-law have for silence and for the least noise of a resampler.
_QUIET = frozenset({0xFF, 0x7F, 0xFE, 0x7E, 0xD5, 0x55})
_EDGE_S = 60.0


@frozen
class Stretches:
    """What was sent to a phone, cut at the pauses."""

    gaps_ms: tuple[float, ...]
    """Between the packets of a stretch, of all of them."""
    count: int
    """How many stretches there were."""
    times_s: tuple[float, ...] = ()
    """When each gap ended."""


@frozen
class Gaps:
    """Gaps between packets, summed up."""

    packets: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    over_40: int
    """How many were longer than two packets."""


@frozen
class Position:
    """Where a call is, in seconds of audio."""

    at_s: float
    """On the monotonic clock."""
    given_s: float
    """To the leg."""
    played_s: float
    """By the leg's own account."""
    heard_s: float
    """From the caller."""


@frozen
class Drift:
    """How far two clocks that should be one came apart between the first minute and the last, in ms."""

    played_ms: float
    """Audio the leg says was played, over audio captured on its way to the phone."""
    paced_ms: float
    """Audio captured on its way to the phone, over wall time; only where the leg sends without pause."""
    heard_ms: float
    """Audio that came from the caller, over wall time."""


def audible(packets: Sequence[RtpPacket]) -> list[RtpPacket]:
    """Leave out packets of silence."""
    return [packet for packet in packets if len(set(packet.payload) - _QUIET) > 1]


def by_stream(packets: Sequence[RtpPacket]) -> list[list[RtpPacket]]:
    """Tell calls apart: Asterisk has a port for each."""
    streams: dict[tuple[int, int], list[RtpPacket]] = defaultdict(list)
    for packet in packets:
        streams[packet.source_port, packet.destination_port].append(packet)
    return list(streams.values())


def stretches_of(packets: Sequence[RtpPacket]) -> Stretches:
    """Cut one stream at its pauses."""
    if not packets:
        return Stretches((), 0)
    times = np.array([packet.time_s for packet in packets])
    gaps = np.diff(times) * 1000
    inside = gaps < PAUSE_MS
    return Stretches(
        tuple(float(gap) for gap in gaps[inside]),
        1 + int(np.sum(~inside)),
        tuple(float(time) for time in times[1:][inside]),
    )


def gaps_of(stretches: Sequence[Stretches]) -> Gaps:
    """Sum up the gaps of any number of streams."""
    gaps = np.array([gap for stretch in stretches for gap in stretch.gaps_ms])
    if not len(gaps):
        return Gaps(0, 0.0, 0.0, 0.0, 0)
    return Gaps(
        packets=len(gaps),
        p50_ms=float(np.percentile(gaps, 50)),
        p99_ms=float(np.percentile(gaps, 99)),
        max_ms=float(gaps.max()),
        over_40=int(np.sum(gaps > 2 * PACKET_MS)),
    )


def drift_of(positions: Sequence[Position], packets: Sequence[RtpPacket]) -> Drift:
    """
    Compare the ends of a call: medians over the first and the last minute, or quarters of a shorter call.

    Medians, because a single look at either clock is up to a packet off.

    Args:
        positions: In order, at least four.
        packets: All that were sent to the phone, silence too.
    """
    at = np.array([position.at_s for position in positions])
    captured = (
        np.searchsorted(np.array([packet.time_s for packet in packets]), at, side="right")
        * PACKET_MS
        / 1000
    )
    played = np.array([position.played_s for position in positions])
    heard = np.array([position.heard_s for position in positions])
    edge_s = min(_EDGE_S, (at[-1] - at[0]) / 4)
    first, last = at <= at[0] + edge_s, at >= at[-1] - edge_s

    def apart_ms(difference: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        return float(np.median(difference[last]) - np.median(difference[first])) * 1000

    return Drift(
        played_ms=apart_ms(played - captured),
        paced_ms=apart_ms(captured - at),
        heard_ms=apart_ms(heard - at),
    )
