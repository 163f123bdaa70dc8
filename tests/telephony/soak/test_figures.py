from __future__ import annotations

import numpy as np

from tests.telephony.real.capture import RtpPacket
from tests.telephony.soak.figures import (
    Position,
    audible,
    by_stream,
    drift_of,
    gaps_of,
    stretches_of,
)


def packets(
    times_s: list[float], port: int = 4000, payload: bytes = b"\x10\x20"
) -> list[RtpPacket]:
    return [
        RtpPacket(
            time_s=time_s,
            source_port=port,
            destination_port=26000,
            payload_type=0,
            sequence=number,
            timestamp=160 * number,
            marker=False,
            payload=payload,
        )
        for number, time_s in enumerate(times_s)
    ]


def steady(start_s: float, count: int, every_s: float = 0.02) -> list[float]:
    return [start_s + number * every_s for number in range(count)]


def test_a_pause_cuts_a_stretch_and_a_stall_does_not() -> None:
    times = [*steady(0, 10), *steady(0.28, 10), *steady(2, 5)]
    found = stretches_of(packets(times))
    assert found.count == 2
    summed = gaps_of([found])
    assert summed.packets == 9 + 1 + 9 + 4
    assert round(summed.max_ms) == 100
    assert summed.over_40 == 1
    assert round(summed.p50_ms) == 20


def test_nothing_has_no_gaps() -> None:
    assert gaps_of([stretches_of([])]).packets == 0


def test_calls_are_told_apart_and_silence_is_left_out() -> None:
    both = packets(steady(0, 3), 4000) + packets(steady(0, 4), 4002, b"\xff\x7f")
    assert sorted(len(stream) for stream in by_stream(both)) == [3, 4]
    assert len(audible(both)) == 3


def test_a_clock_that_is_off_shows_as_drift_and_a_late_look_does_not() -> None:
    # 600 s of packets that come 100 ppm too slowly: 60 ms a call, of which the medians of the edges see 54.
    slow = packets(steady(0, 30_000, 0.02 * 1.0001))
    late = np.random.default_rng(1).uniform(0, 0.015, 599)
    positions = [
        Position(second + late[second - 1], second, float(second), second + late[second - 1])
        for second in range(1, 600)
    ]
    found = drift_of(positions, slow)
    assert -62 < found.paced_ms < -40
    assert 30 < found.played_ms < 65
    assert abs(found.heard_ms) < 1
