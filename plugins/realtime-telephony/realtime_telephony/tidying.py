"""Work at the end of a call that must not be left half done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine

__all__ = ["end_each", "to_the_end"]

_log = logging.getLogger("realtime_telephony.call")


async def to_the_end(tidying: Coroutine[None, None, None]) -> None:
    """Await what must not be left half done; a cancellation counts when it is done."""
    task = asyncio.create_task(tidying, name="realtime tidying up")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


async def end_each(call_id: str, *ends: Callable[[], Awaitable[None]], limit_s: float) -> None:
    """
    Hang up, close and so on, one after the other; what fails or takes too long is logged and holds up nothing.

    Args:
        call_id: For the log.
        ends: In order.
        limit_s: For each, in seconds.
    """
    for end in ends:
        try:
            async with asyncio.timeout(limit_s):
                await end()
        except Exception:  # noqa: BLE001 - the other ends still have to be closed
            _log.exception("call %s: %s failed", call_id, end.__name__)
