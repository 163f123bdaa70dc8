"""Real agents at the end of real calls, by `attach`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve

from realtime_core import Agent, Event, Options, Tool, new_agent_from_credential
from realtime_telephony import CallControl, CallReport, DigitPressed, attach, options_for
from realtime_telephony.leg import CallLeg

__all__ = ["Answering"]

LIMIT_S = 15.0
Happening = TypeVar("Happening", bound=Event | DigitPressed)


class Answering:
    """
    Answers calls with agents; the program of `Calls`.

    Args:
        credential: Of the agents.
        options: Of the agents, without rates.
        tools: Besides hanging up.
        greeting: As of `attach`.
        fallback: As of `attach`.
    """

    def __init__(
        self,
        credential: Mapping[str, Any],
        *,
        options: Options | None = None,
        tools: Sequence[Tool] = (),
        greeting: str | None = None,
        fallback: Path | None = None,
    ) -> None:
        self._credential = credential
        self._options = options or Options()
        self._tools = tuple(tools)
        self._greeting = greeting
        self._fallback = fallback
        self._changed = asyncio.Event()
        self.agents: list[Agent] = []
        self.events: list[Event | DigitPressed] = []
        """Of all calls, in order."""
        self.reports: list[CallReport] = []

    async def __call__(self, leg: CallLeg) -> None:
        """Run a call."""
        control = CallControl()
        options = evolve(self._options, tools=(*control.tools, *self._tools))
        # Some read files, a script for example.
        agent = await asyncio.to_thread(
            new_agent_from_credential, self._credential, options_for(leg, options)
        )
        self.agents.append(agent)
        report = await attach(
            agent,
            leg,
            control=control,
            greeting=self._greeting,
            fallback=self._fallback,
            on_event=self._take,
        )
        self.reports.append(report)
        self._changed.set()

    def _take(self, event: Event | DigitPressed) -> None:
        self.events.append(event)
        self._changed.set()

    def of(self, kind: type[Happening]) -> list[Happening]:
        """Give the events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(
        self, kind: type[Happening], count: int = 1, timeout_s: float = LIMIT_S
    ) -> Happening:
        """Wait for the n-th event of a kind."""
        await self.until(lambda: len(self.of(kind)) >= count, timeout_s)
        return self.of(kind)[count - 1]

    async def report(self, count: int = 1, timeout_s: float = LIMIT_S) -> CallReport:
        """Wait for the end of the n-th call."""
        await self.until(lambda: len(self.reports) >= count, timeout_s)
        return self.reports[count - 1]

    async def until(self, holds: Callable[[], bool], timeout_s: float = LIMIT_S) -> None:
        """Wait until something holds, looked at after every event."""
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
