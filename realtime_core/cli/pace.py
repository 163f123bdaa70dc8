"""The pace of speech: beats on an absolute schedule, which does not drift."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["Schedule"]


class Schedule:
    """
    Beats at equal distances from the first one, on a monotonic clock.

    Each beat's time is computed from the first, never from the one before, so lateness does not add up; beats
    that are overdue come at once, one after the other.

    Args:
        step_s: Distance of two beats, in seconds.
        clock: Where the time comes from.
        sleep: How to wait.
    """

    def __init__(
        self,
        step_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._step_s = step_s
        self._clock = clock
        self._sleep = sleep
        self._first: float | None = None
        self._beats = 0

    async def beat(self) -> None:
        """Wait for the next beat; the first is now. Lets the other tasks run even when it is overdue."""
        now = self._clock()
        if self._first is None:
            self._first = now
        due = self._first + self._beats * self._step_s
        self._beats += 1
        await self._sleep(max(0.0, due - now))
