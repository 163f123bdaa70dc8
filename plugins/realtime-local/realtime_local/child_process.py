"""A Python program of ours as a process of its own, which ends with this one however that ends."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress
from typing import Final, cast, final
from weakref import WeakSet, finalize

__all__ = ["ChildProcess"]

_LONGEST_LINE: Final = 64 * 1024


@final
class ChildProcess:
    """
    The process and the pipes to its input and output; what it writes to stderr is lost.

    It is killed and waited for by `stop`, when nobody holds this object any more, and at the end of the interpreter.
    Where that comes without warning, the process sees the end of its input. A process forked from this one does not
    have it.

    Args:
        program: Path of the program. It runs isolated and without `site`, starts in some 30 ms and finds nothing but
            the standard library.
        arguments: For the program.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        if not sys.executable or getattr(sys, "frozen", False):
            raise OSError("sys.executable is not a Python interpreter")
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-I", "-S", program, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            bufsize=0,  # a buffer has a lock, which a fork in another thread may leave locked for ever
        )  # fmt: skip
        self._in = cast(io.FileIO, self._process.stdin)
        self._out = io.BufferedReader(cast(io.FileIO, self._process.stdout))
        self._finalizer = finalize(self, _end, self._process)
        _ours.add(self)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._finalizer.alive and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """What it ended with, less than 0 by a signal; known after `stop`."""
        return self._process.returncode

    def write(self, data: bytes) -> None:
        """
        Write to its input, all of it.

        Raises:
            OSError: It died.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[self._in.write(rest) :]

    def read_line(self) -> bytes:
        """Read a line of its output; without a line end where it died, or the line is longer than 64 KiB."""
        return self._out.readline(_LONGEST_LINE)

    def read(self, size: int) -> bytes:
        """Read so many bytes of its output; fewer where it died."""
        return self._out.read(size)

    def kill(self) -> None:
        """End it at once, from any thread; who reads or writes then finds it dead. `stop` is still to be called."""
        self._process.kill()

    def stop(self) -> None:
        """End it and wait for that; idempotent."""
        self._finalizer()

    def forget(self) -> None:
        """Let go of it without ending it, in a process that was forked: it is another one's."""
        if self._finalizer.detach():
            self._process.returncode = 0  # not ours to wait for
            _close(self._process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


_ours: Final[WeakSet[ChildProcess]] = WeakSet()


def _forget_all() -> None:
    for child in list(_ours):
        child.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
