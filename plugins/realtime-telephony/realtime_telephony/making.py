"""Makes what a call needs where that may block, or never end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar, final

__all__ = ["TABLES_LIMIT_S", "Making", "build_tables", "outcome_of"]

TABLES_LIMIT_S: Final = 1.0
"""How long the tables of an encoder are waited for, in seconds; after that they are built when they are used."""

T = TypeVar("T")
_built: set[Callable[[bytes], bytes]] = set()


@final
class Making:
    """
    Runs plain functions, each on a daemon thread of its own, for a limited time.

    Not on the loop's executor: one function that hangs would hold up the end of the program, and a few of them whoever else
    uses the executor.

    Args:
        most: Threads at a time; a function that nobody waits for any more still has one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._begun: list[Future[Any]] = []

    async def run(self, work: Callable[[], T], limit_s: float) -> T:
        """
        Run a function and give what it returns.

        Raises:
            TimeoutError: It takes longer, and runs on for nobody; or too many others hang.
            Exception: What it raises; an attempt to end the program is a `RuntimeError`.
        """
        self._begun = [each for each in self._begun if not each.done()]
        if len(self._begun) >= self._most:
            raise TimeoutError
        made, body = outcome_of(work)
        self._begun.append(made)
        threading.Thread(target=body, name="realtime making", daemon=True).start()
        async with asyncio.timeout(limit_s):
            return await asyncio.wrap_future(made)


async def build_tables(encode: Callable[[bytes], bytes]) -> None:
    """Let an encoder build its tables: some 40 ms of work that other calls must not hear, at the first call on a law."""
    if encode not in _built:
        with suppress(TimeoutError):
            await Making(1).run(lambda: encode(b""), TABLES_LIMIT_S)
        _built.add(encode)


def outcome_of(work: Callable[[], T]) -> tuple[Future[T], Callable[[], None]]:
    """
    Split work into what a thread runs, which raises nothing, and the future of its outcome, which nobody can cancel.

    An attempt to end the program is a `RuntimeError` there.
    """
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def body() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed to whoever awaits
            outcome.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - sys.exit() must not end the loop
            outcome.set_exception(RuntimeError(f"ended its thread: {type(error).__name__}"))
        else:
            outcome.set_result(result)

    return outcome, body
