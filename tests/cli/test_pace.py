"""The pace of speech, on a clock of the test's own."""

from __future__ import annotations

import pytest

from realtime_core.cli.pace import Schedule


class Time:
    def __init__(self) -> None:
        self.now = 100.0
        self.late_by = 0.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds + self.late_by


async def test_lateness_of_the_timer_does_not_add_up() -> None:
    time = Time()
    time.late_by = 0.003
    schedule = Schedule(0.02, clock=lambda: time.now, sleep=time.sleep)
    for _ in range(501):
        await schedule.beat()
    assert time.now == pytest.approx(100.0 + 500 * 0.02 + 0.003)


async def test_after_a_stall_it_catches_up_and_lets_others_run() -> None:
    time = Time()
    schedule = Schedule(0.02, clock=lambda: time.now, sleep=time.sleep)
    await schedule.beat()
    time.now += 0.1
    for _ in range(6):
        await schedule.beat()
    assert time.waits == [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, pytest.approx(0.02)]
