"""The leg over Asterisk's WebSocket channel, which has a queue, paces it, takes it back and says how far it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Literal, cast, final

from aiohttp import ClientConnectionResetError, WebSocketError, WSCloseCode, WSMsgType, web

from realtime_core.clock import Clock, LoopClock, Timer
from realtime_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from realtime_telephony.asterisk_media import (
    MAX_BINARY_BYTES,
    SAMPLE_RATES_HZ,
    BufferingCompleted,
    Command,
    ControlFormat,
    DtmfEnd,
    Ignored,
    MarkProcessed,
    MediaError,
    MediaEvent,
    MediaStart,
    MediaXoff,
    MediaXon,
    Status,
    command_text,
    parse_event,
)
from realtime_telephony.asterisk_queue import PlayQueue
from realtime_telephony.inbox import Inbox
from realtime_telephony.leg import (
    CallerAudio,
    CallInfo,
    CallLeg,
    DigitPressed,
    LegCapabilities,
    LegClosed,
    LegEvent,
)
from realtime_telephony.peer_text import one_line

__all__ = [
    "AHEAD_MS",
    "ENCODE",
    "GOODBYE_S",
    "SEND_LIMIT_BYTES",
    "AsteriskWebSocketLeg",
    "Codec",
    "codec_of",
]

AHEAD_MS: Final = 600
"""How far ahead of the caller the queue is kept. A flush empties it at once, so it costs nothing but memory; with 600 ms a
stall of ours of 400 ms is not heard, with 400 ms it is (measured on two cores)."""

_CAPABILITIES: Final = LegCapabilities(
    owns_clock=True,
    ahead_ms=AHEAD_MS,
    flush=True,
    marks=True,
    needs_silence=False,
    dtmf=True,
    hang_up=True,
)
Codec = Literal["pcm", "g711_ulaw", "g711_alaw"]
"""As `CallLeg.codec` has it."""
_CODECS: Final[Mapping[str, Codec]] = {"ulaw": "g711_ulaw", "alaw": "g711_alaw"}
_DECODE: Final[Mapping[Codec, Callable[[bytes], bytes]]] = {
    "g711_ulaw": ulaw_decode,
    "g711_alaw": alaw_decode,
    "pcm": bytes,
}
ENCODE: Final[Mapping[Codec, Callable[[bytes], bytes]]] = {
    "g711_ulaw": ulaw_encode,
    "g711_alaw": alaw_encode,
    "pcm": bytes,
}
"""PCM16LE to the wire, by codec."""
SEND_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""More than this unwritten, far beyond what is sent ahead, and Asterisk does not read."""
_STATUS_TIMEOUT_S: Final = 0.08
_CATCH_UP_S: Final = 0.02
_HANG_UP_S: Final = 2.0
GOODBYE_S: Final = 1.5
"""How long the other side's close frame is awaited."""
_TAIL_S: Final = 0.04
_FROM_XOFF_TO_XON: Final = 100
"""How many frames Asterisk has to play from one to the other."""
_XON_GRACE_S: Final = 2.0
"""How late it may be, in seconds."""

_log = logging.getLogger("realtime_telephony.asterisk")


def codec_of(audio_format: str) -> Codec:
    """Give the codec of a format of MEDIA_START; what is not G.711 is PCM."""
    return _CODECS.get(audio_format, "pcm")


