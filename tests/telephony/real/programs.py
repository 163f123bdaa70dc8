"""Programs the call tests run: started with a log file, stopped by their own process id and within a time."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

__all__ = ["Program", "free_tcp_port", "free_udp_port", "wait_until"]

STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.02


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def free_tcp_port() -> int:
    """Find a TCP port of loopback nobody listens on."""
    return _free_port(socket.SOCK_STREAM)


def free_udp_port() -> int:
    """Find a UDP port of loopback nobody has."""
    return _free_port(socket.SOCK_DGRAM)


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """
    Look until something holds.

    Raises:
        TimeoutError: It does not, in time.
    """
    limit = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(POLL_S)


class Program:
    """
    One process and its log.

    Args:
        command: Program and arguments.
        log: Takes standard output and error.
        cwd: Where it runs.
    """

    def __init__(self, command: Sequence[str], log: Path, *, cwd: Path | None = None) -> None:
        self.log = log
        self._name = Path(command[0]).name
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; `None` while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int:
        """
        Wait for its end.

        Raises:
            TimeoutError: It still runs.
        """
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{self._name} still runs after {timeout_s} s: {self.tail()}"
            ) from None

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it in order, and after a time by force; idempotent."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines: int = 12) -> str:
        """Give the end of its log."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError as error:
            return str(error)
        return "\n".join(text.splitlines()[-lines:])
