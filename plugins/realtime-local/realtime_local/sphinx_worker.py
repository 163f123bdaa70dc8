"""Our end of the pipe to `sphinx_process`."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Any, Final, final
from weakref import WeakSet

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.errors import ConfigError, ErrorKind, RealtimeError

from . import sphinx_process
from .child_process import ChildProcess
from .engines import MODEL_RATE_HZ
from .sphinx_package import model_folder, package_folder
from .watchdog import Watchdog

__all__ = ["FREE_SPEECH", "GRAMMARS", "SphinxWorker"]

_START_LIMIT_S: Final = 10.0
"""For the process to be ready, and again at the start of a session for a grammar: models may come from a slow disk, on a busy
machine. In a call the caller waits, and has less patience."""
_QUEUE_LIMIT_S: Final = 10.0
_UTTERANCE_LIMIT_S: Final = 5.0
_LONGEST_LIMIT_S: Final = 15.0


@final
class SphinxWorker:
    """
    One process of pocketsphinx for all who ask, one after the other.

    It is started when it is needed first, and again when it has died or was killed because it took too long. What it
    was asked then has failed, and nothing else.

    Args:
        program: Path of the program.
        limit_s: How long it may take for an utterance, and the length of that on top, up to 15 s in all.
    """

    def __init__(
        self, program: str = sphinx_process.__file__, *, limit_s: float = _UTTERANCE_LIMIT_S
    ) -> None:
        self._program = program
        self._limit_s = limit_s
        self._lock = Lock()
        self._process: ChildProcess | None = None
        self._is_ready = False
        _workers.add(self)

    def start(self) -> None:
        """
        Start the process if there is none, and do not wait for it.

        Raises:
            ConfigError: It cannot be started.
        """
        if self._lock.acquire(blocking=False):  # otherwise somebody is asking it
            try:
                self._running()
            finally:
                self._lock.release()

    def ask(self, request: dict[str, Any], pcm: bytes = b"") -> dict[str, Any]:
        """
        Ask, from any thread.

        Args:
            request: See `sphinx_process`; `size` is added.
            pcm: PCM16LE mono at `MODEL_RATE_HZ`; without it the grammar is made ready, and that is all.

        Returns:
            See `sphinx_process.serve`.

        Raises:
            ConfigError: The process cannot be started, or the grammar is none.
            RealtimeError: It died, took too long or failed, or others kept it busy for 10 s.
        """
        message = json.dumps({**request, "size": len(pcm)}).encode("ascii") + b"\n" + pcm
        length_s = len(pcm) / (MODEL_RATE_HZ * BYTES_PER_SAMPLE)
        limit_s = min(self._limit_s + length_s, _LONGEST_LIMIT_S) if pcm else _START_LIMIT_S
        if not self._lock.acquire(timeout=_QUEUE_LIMIT_S):
            raise _failure(f"the recogniser was busy with others for {_QUEUE_LIMIT_S:.0f} s")
        try:
            reply = self._exchange(self._ready(), message, limit_s)
        except _BrokenError as broken:
            raise _failure(
                f"the recogniser's process {broken}; the next utterance starts another"
            ) from broken
        finally:
            self._lock.release()
        if "error" not in reply:
            return reply
        if reply["is_grammar"]:
            raise ConfigError(reply["error"])
        raise _failure(f"the recogniser failed: {reply['error']}")

    def forget(self) -> None:
        """Begin anew in a process that was forked, whatever the others' threads were about."""
        self._lock = Lock()
        self._process = None

    def _running(self) -> ChildProcess:
        if self._process is not None:
            if self._process.is_alive:
                return self._process
            self._process.stop()
        package = package_folder()
        try:
            started = ChildProcess(self._program, str(package.parent), str(model_folder()))
        except OSError as error:
            raise _no_process(str(error)) from error
        self._process, self._is_ready = started, False
        return started

    def _ready(self) -> ChildProcess:
        process = self._running()
        if not self._is_ready:
            try:
                told = self._exchange(process, b"", _START_LIMIT_S)
            except _BrokenError as broken:
                raise _no_process(f"it {broken}") from broken
            if "ready" not in told:
                process.stop()
                raise _no_process(str(told.get("error")))
            self._is_ready = True
        return process

    def _exchange(self, process: ChildProcess, message: bytes, limit_s: float) -> dict[str, Any]:
        """Write, and wait for the answer; after anything but an answer in time the process is no more."""
        try:
            with Watchdog(process, limit_s) as watchdog:
                line = watchdog.wait_for(partial(_answer, process, message))
            if watchdog.has_bitten:
                raise _BrokenError(f"gave no answer within {limit_s:.3g} s")
            if not line.endswith(b"\n"):
                process.stop()
                raise _BrokenError(f"died with exit code {process.exit_code}")
            return _parsed(line)
        except BaseException:
            process.stop()
            raise


def _answer(process: ChildProcess, message: bytes) -> bytes:
    with suppress(OSError):  # it died: nothing is read
        process.write(message)
        return process.read_line()
    return b""


def _parsed(line: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        reply = json.loads(line)
        if isinstance(reply, dict):
            return reply
    raise _BrokenError("is something else")


class _BrokenError(Exception):
    """What is wrong with the process."""


def _failure(message: str) -> RealtimeError:
    return RealtimeError(message, kind=ErrorKind.VENDOR, retryable=True)


def _no_process(why: str) -> ConfigError:
    return ConfigError(
        "the recogniser runs in a Python process of its own: expected one from sys.executable, "
        f"got {sys.executable!r}: {why}"
    )


_workers: Final[WeakSet[SphinxWorker]] = WeakSet()

GRAMMARS: Final = SphinxWorker()
"""For sentences of a grammar, 20 to 40 ms a second of speech."""
FREE_SPEECH: Final = SphinxWorker()
"""For free speech, which takes ten times as long: not in front of the others."""


def _forget_all() -> None:
    for worker in list(_workers):
        worker.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
