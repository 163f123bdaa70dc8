"""A limit for reading from a process: a pipe has none, and a thread that waits at one cannot be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar, final

__all__ = ["SILENCE_LIMIT_S", "Killable", "Watchdog"]

T = TypeVar("T")

SILENCE_LIMIT_S: Final = 10.0
"""How long a speech engine may keep its reader waiting, in seconds."""


class Killable(Protocol):
    """A process."""

    def kill(self) -> None:
        """End it at once."""


@final
class Watchdog:
    """
    Kills a process that keeps its reader waiting; to be entered.

    Time between two reads does not count: then the reader is busy, not the process.

    Args:
        process: The one that is read from.
        limit_s: How long a read may take, in seconds; by default `SILENCE_LIMIT_S`.
    """

    def __init__(self, process: Killable, limit_s: float | None = None) -> None:
        self._process: Killable | None = process
        self._limit_s = SILENCE_LIMIT_S if limit_s is None else limit_s
        self._waits_since: float | None = None
        self._lock = Lock()  # who has read does not find the process killed afterwards
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
        """Stop. From then on nothing here holds the process, even where the thread comes to its end later."""
        self._process = None
        self._over.set()

    def wait_for(self, read: Callable[[], T]) -> T:
        """Read; when the process is killed meanwhile, that gives what is read at the end of a file."""
        self._waits_since = time.monotonic()
        try:
            return read()
        finally:
            with self._lock:
                self._waits_since = None

    def _watch(self) -> None:
        left_s = self._limit_s
        while not self._over.wait(left_s):
            with self._lock:
                since = self._waits_since
                left_s = self._limit_s - (0.0 if since is None else time.monotonic() - since)
                if left_s <= 0:
                    if (process := self._process) is not None:
                        self.has_bitten = True
                        process.kill()
                    return
