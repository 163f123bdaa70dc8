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
    """The running event loop's own time."""

    def now(self) -> float:
        """Give the loop's time."""
        return asyncio.get_running_loop().time()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call at a time of the loop's."""
        return asyncio.get_running_loop().call_at(when, callback)
