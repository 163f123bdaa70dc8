"""
The driver: one wire, one transport, one application. The only class that knows asyncio and the clock.

One task owns the session, from the connect to the last goodbye. It reads the socket and carries out what the
wire asks there and then; the application's callback runs on it, with no queue or task between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import final

from realtime_core import refusal
from realtime_core.agent import Agent
from realtime_core.alarm import Alarm
from realtime_core.audio import Resampler, ResamplerFactory, whole_samples
from realtime_core.audio_in import AudioIn
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
)
from realtime_core.events import (
    AssistantText,
    ErrorEvent,
    Event,
    SessionClose,
    SessionOpen,
    ToolCall,
)
from realtime_core.keepalive import PING_EVERY_S, Keepalive
from realtime_core.log import SessionLog
from realtime_core.meter import Meter
from realtime_core.options import Options
from realtime_core.stats import SessionStats
from realtime_core.tool_runner import ToolRunner, output_text
from realtime_core.transport import ConnectionClosed, Transport
from realtime_core.uplink import Uplink
from realtime_core.wire import (
    AudioDelta,
    AudioEnd,
    Effect,
    FlushPlayback,
    StartRefused,
    UrgentFrame,
    WireProtocol,
    WireState,
)

__all__ = ["CLOSE_LIMIT_S", "SessionAgent"]

CLOSE_LIMIT_S = 2.0
"""How long `Agent.close` waits for the goodbye."""


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
        self._log = SessionLog("realtime_core.session", wire.vendor)
        self._wire = wire
        self._transport = transport
        self._new_resampler = resampler
        self._clock: Clock = clock if clock is not None else LoopClock()
        self._delivery: CallbackDelivery | QueueDelivery = (
            CallbackDelivery(options.on_event, self._log)
            if options.on_event is not None
            else QueueDelivery(options.output_sample_rate)
        )
        self._uplink = Uplink(transport, options.max_buffered_ms)
        self._meter = Meter(options.input_sample_rate, options.output_sample_rate)
        self._audio_in = AudioIn(
            options.input_sample_rate,
            wire,
            self._uplink,
            self._resampler_between(options.input_sample_rate, wire.input_rate_hz),
            options.when_full == "wait",
            self._on_queued,
        )
        self._tools = ToolRunner(options, self._on_tool_answer, self._log)
        self._downlink = Downlink(wire.vendor, self._deliver)
        self._keepalive = Keepalive(transport, self._clock, self._on_peer_dead)
        self._session_open = False
        self._closed = False
        self._ending = False
        self._stalled = False
        self._delivering = False
        self._effects: Iterator[Effect] = iter(())
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
            audio_in_bytes=self._audio_in.pushed_bytes,
            frames_sent=self._uplink.frames_sent,
            frames_ignored=self._wire.frames_ignored,
            transcription=self._wire.transcription,
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
        owner, current = self._owner, asyncio.current_task()
        if owner is current:
            return
        self._stop_owner()
        if self._tools.owns(
            current
        ):  # a tool that closes the session must not wait for its own end
            return
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
            self._log.exception("the connect failed")
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
            self._log.exception("the session failed")
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
        self._tools.stop()
        if self._pump is not None:
            self._pump.cancel()
        self._delivery.finish()
        self._refuse_start(AgentClosedError("start: the session ended while it was starting"))

    async def _say_goodbye(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._transport.close()
        except TimeoutError:
            self._log.info("the peer did not say goodbye within the limit")
        except Exception:  # noqa: BLE001 - it is over anyway
            self._log.exception("the goodbye failed")

    def _refuse_start(self, error: RealtimeError) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)

    def _start_took_too_long(self) -> None:
        self._refuse_start(refusal.start_too_slow(self.options.start_timeout_s))

    # Commands

    async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
        """Resample, encode and send, all before the first await."""
        size = whole_samples(pcm)
        if not self._session_open:
            self._check_may_push()
        if isinstance(pcm, memoryview):
            pcm = pcm.cast("B")  # from here on, len() counts bytes
        if size:
            await self._audio_in.push(pcm, size)

    async def commit_input_audio(self) -> None:
        """Flush what the resampler holds, commit, and ask for the reply."""
        now = self._ready("commit_input_audio")
        if not self.options.disable_server_vad:
            return
        self._audio_in.flush()
        if self._wire.commit_input_audio(now):
            self._meter.caller_ended(now)
        self._beat()

    async def clear_input_audio(self) -> None:
        """Throw away audio here and at the vendor."""
        now = self._ready("clear_input_audio")
        self._audio_in.clear()
        self._wire.clear_input_audio(now)
        self._beat()

    async def create_response(self, instructions: str | None = None) -> None:
        """Ask for a reply."""
        now = self._ready("create_response")
        self._require(self.capabilities.greeting, "create_response", "greeting")
        instructions = refusal.text_of("create_response", instructions or "") or None
        self._wire.create_response(instructions, now)
        self._beat()

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Add a user message."""
        now = self._ready("send_text")
        self._require(self.capabilities.text_input, "send_text", "text_input")
        if refusal.text_of("send_text", text).strip():
            self._wire.send_text(text, respond, now)
            self._beat()

    async def cancel(self, *, played_ms: int | None = None) -> None:
        """Stop the running reply."""
        now = self._ready("cancel")
        self._require(self.capabilities.cancel, "cancel", "cancel")
        self._wire.cancel(None if played_ms is None else refusal.ms_of("cancel", played_ms), now)
        self._beat()

    async def update_instructions(self, instructions: str) -> None:
        """Replace the application's instructions."""
        now = self._ready("update_instructions")
        self._require(
            self.capabilities.live_instructions, "update_instructions", "live_instructions"
        )
        self._wire.update_instructions(refusal.text_of("update_instructions", instructions), now)
        self._beat()

    async def send_tool_result(self, call_id: str, output: str) -> None:
        """Answer a tool call."""
        now = self._ready("send_tool_result")
        self._wire.send_tool_result(call_id, output_text(output), now)
        self._tools.answered(call_id)
        self._beat()

    def report_playback(self, item_id: str, played_ms: int, *, final: bool = False) -> None:
        """Take note; after the end of the session it is ignored."""
        if self._session_open:
            now, played_ms = self._clock.now(), refusal.ms_of("report_playback", played_ms)
            self._meter.played(item_id, played_ms, final, now)
            self._wire.report_playback(item_id, played_ms, final, now)
            if final:  # only a final report can settle a cut
                self._beat()

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
        state = self._wire.state
        over = self._closed or (self._owner is not None and state is WireState.CLOSED)
        raise refusal.not_open(command, state, over=over)

    def _check_may_push(self) -> None:
        starting = self._owner is not None and self._wire.state in (
            WireState.NEW,
            WireState.STARTING,
        )
        if self._closed or not starting:
            self._raise_not_open("push_audio")

    def _require(self, able: bool, command: str, flag: str) -> None:
        if not able:
            raise refusal.unsupported(command, self.vendor, flag)

    # The three beats

    def _beat(self) -> None:
        """Send what the wire wrote, carry out what it asks, arm the timer it wants."""
        if self._delivering:  # a callback reported playback; the loop below sees to it, in order
            return
        wire, self._delivering = self._wire, True
        try:
            self._send_frames()
            for effect in self._effects:  # left by a beat in which one raised
                self._apply(effect)
            while effects := wire.take_effects():
                self._effects = iter(effects)
                for effect in self._effects:
                    self._apply(effect)
                self._send_frames()
        finally:
            self._delivering = False
            self._wire_alarm.set(wire.deadline())

    def _send_frames(self) -> None:
        for frame in self._wire.take_frames():
            if self._session_open and not isinstance(frame, UrgentFrame):
                self._uplink.send(frame)
            else:
                self._uplink.send_now(frame)
        self._start_pump()

    def _apply(self, effect: Effect) -> None:
        match effect:
            case AudioDelta():
                self._downlink.delta(effect)
            case AssistantText():  # as often as audio
                self._deliver(effect)
            case AudioEnd():
                self._downlink.end(effect)
            case FlushPlayback():
                stale = self._downlink.clear()
                self._delivery.cut()
                self._meter.cut(self._clock.now())
                self.tell_cut(*stale)
            case StartRefused():
                self._refuse_start(effect.error)
            case SessionOpen():
                self._on_open(effect)
            case ToolCall():
                self._deliver(effect)
                self._tools.run(effect)
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
            self._wire.fail(refusal.nobody_fetches(), self._clock.now())

    def _on_open(self, event: SessionOpen) -> None:
        self._downlink.resampler = self._resampler_between(
            self._wire.output_rate_hz, self.options.output_sample_rate
        )
        self._log.session_id = event.session_id
        self._session_open = True
        self._uplink.held = False
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
        self._deliver(ErrorEvent(vendor=self.vendor, error=self._uplink.too_slow()))

    def _on_queued(self, dropped: bool) -> None:
        self._start_pump()
        if dropped and not self._stalled:
            self._stalled = True  # announced once a stall, and at the opening when it began before
            if self._session_open:
                self._announce_drop()

    def _on_tool_answer(self, call_id: str, output: str) -> None:
        if self._session_open and self._wire.waits_for(call_id):
            self._wire.send_tool_result(call_id, output, self._clock.now())
            self._beat()

    def _start_pump(self) -> None:
        if self._uplink.needs_pump and (self._pump is None or self._pump.done()):
            self._pump = asyncio.create_task(self._run_pump(), name=f"realtime {self.vendor}")

    async def _run_pump(self) -> None:
        await self._uplink.pump()
        self._stalled = False

    def _resampler_between(self, from_hz: int, to_hz: int) -> Resampler | None:
        return None if from_hz == to_hz else self._new_resampler(from_hz, to_hz)
