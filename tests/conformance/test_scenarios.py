"""Our agents live through every scenario of the loopback vendor on every dialect, and break no rule of the vendor's."""

from __future__ import annotations

import asyncio

import pytest

from realtime_core import (
    AssistantTurnEnd,
    Event,
    Options,
    SessionClose,
    SessionOpen,
    Tool,
    new_agent_from_credential,
)
from realtime_core.errors import AgentClosedError
from realtime_core.testing import DIALECTS, SCENARIOS, LoopbackVendor
from realtime_core.testing.speech import silence, speech_like

RATE_HZ = 16000
FRAME_BYTES = RATE_HZ // 50 * 2
WAITS = {"held_reply", "held_call", "late_deltas", "turn_invalid"}
"""Scenarios that wait for the client, or answer nothing."""


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_scenario_is_lived_through_without_a_violation(
    dialect: str, scenario: str
) -> None:
    events: list[Event] = []
    over = asyncio.Event()

    def on_event(event: Event) -> None:
        events.append(event)
        if isinstance(event, (AssistantTurnEnd, SessionClose)):
            over.set()

    options = Options(
        on_event=on_event,
        when_full="wait",
        tools=(Tool(name="lookup", handler=lambda name, arguments: "sunny"),),
    )
    async with LoopbackVendor(scenario=SCENARIOS[scenario]) as vendor:
        agent = new_agent_from_credential(vendor.credential(dialect), options)
        await agent.start()
        speech = silence(200, RATE_HZ) + speech_like(600, RATE_HZ) + silence(3000, RATE_HZ)
        try:
            for at in range(0, len(speech), FRAME_BYTES):
                await agent.push_audio(speech[at : at + FRAME_BYTES])
        except AgentClosedError:
            pass  # the scenario ended the session
        if scenario not in WAITS:
            async with asyncio.timeout(10):
                await over.wait()
        await agent.close()
        assert vendor.violations == []
    assert isinstance(events[0], SessionOpen)
    assert [type(event) for event in events].count(SessionClose) == 1
    assert isinstance(events[-1], SessionClose)
