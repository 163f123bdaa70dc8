"""A thread that writes files in order, for as long as somebody waits and no longer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import final

from realtime_telephony.making import outcome_of

__all__ = ["Scribe"]


@final
class Scribe:
    """
    Does plain work, one after the other, on a daemon thread of its own.

    Not on an executor, whose threads are waited for at the end of the program: a disk that hangs would keep it from ending.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, work: Callable[[], object]) -> None:
        """Have something done that raises nothing; who submits keeps count."""
        self._work.put(work)

    def end(self) -> None:
        """Let the thread end once all that was submitted is done; nothing may be submitted any more."""
        self._work.put(None)

    async def run(self, work: Callable[[], None], limit_s: float) -> None:
        """
        Have something done, behind all that was submitted, and wait for it.

        Args:
            work: What.
            limit_s: How long is waited, in seconds.

        Raises:
            TimeoutError: It takes longer, and is done for nobody.
            Exception: What it raises; an attempt to end the program is a `RuntimeError`.
        """
        done, body = outcome_of(work)
        self._work.put(body)
        async with asyncio.timeout(limit_s):
            await asyncio.wrap_future(done)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
