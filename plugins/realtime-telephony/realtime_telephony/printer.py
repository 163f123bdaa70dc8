"""Lines for whoever watches, written by a thread: a terminal that was stopped, a full pipe or none holds up no call."""

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

    Once lines can be written again, one more says how many are missing. Lines that cannot be written because their reader is
    gone are lost.

    Args:
        write: Writes a line; may block, and may raise `OSError`.
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
        told = 0
        while (text := self._lines.get()) is not None:
            self._try(text)
            if (dropped := self.dropped) > told:
                self._try(f"{dropped - told} lines were dropped: nobody read them")
                told = self.dropped

    def _try(self, text: str) -> None:
        try:
            self._write(text)
        except (OSError, ValueError):  # ValueError: of a file that was closed
            self.dropped += 1