@final
class AsteriskWebSocketLeg(CallLeg):
    """
    A call over the WebSocket channel; `asterisk_websocket.asterisk_call` makes it.

    Asterisk plays what it is sent at its own pace; the position is known from marks every 200 ms and the clock in between, and
    at a flush from Asterisk's count of what it had left. `LegClosed("caller")` when Asterisk closes the channel in order,
    `network` when the connection only ends.

    Args:
        socket: Prepared, MEDIA_START has been read from it.
        transport: The one under it.
        start: What MEDIA_START said; its format must be in `SAMPLE_RATES_HZ`.
        control: Format of the text frames.
        info: What is known of the call.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        transport: asyncio.WriteTransport,
        start: MediaStart,
        control: ControlFormat,
        info: CallInfo,
        clock: Clock | None = None,
    ) -> None:
        self.info = info
        self.capabilities = _CAPABILITIES
        self.sample_rate_hz: int = SAMPLE_RATES_HZ[start.format]
        self.codec: Literal["pcm", "g711_ulaw", "g711_alaw"] = codec_of(start.format)
        self._socket = socket
        self._transport = transport
        self._control: ControlFormat = control
        self._clock = clock or LoopClock()
        width = 2 if self.codec == "pcm" else 1
        frame_samples = start.frame_bytes // width or self.sample_rate_hz // 50
        self._queue = PlayQueue(
            sample_rate_hz=self.sample_rate_hz,
            frame_samples=frame_samples,
            max_message_frames=MAX_BINARY_BYTES // (frame_samples * width),
        )
        self._inbox = Inbox()
        self._tail: Timer | None = None
        self._stopped: Timer | None = None
        self._longest_stop_s = (
            _FROM_XOFF_TO_XON * frame_samples / self.sample_rate_hz + _XON_GRACE_S
        )
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._statuses: list[asyncio.Future[None]] = []
        self._command(Command.START_MEDIA_BUFFERING)
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @property
    def response(self) -> web.WebSocketResponse:
        """For the aiohttp handler to return when the call is over."""
        return self._socket

    @property
    def counters(self) -> Mapping[str, int]:
        """Pieces of caller audio nobody read, and marks that never came back."""
        counted = {"unread_audio": self._inbox.dropped, "lost_mark": self._queue.lost_marks}
        return {reason: count for reason, count in counted.items() if count}

    async def receive(self) -> LegEvent:
        """Wait for the next event; see `CallLeg.receive`."""
        return await self._inbox.get()

    def play(self, pcm: bytes) -> None:
        """Queue audio; a last frame that is not full goes out with silence when nothing follows. See `CallLeg.play`."""
        if self._inbox.closed is None:
            self._queue.give(pcm)
            self._pump()
            self._arm_tail()

    def played_samples(self) -> int:
        """Estimate how much was played; see `CallLeg.played_samples`."""
        return self._queue.played(self._clock.now())

    async def flush(self) -> int:
        """Empty Asterisk's queue; see `CallLeg.flush`."""
        if self._inbox.closed is not None:
            return self.played_samples()
        status: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._statuses.append(status)
        # In this order, and on Asterisk's one thread for the channel: the count is the one the flush finds.
        self._command(Command.GET_STATUS)
        self._command(Command.FLUSH_MEDIA)
        # It ends buffering too, and drops marks in the queue without a word.
        self._command(Command.START_MEDIA_BUFFERING)
        self._queue.flush(self._clock.now())
        self._settle_waiters()
        self._arm_tail()
        _, late = await asyncio.wait([status], timeout=_STATUS_TIMEOUT_S)
        if late:  # what came while our loop stood still is still to be read
            _, late = await asyncio.wait([status], timeout=_CATCH_UP_S)
        if late:
            self._queue.abandon()
            limit_s = _STATUS_TIMEOUT_S + _CATCH_UP_S
            _log.warning("call %s: no STATUS within %g s", self.info.logged_id, limit_s)
        return self.played_samples()

    async def drained(self, timeout_s: float) -> bool:
        """Wait for a mark at the end of the queue; see `CallLeg.drained`."""
        if self._inbox.closed is not None:
            return False
        number = self._queue.end_mark()
        if number is None:
            return True
        self._pump()
        waiter = self._waiters.setdefault(number, asyncio.get_running_loop().create_future())
        await asyncio.wait([waiter], timeout=timeout_s)
        return waiter.done() and not waiter.cancelled()

    async def hang_up(self) -> None:
        """Hang the channel up; see `CallLeg.hang_up`."""
        if self._inbox.closed is None:
            self._command(Command.HANGUP)
            self._end(LegClosed("us"))
            await asyncio.wait([self._reader], timeout=_HANG_UP_S)
        await self._leave()

    async def close(self) -> None:
        """Close the socket, upon which Asterisk hangs up; see `CallLeg.close`."""
        self._end(LegClosed("us"))
        await self._leave()

    # towards Asterisk

    def _pump(self) -> None:
        """Send what may be sent now."""
        for item in self._queue.outgoing(self._clock.now()):
            if isinstance(item, bytes):
                self._write(ENCODE[self.codec](item), WSMsgType.BINARY)
            elif self._control == "json":
                self._command(Command.MARK_MEDIA, str(item))
            else:
                # An Asterisk older than 22.8 has no other mark; with nothing but whole frames it is the same.
                self._command(Command.STOP_MEDIA_BUFFERING, str(item))
                self._command(Command.START_MEDIA_BUFFERING)

    def _arm_tail(self) -> None:
        """Let a last frame that is not full wait until shortly before Asterisk would miss it, not longer."""
        if self._tail is not None:
            self._tail.cancel()
            self._tail = None
        if self._queue.has_rest and self._inbox.closed is None:
            now = self._clock.now()
            self._tail = self._clock.call_at(
                now + max(self._queue.ahead_s(now) - _TAIL_S, _TAIL_S), self._send_tail
            )

    def _send_tail(self) -> None:
        self._tail = None
        self._queue.fill_up()
        self._pump()

    def _command(self, command: Command, correlation_id: str | None = None) -> None:
        self._write(command_text(command, self._control, correlation_id).encode(), WSMsgType.TEXT)

    def _write(self, data: bytes, kind: WSMsgType) -> None:
        """Write one message, unfragmented and now: uncompressed and with no limit of its own aiohttp has nothing to wait for."""
        if self._inbox.closed is not None:
            return
        if self._transport.get_write_buffer_size() > SEND_LIMIT_BYTES:
            self._end(LegClosed("network", "Asterisk does not read"))
            self._transport.abort()
            return
        writing = self._socket.send_frame(data, kind)
        try:
            writing.send(None)
        except StopIteration:
            return
        except ClientConnectionResetError:  # the reader sees the same and tells how the call ended
            return
        writing.close()

    # from Asterisk

    async def _read(self) -> None:
        try:
            await self._read_to_the_end()
        except Exception:  # noqa: BLE001 - a call that is read no more must not stay up
            _log.exception("call %s: a message could not be taken", self.info.logged_id)
            self._break("a message could not be taken")

    async def _read_to_the_end(self) -> None:
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.BINARY:
                    self._audio(cast("bytes", message.data))
                case WSMsgType.TEXT:
                    self._event(parse_event(cast("str", message.data)))
                case WSMsgType.CLOSE if message.data == WSCloseCode.OK:
                    self._end(LegClosed("caller"))
                    return
                case WSMsgType.CLOSE:
                    self._end(LegClosed("network", f"Asterisk closed with code {message.data}"))
                    return
                case WSMsgType.ERROR if isinstance(message.data, WebSocketError):
                    code = message.data.code
                    self._end(LegClosed("protocol", f"not a WebSocket message: code {code}"))
                    return
                case _:
                    self._end(LegClosed("network", "the connection ended without a goodbye"))
                    return

    def _audio(self, data: bytes) -> None:
        if self.codec == "pcm" and len(data) % 2:
            self._break("half a sample: expected 16-bit PCM")
        elif data:
            self._inbox.put(CallerAudio(_DECODE[self.codec](data)))

    def _event(self, event: MediaEvent) -> None:
        match event:
            case MarkProcessed() | BufferingCompleted():
                self._mark(event.correlation_id)
            case Status():
                self._status(event)
            case MediaXoff() | MediaXon():
                self._stop(is_stop=isinstance(event, MediaXoff))
            case DtmfEnd():
                self._inbox.put(DigitPressed(event.digit))
            case MediaError():
                _log.error("call %s: Asterisk: %s", self.info.logged_id, one_line(event.text))
            case MediaStart():
                self._break("a second MEDIA_START")
            case Ignored():
                _log.debug("call %s: ignored text: %s", self.info.logged_id, event.reason)
            case _:  # QUEUE_DRAINED, which nobody asked for
                pass

    def _stop(self, *, is_stop: bool) -> None:
        """Send nothing more until the queue has room again, or should have had it long ago: a caller must not wait for ever."""
        self._queue.stopped = is_stop
        if self._stopped is not None:
            self._stopped.cancel()
            self._stopped = None
        if is_stop and self._inbox.closed is None:
            until = self._clock.now() + self._longest_stop_s
            self._stopped = self._clock.call_at(until, self._go_on)
        self._pump()

    def _go_on(self) -> None:
        _log.warning("call %s: Asterisk said stop, and never go on", self.info.logged_id)
        self._stop(is_stop=False)

    def _mark(self, correlation_id: str) -> None:
        if not (correlation_id.isascii() and correlation_id.isdigit() and len(correlation_id) < 10):
            return
        self._queue.mark_played(int(correlation_id), self._clock.now())
        waiter = self._waiters.pop(int(correlation_id), None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self._pump()

    def _status(self, status: Status) -> None:
        self._queue.settle(status.queue_length)
        if status.media_paused:  # by whom ever; a flush does not end it, whatever the manual says
            self._command(Command.CONTINUE_MEDIA)
        if self._statuses:
            waiter = self._statuses.pop(0)
            if not waiter.done():
                waiter.set_result(None)

    # the end

    def _break(self, reason: str) -> None:
        self._end(LegClosed("protocol", reason))
        self._transport.abort()

    def _settle_waiters(self) -> None:
        for waiter in self._waiters.values():
            waiter.cancel()
        self._waiters.clear()

    def _end(self, closed: LegClosed) -> None:
        if not self._inbox.close(closed):
            return
        for timer in (self._tail, self._stopped):
            if timer is not None:
                timer.cancel()
        self._tail = self._stopped = None
        self._settle_waiters()
        for status in self._statuses:
            status.cancel()

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._socket.close()
        except TimeoutError:
            self._transport.abort()
        if not self._reader.done():
            self._reader.cancel()
            await asyncio.wait([self._reader], timeout=GOODBYE_S)
