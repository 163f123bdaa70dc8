"""Every fault, as a client meets it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from realtime_core.testing.loopback import Faults, LoopbackVendor

from .client import connected, opened, realtime_url, session_for
from .speech import silence


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_status(vendor: LoopbackVendor, status: int) -> None:
    vendor.faults = Faults(status=status)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with connected(vendor, "openai_ga"):
            pass
    assert caught.value.status == status


async def test_redirect(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(redirect_to="http://127.0.0.1:9/elsewhere")
    url = realtime_url(vendor, "openai_ga").replace("ws:", "http:")
    async with aiohttp.ClientSession() as http, http.get(url, allow_redirects=False) as answer:
        assert answer.status == 302
        assert answer.headers["Location"] == "http://127.0.0.1:9/elsewhere"


async def test_slow_handshake(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(handshake_delay_s=0.05)
    async with connected(vendor, "openai_ga") as client:
        await client.until("session.created")


async def test_handshake_that_never_ends(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(never_handshake=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), connected(vendor, "openai_ga"):
            pass


@pytest.mark.parametrize(
    ("refuse", "code", "close_code"),
    [
        ("auth", "invalid_api_key", 3000),
        ("no_auth", None, 3000),
        ("model", "invalid_model", 4000),
        ("no_model", "missing_model", 4000),
        ("quota", "insufficient_quota", 4000),
        ("server_error", None, 1011),
    ],
)
async def test_refusal_after_the_upgrade(
    vendor: LoopbackVendor, refuse: Any, code: str | None, close_code: int
) -> None:
    vendor.faults = Faults(refuse=refuse)
    async with connected(vendor, "dashscope_omni") as client:
        assert await client.until_closed() == close_code
    assert client.types == ["error"]
    assert client.events[0]["error"]["code"] == code


async def test_close_before_created(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(close_before_created=1013)
    async with connected(vendor, "openai_ga") as client:
        assert await client.until_closed() == 1013
    assert client.events == []


async def test_drop_before_the_101(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(drop_at="before_101")
    with pytest.raises(aiohttp.ClientError):
        async with connected(vendor, "openai_ga"):
            pass


@pytest.mark.parametrize(
    ("drop_at", "seen"),
    [
        ("after_101", 0),
        ("before_created", 0),
        ("before_updated", 1),
        ("mid_audio", 2),
    ],
)
async def test_drop(vendor: LoopbackVendor, drop_at: Any, seen: int) -> None:
    vendor.faults = Faults(drop_at=drop_at)
    async with connected(vendor, "openai_ga") as client:
        if seen:
            await client.until("session.created")
            await client.send("session.update", session=session_for("openai_ga"))
            await client.send("response.create")
        assert await client.until_closed() is None
    if drop_at == "mid_audio":
        assert len(client.of("audio.delta")) <= 2
        assert client.of("audio.done") == []
    else:
        assert len(client.events) == seen
    if seen:
        session = await vendor.session(0)
        await session.closed.wait()
        assert (session.closed_by, session.close_code) == ("network", None)


async def test_rejected_update(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(reject_update="unknown_parameter")
    async with connected(vendor, "openai_ga") as client:
        await client.until("session.created")
        for number in (1, 2):
            await client.send(
                "session.update", event_id=f"cfg-{number}", session=session_for("openai_ga")
            )
        error = (await client.until("error"))["error"]
        await client.until("session.updated")
    assert (error["code"], error["event_id"]) == ("unknown_parameter", "cfg-1")
    assert vendor.violations == []


@pytest.mark.parametrize("kind", ["session.created", "session.updated"])
async def test_withheld_events(vendor: LoopbackVendor, kind: str) -> None:
    vendor.faults = Faults(withhold=frozenset({kind}))
    async with connected(vendor, "openai_ga") as client:
        await client.send("session.update", session=session_for("openai_ga"))
        await client.send("response.create")
        await client.until("response.done")
    assert kind not in client.types


async def test_slow_updated(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(updated_delay_s=0.05)
    async with opened(vendor, "openai_ga") as client:
        assert client.types == ["session.created", "session.updated"]


async def test_garbage_and_binary_frames(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(garbage_after="session.updated", binary_after="session.updated")
    async with opened(vendor, "openai_ga") as client:
        garbage, binary = await client.receive(), await client.receive()
        await client.send("response.create")
        await client.until("response.done")
    assert garbage.type is aiohttp.WSMsgType.TEXT
    assert binary.type is aiohttp.WSMsgType.BINARY


async def test_silent_but_alive(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(silent_after="response.created")
    async with connected(vendor, "openai_ga", autoping=False) as client:
        await client.open(session_for("openai_ga"))
        await client.send("response.create")
        await client.until("response.created")
        await client.send("input_audio_buffer.clear")
        await (await vendor.session(0)).wait_for("input_audio_buffer.clear")
        await client.socket.ping(b"alive?")
        message = await client.receive()
    assert message.type is aiohttp.WSMsgType.PONG


async def test_deaf_vendor_backs_up_the_clients_socket(vendor: LoopbackVendor) -> None:
    vendor.faults = Faults(deaf_after="session.updated")
    async with opened(vendor, "openai_ga") as client:
        await client.socket.ping(b"alive?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.append(silence(ms=600_000), piece=48_000), 0.5)
        session = await vendor.session(0)
        assert len(session.audio_in) == 0
        session.abort()
        await session.closed.wait()


async def test_the_vendors_pings_are_counted() -> None:
    async with LoopbackVendor(ping_every_s=0.02) as vendor:
        async with connected(vendor, "openai_ga", autoping=False) as client:
            await client.until("session.created")
            for _ in range(3):
                message = await client.receive()
                assert message.type is aiohttp.WSMsgType.PING
                await client.socket.pong(message.data)
            session = await vendor.session(0)
            await client.send("input_audio_buffer.clear")
            await session.wait_for("input_audio_buffer.clear")
        assert session.pongs == 3


async def test_an_unanswered_ping_is_a_violation() -> None:
    async with LoopbackVendor(ping_every_s=0.02) as vendor:
        async with connected(vendor, "openai_ga", autoping=False) as client:
            await client.until("session.created")
            for _ in range(3):
                assert (await client.receive()).type is aiohttp.WSMsgType.PING
        assert {entry.rule for entry in vendor.violations} == {"no-pong"}
