"""The loopback vendor as the double that `AgentConformance` drives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from realtime_core.testing.loopback import SCENARIOS, Call, LoopbackVendor, Reply, Scenario

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

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Let the first reply of the sessions to come be a call."""
        call = Call(name=name, arguments=json.dumps(dict(arguments)))
        self._vendor.scenario = Scenario(name="tool_call", replies=(Reply(parts=(call,)),))

    @property
    def tool_answers(self) -> list[str]:
        """Outputs of function calls received, in order."""
        items = [
            event["item"]
            for session in self._vendor.sessions
            for event in session.received
            if event.get("type") == "conversation.item.create"
        ]
        return [item["output"] for item in items if item.get("type") == "function_call_output"]

    async def break_connection(self) -> None:
        """Cut the newest connection."""
        self._vendor.sessions[-1].abort()
