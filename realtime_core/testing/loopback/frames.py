"""The shape of one frame on the wire, and the identifiers a vendor puts into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Event", "Ids", "Rewrite"]

Event = dict[str, Any]
"""One JSON event, client's or server's, as parsed."""

Rewrite = Callable[[Event, int], list[Event]]
"""Changes what the vendor sends: gets an event and how many of its type were sent before it.

Returns the events to send instead: `[event]` leaves it alone, `[]` swallows it.
"""


class Ids:
    """
    Identifiers of one session: predictable, and unique within one server.

    Args:
        session: The session's number on this server, from 0.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._counts: dict[str, int] = {}

    def new(self, kind: str) -> str:
        """Return the next identifier such as `item_s0n7`; *kind* is the vendor's prefix."""
        count = self._counts.get(kind, 0) + 1
        self._counts[kind] = count
        return f"{kind}_s{self._session}n{count}"
