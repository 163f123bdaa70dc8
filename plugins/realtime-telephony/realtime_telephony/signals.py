"""What signals ask of a server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, final

__all__ = ["Asked", "held_back", "signals"]


@final
class Asked:
    """What signals ask for."""

    def __init__(self) -> None:
        self.to_stop: asyncio.Event = asyncio.Event()
        """In order."""
        self.to_hurry: asyncio.Event = asyncio.Event()
        """At once."""
        self.to_reload: asyncio.Event = asyncio.Event()
        """Read the routes again."""

    def stop(self) -> None:
        """Stop in order; asked once more, at once."""
        (self.to_hurry if self.to_stop.is_set() else self.to_stop).set()


@contextmanager
def held_back(asked: Asked) -> Iterator[None]:
    """
    Note a SIGHUP that comes before anybody can act on it, while the server starts; by itself it would end the program.

    Args:
        asked: Told.
    """
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, lambda *_: asked.to_reload.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def signals(asked: Asked) -> Iterator[None]:
    """
    Take over SIGTERM, SIGINT and SIGHUP; in the end they are as they were.

    Args:
        asked: Told, on the running loop, in whose thread this must be.
    """
    loop = asyncio.get_running_loop()
    meaning: dict[int, Callable[[], None]] = {
        signal.SIGTERM: asked.stop,
        signal.SIGINT: asked.stop,
    }
    if hasattr(signal, "SIGHUP"):
        meaning[signal.SIGHUP] = asked.to_reload.set

    def on_signal(number: int, _frame: Any) -> None:
        loop.call_soon_threadsafe(meaning[number])

    before = {number: signal.signal(number, on_signal) for number in meaning}
    with suppress(NotImplementedError):  # on Windows, whose loop wakes up by itself; so below
        for number, what in meaning.items():
            # A plain handler does not wake a loop that was about to sleep: the signal would wait for the next call.
            loop.add_signal_handler(number, what)
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
            signal.signal(number, handler)
