"""What the SDK and the vendors' wheels log, shown as notes of the command."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime_core.cli.narration import one_line

__all__ = ["warnings_shown"]


class _Notes(logging.Handler):
    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        self._note(one_line(text))


@contextmanager
def warnings_shown(note: Callable[[str], None]) -> Iterator[None]:
    """
    Show warnings and errors that are logged meanwhile, without tracebacks.

    Args:
        note: Shows one.
    """
    handler = _Notes(note)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
