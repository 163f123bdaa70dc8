"""
Callers of every kind behind one interface: each telephones through the fake of its peer, over real sockets, to the real
listener or handler.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from aiohttp import web
from attrs import evolve, field, frozen

from realtime_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from realtime_telephony.asterisk_websocket import asterisk_handler
from realtime_telephony.audiosocket import AudioSocketListener
from realtime_telephony.leg import CallLeg
from realtime_telephony.media_call import media_stream_call
from realtime_telephony.media_dialect import DIALECTS, TELNYX
from realtime_telephony.media_hang_up import (
    PlivoAccount,
    TelnyxAccount,
    TwilioAccount,
    VendorAccount,
)
from tests.telephony.fakes.asterisk import AudioSocketCaller, WebSocketChannel
from tests.telephony.fakes.media import (
    FakePlivo,
    FakePlivoL16,
    FakeTelnyx,
    FakeTwilio,
    FakeVendor,
)

__all__ = ["CALLERS", "Caller", "Expected"]

OnCall = Callable[[CallLeg], Awaitable[None]]
Codec = Literal["pcm", "g711_ulaw", "g711_alaw"]
Reason = Literal["caller", "us", "network", "protocol", "timeout"]

_CARRIED: Mapping[Codec, Callable[[bytes], bytes]] = {
    "pcm": bytes,
    "g711_ulaw": lambda pcm: ulaw_decode(ulaw_encode(pcm)),
    "g711_alaw": lambda pcm: alaw_decode(alaw_encode(pcm)),
}
_FRAME_MS = 20


@frozen(kw_only=True)
class Expected:
    """What a leg is to say of its call."""

    leg: str
    rate_hz: int
    codec: Codec = "pcm"
    dialled: str | None = None
    caller: str | None = None
    parameters: Mapping[str, str] = field(factory=dict)
    """At least these."""
    dropped: Reason = "network"
    """How a connection that breaks is told."""


class Caller(ABC):
    """Somebody who telephones; for one call."""

    expected: Expected
    lead_in: bytes = b""
    """PCM that comes before anything is said."""

    @abstractmethod
    def dial(self, on_call: OnCall) -> AbstractAsyncContextManager[None]:
        """Call; at the end everything is put away, and the peer must have nothing to complain about."""

    @property
    @abstractmethod
    def call_id(self) -> str:
        """Of the call, as its peer knows it."""

    @property
    @abstractmethod
    def heard(self) -> bytes:
        """PCM the caller heard so far, in order, without the pauses in which nothing was sent."""

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Whether our side ended the call, and not only the media where it can."""

    @abstractmethod
    async def say(self, pcm: bytes) -> None:
        """Say something, PCM16LE, faster than anybody can speak."""

    @abstractmethod
    async def press(self, digit: str) -> None:
        """Press a key."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Put the receiver down."""

    @abstractmethod
    async def drop(self) -> None:
        """Lose the network."""

    @abstractmethod
    async def mumble(self) -> None:
        """Let the peer send one message nobody knows."""

    @abstractmethod
    async def misbehave(self) -> None:
        """Let the peer send what ends a call."""

    def carried(self, pcm: bytes) -> bytes:
        """What is left of audio when it was on the wire."""
        return _CARRIED[self.expected.codec](pcm)

    def frames(self, pcm: bytes) -> list[bytes]:
        """Cut into 20 ms."""
        size = 2 * self.expected.rate_hz * _FRAME_MS // 1000
        return [pcm[at : at + size] for at in range(0, len(pcm), size)]


