"""The same conversations with a whole agent around the wire: its tasks, timers, queues and connection."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest
from attrs import evolve
from hypothesis.stateful import run_state_machine_as_test

from realtime_core import (
    AgentClosedError,
    AssistantAudio,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    Options,
    SessionClose,
    SessionOpen,
    UserSpeechStarted,
)
from realtime_core.session import SessionAgent
from realtime_core.testing.clock import ManualClock
from realtime_core.testing.scripted import ScriptedTransport
from tests.properties.cases import Case, WatchedWire
from tests.properties.conversation import Conversation, Session
from tests.properties.profiles import PROFILE, in_time


class _NeverWaits(selectors.SelectSelector):
    """Time passes by hand, so nothing is worth waiting for."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


class ManualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is a manual clock's, so that the limits of `asyncio.timeout` pass by hand as well."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        super().__init__(_NeverWaits())

    def time(self) -> float:
        return self._clock.time_s

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        waiting: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return [handle for handle in waiting if not handle.cancelled()]


class Told:
    """What the application was told, and what it must never be told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._flushed: set[str | None] = set()

    def __call__(self, event: Event) -> None:
        match event:
            case SessionOpen():
                assert not self.events
            case AssistantAudio():
                assert event.audio
                assert event.response_id not in self._flushed, "stale audio"
            case UserSpeechStarted() if event.interrupts:
                self._flush()
            case Interrupted():
                self._flush()
            case AssistantTurnEnd():
                if event.response_id is not None:
                    self._flushed.add(event.response_id)
            case _:
                pass
        assert not self.of(SessionClose), f"after SessionClose: {event}"
        self.events.append(event)

    def _flush(self) -> None:
        audio = self.of(AssistantAudio)
        # Replies without an id cannot be told apart.
        self._flushed.update(e.response_id for e in audio if e.response_id is not None)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class AgentSession:
    """An agent with everything it starts, on a loop of its own."""

    def __init__(self, case: Case, options: Options) -> None:
        self.clock = ManualClock(1000.0)
        self.loop = ManualLoop(self.clock)
        self.problems: list[str] = []
        self.loop.set_exception_handler(lambda _, context: self.problems.append(str(context)))
        self.transport = ScriptedTransport()
        self.told = Told()
        self.failed: list[BaseException] = []
        self.wire = WatchedWire(case, options)
        self.agent = SessionAgent(
            options=evolve(options, on_event=self._on_event),
            wire=self.wire,
            transport=self.transport,
            resampler=_no_resampler,
            clock=self.clock,
        )
        self._start: asyncio.Task[None] | None = None
        self._taken = 0

    @property
    def now(self) -> float:
        return self.clock.now()

    def _on_event(self, event: Event) -> None:
        try:
            self.told(event)
        except AssertionError as error:  # the session would log it and go on
            self.failed.append(error)

    def _run(self, command: Coroutine[Any, Any, None] | None = None) -> None:
        async def all_of_it() -> None:
            if command is not None:
                await command
            for _ in range(6):
                await asyncio.sleep(0)

        self.loop.run_until_complete(all_of_it())
        for error in (*self.failed, self.wire.failure):
            if error is not None:
                raise error
        inside = [e for e in self.told.of(ErrorEvent) if "inside the SDK" in str(e.error)]
        assert not inside, inside
        assert not self.problems

    def take_sent(self) -> list[bytes]:
        sent = self.transport.sent[self._taken :]
        self._taken += len(sent)
        return sent

    def open(self) -> None:
        self._start = self.loop.create_task(self.agent.start())
        self._run()

    def push(self, ms: int) -> None:
        self._run(self.agent.push_audio(bytes(ms * self.wire.input_rate_hz // 1000 * 2)))

    def commit(self) -> None:
        self._run(self.agent.commit_input_audio())

    def clear(self) -> None:
        self._run(self.agent.clear_input_audio())

    def create(self, instructions: str | None) -> None:
        self._run(self.agent.create_response(instructions))

    def text(self, *, respond: bool) -> None:
        self._run(self.agent.send_text("hello", respond=respond))

    def cancel(self, played_ms: int | None) -> None:
        self._run(self.agent.cancel(played_ms=played_ms))

    def update(self) -> None:
        self._run(self.agent.update_instructions("Be brief."))

    def answer(self, call_id: str) -> None:
        self._run(self.agent.send_tool_result(call_id, "sunny"))

    def report(self, item_id: str, played_ms: int, *, final: bool) -> None:
        self.agent.report_playback(item_id, played_ms, final=final)
        self._run()

    def feed(self, frame: bytes) -> None:
        self.transport.feed(frame)
        self._run()

    def lose(self, code: int) -> None:
        self.transport.end(code, "gone")
        self._run()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            pings = self.transport.pings
            self._run(self._move(min(5.0, until - self.now)))
            if self.transport.pings > pings:
                self.transport.heard = True  # it answers

    async def _move(self, seconds: float) -> None:
        self.clock.advance(seconds)  # what is due runs inside the loop

    def close(self) -> None:
        self._run(self.agent.close())

    def finish(self) -> None:
        self.close()
        self.close()
        assert self._start is not None
        assert self._start.done()
        assert isinstance(self.told.events[-1], SessionClose)
        assert len(self.told.of(SessionOpen)) == len(self.told.of(SessionClose)) == 1
        with pytest.raises(AgentClosedError):
            self._run(self.agent.push_audio(bytes(2)))
        told = len(self.told.events)
        self.wait(100.0)
        assert len(self.told.events) == told
        assert asyncio.all_tasks(self.loop) == set(), "a task is left"
        assert self.clock.pending == 0, "a timer is left"
        assert self.loop.timers == [], "a timer of the loop is left"
        assert self.transport.closed_with is not None, "the connection is left open"

    def dispose(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


def _no_resampler(from_hz: int, to_hz: int) -> Any:
    raise AssertionError(f"the rates are equal: {from_hz} and {to_hz} Hz")


class AgentConversation(Conversation):
    def make_session(self, options: Options) -> Session:
        return AgentSession(self.case, options)


@in_time
def test_every_interleaving_keeps_the_rules_of_an_agent() -> None:
    run_state_machine_as_test(AgentConversation, settings=PROFILE)
