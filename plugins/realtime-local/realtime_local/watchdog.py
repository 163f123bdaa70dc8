"""A limit for reading from a process: a pipe has none, and a thread that waits at one cannot be stopped."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Final, Self, TypeVar, final

__all__ = ["SILENCE_LIMIT_S", "Watchdog"]

T = TypeVar("T")

SILENCE_LIMIT_S: Final = 10.0
"""How long a speech engine may keep its reader waiting, in seconds."""


@final
class Watchdog:
    """
    Kills a process that keeps its reader waiting; to be entered.

    Time between two reads does not count: then the reader is busy, not the process.

    Args:
        process: The one that is read from.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._limit_s = SILENCE_LIMIT_S
        self._waits_since: float | None = None
        self._over = Event()
        self.has_bitten: bool = False
        """Whether it killed the process."""

    def __enter__(self) -> Self:
        """Begin to watch."""
        # A daemon: it does not keep an application from ending.
        Thread(target=self._watch, name="realtime local watchdog", daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self._over.set()

    def wait_for(self, read: Callable[[], T]) -> T:
        """Read; when the process is killed meanwhile, that gives what is read at the end of a file."""
        self._waits_since = time.monotonic()
        try:
            return read()
        finally:
            self._waits_since = None

    def _watch(self) -> None:
        while not self._over.wait(self._limit_s / 10):
            since = self._waits_since
            if since is not None and time.monotonic() - since >= self._limit_s:
                self.has_bitten = True
                self._process.kill()
                return
