"""One call between a leg and an agent: who owns which task, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import final

from realtime_core.agent import Agent
from realtime_core.audio import pcm_ms
from realtime_core.clock import Clock
from realtime_core.errors import AgentClosedError, AgentStateError, ConnectError, RealtimeError
from realtime_core.events import (
    AssistantAudio,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    SessionClose,
    UserSpeechEnded,
    UserSpeechStarted,
)
from realtime_telephony.call_control import CallControl, CallWish
from realtime_telephony.call_report import CallReport, EndedBy
from realtime_telephony.ear import Ear
from realtime_telephony.farewell import Farewell
from realtime_telephony.keepsake import Keepsake
from realtime_telephony.leg import CallerAudio, CallLeg, DigitPressed, LegClosed
from realtime_telephony.line import FRAME_MS, Line
from realtime_telephony.listener import Listener
from realtime_telephony.pacer import Pacer
from realtime_telephony.tidying import end_each, to_the_end

__all__ = ["CLOSE_LIMIT_S", "DRAIN_LIMIT_S", "START_GRACE_S", "TRANSFER_LIMIT_S", "Bridge"]

DRAIN_LIMIT_S = 10.0
"""How long the last words may take to be heard before the call is ended all the same."""
TRANSFER_LIMIT_S = 10.0
"""How long a leg may take to transfer a call."""
START_GRACE_S = 5.0
"""How much longer than its `Options.start_timeout_s` an agent may take to start; agents promise not to."""
CLOSE_LIMIT_S = 5.5
"""How long each end of a call may take to be closed; legs and agents promise less."""

_log = logging.getLogger("realtime_telephony.call")


@final
class Bridge:
    """
    Runs one call; used once.

    One task reads the leg, one the agent; a pacer ticks every 20 ms, without a task. Whoever sees the end of the call says
    so, once, and `run` tidies up.
    """

    def __init__(
        self,
        agent: Agent,
        leg: CallLeg,
        *,
        control: CallControl | None,
        greeting: str | None,
        on_event: Callable[[Event | DigitPressed], None] | None,
        fallback: bytes,
        keepsake: Keepsake,
        clock: Clock,
    ) -> None:
        self._agent = agent
        self._leg = leg
        self._greeting = greeting
        self._listener = Listener(on_event, leg.info.logged_id)
        self._fallback = fallback
        self._keepsake = keepsake
        self._clock = clock
        self._line = Line(agent, leg, keepsake.heard if keepsake.wanted else None)
        self._ear = Ear(agent, leg.sample_rate_hz, clock)
        self._farewell = Farewell(clock)
        self._pacer = Pacer(self._tick, frame_ms=FRAME_MS, clock=clock)
        self._filling: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[tuple[EndedBy, str]] | None = None
        self._error: RealtimeError | None = None
        self._parting: CallWish | None = None
        self._leg_over = False
        self._quiet = asyncio.Event()
        self._digits: list[str] = []
        self._barge_ins = 0
        if control is not None:
            control.bind(self._farewell.wish, can_transfer=leg.capabilities.transfer)

    async def run(self) -> CallReport:
        """Talk until somebody ends it, then tidy up; cancelling hangs up."""
        began = self._clock.now()
        self._ended = asyncio.get_running_loop().create_future()
        # The agent first: what the caller has said already is for it, and it holds what it hears while it starts.
        tasks = {
            asyncio.create_task(self._converse(), name="realtime call agent"),
            asyncio.create_task(self._listen(), name="realtime call ear"),
        }
        self._pacer.start()
        ended_by: EndedBy = "us"
        detail = "cancelled"
        try:
            ended_by, detail = await self._ended
            if self._parting is not None and ended_by in ("agent", "transfer"):
                ended_by, detail = await self._part(self._parting)
            if ended_by == "failure":
                await self._apologise()
        finally:
            self._pacer.stop()
            if self._filling is not None:
                tasks.add(self._filling)
            for task in tasks:
                task.cancel()
            await to_the_end(self._tidy_up(tasks))
        return CallReport(
            ended_by=ended_by,
            detail=detail,
            duration_s=self._clock.now() - began,
            stats=self._agent.stats,
            digits="".join(self._digits),
            error=None if self._error is None else str(self._error),
            barge_ins=self._barge_ins,
            silence_filled_ms=self._ear.silence_filled_ms,
            stalls=self._pacer.reanchored,
            latest_ms=self._pacer.late_max_ms,
            leg_counters=self._line.counters,
        )

    async def _tidy_up(self, tasks: set[asyncio.Task[None]]) -> None:
        leg, agent = self._leg, self._agent
        await asyncio.wait(tasks, timeout=CLOSE_LIMIT_S)
        await self._line.stop()
        await end_each(
            leg.info.logged_id, leg.hang_up, agent.close, leg.close, limit_s=CLOSE_LIMIT_S
        )

    def _end(self, ended_by: EndedBy, detail: str) -> None:
        """Note who ended the call; the first word counts."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result((ended_by, detail))

    def _fail(self, what: str, error: Exception) -> None:
        """A bug, of ours or of a provider's: the call must not go on in silence."""
        if self._error is None:
            _log.error("call %s: %s failed", self._leg.info.logged_id, what, exc_info=error)
            self._error = RealtimeError(f"{what} failed inside the SDK: {type(error).__name__}")
        self._end("failure", str(self._error))

    # The leg

    async def _listen(self) -> None:
        """Read the leg, until the call is over."""
        try:
            await self._read_leg()
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail("the leg", error)

    async def _read_leg(self) -> None:
        while True:
            match await self._leg.receive():
                case CallerAudio(pcm):
                    self._keepsake.caller(pcm)
                    await self._pass_on(self._ear.hear(pcm))
                case DigitPressed() as pressed:
                    self._digits.append(pressed.digit)
                    self._listener.tell(pressed)
                case LegClosed(reason, detail):
                    self._leg_over = True
                    who: EndedBy = "caller" if reason == "caller" else "network"
                    self._end("us" if reason == "us" else who, detail or reason)
                    return

    async def _pass_on(self, push: Awaitable[object]) -> None:
        try:
            await push
        except AgentStateError:
            # Over, or refused at the start: its events, or its exception, say why.
            self._ear.is_open = False
        except Exception as error:  # noqa: BLE001 - see _fail
            self._ear.is_open = False
            self._fail("the agent's input", error)

    def _tick(self) -> None:
        """Every 20 ms: send what is due, stand in for a silent line, see whether it is time to part."""
        try:
            self._line.tick()
            is_silent = self._line.is_silent
        except Exception as error:  # noqa: BLE001 - the pacer must go on, for the apology
            self._fail("the line", error)
            is_silent = True
        if is_silent or self._leg_over:
            self._quiet.set()
        if self._filling is None and (gap_ms := self._ear.gap_ms()):
            silence = self._ear.silence(gap_ms)
            self._keepsake.caller(silence)
            self._filling = asyncio.create_task(self._fill(silence), name="realtime call silence")
        wish = self._farewell.due(line_is_silent=is_silent)
        if wish is not None and self._parting is None:
            self._parting = wish
            self._end("transfer" if wish.kind == "transfer" else "agent", wish.target)

    async def _fill(self, silence: bytes) -> None:
        try:
            await self._pass_on(self._ear.fill(silence))
        finally:
            self._filling = None

    # The agent

    async def _converse(self) -> None:
        """Start the agent, greet, and take its events, until its session is over."""
        try:
            self._ear.is_open = True  # an agent that is starting holds what it hears
            if not await self._has_started():
                return
            if self._greeting is not None:
                await self._greet(self._greeting)
            async for event in self._agent:
                self._take(event)
                by_us = isinstance(event, SessionClose) and event.initiator == "client"
                if by_us and self._error is None:
                    self._end("us", "the application closed the agent")
        except RealtimeError as error:
            self._error = self._error or error
        except Exception as error:  # noqa: BLE001 - see _fail
            self._fail("the agent", error)
        self._ear.is_open = False
        if not self._farewell.is_complete:  # otherwise its last words are heard out
            self._end("failure", str(self._error) if self._error else "the session ended")

    async def _has_started(self) -> bool:
        """Start the agent; `False` when the application closed it meanwhile."""
        limit_s = self._agent.options.start_timeout_s + START_GRACE_S
        limit = asyncio.timeout(limit_s)
        is_under_way = asyncio.Event()
        asyncio.get_running_loop().call_soon(is_under_way.set)
        try:
            async with limit:
                await self._agent.start()
            return True
        except AgentClosedError:
            if not is_under_way.is_set():  # it was closed before
                raise
            self._ear.is_open = False
            self._end("us", "the application closed the agent")
            return False
        except TimeoutError:
            if not limit.expired():
                raise
            raise ConnectError(f"the agent did not start within {limit_s:g} s") from None

    async def _greet(self, instructions: str) -> None:
        with suppress(AgentClosedError):  # over already: its events say why
            await self._agent.create_response(instructions or None)

    def _take(self, event: Event) -> None:
        self._line.feed(event)
        self._keepsake.event(event)
        match event:
            case ErrorEvent() if event.fatal:
                self._error = event.error
            case SessionClose():
                self._ear.is_open = False
            case Interrupted():
                self._barge_ins += 1
            case AssistantAudio():
                self._farewell.spoke()
            case AssistantTurnEnd():
                was_cut = event.status in ("cancelled", "failed")
                self._farewell.turn_ended(event.tool_names, was_cut=was_cut)
            case UserSpeechStarted() | UserSpeechEnded():
                self._farewell.caller_speaks(begins=isinstance(event, UserSpeechStarted))
            case _:
                pass
        self._listener.tell(event)

    # The end

    async def _apologise(self) -> None:
        """Never dead air: what waits is dropped, the fallback is heard, then the call ends."""
        self._ear.is_open = False
        await self._line.take_over(self._fallback)
        await self._heard_out(pcm_ms(len(self._fallback), self._leg.sample_rate_hz) / 1000)

    async def _part(self, wish: CallWish) -> tuple[EndedBy, str]:
        """Let the last words be heard, then do what the model wished; hanging up is left to `_tidy_up`."""
        await self._heard_out()
        if wish.kind != "transfer":
            return "agent", "hung up by the model"
        if self._leg_over:
            return "caller", "hung up before the transfer"
        try:
            async with asyncio.timeout(TRANSFER_LIMIT_S):
                await self._leg.transfer(wish.target)
        except Exception as error:  # noqa: BLE001 - the caller is told, not left alone
            # What is not ours may have a number or a secret in its text.
            why = str(error) if isinstance(error, RealtimeError) else type(error).__name__
            _log.warning("call %s: the transfer failed: %s", self._leg.info.logged_id, why)
            self._error = RealtimeError(f"the transfer failed: {why}")
            return "failure", str(self._error)
        return "transfer", f"transferred to {wish.target}"

    async def _heard_out(self, longest_s: float = 0.0) -> None:
        """Wait until all that was said is heard, within a limit beyond its length, or the caller is gone."""
        try:
            async with asyncio.timeout(longest_s + DRAIN_LIMIT_S):
                self._quiet.clear()
                await self._quiet.wait()
                if not self._leg_over:
                    await self._leg.drained(DRAIN_LIMIT_S)
        except TimeoutError:
            _log.info("call %s: the last words were not heard out", self._leg.info.logged_id)
        except Exception:  # noqa: BLE001 - a bug of the leg's must not keep the call from its end
            _log.exception("call %s: the last words cannot be heard out", self._leg.info.logged_id)
