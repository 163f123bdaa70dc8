"""Standard output and standard error of a server that must not wait for either."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self, TextIO, final

import click

from realtime_telephony.peer_text import written_out
from realtime_telephony.printer import Printer

__all__ = ["Console"]


@final
class Console:
    """
    Prints lines on standard output and the log on standard error, as a context manager that writes the last ones in the end.

    Both by threads: who does not read, or is gone, neither holds up a call nor ends one.

    Args:
        log_level: As `logging` spells it.
    """

    def __init__(self, log_level: str) -> None:
        self._log_level = log_level

    def __enter__(self) -> Self:
        """Take over the log."""
        self._out = Printer(lambda text: _echo(text, sys.stdout))
        self._err = Printer(lambda text: _echo(text, sys.stderr))
        logging.basicConfig(level=self._log_level, handlers=[_LogLines(self._err)])
        return self

    def __exit__(self, *exc: object) -> None:
        """Write what waits, within seconds."""
        self._out.close()
        self._err.close()

    def line(self, text: str) -> None:
        """Print a line, soon."""
        self._out.line(text)

    def error(self, text: str) -> None:
        """Print a line on standard error, soon."""
        self._err.line(text)


def _echo(text: str, stream: TextIO) -> None:
    try:
        click.echo(text, file=stream)
    except BrokenPipeError:
        # What is left in the stream's buffer would make Python end with an exit code of its own.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        raise


class _LogLines(logging.Handler):
    def __init__(self, printer: Printer) -> None:
        super().__init__()
        self._printer = printer
        self.setFormatter(_OneLine())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record to the printer."""
        try:
            self._printer.line(self.format(record))
        except Exception:  # noqa: BLE001 - a log call with wrong arguments
            self.handleError(record)


class _OneLine(logging.Formatter):
    """Keeps a message in its line and tracebacks indented: what a peer wrote cannot look like a line of ours."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record, with the time in UTC as the lines of calls have it."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        message = written_out(record.getMessage())
        lines = [f"{time}Z {record.levelname} {record.name}: {message}"]
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            lines += [f"  {line}" for line in trace.splitlines()]
        return "\n".join(lines)
