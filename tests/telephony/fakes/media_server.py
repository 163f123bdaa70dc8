"""A server on loopback that hands out the legs of the calls it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from realtime_telephony.media_call import StreamRefusedError, media_stream_call
from realtime_telephony.media_stream import MediaStreamLeg
from tests.telephony.fakes.media import FakeVendor


class MediaServer:
    def __init__(self, **options: Any) -> None:
        self.options: dict[str, Any] = {"check": None, **options}
        self.legs: asyncio.Queue[MediaStreamLeg] = asyncio.Queue()
        self.refused: asyncio.Queue[StreamRefusedError] = asyncio.Queue()
        self.open: list[MediaStreamLeg] = []
        app = web.Application()
        app.router.add_get("/media", self.handle)
        app.router.add_get("/media/{token}", self.handle)
        self.server = TestServer(app)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            leg = await media_stream_call(request, **self.options)
        except StreamRefusedError as error:
            self.refused.put_nowait(error)
            return error.response
        self.open.append(leg)
        self.legs.put_nowait(leg)
        await leg._over.wait()
        await leg.close()
        return leg.response

    def url(self, path: str = "/media") -> str:
        return str(self.server.make_url(path)).replace("http", "ws", 1)


@asynccontextmanager
async def media_server(**options: Any) -> AsyncIterator[MediaServer]:
    server = MediaServer(**options)
    await server.server.start_server()
    try:
        yield server
    finally:
        for leg in server.open:
            await leg.close()
        await server.server.close()


@asynccontextmanager
async def call(
    vendor: FakeVendor, **options: Any
) -> AsyncIterator[tuple[MediaStreamLeg, MediaServer]]:
    """A call that was just taken; in the end the vendor must have nothing to complain about."""
    async with media_server(**options) as server:
        await vendor.dial(server.url())
        await vendor.begin()
        leg = await asyncio.wait_for(server.legs.get(), 30)
        try:
            yield leg, server
        finally:
            await leg.close()
            await vendor.leave()
    assert vendor.violations == []
