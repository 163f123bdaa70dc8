"""How late the event loop itself was, which no leg can help: both sides of these calls share one with the test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define

__all__ = ["Stalls", "stalls_watched"]

_STEP_S = 0.005
_TIMER_MS = 2.0


@define
class Stalls:
    """What was seen."""

    worst_ms: float = 0.0
    total_ms: float = 0.0
    """All of them, where one after the other makes something late; what any timer is late by does not count."""


@asynccontextmanager
async def stalls_watched() -> AsyncIterator[Stalls]:
    """Watch for as long as the context lasts."""
    seen = Stalls()
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due = loop.time() + _STEP_S
            await asyncio.sleep(_STEP_S)
            late_ms = (loop.time() - due) * 1000
            seen.worst_ms = max(seen.worst_ms, late_ms)
            if late_ms > _TIMER_MS:
                seen.total_ms += late_ms

    watcher = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
