"""Peers that do not keep to their protocol, with an agent on the call: it ends as documented, and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from realtime_core import new_agent_from_credential
from realtime_core.testing import LoopbackVendor
from realtime_telephony import CallLeg, CallReport, attach, options_for
from realtime_telephony.asterisk_websocket import asterisk_handler
from realtime_telephony.audiosocket import AudioSocketListener
from realtime_telephony.audiosocket_frames import Audio, encode
from tests.telephony.fakes.asterisk import AudioSocketCaller, WebSocketChannel
from tests.telephony.kit import until


class Desk:
    """Both listeners, every call with an agent."""

    def __init__(self, vendor: LoopbackVendor) -> None:
        self.vendor = vendor
        self.reports: asyncio.Queue[CallReport] = asyncio.Queue()
        self.listener = AudioSocketListener("127.0.0.1", 0, self._answer)
        self.http_port = 0

    async def _answer(self, leg: CallLeg) -> None:
        agent = new_agent_from_credential(self.vendor.credential("openai_ga"), options_for(leg))
        self.reports.put_nowait(await attach(agent, leg, greeting=""))

    async def report(self) -> CallReport:
        async with asyncio.timeout(30):
            return await self.reports.get()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        return await asterisk_handler(self._answer)(request)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    before = asyncio.all_tasks()
    async with LoopbackVendor() as vendor:
        desk = Desk(vendor)
        app = web.Application()
        app.router.add_get("/asterisk", desk.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        desk.http_port = runner.addresses[0][1]
        async with desk.listener:
            yield desk
            await until(lambda: desk.listener.connections == 0)
        for session in vendor.sessions:
            async with asyncio.timeout(30):
                await session.closed.wait()
        await runner.cleanup()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=30)
    assert [task for task in left if not task.done()] == []


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\xff" * 400, "at most"),
        (b"\x42\x00\x00" * 11, "unknown"),
        (b"\x10\xff\xfe" + bytes(70_000), "at most"),
    ],
    ids=["garbage", "unknown types", "oversize"],
)
async def test_audiosocket_that_breaks_the_format_ends_the_call(
    desk: Desk, data: bytes, word: str
) -> None:
    async with AudioSocketCaller(desk.listener.port) as caller:
        await until(lambda: bool(caller.frames))
        caller.send_raw(data)
        report = await desk.report()
        await caller.wait_ended()
    assert report.ended_by == "network"
    assert word in report.detail
    assert report.error is None


async def test_audiosocket_frames_in_pieces_are_heard(desk: Desk) -> None:
    frame = encode(Audio(b"\x11\x11" * 160, 8000))
    async with AudioSocketCaller(desk.listener.port) as caller:
        await until(lambda: bool(caller.frames))
        for at in range(0, len(frame), 50):
            caller.send_raw(frame[at : at + 50])
            await asyncio.sleep(0.01)
        await until(lambda: any(any(session.audio_in) for session in desk.vendor.sessions))
    assert (await desk.report()).ended_by == "caller"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\xff\xff\xff\xff\xff", "1002"),
        (b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(70_000), "1009"),
        (b"\x82\x83\x00\x00\x00\x00abc", "half a sample"),
    ],
    ids=["garbage", "oversize", "half a sample"],
)
async def test_a_websocket_that_breaks_the_protocol_ends_the_call(
    desk: Desk, data: bytes, word: str
) -> None:
    async with WebSocketChannel(desk.http_port) as channel:
        await until(lambda: bool(desk.vendor.sessions))
        channel.socket.send_raw(data)
        report = await desk.report()
    assert report.ended_by == "network"
    assert word in report.detail
    assert report.error is None
