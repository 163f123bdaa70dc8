"""One timer for a deadline that keeps moving away."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from realtime_core.clock import Clock, Timer

__all__ = ["STALL_S", "Alarm"]

STALL_S = 0.02
"""How late a call must be for the loop to count as stalled, in seconds."""


@define
class Alarm:
    """
    Calls when a deadline is due, or earlier.

    A deadline that moves away with every frame leaves the timer where it is: it goes off early, its owner looks at
    the deadline again and sets it anew. That is cheaper than moving it at every frame.

    Where the loop stood still beyond the deadline, what came meanwhile is still to be read: the call waits `STALL_S`
    more for it, once.
    """

    clock: Clock
    callback: Callable[[], object]
    _timer: Timer | None = None
    _set_for: float = 0.0

    def set(self, due: float | None) -> None:
        """Be called at `due` at the latest; `None` asks for nothing."""
        if due is None or (self._timer is not None and self._set_for <= due):
            return
        self.stop()
        self._set_for = due
        self._timer = self.clock.call_at(due, self._ring)

    def stop(self) -> None:
        """Ask for nothing; harmless at any time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        now = self.clock.now()
        if now - self._set_for > STALL_S:
            self._set_for = now
            self._timer = self.clock.call_at(now + STALL_S, self._call)
        else:
            self._call()

    def _call(self) -> None:
        self._timer = None
        self.callback()
