"""A peer that does not read: writing never waits, and nothing of it goes wrong later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from realtime_core import (
    Agent,
    AgentClosedError,
    ErrorEvent,
    Event,
    Options,
    new_agent_from_credential,
)
from realtime_core.backends.aiohttp import AiohttpTransport
from realtime_core.testing import LoopbackVendor


@asynccontextmanager
async def deaf_peer() -> AsyncIterator[str]:
    """A server that upgrades and then reads nothing."""
    over = asyncio.Event()

    async def upgrade(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        assert request.transport is not None
        request.transport.pause_reading()
        await over.wait()
        request.transport.resume_reading()
        async for _ in ws:
            pass
        return ws

    app = web.Application()
    app.router.add_get("/", upgrade)
    server = TestServer(app)
    await server.start_server()
    try:
        yield f"ws://127.0.0.1:{server.port}/"
    finally:
        over.set()
        await server.close()


async def test_frames_pings_and_the_goodbye_are_written_while_the_connection_is_congested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goodbye = cast("Any", aiohttp.ClientWSTimeout)(ws_close=0.2)  # pyright sees no fields
    monkeypatch.setattr("realtime_core.backends.aiohttp._GOODBYE", goodbye)
    async with deaf_peer() as url:
        transport = AiohttpTransport(url, {})
        await transport.connect()
        for _ in range(30):
            transport.send(bytes(20_000))
        assert transport.backlog() > 200_000
        transport.ping()
        transport.ping()
        transport.send(b"{}")
        assert transport._ws is not None
        sock = transport._ws.get_extra_info("socket")
        await asyncio.wait_for(transport.close(), 10)  # raises nothing, and is bounded
        await asyncio.sleep(0)
        assert sock.fileno() == -1, "what could not be written keeps no socket open"


async def push_without_a_pause(agent: Agent) -> None:
    """The loop only turns where a push lets it."""
    for _ in range(1000):
        await agent.push_audio(bytes(640))


@pytest.mark.parametrize("when_full", ["wait", "drop_oldest"])
async def test_whoever_pushes_without_a_pause_learns_that_the_connection_is_gone(
    when_full: Any,
) -> None:
    events: list[Event] = []
    options = Options(on_event=events.append, when_full=when_full, max_buffered_ms=400)
    async with LoopbackVendor() as vendor:
        agent: Any = new_agent_from_credential(vendor.credential("openai_ga"), options)
        async with agent:
            agent._transport._ws.write_transport.abort()  # as a write does that meets a reset
            with pytest.raises(AgentClosedError):
                await push_without_a_pause(agent)
    lost = [event for event in events if isinstance(event, ErrorEvent) and event.fatal]
    assert [event.error.kind for event in lost] == ["transport"]
