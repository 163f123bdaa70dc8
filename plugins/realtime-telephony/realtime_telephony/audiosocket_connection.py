"""One TCP connection of Asterisk's AudioSocket, before and while it is a call."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, final
from uuid import UUID

from realtime_core.audio import Resampler
from realtime_telephony.audiosocket_codec import CodecWatch
from realtime_telephony.audiosocket_frames import (
    Audio,
    AudioSocketDecoder,
    CallId,
    Digit,
    HangUp,
    Malformed,
    Message,
    PeerError,
)
from realtime_telephony.inbox import Inbox
from realtime_telephony.leg import FASTEST_HZ, CallerAudio, DigitPressed, LegClosed

__all__ = ["AudioSocketConnection"]

_SEND_BUFFER_BYTES: Final = 16 * 1024  # old audio must not hide in the kernel
_STUCK_FRAMES: Final = 100  # two seconds of frames Asterisk did not read
# Where the platform has them: a dead network is noticed after 25 s.
_KEEPALIVE: Final = [
    (getattr(socket, name), value)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
]


@final
class AudioSocketConnection(asyncio.Protocol):
    """
    One connection of Asterisk's: says who calls and at what rate, then carries the call.

    For `AudioSocketListener`; nobody else needs it.

    Args:
        admits: Whether an address may connect; `None`: everybody.
    """

    def __init__(self, admits: Callable[[str], bool] | None = None) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.call_id: asyncio.Future[UUID] = loop.create_future()
        """The UUID; cancelled when the call ended first."""
        self.rate: asyncio.Future[int] = loop.create_future()
        """
        Rate of the first audio; cancelled likewise. Who does not want to wait for it sets one: audio at another is converted then.
        """
        self.inbox: Inbox = Inbox()
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed."""
        self._admits = admits
        self._decoder = AudioSocketDecoder()
        self._watch = CodecWatch()
        self._held: list[Audio] = []
        self._audio_hz: int | None = None
        self._converter: Resampler | None = None
        self._transport: asyncio.Transport | None = None
        self._stuck = 0
        self.frames_dropped: int = 0
        self.was_let_in: bool = True
        """`False`: `admits` refused it, and has said why."""

    @property
    def unknown(self) -> int:
        """How many frames of unknown type were skipped."""
        return self._decoder.unknown

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set the socket up: no delay, little hidden in the kernel, and a dead peer noticed."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - by create_server
        self._transport = transport
        name = transport.get_extra_info("peername")
        peer: str = name[0] if name else ""  # nothing, when it has gone again already
        if self._admits is not None and not self._admits(peer):
            self.was_let_in = False
            self.end(LegClosed("protocol", "not let in"))
            return
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def data_received(self, data: bytes) -> None:
        """Take what Asterisk sent."""
        for message in self._decoder.feed(data):
            if self.inbox.closed is not None:
                return
            self._take(message)

    def eof_received(self) -> bool:
        """Asterisk closed: that is how it says that the caller hung up."""
        self.end(LegClosed("caller"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """
        The socket is gone.

        A reset too is how Asterisk hangs up, when audio of ours was still unread; a dead network is another matter.
        """
        if exc is None or isinstance(exc, ConnectionResetError | BrokenPipeError):
            self.end(LegClosed("caller", str(exc or "")))
        else:
            self.end(LegClosed("network", str(exc)))
        if not self.gone.done():
            self.gone.set_result(None)

    # what the leg and the listener call

    def send(self, frame: bytes) -> bool:
        """
        Write a frame in one piece, now. Returns whether it went out.

        A frame is dropped while earlier bytes still wait: Asterisk did not read them, and the frame would be late anyway.
        """
        transport = self._transport
        if transport is None or self.inbox.closed is not None:
            return False
        if transport.get_write_buffer_size():
            self.frames_dropped += 1
            self._stuck += 1
            if self._stuck > _STUCK_FRAMES:
                self.end(LegClosed("network", "Asterisk does not read our audio"))
            return False
        self._stuck = 0
        transport.write(frame)
        return True

    def end(self, closed: LegClosed) -> None:
        """End the call for a cause; the first one counts."""
        if not self.inbox.close(closed):
            return
        self.call_id.cancel()
        self.rate.cancel()
        if self._transport is not None:
            if closed.reason != "us":
                self._transport.abort()
            else:
                self._transport.close()

    async def leave(self, timeout_s: float) -> None:
        """Wait until the socket is closed, by force after a time."""
        _, waiting = await asyncio.wait([self.gone], timeout=timeout_s)
        if waiting and self._transport is not None:
            self._transport.abort()
            await asyncio.wait([self.gone], timeout=timeout_s)

    def _take(self, message: Message) -> None:
        match message:
            case Audio():
                self._take_audio(message)
            case CallId():
                self.call_id.set_result(message.uuid)
            case Digit():
                self.inbox.put(DigitPressed(message.digit))
            case HangUp():
                self.end(LegClosed("caller", "Asterisk sent the end of the call"))
            case PeerError():
                code = "none" if message.code is None else f"0x{message.code:02x}"
                self.end(LegClosed("network", f"Asterisk reported an error, code {code}"))
            case Malformed():
                self.end(LegClosed("protocol", message.reason))

    def _take_audio(self, message: Audio) -> None:
        if message.sample_rate_hz > FASTEST_HZ:
            self.end(
                LegClosed(
                    "protocol",
                    f"the audio is at {message.sample_rate_hz} Hz, and an agent takes {FASTEST_HZ} Hz at most: write c(slin48) or"
                    " less in Dial(AudioSocket/...)",
                )
            )
            return
        reason = self._watch.take(message, self._loop.time())
        if reason is not None:
            self.end(LegClosed("protocol", reason))
            return
        if self._watch.in_doubt:
            self._held.append(message)
            return
        if self._held:
            for each in self._held:
                self._pass_on(each)
            self._held.clear()
        self._pass_on(message)

    def _pass_on(self, message: Audio) -> None:
        if self._audio_hz is None:
            self._begin_audio(message.sample_rate_hz)
        elif message.sample_rate_hz != self._audio_hz:
            self.end(
                LegClosed(
                    "protocol",
                    f"expected audio at {self._audio_hz} Hz as from the start, got some at {message.sample_rate_hz} Hz",
                )
            )
            return
        pcm = message.pcm if self._converter is None else self._converter.process(message.pcm)
        if pcm:
            self.inbox.put(CallerAudio(pcm))

    def _begin_audio(self, rate_hz: int) -> None:
        self._audio_hz = rate_hz
        if not self.rate.done():
            self.rate.set_result(rate_hz)
        elif rate_hz != self.rate.result():
            # The phone was silent for long, or we stood still: the call is at the rate that was set, and Asterisk takes any from us.
            from realtime_core.backends.soxr import SoxrResampler

            self._converter = SoxrResampler(rate_hz, self.rate.result())
