"""A warning that peers can bring about at will, and that must not fill the log."""

from __future__ import annotations

import logging
import time
from typing import Any, Final, final

__all__ = ["EVERY_S", "Seldom"]

EVERY_S: Final = 60.0
"""How far warnings of one kind are apart, in seconds."""


@final
class Seldom:
    """
    Logs one kind of warning, at most once in `EVERY_S`.

    Args:
        log: Where to.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._told_at: float | None = None

    def warn(self, message: str, *values: Any) -> None:
        """Warn, or say nothing."""
        now = time.monotonic()
        if self._told_at is None or now - self._told_at > EVERY_S:
            self._told_at = now
            self._log.warning(message, *values)
