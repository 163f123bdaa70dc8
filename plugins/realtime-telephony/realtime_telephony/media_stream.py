"""A call on a vendor's media stream; the vendor's name is in the dialect and nowhere here."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final, Literal, final

from aiohttp import web
from attrs import frozen

from realtime_core.alarm import Alarm
from realtime_core.clock import Clock, LoopClock, Timer
from realtime_core.errors import RealtimeError
from realtime_telephony.leg import (
    CallerAudio,
    CallInfo,
    CallLeg,
    DigitPressed,
    LegCapabilities,
    LegClosed,
    LegEvent,
)
from realtime_telephony.media_frames import (
    Cleared,
    Digit,
    Ignored,
    MarkReached,
    Media,
    MediaFrames,
    StreamStarted,
    StreamStopped,
    VendorComplaint,
)
from realtime_telephony.media_hang_up import CallActions
from realtime_telephony.media_pieces import Pieces
from realtime_telephony.media_position import PlayedPosition
from realtime_telephony.media_reorder import ReorderWindow
from realtime_telephony.media_socket import MediaSocket, SocketEnd
from realtime_telephony.peer_text import one_line

__all__ = ["MediaStreamLeg", "StreamLimits"]

_log = logging.getLogger("realtime_telephony.media")

_AHEAD_MS: Final = 1000
_MARK_EVERY_S: Final = 0.2
_GATHER_MS: Final = 40  # of a message, while the peer has enough
_ENOUGH_S: Final = 0.1
_TAIL_S: Final = 0.03  # without more audio, what waits goes out and the end gets its mark
_CLEARED_WITHIN_S: Final = 0.09
_MOST_EVENTS: Final = 5_000  # for a reader that does not read; audio has its own bound


@frozen(kw_only=True)
class StreamLimits:
    """Bounds of a stream."""

    message_bytes: int = 64 * 1024
    """Largest message taken; a larger one ends the call as `protocol`."""
    bad_messages: int = 50
    """Messages that are no JSON object, or audio that is none, before the call ends as `protocol`."""
    idle_s: float = 30.0
    """How long nothing at all may come before the call ends as `timeout`."""
    unread_audio_s: float = 10.0
    """Caller audio kept for a slow reader of `receive`; beyond, the oldest is dropped and counted."""


_BAD: Final = frozenset({"garbage", "bad_audio"})
_LOST: Final = frozenset({"network", "protocol", "timeout"})
"""Ends of the stream after which the vendor may keep the call."""


@final
class MediaStreamLeg(CallLeg):
    """
    One call on a media stream. Made by `media_stream_call`.

    Args:
        socket: After the start message.
        started: What the start message said.
        control: Ends the call by the vendor's REST interface; without it `hang_up` only ends the stream, upon which the
            vendor goes on with what its application says next.
        limits: Bounds.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        socket: MediaSocket,
        started: StreamStarted,
        *,
        control: CallActions | None = None,
        limits: StreamLimits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.info: CallInfo = started.info
        self.codec: Literal["pcm", "g711_ulaw", "g711_alaw"] = started.plays.codec
        self.sample_rate_hz: int = started.plays.sample_rate_hz
        self.capabilities: LegCapabilities = LegCapabilities(
            owns_clock=True,
            ahead_ms=_AHEAD_MS,
            flush=True,
            marks=True,
            needs_silence=False,
            dtmf=True,
            hang_up=control is not None,
            transfer=control is not None,
        )
        self._socket = socket
        self._started = started
        self._control = control
        self._limits = limits or StreamLimits()
        self._clock = clock or LoopClock()
        self._frames = MediaFrames(started)
        self._position = PlayedPosition(self.sample_rate_hz)
        self._pieces = Pieces(self.sample_rate_hz)
        self._reorder = ReorderWindow() if started.dialect.reorder else None
        self._ignored: Counter[str] = Counter()
        self._events: deque[LegEvent] = deque()
        self._arrived = asyncio.Event()
        self._unread_samples = 0
        self._over = asyncio.Event()
        self._closed: LegClosed | None = None
        self._hanging_up = False
        self._transferred = False
        self._answers_marks: bool | None = None
        self._tail: Timer | None = None
        self._last_play = 0.0
        self._clearing: asyncio.Future[None] | None = None
        self._waiters: list[tuple[int, asyncio.Future[bool]]] = []
        self._last_heard = self._clock.now()
        self._idle = Alarm(self._clock, self._look_for_silence)
        self._look_for_silence()
        self._reader = asyncio.create_task(self._read(), name=f"{self.info.leg} reader")

    @property
    def response(self) -> web.WebSocketResponse:
        """What the HTTP handler has to return in the end."""
        return self._socket.response

    @property
    def counters(self) -> Mapping[str, int]:
        """What had no effect or went missing, by reason; for the log."""
        counted = Counter(self._ignored)
        counted["missing_message"] = self._frames.missing
        counted["unanswered_mark"] = self._position.unanswered
        if self._reorder is not None:
            counted["lost_audio"], counted["late_audio"] = self._reorder.lost, self._reorder.late
        return {reason: count for reason, count in counted.items() if count}

    # What comes.

    async def receive(self) -> LegEvent:
        """Wait for the next event."""
        while not self._events:
            if self._over.is_set():
                raise RuntimeError("receive: LegClosed was the last event of this call")
            self._arrived.clear()
            await self._arrived.wait()
        event = self._events.popleft()
        if isinstance(event, CallerAudio):
            self._unread_samples -= len(event.pcm) // 2
        return event

    def _emit(self, event: LegEvent) -> None:
        self._events.append(event)
        self._arrived.set()
        if isinstance(event, CallerAudio):
            self._unread_samples += len(event.pcm) // 2
            while self._unread_samples > self._limits.unread_audio_s * self.sample_rate_hz:
                self._drop_oldest_audio()

    def _drop_oldest_audio(self) -> None:
        for index, event in enumerate(self._events):
            if isinstance(event, CallerAudio):
                del self._events[index]
                self._unread_samples -= len(event.pcm) // 2
                self._ignored["unread_audio"] += 1
                return

    async def _read(self) -> None:
        try:
            while not self._over.is_set():
                message = await self._socket.receive()
                self._last_heard = self._clock.now()
                if isinstance(message, SocketEnd):
                    self._socket_ended(message)
                elif isinstance(message, bytes):
                    self._ignore(Ignored("garbage"))  # no vendor sends binary
                else:
                    self._take(message)
        except Exception:  # noqa: BLE001 - a call that is read no more must not stay up
            _log.exception("call %s: a message could not be taken", self.info.logged_id)
            self._finish(LegClosed("protocol", "a message could not be taken"))
        finally:
            self._finish(LegClosed("network", "the stream is read no more"))

    def _socket_ended(self, end: SocketEnd) -> None:
        if end.kind == "clean":
            self._finish(LegClosed("caller", end.detail))
        else:
            self._finish(LegClosed("network" if end.kind == "lost" else "protocol", end.detail))

    def _take(self, text: str) -> None:
        match self._frames.read(text):
            case Media(payload, chunk):
                ready = [payload] if self._reorder is None else self._reorder.push(chunk, payload)
                for audio in ready:
                    self._emit(CallerAudio(self._started.hears.decode(audio)))
            case Digit(digit):
                if len(self._events) < _MOST_EVENTS:
                    self._emit(DigitPressed(digit))
                else:
                    self._ignored["unread_digit"] += 1
            case MarkReached(name):
                self._mark_reached(name)
            case Cleared():
                self._stop_clearing()
            case StreamStopped():
                self._finish(LegClosed("caller", "the vendor ended the stream"))
            case VendorComplaint(complaint):
                self._ignored["complaint"] += 1
                said = one_line(complaint)
                _log.warning("call %s: %s complains: %s", self.info.logged_id, self.info.leg, said)
            case Ignored() as ignored:
                self._ignore(ignored)

    def _ignore(self, message: Ignored) -> None:
        self._ignored[message.reason] += 1
        bad = sum(self._ignored[reason] for reason in _BAD)
        if message.reason in _BAD and bad > self._limits.bad_messages:
            self._finish(LegClosed("protocol", f"{bad} messages that cannot be read"))

    def _mark_reached(self, name: str) -> None:
        now = self._clock.now()
        self._answers_marks = True
        if self._clearing is not None:
            # From a vendor that keeps silent about dropped marks this one was played before the clear arrived.
            self._position.played_before_clear(name)
        self._position.answered(name, now)
        self._check_waiters()

    def _look_for_silence(self) -> None:
        due = self._last_heard + self._limits.idle_s
        if self._clock.now() >= due:
            self._finish(LegClosed("timeout", f"nothing came for {self._limits.idle_s:g} s"))
        else:
            self._idle.set(due)

    # What goes.

    def play(self, pcm: bytes) -> None:
        """Send audio; a tail shorter than 20 ms waits 30 ms for more, then is filled up with silence."""
        if self._over.is_set() or not pcm:
            return
        now = self._last_play = self._clock.now()
        self._pieces.add(pcm)
        if self._pieces.waiting_ms >= _GATHER_MS or self._position.ahead_s(now) < _ENOUGH_S:
            self._send_pieces(self._pieces.take(), 0)
        if self._tail is None and not self._over.is_set():
            self._tail = self._clock.call_at(now + _TAIL_S, self._tail_due)

    def _send_pieces(self, pieces: list[bytes], silence: int) -> None:
        now = self._clock.now()
        for index, piece in enumerate(pieces):
            self._socket.send(self._frames.play(piece))
            padding = silence if index == len(pieces) - 1 else 0
            self._position.sent(len(piece) // 2 - padding, now)
            if self._position.unmarked >= _MARK_EVERY_S * self.sample_rate_hz:
                self._send_mark()
        if pieces and self._socket.congested:
            self._finish(LegClosed("network", "the vendor reads no more"))

    def _send_mark(self) -> None:
        self._socket.send(self._frames.mark(self._position.next_mark()))

    def _tail_due(self) -> None:
        self._tail = None
        due = self._last_play + _TAIL_S
        if self._clock.now() < due - 0.001:
            self._tail = self._clock.call_at(due, self._tail_due)
        else:
            self._send_tail()

    def _send_tail(self) -> None:
        """Send what waits; the end of what was given gets its mark."""
        self._stop_tail()
        self._send_pieces(*self._pieces.take_rest())
        if self._position.unmarked and not self._over.is_set():
            self._send_mark()

    def _stop_tail(self) -> None:
        if self._tail is not None:
            self._tail.cancel()
            self._tail = None

    # What was played.

    def played_samples(self) -> int:
        """Estimate the samples played."""
        played = self._position.played(self._clock.now())
        if self._position.unanswered and self._answers_marks is None:
            self._answers_marks = False
            _log.warning(
                "call %s: %s answers no marks, so perhaps it plays nothing: %s",
                self.info.logged_id,
                self.info.leg,
                self._started.dialect.advice,
            )
        return played

    async def flush(self) -> int:
        """Take back what was not played."""
        if self._over.is_set():
            return self.played_samples()
        self._stop_tail()
        self._pieces.clear()
        self._socket.send(self._frames.clear())
        played = self._position.flush(self._clock.now())
        self._settle_waiters(False)
        if (
            self._started.dialect.cleared is not None
            and not self._started.dialect.marks_survive_clear
        ):
            await self._wait_for_cleared()
            played = self._position.played_at_flush
        return played

    async def _wait_for_cleared(self) -> None:
        clearing = self._clearing
        if clearing is None or clearing.done():
            clearing = self._clearing = asyncio.get_running_loop().create_future()
            alarm = Alarm(self._clock, self._stop_clearing)
            alarm.set(self._clock.now() + _CLEARED_WITHIN_S)
            clearing.add_done_callback(lambda _: alarm.stop())
        try:
            await asyncio.shield(clearing)
        finally:
            if clearing.done() and self._clearing is clearing:
                self._clearing = None

    def _stop_clearing(self) -> None:
        if self._clearing is not None and not self._clearing.done():
            self._clearing.set_result(None)

    async def drained(self, timeout_s: float) -> bool:
        """Wait until all was played; a vendor that answers no marks is believed to have played it a second after its time."""
        if self._over.is_set():
            return False
        self._send_tail()
        target = self._position.given
        deadline = self._clock.now() + timeout_s
        if self._position.confirmed(self._clock.now()) >= target:
            return True
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append((target, done))
        timer: Timer | None = None

        def look() -> None:
            nonlocal timer
            now = self._clock.now()
            self._check_waiters()
            if done.done():
                return
            if now >= deadline:
                done.set_result(False)
                return
            overdue = max(self._position.overdue_at(), now) + 0.001
            timer = self._clock.call_at(min(deadline, overdue), look)

        look()
        try:
            return await done
        finally:
            if timer is not None:
                timer.cancel()
            self._waiters = [waiter for waiter in self._waiters if waiter[1] is not done]

    def _check_waiters(self) -> None:
        confirmed = self._position.confirmed(self._clock.now())
        for target, done in self._waiters:
            if confirmed >= target and not done.done():
                done.set_result(True)

    def _settle_waiters(self, outcome: bool) -> None:
        for _, done in self._waiters:
            if not done.done():
                done.set_result(outcome)

    # The end.

    async def hang_up(self) -> None:
        """
        End the call by the vendor's REST interface, where credentials were given; then the stream.

        A call whose stream was lost may be up still, with nobody to speak to: it is ended too.
        """
        lost = self._closed is not None and self._closed.reason in _LOST and not self._transferred
        if self._hanging_up or (self._over.is_set() and not lost):
            await self._over.wait()
            return
        self._hanging_up = True
        try:
            if self._control is not None:
                await self._control.hang_up(self.info.call_id)
        except RealtimeError as error:
            _log.error("call %s: %s; the stream is closed instead", self.info.logged_id, error)
        finally:
            self._finish(LegClosed("us"))
        await self._socket.close()

    async def transfer(self, target: str) -> None:
        """Send the caller elsewhere by the vendor's REST interface, and let go of the call."""
        if self._control is None:
            await super().transfer(target)
            return
        if self._over.is_set() or self._hanging_up:
            return
        await self._control.transfer(self.info.call_id, target)
        self._transferred = True
        self._finish(LegClosed("us", "transferred"))
        await self._socket.close()

    async def close(self) -> None:
        """Free everything."""
        self._finish(LegClosed("us"))
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()

    def _finish(self, closed: LegClosed) -> None:
        if self._over.is_set():
            return
        if self._hanging_up and closed.reason != "us":
            closed = LegClosed("us", closed.detail)
        self._closed = closed
        self._over.set()
        self._stop_tail()
        self._idle.stop()
        self._settle_waiters(False)
        self._stop_clearing()
        self._emit(closed)