class OverAudioSocket(Caller):
    """Asterisk's AudioSocket."""

    def __init__(self, rate_hz: int) -> None:
        # A reset is how Asterisk hangs up too, when audio of ours was unread.
        self.expected = Expected(leg="audiosocket", rate_hz=rate_hz, dropped="caller")
        self.lead_in = bytes(2 * rate_hz // 50)

    @asynccontextmanager
    async def dial(self, on_call: OnCall) -> AsyncIterator[None]:
        rate_hz = self.expected.rate_hz
        async with (
            AudioSocketListener("127.0.0.1", 0, on_call) as listener,
            AudioSocketCaller(listener.port, sample_rate_hz=rate_hz) as self._peer,
        ):
            yield
        assert listener.connections == 0

    @property
    def call_id(self) -> str:
        return str(self._peer.uuid)

    @property
    def heard(self) -> bytes:
        return bytes(self._peer.heard)

    @property
    def is_over(self) -> bool:
        return self._peer.hung_up and self._peer.ended

    async def say(self, pcm: bytes) -> None:
        for frame in self.frames(pcm):
            self._peer.say(frame)

    async def press(self, digit: str) -> None:
        self._peer.press(digit)

    async def hang_up(self) -> None:
        self._peer.hang_up()

    async def drop(self) -> None:
        self._peer.reset()

    async def mumble(self) -> None:
        self._peer.send_raw(b"\x42\x00\x02??")

    async def misbehave(self) -> None:
        self._peer.send_raw(b"\x10\x00\x03???")


@asynccontextmanager
async def _served(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[int]:
    """Serve everything with one handler; gives the port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class OverAsterisk(Caller):
    """Asterisk's WebSocket channel."""

    def __init__(
        self, audio_format: str, control: Literal["json", "plain-text"], rate_hz: int, codec: Codec
    ) -> None:
        self._format = audio_format
        self._control: Literal["json", "plain-text"] = control
        self._encode: Callable[[bytes], bytes] = bytes if codec == "pcm" else ulaw_encode
        self._decode: Callable[[bytes], bytes] = bytes if codec == "pcm" else ulaw_decode
        self.expected = Expected(
            leg="asterisk",
            rate_hz=rate_hz,
            codec=codec,
            dialled="600",
            caller="+15550100",
            parameters={"shop": "north"},
        )

    @asynccontextmanager
    async def dial(self, on_call: OnCall) -> AsyncIterator[None]:
        query = "dialled=600&caller=%2B15550100&shop=north"
        async with (
            _served(asterisk_handler(on_call)) as port,
            WebSocketChannel(
                port, f"/asterisk?{query}", audio_format=self._format, control=self._control
            ) as self._peer,
        ):
            self._peer.run_clock()
            yield

    @property
    def call_id(self) -> str:
        return self._peer.channel_id

    @property
    def heard(self) -> bytes:
        return self._decode(b"".join(self._peer.played))

    @property
    def is_over(self) -> bool:
        return self._peer.hung_up and self._peer.ended

    async def say(self, pcm: bytes) -> None:
        for frame in self.frames(pcm):
            self._peer.say(self._encode(frame))

    async def press(self, digit: str) -> None:
        self._peer.press(digit)

    async def hang_up(self) -> None:
        self._peer.hang_up()

    async def drop(self) -> None:
        self._peer.socket.abort()

    async def mumble(self) -> None:
        self._peer.event("SOMETHING_NEW", what="nobody knows")

    async def misbehave(self) -> None:
        self._peer.socket.send_raw(b"\xff\xff\xff\xff")


class OverMediaStream(Caller):
    """A vendor's media stream, with credentials that end the call."""

    def __init__(self, vendor: type[FakeVendor], codec: Codec, account: Any, **known: Any) -> None:
        self._peer = vendor()
        self._account = account
        self._leaving: asyncio.Task[None] | None = None
        known = {"dialled": "+15550199", "caller": "+15550100", **known}
        self.expected = Expected(
            leg=vendor.name,
            rate_hz=vendor.rate_hz,
            codec=codec,
            parameters={"shop": "north"},
            **known,
        )
        self.asked: list[str] = []
        """What was asked of the vendor's REST interface."""

    @asynccontextmanager
    async def dial(self, on_call: OnCall) -> AsyncIterator[None]:
        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path != "/media":
                self.asked.append(f"{request.method} {request.path}")
                return web.Response()
            account: VendorAccount = self._account(base_url=str(request.url.origin()))
            leg = await media_stream_call(
                request,
                check=None,
                accounts={self._peer.name: account},
                dialects=[
                    evolve(TELNYX, reply_encoding="PCMA")
                    if dialect is TELNYX and self.expected.codec == "g711_alaw"
                    else dialect
                    for dialect in DIALECTS
                ],
            )
            try:
                await on_call(leg)
            finally:
                await leg.close()
            return leg.response

        async with _served(answer) as port:
            await self._peer.dial(f"ws://127.0.0.1:{port}/media")
            await self._peer.begin()
            try:
                yield
            finally:
                await (self._leaving or self._peer.leave())
        assert self._peer.violations == []

    @property
    def call_id(self) -> str:
        call: str = self._peer.call  # type: ignore[attr-defined]
        return call

    @property
    def heard(self) -> bytes:
        return bytes(self._peer.heard)

    @property
    def is_over(self) -> bool:
        return len(self.asked) == 1 and self._peer.closed.is_set()

    async def say(self, pcm: bytes) -> None:
        await self._peer.speak(pcm)

    async def press(self, digit: str) -> None:
        await self._peer.press(digit)

    async def hang_up(self) -> None:
        # The vendor waits for our close frame, which comes when the leg is closed.
        self._leaving = asyncio.create_task(self._peer.hang_up())

    async def drop(self) -> None:
        await self._peer.break_off()

    async def mumble(self) -> None:
        await self._peer.send('{"event": "something.new"}')

    async def misbehave(self) -> None:
        for _ in range(51):
            await self._peer.send("no JSON at all")


class _TelnyxInEurope(FakeTelnyx):
    encoding = "PCMA"
    says = hears = "alaw"


def _twilio(base_url: str) -> VendorAccount:
    return TwilioAccount(account_sid="AC1", auth_token="token", base_url=base_url)


def _telnyx(base_url: str) -> VendorAccount:
    return TelnyxAccount(api_key="key", base_url=base_url)


def _plivo(base_url: str) -> VendorAccount:
    return PlivoAccount(auth_id="MA1", auth_token="token", base_url=base_url)


_BARE = {"dialled": "15550199", "caller": "15550100"}

CALLERS: Mapping[str, Callable[[], Caller]] = {
    "audiosocket_8k": lambda: OverAudioSocket(8_000),
    "audiosocket_16k": lambda: OverAudioSocket(16_000),
    "asterisk_slin16_json": lambda: OverAsterisk("slin16", "json", 16_000, "pcm"),
    "asterisk_ulaw_plain": lambda: OverAsterisk("ulaw", "plain-text", 8_000, "g711_ulaw"),
    "twilio_ulaw": lambda: OverMediaStream(FakeTwilio, "g711_ulaw", _twilio),
    "telnyx_pcmu": lambda: OverMediaStream(FakeTelnyx, "g711_ulaw", _telnyx),
    "telnyx_pcma": lambda: OverMediaStream(_TelnyxInEurope, "g711_alaw", _telnyx),
    "plivo_l16_16k": lambda: OverMediaStream(FakePlivoL16, "pcm", _plivo, **_BARE),
    "plivo_ulaw": lambda: OverMediaStream(FakePlivo, "g711_ulaw", _plivo, **_BARE),
}
"""Callers by name, one for each kind of leg and wire."""
