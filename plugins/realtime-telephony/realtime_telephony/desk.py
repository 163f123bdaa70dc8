"""Takes calls: finds their route, runs each in a task of its own, and writes down how it went."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, final

from attrs import frozen

from realtime_core.agent import Agent
from realtime_core.errors import ConfigError, ErrorKind, RealtimeError
from realtime_core.events import Event
from realtime_telephony.attach import attach, options_for
from realtime_telephony.call_control import CallControl
from realtime_telephony.call_record import (
    CallRecord,
    Figures,
    Refusal,
    RefusedCall,
    record_of,
    record_of_cut,
)
from realtime_telephony.call_report import CallReport
from realtime_telephony.leg import CallInfo, CallLeg, DigitPressed
from realtime_telephony.making import Making
from realtime_telephony.route import Route
from realtime_telephony.routing import Routing
from realtime_telephony.tidying import end_each
from realtime_telephony.unavailable import UnavailableAgent

__all__ = ["HANG_UP_S", "MAKING_LIMIT_S", "TEAR_DOWN_S", "Attach", "Desk", "RunningCall"]

HANG_UP_S: Final = 6.0
"""How long a call may take to end in order once it was hung up."""
MAKING_LIMIT_S: Final = 10.0
"""How long making an agent may take, of which the caller hears silence."""
TEAR_DOWN_S: Final = 10.0
"""How long a call may take to end once it was cancelled; `attach` needs at most 9 s."""

_log = logging.getLogger("realtime_telephony.server")


class Attach(Protocol):
    """The signature of `attach`, as far as a server uses it."""

    def __call__(
        self,
        agent: Agent,
        leg: CallLeg,
        *,
        control: CallControl | None,
        greeting: str | None,
        on_event: Callable[[Event | DigitPressed], None] | None,
        fallback: Path | None,
        record: Path | None,
        picture: Path | None,
    ) -> Awaitable[CallReport]:
        """Let a caller and an agent talk."""
        ...


@frozen(eq=False)
class RunningCall:
    """A call that is up."""

    leg: CallLeg
    """Its media."""
    route: Route
    """Where it went."""
    started_at: datetime
    """UTC."""
    began: float
    """The same on the monotonic clock."""

    @property
    def info(self) -> CallInfo:
        """What is known of it."""
        return self.leg.info

    @property
    def duration_s(self) -> float:
        """So far, in seconds."""
        return time.monotonic() - self.began


@final
class Desk:
    """
    Runs calls side by side; one never disturbs another. All of it on one event loop.

    Args:
        routing: Which call goes where, and how many there may be.
        on_record: Told of each call that is over or was refused; what it raises is logged.
        join: Joins an agent and a leg.
    """

    def __init__(
        self,
        routing: Routing,
        *,
        on_record: Callable[[CallRecord | RefusedCall], None],
        join: Attach = attach,
    ) -> None:
        self.routing = routing
        """Where the next call goes; `[server]` of it stays."""
        self._on_record = on_record
        self._join = join
        self._making = Making(2 * routing.server.most_calls)
        self._calls: dict[asyncio.Task[None], RunningCall] = {}
        self._seated = 0
        self.accepting = True
        """Whether new calls are taken."""
        self.counts: Counter[str] = Counter()
        """Calls so far: `served`, of them `failed`, and `refused`."""

    @property
    def calls(self) -> tuple[RunningCall, ...]:
        """The calls that are up."""
        return tuple(self._calls.values())

    @property
    def most_calls(self) -> int:
        """How many there may be."""
        return self.routing.server.most_calls

    @contextmanager
    def seat(self) -> Iterator[bool]:
        """Keep a place for a call from its first byte on; gives whether there was one."""
        free = self.accepting and self._seated < self.most_calls
        self._seated += free
        try:
            yield free
        finally:
            self._seated -= free

    async def take(self, leg: CallLeg) -> None:
        """
        Run a call to its end; for a seat's holder.

        Closes the leg in any case and raises nothing. Cancelling it hangs up.
        """
        if not self.accepting:
            await self.refuse(leg, "draining")
            return
        route = self.routing.route_for(leg.info)
        if route is None:
            await self.refuse(leg, "no_route")
            return
        _log.info("call %s over %s goes to %s", leg.info.logged_id, leg.info.leg, route.name)
        call = RunningCall(leg, route, datetime.now(UTC), time.monotonic())
        task = asyncio.create_task(self._run(call), name=f"call {leg.info.logged_id}")
        self._calls[task] = call
        task.add_done_callback(self._calls.pop)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task], timeout=TEAR_DOWN_S)
            raise

    async def refuse(self, leg: CallLeg, why: Refusal) -> None:
        """Hang up a call that is not taken: Asterisk's dialplan goes on, a vendor's call ends."""
        self._note(RefusedCall(call=leg.info, why=why))
        await end_each(leg.info.logged_id, leg.hang_up, leg.close, limit_s=HANG_UP_S)

    def note_busy(self, call: CallInfo) -> None:
        """Write down a call that was refused before it had a leg."""
        self._note(RefusedCall(call=call, why="busy" if self.accepting else "draining"))

    async def wait_for_calls(self, timeout_s: float) -> bool:
        """Wait until no call is up; gives whether that came about in time."""
        if self._calls:
            await asyncio.wait(list(self._calls), timeout=timeout_s)
        return not self._calls

    async def hang_up_all(self) -> None:
        """Hang up all calls, so that each still reports its figures."""
        if self._calls:
            ends = [
                asyncio.create_task(
                    end_each(call.info.logged_id, call.leg.hang_up, limit_s=HANG_UP_S)
                )
                for call in self.calls
            ]
            await asyncio.wait([*ends, *self._calls], timeout=HANG_UP_S)
            for end in ends:
                end.cancel()

    def cancel_all(self) -> None:
        """End all calls at once."""
        for task in self._calls:
            task.cancel()

    async def _run(self, call: RunningCall) -> None:
        leg, route = call.leg, call.route
        try:
            record = await self._talk(call)
        except asyncio.CancelledError:
            record = CallRecord(
                call=leg.info,
                route=route.name,
                provider=route.provider,
                duration_s=call.duration_s,
                ended_by="us",
                detail="cancelled",
            )
        except Exception as error:  # noqa: BLE001 - one call never disturbs another
            _log.exception("call %s failed", leg.info.logged_id)
            record = CallRecord(
                call=leg.info,
                route=route.name,
                provider=route.provider,
                duration_s=call.duration_s,
                ended_by="failure",
                error=_reason(error),
            )
        self._note(record)
        await end_each(leg.info.logged_id, leg.hang_up, leg.close, limit_s=HANG_UP_S)

    async def _talk(self, call: RunningCall) -> CallRecord:
        leg, route = call.leg, call.route
        control = route.control_for(leg)
        agent = await self._agent(call, control)
        figures = Figures(agent)

        def joined(
            fallback: Path | None, record: Path | None, picture: Path | None
        ) -> Awaitable[CallReport]:
            return self._join(
                agent,
                leg,
                control=control,
                greeting=route.greeting,
                on_event=figures.take,
                fallback=fallback,
                record=record,
                picture=picture,
            )

        record = route.file_for(route.record, leg.info, ".wav")
        picture = route.file_for(route.picture, leg.info, ".svg")
        try:
            report: CallReport | None = None
            for files in ((route.fallback, record, picture), (route.fallback, None, None)):
                try:
                    report = await joined(*files)
                    break
                except ConfigError as error:
                    # A full disk, a folder that is gone: before the call began.
                    _log.error("call %s goes on without files: %s", leg.info.logged_id, error)
            if report is None:
                report = await joined(None, None, None)
        except asyncio.CancelledError:
            return record_of_cut(leg, route.name, route.provider, call.duration_s, agent, figures)
        return record_of(leg.info, route.name, route.provider, report, figures)

    async def _agent(self, call: RunningCall, control: CallControl) -> Agent:
        """Make the agent; where that fails, one whose start fails, so that the caller hears the fallback."""
        try:
            # A provider may read files and import what it needs, a function for tools ask a data base.
            return await self._making.run(
                lambda: call.route.agent_for(call.leg, control), MAKING_LIMIT_S
            )
        except Exception as error:  # noqa: BLE001 - a provider's or a tool's bug: no dead air
            _log.exception("call %s: no agent could be made", call.info.logged_id)
            if isinstance(error, TimeoutError):
                error = RealtimeError(
                    f"no agent was made within {MAKING_LIMIT_S:g} s: the provider, or a function for tools, hangs",
                    kind=ErrorKind.STALLED,
                )
            if not isinstance(error, RealtimeError):
                error = RealtimeError(_reason(error), kind=ErrorKind.CONFIG)
            return UnavailableAgent(error, options_for(call.leg))

    def _note(self, record: CallRecord | RefusedCall) -> None:
        if isinstance(record, RefusedCall):
            self.counts["refused"] += 1
        else:
            self.counts["served"] += 1
            self.counts["failed"] += record.ended_by == "failure"
        try:
            self._on_record(record)
        except Exception:  # noqa: BLE001 - the application's bug
            _log.exception("on_record failed")


def _reason(error: Exception) -> str:
    """Say what went wrong; of foreign errors the class only, their text may hold anything."""
    return str(error) if isinstance(error, RealtimeError) else type(error).__name__
