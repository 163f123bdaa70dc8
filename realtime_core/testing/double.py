"""The loopback vendor as the double that `AgentConformance` drives."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from realtime_core.testing.loopback import SCENARIOS, LoopbackVendor

__all__ = ["LoopbackDouble"]


class LoopbackDouble:
    """
    A `VendorDouble` for providers of the OpenAI-wire family.

    Args:
        dialect: One of `DIALECTS`.
        changes: Put over the loopback's credential, such as a third party's `provider` slug.
    """

    def __init__(self, dialect: str, changes: Mapping[str, Any] | None = None) -> None:
        self._dialect = dialect
        self._changes = dict(changes or {})
        self._vendor = LoopbackVendor()

    async def __aenter__(self) -> Self:
        """Start the server."""
        await self._vendor.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        await self._vendor.close()

    @property
    def credential(self) -> Mapping[str, Any]:
        """A credential that works."""
        return {**self._vendor.credential(self._dialect), **self._changes}

    @property
    def refused_credential(self) -> Mapping[str, Any]:
        """The same with another key."""
        return {**self.credential, "apiKey": "not-the-key"}

    @property
    def violations(self) -> list[Any]:
        """What clients did against the documents."""
        return list(self._vendor.violations)

    async def hold_reply(self) -> None:
        """Hold the first reply of the sessions to come."""
        self._vendor.scenario = SCENARIOS["held_reply"]

    async def break_connection(self) -> None:
        """Cut the newest connection."""
        self._vendor.sessions[-1].abort()
