"""
The vendors' side of a media stream, strict: each class knows its vendor's messages by itself and takes nothing else.

A fake plays what it is sent at the speed of speech, answers marks when they are reached, and keeps what the caller heard.
Whatever breaks the vendor's rules is written down in `violations`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import aiohttp

from realtime_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

Codec = Callable[[bytes], bytes]
CODECS: dict[str, tuple[Codec, Codec, int]] = {
    "ulaw": (ulaw_encode, ulaw_decode, 1),
    "alaw": (alaw_encode, alaw_decode, 1),
    "l16": (bytes, bytes, 2),
}


class FakeVendor:
    """What the three have in common: the socket, the queue and its clock."""

    name: ClassVar[str]
    rate_hz: int = 8000
    hears: str = "ulaw"
    """Codec of what it plays to the caller."""
    says: str = "ulaw"
    """Codec of what it sends."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.received: list[dict[str, Any]] = []
        self.heard = bytearray()
        """PCM the caller heard."""
        self.cleared_at: list[float] = []
        self.heard_at_clear: list[int] = []
        self.marks_sent: list[str] = []
        self.close_code: int | None = None
        self._queue: deque[bytes | str] = deque()
        self._more = asyncio.Event()
        self._free_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._sequence = 0
        self._chunk = 0
        self.closed = asyncio.Event()

    # The socket.

    async def dial(self, url: str, headers: dict[str, str] | None = None) -> None:
        self._client = aiohttp.ClientSession()
        try:
            self.ws = await self._client.ws_connect(url, headers=headers or {}, compress=0)
        except BaseException:
            await self._client.close()
            raise
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._play())]

    async def leave(self) -> None:
        """End without a word more than the vendor says."""
        await self.ws.close()
        await self._end()

    async def break_off(self) -> None:
        """Lose the connection."""
        transport = self.ws._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.abort()
        await self._end()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def send(self, message: dict[str, Any] | str | bytes) -> None:
        if isinstance(message, bytes):
            await self.ws.send_bytes(message)
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            await self.ws.send_str(text)

    async def _read(self) -> None:
        async for message in self.ws:
            if message.type is not aiohttp.WSMsgType.TEXT:
                self.violations.append(f"a {message.type.name} message")
                continue
            parsed = json.loads(message.data)
            self.received.append(parsed)
            try:
                await self.take(parsed)
            except (KeyError, AssertionError, ValueError, TypeError) as error:
                self.violations.append(f"{type(error).__name__}: {error} in {message.data[:200]}")
        self.close_code = self.ws.close_code
        self.closed.set()

    # The queue.

    def take_audio(self, payload: str, rate_hz: int) -> None:
        audio = base64.b64decode(payload, validate=True)
        _, decode, width = CODECS[self.hears]
        assert not audio.startswith((b"RIFF", b".snd")), "a file header"
        assert rate_hz == self.rate_hz, f"rate {rate_hz}"
        assert len(audio) % width == 0, "half a sample"
        ms = len(audio) * 1000 / width / self.rate_hz
        assert 20 <= ms <= 100, f"{ms} ms of audio in a message"
        self._queue.append(decode(audio))
        self._more.set()

    def take_mark(self, name: object) -> None:
        assert isinstance(name, str), "a mark without a name"
        assert 0 < len(name) <= 64, "a mark's name"
        self._queue.append(name)
        self._more.set()

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._queue:
                self._more.clear()
                await self._more.wait()
            item = self._queue[0]
            if isinstance(item, str):
                self._queue.popleft()
                await self.answer_mark(item)
                continue
            begin = max(self._free_at, loop.time())
            self._free_at = begin + len(item) / 2 / self.rate_hz
            await asyncio.sleep(max(0.0, self._free_at - loop.time()))
            self._queue.popleft()
            self.heard += item

    async def drop_queue(self) -> list[str]:
        """Stop at once; gives the names of the marks that were waiting."""
        loop = asyncio.get_running_loop()
        self.cleared_at.append(loop.time())
        self._tasks[1].cancel()
        await asyncio.gather(self._tasks[1], return_exceptions=True)
        if self._queue and isinstance(self._queue[0], bytes):
            item = self._queue[0]
            left = max(0.0, self._free_at - loop.time())
            self.heard += item[: len(item) - 2 * int(left * self.rate_hz)]
        self.heard_at_clear.append(self.heard_samples)
        marks = [item for item in self._queue if isinstance(item, str)]
        self._queue.clear()
        self._free_at = 0.0
        self._tasks[1] = asyncio.create_task(self._play())
        return marks

    @property
    def heard_samples(self) -> int:
        return len(self.heard) // 2

    # The caller.

    def encode(self, pcm: bytes) -> str:
        return base64.b64encode(CODECS[self.says][0](pcm)).decode()

    def frames(self, pcm: bytes) -> Iterator[bytes]:
        size = 2 * self.rate_hz // 50
        for start in range(0, len(pcm), size):
            yield pcm[start : start + size]

    async def speak(self, pcm: bytes) -> None:
        for frame in self.frames(pcm):
            await self.send(self.media(frame))

    def number(self) -> int:
        self._sequence += 1
        return self._sequence

    def chunk(self) -> int:
        self._chunk += 1
        return self._chunk

    # The vendor.

    async def begin(self, **changes: Any) -> None:
        raise NotImplementedError

    def media(self, pcm: bytes) -> dict[str, Any]:
        raise NotImplementedError

    async def press(self, digit: str) -> None:
        raise NotImplementedError

    async def take(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    async def answer_mark(self, name: str) -> None:
        raise NotImplementedError

    async def hang_up(self) -> None:
        """The caller ends the call."""
        raise NotImplementedError


class FakeTwilio(FakeVendor):
    name = "twilio"
    stream = "MZ18ad3ab5a668481ce02b83e7395059f0"
    call = "CA6b7b0a4b6e4d4e6bb8d8a7a1b5c5d6e7"

    def envelope(self, event: str, **body: Any) -> dict[str, Any]:
        return {
            "event": event,
            "sequenceNumber": str(self.number()),
            "streamSid": self.stream,
            **body,
        }

    async def begin(self, **changes: Any) -> None:
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await self.send(self.start(**changes))

    def start(self, **changes: Any) -> dict[str, Any]:
        start = {
            "streamSid": self.stream,
            "accountSid": "AC11111111111111111111111111111111",
            "callSid": self.call,
            "tracks": ["inbound"],
            "customParameters": {"caller": "+15550100", "dialled": "+15550199", "shop": "north"},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        }
        return self.envelope("start", start={**start, **changes})

    def media(self, pcm: bytes) -> dict[str, Any]:
        chunk = self.chunk()
        body = {
            "track": "inbound",
            "chunk": str(chunk),
            "timestamp": str(20 * chunk),
            "payload": self.encode(pcm),
        }
        return self.envelope("media", media=body)

    async def press(self, digit: str) -> None:
        await self.send(self.envelope("dtmf", dtmf={"track": "inbound_track", "digit": digit}))

    async def take(self, message: dict[str, Any]) -> None:
        event = message["event"]
        assert message["streamSid"] == self.stream, "another stream"
        if event == "media":
            assert set(message) == {"event", "streamSid", "media"}, set(message)
            assert set(message["media"]) == {"payload"}, set(message["media"])
            self.take_audio(message["media"]["payload"], self.rate_hz)
        elif event == "mark":
            assert set(message) == {"event", "streamSid", "mark"}, set(message)
            self.take_mark(message["mark"]["name"])
        elif event == "clear":
            assert set(message) == {"event", "streamSid"}, set(message)
            for name in await self.drop_queue():  # at once, though never played
                await self.answer_mark(name)
        else:
            raise AssertionError(f"event {event}")

    async def answer_mark(self, name: str) -> None:
        self.marks_sent.append(name)
        await self.send(self.envelope("mark", mark={"name": name}))

    async def hang_up(self) -> None:
        body = {"accountSid": "AC11111111111111111111111111111111", "callSid": self.call}
        await self.send(self.envelope("stop", stop=body))
        await self.leave()


class FakeTelnyx(FakeVendor):
    name = "telnyx"
    stream = "32de0dea-53cb-4b21-89a4-9e1819c043bc"
    call = "v3:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ"
    encoding = "PCMU"

    def envelope(self, event: str, **body: Any) -> dict[str, Any]:
        return {
            "event": event,
            "sequence_number": str(self.number()),
            "stream_id": self.stream,
            **body,
        }

    async def begin(self, **changes: Any) -> None:
        await self.send({"event": "connected", "version": "1.0.0"})
        await self.send(self.start(**changes))

    def start(self, **changes: Any) -> dict[str, Any]:
        start = {
            "user_id": "3e6f995f-85f7-4705-9741-53b116d28237",
            "call_control_id": self.call,
            "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
            "from": "+15550100",
            "to": "+15550199",
            "tags": [],
            "client_state": "aGF2ZSBhIG5pY2UgZGF5",
            "custom_parameters": {"shop": "north"},
            "media_format": {"encoding": self.encoding, "sample_rate": 8000, "channels": 1},
        }
        return self.envelope("start", start={**start, **changes})

    def media(self, pcm: bytes) -> dict[str, Any]:
        chunk = self.chunk()
        body = {
            "track": "inbound",
            "chunk": str(chunk),
            "timestamp": str(20 * chunk),
            "payload": self.encode(pcm),
        }
        return self.envelope("media", media=body)

    async def press(self, digit: str) -> None:
        await self.send(self.envelope("dtmf", dtmf={"digit": digit}))

    async def take(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event == "media":
            assert set(message) == {"event", "media"}, set(message)
            assert set(message["media"]) == {"payload"}, set(message["media"])
            self.take_audio(message["media"]["payload"], self.rate_hz)
        elif event == "mark":
            assert set(message) == {"event", "mark"}, set(message)
            self.take_mark(message["mark"]["name"])
        elif event == "clear":
            assert set(message) == {"event"}, set(message)
            for name in await self.drop_queue():
                await self.answer_mark(name)
        else:
            raise AssertionError(f"event {event}")

    async def answer_mark(self, name: str) -> None:
        self.marks_sent.append(name)
        await self.send(self.envelope("mark", mark={"name": name}))

    async def hang_up(self) -> None:
        body = {"user_id": "3e6f995f-85f7-4705-9741-53b116d28237", "call_control_id": self.call}
        await self.send(self.envelope("stop", stop=body))
        await self.leave()


class FakeTelnyxAlaw(FakeTelnyx):
    """A call from Europe; replies are PCMU all the same, by the default of stream_bidirectional_codec."""

    encoding = "PCMA"
    says = "alaw"


class FakePlivo(FakeVendor):
    name = "plivo"
    stream = "87654321-4321-4321-4321-cba987654321"
    call = "12345678-1234-1234-1234-123456789abc"
    content_type = "audio/x-mulaw"

    def envelope(self, event: str, **body: Any) -> dict[str, Any]:
        return {
            "event": event,
            "sequenceNumber": self.number(),
            "streamId": self.stream,
            **body,
        }

    async def begin(self, **changes: Any) -> None:
        await self.send(self.start(**changes))

    def start(self, **changes: Any) -> dict[str, Any]:
        start = {
            "callId": self.call,
            "streamId": self.stream,
            "accountId": "MAXXXXXXXXXXXXXXXXXX",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": self.content_type, "sampleRate": self.rate_hz},
        }
        return {
            "event": "start",
            "sequenceNumber": self.number(),
            "start": {**start, **changes},
            "extra_headers": "caller=15550100;dialled=15550199;shop=north",
        }

    def media(self, pcm: bytes) -> dict[str, Any]:
        chunk = self.chunk()
        body = {
            "track": "inbound",
            "timestamp": str(1_705_312_200_000 + 20 * chunk),
            "chunk": chunk,
            "payload": self.encode(pcm),
        }
        return self.envelope("media", media=body, extra_headers="shop=north")

    async def press(self, digit: str) -> None:
        body = {"track": "inbound", "digit": digit, "timestamp": "1705312200000"}
        await self.send(self.envelope("dtmf", dtmf=body, extra_headers="shop=north"))

    async def take(self, message: dict[str, Any]) -> None:
        event = message["event"]
        assert message["streamId"] == self.stream, "another stream"
        if event == "playAudio":
            media = message["media"]
            assert set(message) == {"event", "streamId", "media"}, set(message)
            assert set(media) == {"contentType", "sampleRate", "payload"}, set(media)
            assert media["contentType"] == self.content_type, media["contentType"]
            self.take_audio(media["payload"], media["sampleRate"])
        elif event == "checkpoint":
            assert set(message) == {"event", "streamId", "name"}, set(message)
            self.take_mark(message["name"])
        elif event == "clearAudio":
            assert set(message) == {"event", "streamId"}, set(message)
            await self.drop_queue()  # dropped checkpoints are not answered
            await self.send(self.envelope("clearedAudio"))
        else:
            raise AssertionError(f"event {event}")

    async def answer_mark(self, name: str) -> None:
        self.marks_sent.append(name)
        await self.send(self.envelope("playedStream", name=name))

    async def hang_up(self) -> None:
        await self.leave()  # there is no stop message


class FakePlivoL16(FakePlivo):
    content_type = "audio/x-l16"
    rate_hz = 16000
    hears = says = "l16"


VENDORS: tuple[type[FakeVendor], ...] = (
    FakeTwilio,
    FakeTelnyx,
    FakeTelnyxAlaw,
    FakePlivo,
    FakePlivoL16,
)


async def eventually(condition: Any, within_s: float = 30.0) -> None:
    """Wait for something that another task brings about."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - whatever it is
                await asyncio.sleep(0.002)
    assert condition()
