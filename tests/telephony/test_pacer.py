from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_core.testing import ManualClock
from realtime_telephony.pacer import MAX_BACK_TO_BACK, Pacer


class Ticks:
    def __init__(self, *, ahead_ms: int = 20) -> None:
        self.clock = ManualClock(100.0)
        self.at: list[float] = []
        self.pacer = Pacer(
            lambda: self.at.append(round((self.clock.now() - 100) * 1000, 3)),
            ahead_ms=ahead_ms,
            clock=self.clock,
        )

    def stall(self, seconds: float) -> None:
        """Let time pass in which the loop does not come round."""
        self.clock.time_s += seconds


def test_it_ticks_on_an_absolute_schedule_with_its_lead_at_once() -> None:
    ticks = Ticks(ahead_ms=40)
    ticks.pacer.start()
    assert ticks.at == [0, 0, 0]
    ticks.clock.advance(0.1)
    assert ticks.at[3:] == [20, 40, 60, 80, 100]


def test_an_hour_is_an_hour_of_frames() -> None:
    ticks = Ticks()
    ticks.pacer.start()
    ticks.clock.advance(3600.01)
    assert len(ticks.at) == 3600 * 50 + 2
    assert ticks.pacer.reanchored == 0


def test_a_late_wake_up_is_caught_up_with_and_the_schedule_stays() -> None:
    ticks = Ticks(ahead_ms=0)
    ticks.pacer.start()
    ticks.stall(0.055)
    ticks.clock.advance(0.045)
    assert ticks.at == [0, 55, 55, 60, 80, 100]
    assert ticks.pacer.reanchored == 0
    assert round(ticks.pacer.late_max_ms) == 35


def test_a_stall_begins_a_new_schedule_with_the_lead_and_is_counted() -> None:
    ticks = Ticks()
    ticks.pacer.start()
    ticks.stall(0.2)
    ticks.clock.advance(0.04)
    assert ticks.at == [0, 0, 200, 200, 220, 240]
    assert ticks.pacer.reanchored == 1
    assert round(ticks.pacer.late_max_ms) == 180


@given(stalls=st.lists(st.integers(0, 300), max_size=20), ahead_ms=st.sampled_from([0, 20, 40]))
def test_never_more_than_three_back_to_back_and_never_ahead_of_the_lead(
    stalls: list[int], ahead_ms: int
) -> None:
    ticks = Ticks(ahead_ms=ahead_ms)
    ticks.pacer.start()
    for stall in stalls:
        ticks.stall(stall / 1000)
        ticks.clock.advance(0.03)
    assert max(ticks.at.count(at) for at in ticks.at) <= MAX_BACK_TO_BACK
    passed = (ticks.clock.now() - 100) * 1000
    assert ticks.pacer.ticks <= (passed + ahead_ms) / 20 + 1 + 1e-6


def test_start_twice_and_stop_twice_are_harmless() -> None:
    ticks = Ticks(ahead_ms=0)
    ticks.pacer.start()
    ticks.pacer.start()
    assert ticks.pacer.running
    ticks.pacer.stop()
    ticks.pacer.stop()
    assert not ticks.pacer.running
    assert ticks.clock.pending == 0
    ticks.clock.advance(1)
    assert ticks.at == [0]


def test_a_tick_may_stop_it() -> None:
    clock = ManualClock()
    made: list[int] = []

    def tick() -> None:
        made.append(1)
        if len(made) == 2:
            pacer.stop()

    pacer = Pacer(tick, ahead_ms=60, clock=clock)
    pacer.start()
    clock.advance(1)
    assert len(made) == 2
    assert clock.pending == 0


def test_a_tick_that_raises_ends_the_schedule() -> None:
    clock = ManualClock()
    pacer = Pacer(lambda: 1 / 0, clock=clock)
    with pytest.raises(ZeroDivisionError):
        pacer.start()
    assert not pacer.running
    assert clock.pending == 0
