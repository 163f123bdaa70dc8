"""A deadline that keeps moving away, and a loop that stood still."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from realtime_core.alarm import STALL_S, Alarm
from realtime_core.testing import ManualClock


@define
class StalledClock:
    """A clock whose timers go off late, as those of a loop that was busy."""

    late_s: float
    clock: ManualClock = field(factory=ManualClock)

    def now(self) -> float:
        return self.clock.now()

    def call_at(self, when: float, callback: Callable[[], object]) -> object:
        late_s, self.late_s = self.late_s, 0.0
        return self.clock.call_at(when + late_s, callback)


def test_it_calls_when_it_is_due() -> None:
    clock, rung = ManualClock(), list[float]()
    alarm = Alarm(clock, lambda: rung.append(clock.now()))
    alarm.set(1.0)
    alarm.set(2.0)  # further away changes nothing
    clock.advance(3)
    assert rung == [1.0]
    alarm.set(5.0)
    alarm.set(4.0)
    clock.advance(3)
    assert rung == [1.0, 4.0]


def test_after_a_stall_it_lets_what_came_meanwhile_be_read_first() -> None:
    clock, rung = StalledClock(0.5), list[float]()
    alarm = Alarm(clock, lambda: rung.append(clock.now()))  # type: ignore[arg-type]
    alarm.set(1.0)
    clock.clock.advance(1.5)
    assert rung == []
    clock.clock.advance(1)
    assert rung == [1.5 + STALL_S]


def test_stopping_it_in_that_moment_holds() -> None:
    clock, rung = StalledClock(0.5), list[float]()
    alarm = Alarm(clock, lambda: rung.append(clock.now()))  # type: ignore[arg-type]
    alarm.set(1.0)
    clock.clock.advance(1.5)
    alarm.stop()
    clock.clock.advance(1)
    assert rung == []
