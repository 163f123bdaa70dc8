"""Lines for whoever watches, written by a thread: a terminal that was stopped, or a full pipe, holds up no call."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import final

__all__ = ["Printer"]

_MOST_WAITING = 1000
_LAST_LINES_S = 2.0


@final
class Printer:
    """
    Writes lines in order; beyond a thousand that wait, new ones are dropped and counted.

    Args:
        write: Writes a line; may block.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self.dropped: int = 0
        """Lines nobody took."""
        self._write = write
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="realtime printer", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Write a line, soon."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Wait for what is written, two seconds at most."""
        try:
            self._lines.put(None, timeout=_LAST_LINES_S)
        except queue.Full:
            return
        self._thread.join(_LAST_LINES_S)

    def _run(self) -> None:
        while (text := self._lines.get()) is not None:
            self._write(text)
