from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from realtime_telephony.media_call import media_stream_call
from realtime_telephony.media_dialect import PLIVO, TWILIO
from realtime_telephony.media_signature import (
    SharedToken,
    TwilioSignature,
    any_of,
    twilio_signature,
)
from tests.telephony.fakes.media import FakePlivo, FakeTelnyx, FakeTwilio
from tests.telephony.fakes.media_server import MediaServer, media_server

TOKEN = "a-token-nobody-guesses"


async def refusal(server: MediaServer, vendor: FakeTwilio | FakeTelnyx | FakePlivo) -> str:
    error = await asyncio.wait_for(server.refused.get(), 30)
    await asyncio.wait_for(vendor.closed.wait(), 30)
    assert vendor.close_code in (1008, 1009)
    await vendor.leave()
    return str(error)


async def test_a_request_without_a_valid_token_gets_403_and_no_upgrade(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with media_server(check=SharedToken(TOKEN)) as server:
        for path in ("/media", "/media?token=wrong-wrong-wrong-wrong", "/media/wrong"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await FakeTwilio().dial(server.url(path))
            assert caught.value.status == 403
        assert "no valid signature or token" in caplog.text
        assert "wrong" not in caplog.text


async def test_the_right_token_or_signature_lets_in() -> None:
    check = any_of(SharedToken(TOKEN), TwilioSignature("auth", "wss://public.example.com"))
    signature = twilio_signature("auth", "wss://public.example.com/media")
    async with media_server(check=check) as server:
        for path, headers in (
            (f"/media/{TOKEN}", {}),
            (f"/media?token={TOKEN}", {}),
            ("/media", {"X-Twilio-Signature": signature}),
        ):
            vendor = FakeTwilio()
            await vendor.dial(server.url(path), headers)
            await vendor.begin()
            leg = await asyncio.wait_for(server.legs.get(), 30)
            await vendor.hang_up()
            await leg.close()


async def test_a_plain_request_is_told_to_upgrade() -> None:
    async with (
        media_server() as server,
        aiohttp.ClientSession() as client,
        client.get(server.server.make_url("/media")) as response,
    ):
        assert response.status == 400


async def test_a_start_that_does_not_come_has_a_limit() -> None:
    async with media_server(start_timeout_s=0.1) as server:
        vendor = FakeTwilio()
        await vendor.dial(server.url())
        await vendor.send({"event": "connected"})
        assert "start message of twilio, telnyx, plivo within 0.1 s" in await refusal(
            server, vendor
        )


async def test_a_peer_that_leaves_before_its_start() -> None:
    async with media_server() as server:
        vendor = FakeTwilio()
        await vendor.dial(server.url())
        await vendor.leave()
        error = await asyncio.wait_for(server.refused.get(), 30)
        assert "plivo, got none: closed with 1000" in str(error)


async def test_what_comes_before_the_start_is_dropped_within_a_limit() -> None:
    async with media_server() as server:
        vendor = FakeTwilio()
        await vendor.dial(server.url())
        early: list[Any] = ["{", b"\x00", vendor.media(bytes(320)), {"event": "connected"}]
        for message in early:
            await vendor.send(message)
        await vendor.begin()
        leg = await asyncio.wait_for(server.legs.get(), 30)
        await vendor.press("1")
        assert repr(await leg.receive()) == "DigitPressed(digit='1')"  # no audio from before
        await vendor.leave()

        vendor = FakeTwilio()
        await vendor.dial(server.url())
        for _ in range(9):
            await vendor.send(vendor.media(bytes(320)))
        assert "got 9 other messages" in await refusal(server, vendor)


async def test_a_first_message_too_large_is_refused() -> None:
    async with media_server() as server:
        vendor = FakeTwilio()
        await vendor.dial(server.url())
        await vendor.send({"event": "start", "padding": "x" * 70_000})
        assert "plivo, got none: we refused a frame with 1009" in await refusal(server, vendor)


async def test_an_encoding_we_cannot_carry_is_refused_with_advice() -> None:
    async with media_server() as server:
        vendor = FakeTelnyx()
        await vendor.dial(server.url())
        await vendor.begin(media_format={"encoding": "OPUS", "sample_rate": 16000})
        assert "stream_bidirectional_codec" in await refusal(server, vendor)


async def test_giving_up_before_the_start_closes_the_socket() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        with suppress(TimeoutError):
            await asyncio.wait_for(media_stream_call(request, check=None), 0.05)
        return web.Response()

    app = web.Application()
    app.router.add_get("/media", handle)
    async with TestServer(app) as server:
        vendor = FakeTwilio()
        await vendor.dial(str(server.make_url("/media")))
        await asyncio.wait_for(vendor.closed.wait(), 30)
        assert vendor.close_code == 1008
        await vendor.leave()


async def test_only_the_dialects_asked_for_are_taken() -> None:
    async with media_server(dialects=[PLIVO]) as server:
        vendor = FakeTwilio()
        await vendor.dial(server.url())
        for _ in range(9):
            await vendor.begin()
        assert "start message of plivo" in await refusal(server, vendor)
    async with media_server(dialects=[TWILIO]) as server:
        vendor = FakeTwilio()
        await vendor.dial(server.url())
        await vendor.begin()
        assert (await asyncio.wait_for(server.legs.get(), 30)).info.leg == "twilio"
        await vendor.leave()
