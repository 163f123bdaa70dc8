"""Work at the end of a call that must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

__all__ = ["to_the_end"]


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
