"""Listening and speaking in tests: events collected and waited for, speech pushed in frames."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from realtime_core.agent import Agent
from realtime_core.events import Event
from realtime_core.testing.speech import silence, speech_like

__all__ = ["LIMIT_S", "Recorder", "commands_of", "push", "say"]

E = TypeVar("E", bound=Event)
LIMIT_S = 10.0
"""How long anything is waited for, in seconds."""
_FRAME_MS = 20


class Recorder:
    """Collects events and waits for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.also: Callable[[Event], None] | None = None
        self._changed = asyncio.Event()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        self.events.append(event)
        if self.also is not None:
            self.also(event)
        self._changed.set()

    def of(self, kind: type[E]) -> list[E]:
        """Give the events of a class so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(self, kind: type[E], count: int = 1) -> E:
        """Wait for the n-th event of a class."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.of(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(kind)[count - 1]


async def say(agent: Agent, heard: Callable[[], bool], *, speech_ms: int = 800) -> None:
    """Speak, then keep the line open with silence until something is heard."""
    rate_hz = agent.options.input_sample_rate
    await push(agent, silence(200, rate_hz) + speech_like(speech_ms, rate_hz))
    async with asyncio.timeout(LIMIT_S):
        while not heard():
            await push(agent, silence(_FRAME_MS, rate_hz))
            await asyncio.sleep(0)


async def push(agent: Agent, pcm: bytes) -> None:
    """Push audio in frames of 20 ms, as fast as they are taken."""
    step = 2 * agent.options.input_sample_rate * _FRAME_MS // 1000
    for at in range(0, len(pcm), step):
        await agent.push_audio(pcm[at : at + step])


def commands_of(agent: Agent) -> list[Callable[[], Awaitable[None]]]:
    """Give every command as a call without arguments."""
    return [
        lambda: agent.push_audio(bytes(640)),
        agent.commit_input_audio,
        agent.clear_input_audio,
        agent.create_response,
        lambda: agent.send_text("hello"),
        agent.cancel,
        lambda: agent.update_instructions("Be brief."),
        lambda: agent.send_tool_result("call", "result"),
    ]
