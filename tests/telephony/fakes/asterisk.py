"""
Asterisk's side of both legs, as strict as the real one or stricter: what 22.10 would punish with silence or a dropped call is
written down as a violation, and leaving the context with one fails the test.

`AudioSocketCaller` is `res_audiosocket.c`, `WebSocketChannel` is `chan_websocket.c`. Time on the channel is moved by hand,
`tick`, or by `run_clock`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from typing import Any, Final, Literal, Self
from uuid import UUID, uuid4

from realtime_telephony.asterisk_media import MAX_BINARY_BYTES, MAX_TEXT_BYTES, SAMPLE_RATES_HZ
from realtime_telephony.audiosocket_frames import RATES_HZ, Audio, CallId, Digit, encode
from tests.telephony.fakes.raw_websocket import BINARY, CLOSE, PING, PONG, TEXT, RawWebSocket

__all__ = ["AudioSocketCaller", "WebSocketChannel"]

TIMEOUT_S: Final = 30.0
TICK_S: Final = 0.02
_COMMANDS: Final = frozenset({
    "ANSWER", "HANGUP", "START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING", "MARK_MEDIA", "FLUSH_MEDIA", "PAUSE_MEDIA",
    "CONTINUE_MEDIA", "REPORT_QUEUE_DRAINED", "GET_STATUS",
})  # fmt: skip


class _Strict:
    """Collects what our side did wrong."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self._changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None
        self.ended = False

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait_for(self, condition: Any, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until something holds of what has arrived; a callable without arguments."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    async def wait_ended(self, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until our side closed the connection."""
        await self.wait_for(lambda: self.ended, timeout_s)

    async def _finish(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def check(self) -> None:
        """Fail when our side did something wrong."""
        assert self.violations == []


class AudioSocketCaller(_Strict):
    """
    One AudioSocket connection, for use as an asynchronous context manager.

    Args:
        port: Where our listener is.
        sample_rate_hz: Of the channel.
        uuid: Of the call.
        silent: Say the UUID only, send no audio at the start.
    """

    def __init__(
        self,
        port: int,
        *,
        sample_rate_hz: int = 8_000,
        uuid: UUID | None = None,
        silent: bool = False,
    ) -> None:
        super().__init__()
        self._port = port
        self.rate = sample_rate_hz
        self.uuid = uuid or uuid4()
        self._silent = silent
        self.heard = bytearray()
        """PCM we were sent."""
        self.frames: list[int] = []
        """Sizes of the frames of it."""
        self.hung_up = False
        """0x00 came."""

    async def __aenter__(self) -> Self:
        self._stream, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, limit=1 << 20
        )
        self._reader = asyncio.create_task(self._read())
        self.send_raw(encode(CallId(self.uuid)))
        if not self._silent:
            self.say(bytes(self.rate // 50 * 2))
        return self

    async def __aexit__(self, kind: object, *exc: object) -> None:
        await self._finish()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        if kind is None:
            self.check()

    def say(self, pcm: bytes) -> None:
        """Send what the caller says, in one frame."""
        self.send_raw(encode(Audio(pcm, self.rate)))

    def press(self, digit: str) -> None:
        """Press a key."""
        self.send_raw(encode(Digit(digit)))

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    def hang_up(self) -> None:
        """Hang up, which is no more than closing."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    async def _read(self) -> None:
        while True:
            try:
                data = await self._stream.read(1 << 20)
            except ConnectionError:
                data = b""
            if not data:
                self.ended = True
                await self._notify()
                return
            self._take(data)
            await self._notify()

    def _take(self, data: bytes) -> None:
        # A write is in one piece on loopback: a frame that does not end with what was read was written in two.
        at = 0
        while at < len(data):
            if len(data) - at < 3:
                self.violations.append("a header came in pieces")
                return
            kind, size = data[at], int.from_bytes(data[at + 1 : at + 3], "big")
            payload = data[at + 3 : at + 3 + size]
            at += 3 + size
            if len(payload) < size:
                self.violations.append("a frame came in pieces")
                return
            if kind == 0x00:
                self.hung_up = True
                if size:
                    self.violations.append("0x00 with a payload")
            elif RATES_HZ.get(kind) != self.rate:
                self.violations.append(f"type 0x{kind:02x} on a channel of {self.rate} Hz")
            elif not size or size % 2:
                self.violations.append(f"audio of {size} bytes")
            elif self.hung_up:
                self.violations.append("audio after 0x00")
            else:
                self.frames.append(size)
                self.heard += payload


class WebSocketChannel(_Strict):
    """
    One WebSocket channel, for use as an asynchronous context manager.

    Args:
        port: Where our HTTP server is.
        path: Of the route, with what `v(...)` adds.
        audio_format: As in `c(...)`.
        control: As in `f(...)`.
    """

    XOFF, XON, FULL = 900, 800, 1000

    def __init__(
        self,
        port: int,
        path: str = "/asterisk",
        *,
        audio_format: str = "slin16",
        control: Literal["json", "plain-text"] = "json",
    ) -> None:
        super().__init__()
        self._port = port
        self._path = path
        self._format = audio_format
        self._json = control == "json"
        self.rate = SAMPLE_RATES_HZ.get(audio_format, 8_000)
        self.frame_bytes = self.rate // 50 * (1 if audio_format in ("ulaw", "alaw") else 2)
        self.channel_id = "1795390505.1"
        self.queue: deque[bytes | str] = deque()
        """Frames, and events that wait for their turn."""
        self.played: list[bytes] = []
        """Frames played, in order."""
        self.commands: list[str] = []
        """Names of the commands that came, in order."""
        self.texts: list[str] = []
        self.buffering = False
        self.paused = False
        self.full = False
        self.answers_status = True
        self.closed_with: int | None = None
        """Code of our side's close frame."""
        self.hung_up = False
        self._left = b""
        self._report_drained = False
        self._clock: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        socket = await RawWebSocket.connect(self._port, self._path)
        assert isinstance(socket, RawWebSocket), f"refused with {socket}"
        assert socket.protocol == "media", "the sub-protocol was not selected"
        self.socket = socket
        self._reader = asyncio.create_task(self._read())
        self.event(
            "MEDIA_START",
            connection_id="bot",
            channel="WebSocket/bot/0x7f:1",
            channel_id=self.channel_id,
            format=self._format,
            optimal_frame_size=self.frame_bytes,
            ptime=20,
        )
        return self

    async def __aexit__(self, kind: object, *exc: object) -> None:
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        await self._finish()
        await self.socket.close()
        if kind is None:
            self.check()

    # what the test does

    def say(self, audio: bytes) -> None:
        """Send what the caller says, as it is on the wire."""
        self.socket.send(BINARY, audio)

    def press(self, digit: str) -> None:
        """Press a key."""
        self.event("DTMF_END", digit=digit)

    def hang_up(self, code: int = 1000) -> None:
        """Close in order, as when the caller hangs up."""
        self.socket.send(CLOSE, code.to_bytes(2, "big"))

    def event(self, name: str, **fields: Any) -> None:
        """Send an event."""
        self.socket.send(TEXT, self._event_text(name, **fields).encode())

    def _event_text(self, name: str, **fields: Any) -> str:
        if self._json:
            return json.dumps({"event": name, "channel_id": self.channel_id, **fields})
        if name in ("MEDIA_MARK_PROCESSED", "MEDIA_BUFFERING_COMPLETED"):
            return f"{name} {fields['correlation_id']}".strip()
        words = [f"{key}:{str(value).lower() if isinstance(value, bool) else value}" for key, value in fields.items()]  # fmt: skip
        return " ".join([name, *words])

    @property
    def queue_length(self) -> int:
        """Frames that wait."""
        return sum(isinstance(item, bytes) for item in self.queue)

    def tick(self, times: int = 1) -> None:
        """Let 20 ms pass, so often."""
        for _ in range(times):
            self._tick()

    def run_clock(self) -> None:
        """Let time pass by itself from now on."""
        self._clock = asyncio.create_task(self._run_clock())

    async def _run_clock(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_S
            await asyncio.sleep(max(due - loop.time(), 0))
            self._tick()
            await self._notify()

    def _tick(self) -> None:
        if self.paused:
            return
        if self.full and self.queue_length < self.XON:
            self.full = False
            self.event("MEDIA_XON")
        if not self.queue and self._report_drained:
            self._report_drained = False
            self.event("QUEUE_DRAINED")
        while self.queue and isinstance(item := self.queue[0], str):
            self.queue.popleft()
            self.socket.send(TEXT, item.encode())
        if self.queue:
            frame = self.queue.popleft()
            assert isinstance(frame, bytes)
            self.played.append(frame)

    # what our side does

    async def _read(self) -> None:
        while (frame := await self.socket.read()) is not None:
            if not frame.final or frame.opcode == 0:
                self.violations.append("a fragmented message")
            if frame.masked:
                self.violations.append("a masked frame of a server's")
            match frame.opcode:
                case 0x1:
                    self._text(frame.payload)
                case 0x2:
                    self._binary(frame.payload)
                case 0x8:
                    self.closed_with = int.from_bytes(frame.payload[:2], "big")
                    self.socket.send(CLOSE, frame.payload[:2])
                case 0x9:
                    self.socket.send(PONG, frame.payload)
                case _:
                    pass
            await self._notify()
        self.ended = True
        await self._notify()

    def _text(self, payload: bytes) -> None:
        if not 0 < len(payload) <= MAX_TEXT_BYTES:
            self.violations.append(f"text of {len(payload)} bytes is ignored")
            return
        text = payload.decode()
        self.texts.append(text)
        if self._json:
            fields = json.loads(text)
            name, correlation_id = fields["command"], fields.get("correlation_id")
        else:
            name, _, correlation_id = text.partition(" ")
        if name not in _COMMANDS:
            self.violations.append(f"unknown command {name}")
            return
        if self.hung_up:
            self.violations.append(f"{name} after HANGUP")
        self.commands.append(name)
        self._command(name, correlation_id or "")

    def _command(self, name: str, correlation_id: str) -> None:
        match name:
            case "HANGUP":
                self.hung_up = True
                self.hang_up()
            case "START_MEDIA_BUFFERING":
                self.buffering = True
            case "STOP_MEDIA_BUFFERING":
                self.buffering = False
                if self._left:
                    self._queue_frame(self._left)
                    self._left = b""
                self.queue.append(
                    self._event_text("MEDIA_BUFFERING_COMPLETED", correlation_id=correlation_id)
                )
            case "MARK_MEDIA":
                self.queue.append(
                    self._event_text("MEDIA_MARK_PROCESSED", correlation_id=correlation_id)
                )
            case "FLUSH_MEDIA":
                self.queue.clear()
                self._left = b""
                self.buffering = False
            case "PAUSE_MEDIA" | "CONTINUE_MEDIA":
                self.paused = name == "PAUSE_MEDIA"
            case "REPORT_QUEUE_DRAINED":
                self._report_drained = True
            case "GET_STATUS" if self.answers_status:
                self.event(
                    "STATUS",
                    queue_length=self.queue_length,
                    xon_level=self.XON,
                    xoff_level=self.XOFF,
                    queue_full=self.full,
                    bulk_media=self.buffering,
                    media_paused=self.paused,
                )
            case _:
                pass

    def _binary(self, payload: bytes) -> None:
        if len(payload) > MAX_BINARY_BYTES:
            self.violations.append(f"a message of {len(payload)} bytes")
        if self.hung_up:
            self.violations.append("audio after HANGUP")
        if self.queue_length >= self.FULL:
            self.violations.append("audio for a full queue is thrown away")
            return
        data = self._left + payload
        whole = len(data) - len(data) % self.frame_bytes
        if not self.buffering and whole != len(data):
            self.violations.append("a remainder without buffering is thrown away")
        self._left = data[whole:] if self.buffering else b""
        for at in range(0, whole, self.frame_bytes):
            self._queue_frame(data[at : at + self.frame_bytes])

    def _queue_frame(self, frame: bytes) -> None:
        self.queue.append(frame)
        if not self.full and self.queue_length >= self.XOFF:
            self.full = True
            self.event("MEDIA_XOFF")

    def ping(self) -> None:
        """Send a ping of the protocol."""
        self.socket.send(PING, b"")
