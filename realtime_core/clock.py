"""Where a session takes the time from; tests bring a clock they move by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "LoopClock", "Timer"]


class Timer(Protocol):
    """A call that waits for its time."""

    def cancel(self) -> None:
        """Do not call; harmless when it was called already."""


class Clock(Protocol):
    """A monotonic clock, in seconds."""

    def now(self) -> float:
        """Give the time."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call a plain function at a time; in the past means soon."""
        ...


class LoopClock:
    """The event loop's own time; for one loop, the one it is first asked on."""

    def __init__(self) -> None:
        self._time: Callable[[], float] | None = None

    def now(self) -> float:
        """Give the loop's time."""
        if self._time is None:
            self._time = asyncio.get_running_loop().time
        return self._time()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call at a time of the loop's."""
        return asyncio.get_running_loop().call_at(when, callback)
