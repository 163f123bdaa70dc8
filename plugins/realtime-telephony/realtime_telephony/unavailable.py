"""Stands in for an agent that could not be made, so that `attach` plays the fallback to the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import final

from realtime_core.agent import Agent
from realtime_core.capabilities import Capabilities
from realtime_core.errors import AgentClosedError, RealtimeError
from realtime_core.events import Event
from realtime_core.options import Options
from realtime_core.stats import SessionStats

__all__ = ["UnavailableAgent"]


@final
class UnavailableAgent(Agent):
    """
    Refuses to start.

    Args:
        error: Why there is no agent.
        options: With the rates of the leg.
    """

    vendor = "unavailable"

    def __init__(self, error: RealtimeError, options: Options) -> None:
        self._error = error
        self.options = options

    @property
    def capabilities(self) -> Capabilities:
        """Nothing to speak of."""
        return Capabilities()

    @property
    def stats(self) -> SessionStats:
        """All zero."""
        return SessionStats()

    async def start(self) -> None:
        """Raise the error."""
        raise self._error

    async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
        """Refuse."""
        self._refuse()

    async def commit_input_audio(self) -> None:
        """Refuse."""
        self._refuse()

    async def clear_input_audio(self) -> None:
        """Refuse."""
        self._refuse()

    async def create_response(self, instructions: str | None = None) -> None:
        """Refuse."""
        self._refuse()

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Refuse."""
        self._refuse()

    async def cancel(self, *, played_ms: int | None = None) -> None:
        """Refuse."""
        self._refuse()

    async def update_instructions(self, instructions: str) -> None:
        """Refuse."""
        self._refuse()

    async def send_tool_result(self, call_id: str, output: str) -> None:
        """Refuse."""
        self._refuse()

    def report_playback(self, item_id: str, played_ms: int, *, final: bool = False) -> None:
        """Take no notice."""

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""

    def __aiter__(self) -> AsyncIterator[Event]:
        """Refuse."""
        return self._refuse()

    def _refuse(self) -> AsyncIterator[Event]:
        raise AgentClosedError("the agent could not be made")
