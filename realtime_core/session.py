"""
The driver: one wire, one transport, one application. The only class that knows asyncio and the clock.

One task owns the session, from the connect to the last goodbye. It reads the socket and carries out what the
wire asks there and then; the application's callback runs on it, with no queue or task between.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import final

from realtime_core.agent import Agent
from realtime_core.alarm import Alarm
from realtime_core.audio import BYTES_PER_SAMPLE, Resampler, ResamplerFactory, pcm_ms, whole_samples
from realtime_core.capabilities import Capabilities
from realtime_core.clock import Clock, LoopClock
from realtime_core.delivery import CallbackDelivery, QueueDelivery
from realtime_core.downlink import Downlink
from realtime_core.errors import (
    AgentClosedError,
    AgentStateError,
    ConnectError,
    ErrorKind,
    RealtimeError,
    SessionLostError,
    UnsupportedError,
)
from realtime_core.events import ErrorEvent, Event, SessionClose, SessionOpen
from realtime_core.keepalive import PING_EVERY_S, Keepalive
from realtime_core.meter import Meter
from realtime_core.options import Options
from realtime_core.stats import SessionStats
from realtime_core.transport import ConnectionClosed, Transport
from realtime_core.uplink import Uplink
from realtime_core.wire import (
    AudioDelta,
    AudioEnd,
    Effect,
    FlushPlayback,
    StartRefused,
    WireProtocol,
    WireState,
)

__all__ = ["CLOSE_LIMIT_S", "SessionAgent"]

CLOSE_LIMIT_S = 2.0
"""How long `Agent.close` waits for the goodbye."""
_LONGEST_FRAME_MS = 200
_SPLIT_FRAME_MS = 100

_log = logging.getLogger("realtime_core.session")


@final
class SessionAgent(Agent):
    """
    An agent over a connection. Vendors build it; it is never subclassed.

    Args:
        options: What the application asks for.
        wire: The vendor's protocol.
        transport: The connection, not connected yet.
        resampler: Makes resamplers; used only where a rate differs from the wire's.
        clock: Where the time comes from; `None` is the event loop.
    """

    def __init__(
        self,
        *,
        options: Options,
        wire: WireProtocol,
        transport: Transport,
        resampler: ResamplerFactory,
        clock: Clock | None = None,
    ) -> None:
        """Connect nothing and start nothing; may be called outside an event loop."""
        self.vendor: str = wire.vendor
        self.options: Options = options
        self._wire = wire
        self._transport = transport
        self._new_resampler = resampler
        self._clock: Clock = clock if clock is not None else LoopClock()
        self._delivery: CallbackDelivery | QueueDelivery = (
            CallbackDelivery(options.on_event)
            if options.on_event is not None
            else QueueDelivery(options.output_sample_rate)
        )
        self._uplink = Uplink(transport, options.max_buffered_ms)
        self._meter = Meter(options.input_sample_rate, options.output_sample_rate)
        self._to_wire = self._resampler_between(options.input_sample_rate, wire.input_rate_hz)
        self._downlink = Downlink(wire.vendor, self._deliver)
        self._keepalive = Keepalive(transport, self._clock, self._on_peer_dead)
        self._session_open = False
        self._closed = False
        self._ending = False
        self._stalled = False
        self._delivering = False
        self._owner: asyncio.Task[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._wire_alarm = Alarm(self._clock, self._on_wire_alarm)
        self._start_alarm = Alarm(self._clock, self._start_took_too_long)

    @property
    def capabilities(self) -> Capabilities:
        """What the vendor can do."""
        return self._wire.capabilities

    @property
    def stats(self) -> SessionStats:
        """A snapshot of the figures."""
        return self._meter.snapshot(
            frames_sent=self._uplink.frames_sent,
            frames_ignored=self._wire.frames_ignored,
            drops={
                "input_full_ms": round(self._uplink.dropped_ms),
                "late_audio": self._wire.late_audio,
                "undelivered": self._delivery.dropped,
            },
        )

    # Life

    async def start(self) -> None:
        """Connect, configure, and return when the vendor has accepted."""
        if self._closed:
            raise AgentClosedError("start: the agent was closed; make a new one")
        if self._owner is not None:
            raise AgentStateError("start: called a second time; make a new agent for a new session")
        self._meter.start_called_at = now = self._clock.now()
        self._opened = asyncio.get_running_loop().create_future()
        self._start_alarm.set(now + self.options.start_timeout_s)
        self._owner = asyncio.create_task(self._run(), name=f"realtime session {self.vendor}")
        try:
            await self._opened
        except BaseException:
            self._closed = True
            await self._owner_gone()
            raise
        finally:
            self._start_alarm.stop()

    async def close(self) -> None:
        """End the session and wait until all is torn down."""
        if not self._closed:
            self._closed = True
            if isinstance(self._delivery, QueueDelivery):
                self._delivery.drop_undelivered()
            self._wire.close(self._clock.now() if self._owner is not None else 0.0)
            self._refuse_start(
                AgentClosedError("start: the agent was closed while it was starting")
            )
            self._beat()
        await self._owner_gone()

    async def _owner_gone(self) -> None:
        """Stop the owner and wait for its goodbye, which is bounded; cancelling the wait leaves it to it."""
        owner = self._owner
        if owner is asyncio.current_task():
            return
        self._stop_owner()
        if owner is not None:
            await asyncio.wait({owner}, timeout=CLOSE_LIMIT_S + 1)
        self._let_go()

    def _stop_owner(self) -> None:
        """Cancel the owner once, unless it is at its goodbye already."""
        if self._owner is not None and not self._ending:
            self._ending = True
            self._owner.cancel()

    async def _run(self) -> None:
        """Own the session from the connect to the goodbye."""
        try:
            await self._transport.connect()
        except RealtimeError as error:
            self._refuse_start(error)
        except asyncio.CancelledError:
            pass  # whoever cancelled has refused the start
        except Exception as error:  # noqa: BLE001 - a transport's bug must not leave the start without a reason
            _log.exception("%s: the connect failed", self.vendor)
            self._refuse_start(
                ConnectError(f"the connect failed inside the SDK: {type(error).__name__}")
            )
        else:
            await self._converse()
        finally:
            self._ending = True
            self._let_go()
            await self._say_goodbye()

    async def _converse(self) -> None:
        transport, wire, clock = self._transport, self._wire, self._clock
        self._keepalive.start()
        try:
            wire.open(clock.now())
            self._beat()
            while wire.state is not WireState.CLOSED:
                frame = await transport.receive()
                if isinstance(frame, ConnectionClosed):
                    wire.receive_eof(frame.code, frame.reason, clock.now())
                else:
                    self._meter.frames_received += 1
                    wire.receive(frame, clock.now())
                self._beat()
        except asyncio.CancelledError:
            # By us, after the wire has ended; or from outside, as at the end of the loop.
            wire.close(clock.now())
            self._beat()
        except Exception as error:  # noqa: BLE001 - a bug must not end a call in silence
            _log.exception("%s: the session failed", self.vendor)
            what = f"the session failed inside the SDK: {type(error).__name__}"
            self._refuse_start(ConnectError(what))
            wire.fail(SessionLostError(what), clock.now())
            self._beat()

    def _let_go(self) -> None:
        """Free everything that waits, at once; idempotent."""
        self._closed = True
        self._session_open = False
        self._keepalive.stop()
        self._wire_alarm.stop()
        self._start_alarm.stop()
        self._uplink.end()
        if self._pump is not None:
            self._pump.cancel()
        self._delivery.finish()
        self._refuse_start(AgentClosedError("start: the session ended while it was starting"))

    async def _say_goodbye(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._transport.close()
        except TimeoutError:
            _log.info("%s: the peer did not say goodbye within the limit", self.vendor)
        except Exception:  # noqa: BLE001 - it is over anyway
            _log.exception("%s: the goodbye failed", self.vendor)

    def _refuse_start(self, error: RealtimeError) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)

    def _start_took_too_long(self) -> None:
        self._refuse_start(
            ConnectError(
                f"the vendor did not open the session within {self.options.start_timeout_s:g} s "
                "(Options.start_timeout_s)",
                kind=ErrorKind.STALLED,
                retryable=True,
            )
        )

    # Commands

    async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
        """Resample, encode and send, all before the first await."""
        size = whole_samples(pcm)
        if not self._session_open:
            self._check_may_push()
        if not size:
            return
        if isinstance(pcm, memoryview):
            pcm = pcm.cast("B")  # from here on, len() counts bytes
        rate_hz = self.options.input_sample_rate
        audio_ms = pcm_ms(size, rate_hz)
        self._meter.audio_in_bytes += size
        if audio_ms > _LONGEST_FRAME_MS:
            step = _SPLIT_FRAME_MS * rate_hz // 1000 * BYTES_PER_SAMPLE
            view = memoryview(pcm)
            for at in range(0, size, step):
                piece = view[at : at + step]
                await self._push_frame(piece, pcm_ms(piece.nbytes, rate_hz))
        else:
            await self._push_frame(pcm, audio_ms)

    async def _push_frame(self, pcm: bytes | bytearray | memoryview, audio_ms: float) -> None:
        if self._to_wire is not None:
            pcm = self._to_wire.process(pcm)
            if not pcm:
                return
        frame = self._wire.audio_frame(pcm)
        uplink = self._uplink
        if self.options.when_full == "wait" and not uplink.has_room_for(audio_ms):
            await uplink.room(audio_ms)
            if self._closed:
                raise AgentClosedError("push_audio: the session ended while waiting for room")
        if uplink.send(frame, audio_ms) and not self._stalled:
            self._stalled = True  # announced once a stall, and at the opening when it began before
            if self._session_open:
                self._announce_drop()
        if uplink.needs_pump:
            self._start_pump()

    async def commit_input_audio(self) -> None:
        """Flush what the resampler holds, commit, and ask for the reply."""
        now = self._ready("commit_input_audio")
        if not self.options.disable_server_vad:
            return
        if self._to_wire is not None:
            tail = self._to_wire.flush()
            if tail:
                self._uplink.send(self._wire.audio_frame(tail))
        if self._wire.commit_input_audio(now):
            self._meter.caller_ended(now)
        self._beat()

    async def clear_input_audio(self) -> None:
        """Throw away audio here and at the vendor."""
        now = self._ready("clear_input_audio")
        if self._to_wire is not None:
            self._to_wire.clear()
        self._wire.clear_input_audio(now)
        self._beat()

    async def create_response(self, instructions: str | None = None) -> None:
        """Ask for a reply."""
        now = self._ready("create_response")
        self._require(self.capabilities.greeting, "create_response", "greeting")
        self._wire.create_response(instructions, now)
        self._beat()

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Add a user message."""
        now = self._ready("send_text")
        self._require(self.capabilities.text_input, "send_text", "text_input")
        if text.strip():
            self._wire.send_text(text, respond, now)
            self._beat()

    async def cancel(self, *, played_ms: int | None = None) -> None:
        """Stop the running reply."""
        now = self._ready("cancel")
        self._require(self.capabilities.cancel, "cancel", "cancel")
        self._wire.cancel(played_ms, now)
        self._beat()

    async def update_instructions(self, instructions: str) -> None:
        """Replace the application's instructions."""
        now = self._ready("update_instructions")
        self._require(
            self.capabilities.live_instructions, "update_instructions", "live_instructions"
        )
        self._wire.update_instructions(instructions, now)
        self._beat()

    async def send_tool_result(self, call_id: str, output: str) -> None:
        """Answer a tool call."""
        now = self._ready("send_tool_result")
        self._wire.send_tool_result(call_id, output, now)
        self._beat()

    def report_playback(self, item_id: str, played_ms: int, *, final: bool = False) -> None:
        """Take note; after the end of the session it is ignored."""
        if self._session_open:
            self._wire.report_playback(item_id, played_ms, final, self._clock.now())

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over the events."""
        if isinstance(self._delivery, QueueDelivery):
            return self._delivery.events()
        raise AgentStateError("iterating: events go to Options.on_event; leave it out to iterate")

    def _ready(self, command: str) -> float:
        """Check that a command may be sent now."""
        if not self._session_open:
            self._raise_not_open(command)
        return self._clock.now()

    def _raise_not_open(self, command: str) -> None:
        if self._closed or (self._owner is not None and self._wire.state is WireState.CLOSED):
            raise AgentClosedError(f"{command}: the session is over")
        if self._wire.state is WireState.ENDING:
            raise AgentClosedError(f"{command}: the session is over after a fatal error")
        raise AgentStateError(f"{command}: the session is not open yet; await start() first")

    def _check_may_push(self) -> None:
        starting = self._owner is not None and self._wire.state in (
            WireState.NEW,
            WireState.STARTING,
        )
        if self._closed or not starting:
            self._raise_not_open("push_audio")

    def _require(self, able: bool, command: str, flag: str) -> None:
        if not able:
            raise UnsupportedError(
                f"{command}: {self.vendor} cannot do that (capabilities.{flag} is false); "
                "nothing was sent"
            )

    # The three beats

    def _beat(self) -> None:
        """Send what the wire wrote, carry out what it asks, arm the timer it wants."""
        for frame in self._wire.take_frames():
            if self._session_open:
                self._uplink.send(frame)
            else:
                self._uplink.send_now(frame)
        if self._uplink.needs_pump:
            self._start_pump()
        self._carry_out()
        self._wire_alarm.set(self._wire.deadline())

    def _carry_out(self) -> None:
        if self._delivering:  # a callback gave a command; the loop below takes its effects in order
            return
        self._delivering = True
        try:
            while effects := self._wire.take_effects():
                for effect in effects:
                    self._apply(effect)
        finally:
            self._delivering = False

    def _apply(self, effect: Effect) -> None:
        match effect:
            case AudioDelta():
                self._downlink.delta(effect)
            case AudioEnd():
                self._downlink.end(effect)
            case FlushPlayback():
                self._downlink.clear()
                self._delivery.cut()
            case StartRefused():
                self._refuse_start(effect.error)
            case SessionOpen():
                self._on_open(effect)
            case SessionClose():
                self._session_open = False
                self._deliver(effect)
                self._closed = True
                if asyncio.current_task() is not self._owner:  # it waits for the vendor
                    self._stop_owner()
            case ErrorEvent() if effect.fatal:
                self._session_open = False
                self._deliver(effect)
            case _:
                self._deliver(effect)

    def _deliver(self, event: Event) -> None:
        self._meter.delivered(event, self._clock.now())
        if not self._delivery.put(event):
            self._overflow()

    def _overflow(self) -> None:
        self._wire.fail(
            RealtimeError(
                "ten minutes of events were not fetched; iterate over the agent all the time",
                kind=ErrorKind.OVERFLOW,
            ),
            self._clock.now(),
        )

    def _on_open(self, event: SessionOpen) -> None:
        self._downlink.resampler = self._resampler_between(
            self._wire.output_rate_hz, self.options.output_sample_rate
        )
        self._session_open = True
        self._uplink.held = False
        if self._uplink.needs_pump:
            self._start_pump()
        self._meter.opened(self._clock.now())
        self._deliver(event)
        if self._stalled:
            self._announce_drop()
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    # Timers and tasks

    def _on_wire_alarm(self) -> None:
        self._wire.on_timer(self._clock.now())
        self._beat()

    def _on_peer_dead(self) -> None:
        what = f"nothing came from the vendor for {PING_EVERY_S:g} s, not even an answer to a ping"
        self._wire.fail(SessionLostError(what, kind=ErrorKind.STALLED), self._clock.now())
        self._beat()

    def _announce_drop(self) -> None:
        error = RealtimeError(
            f"audio beyond {self.options.max_buffered_ms} ms (Options.max_buffered_ms) was dropped, oldest "
            "first: the connection is slower than the caller; see stats.drops",
            kind=ErrorKind.OVERFLOW,
            retryable=True,
        )
        self._deliver(ErrorEvent(vendor=self.vendor, error=error))

    def _start_pump(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run_pump(), name=f"realtime {self.vendor}")

    async def _run_pump(self) -> None:
        await self._uplink.pump()
        self._stalled = False

    def _resampler_between(self, from_hz: int, to_hz: int) -> Resampler | None:
        return None if from_hz == to_hz else self._new_resampler(from_hz, to_hz)
