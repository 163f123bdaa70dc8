"""A clock moved by hand."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from attrs import define, field

__all__ = ["ManualClock"]


@define(order=False)
class _Call:
    when: float
    callback: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        """Do not call."""
        self.cancelled = True


@define
class ManualClock:
    """
    A `Clock` that stands still until it is moved; drives whole conversations without waiting.

    Args:
        time_s: Where it starts, in seconds.
    """

    time_s: float = 0.0
    _calls: list[tuple[float, int, _Call]] = field(factory=list, init=False)
    _order: count[int] = field(factory=count, init=False)

    def now(self) -> float:
        """Give the time."""
        return self.time_s

    def call_at(self, when: float, callback: Callable[[], object]) -> _Call:
        """Call at a time; in the past means at the next move."""
        call = _Call(when, callback)
        heapq.heappush(self._calls, (when, next(self._order), call))
        return call

    def advance(self, seconds: float) -> None:
        """
        Move forward and make the calls that are due on the way, in order, each at its own time.

        Raises:
            ValueError: Backwards.
        """
        if seconds < 0:
            raise ValueError(f"expected seconds forward, got {seconds}")
        target = self.time_s + seconds
        while self._calls and self._calls[0][0] <= target:
            when, _, call = heapq.heappop(self._calls)
            self.time_s = max(self.time_s, when)
            if not call.cancelled:
                call.callback()
        self.time_s = target

    @property
    def pending(self) -> int:
        """How many calls still wait."""
        return sum(not call.cancelled for _, _, call in self._calls)
