"""Log lines that say which session they are of."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

__all__ = ["SessionLog"]


class SessionLog(logging.LoggerAdapter[logging.Logger]):
    """
    Puts vendor and session id in front of each line and into the record, as `vendor` and `session_id`.

    Args:
        name: Of the logger.
        vendor: Slug of the provider.
    """

    def __init__(self, name: str, vendor: str) -> None:
        super().__init__(logging.getLogger(name))
        self.vendor: str = vendor
        self.session_id: str | None = None
        """The vendor's id, once it is known."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Add vendor and session id."""
        kwargs["extra"] = {"vendor": self.vendor, "session_id": self.session_id}
        return f"[{self.vendor} {self.session_id or 'no session'}] {msg}", kwargs
