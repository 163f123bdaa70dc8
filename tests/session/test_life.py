"""Start, close and cancel at every point where the session waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from realtime_core.errors import (
    AgentClosedError,
    AgentStateError,
    ConnectError,
    ErrorKind,
    RealtimeError,
)
from realtime_core.events import SessionClose
from realtime_core.testing.scripted import ScriptedTransport
from realtime_openai._dialect import OPENAI_BETA

from .kit import CREATED, DONE, GREETING, SETTLED, UPDATED, Line, audio, said, steps

STEPS = range(1, 16)
"""Up to more turns of the loop than a start takes; a test checks that. After the first it has begun."""

# What the vendor says by itself before the test interferes.
VENDORS: dict[str, list[Any]] = {
    "silent": [],
    "greets": [GREETING],
    "opens": [GREETING, UPDATED],
    "talks": [GREETING, UPDATED, CREATED, said("Hi"), audio()],
    "refuses": [GREETING, {"type": "error", "error": {"message": "no", "code": "invalid_value"}}],
}
every_vendor = pytest.mark.parametrize("vendor", VENDORS)


async def test_start_and_close() -> None:
    line = await Line().open()
    assert line.kinds == ["session.open"]
    assert line.sent == ["session.update"]
    await line.agent.close()
    assert line.kinds == ["session.open", "session.close"]
    assert (line.close.code, line.close.initiator) == (1000, "client")
    assert line.transport.closed_with == 1000
    line.assert_nothing_left()


async def test_the_steps_of_the_tests_below_cover_a_whole_start() -> None:
    line = Line()
    line.transport.feed(GREETING, UPDATED)
    start = asyncio.create_task(line.agent.start())
    await steps(STEPS.stop)
    assert start.done()
    await start
    await line.agent.close()


@every_vendor
@pytest.mark.parametrize("slow_connect", [False, True])
async def test_start_cancelled_at_every_step(vendor: str, slow_connect: bool) -> None:
    for count in STEPS:
        line = Line()
        line.transport.feed(*VENDORS[vendor])
        if slow_connect:
            line.transport.hold_connect()
        start = asyncio.create_task(line.agent.start())
        await steps(count)
        start.cancel()
        (outcome,) = await asyncio.gather(start, return_exceptions=True)
        if outcome is None:  # it was through already
            await line.agent.close()
        else:
            assert isinstance(outcome, (asyncio.CancelledError, ConnectError)), count
        line.assert_nothing_left(connected=line.transport.connected)
        line.assert_told_in_order()
        with pytest.raises(AgentClosedError):
            await line.agent.push_audio(b"\0\0")
        await line.agent.close()


@every_vendor
@pytest.mark.parametrize("slow_connect", [False, True])
async def test_close_at_every_step_of_start(vendor: str, slow_connect: bool) -> None:
    for count in STEPS:
        line = Line()
        line.transport.feed(*VENDORS[vendor])
        if slow_connect:
            line.transport.hold_connect()
        start = asyncio.create_task(line.agent.start())
        await steps(count)
        await line.agent.close()
        (outcome,) = await asyncio.gather(start, return_exceptions=True)
        assert outcome is None or isinstance(outcome, (AgentClosedError, ConnectError)), count
        line.assert_nothing_left(connected=line.transport.connected)
        line.assert_told_in_order()
        assert ("session.open" in line.kinds) or outcome is not None


@every_vendor
async def test_close_cancelled_at_every_step_leaves_the_rest_to_the_session(vendor: str) -> None:
    for count in range(1, 8):
        line = Line()
        line.transport.feed(*VENDORS[vendor])
        start = asyncio.create_task(line.agent.start())
        await steps(SETTLED)
        close = asyncio.create_task(line.agent.close())
        await steps(count)
        close.cancel()
        await asyncio.gather(close, start, return_exceptions=True)
        await steps(SETTLED)
        line.assert_nothing_left()
        line.assert_told_in_order()
        await line.agent.close()


@pytest.mark.parametrize("code", [1000, 1006, 1011, 4000])
@every_vendor
async def test_the_peer_closes_at_every_point(vendor: str, code: int) -> None:
    script = VENDORS[vendor]
    for count in range(len(script) + 1):
        line = Line()
        line.transport.feed(*script[:count])
        line.transport.end(code, "so")
        (outcome,) = await asyncio.gather(line.agent.start(), return_exceptions=True)
        await steps(SETTLED)
        line.assert_nothing_left()
        line.assert_told_in_order()
        if vendor == "refuses" or count < 2:
            assert isinstance(outcome, ConnectError)
            assert line.events == []
        else:
            assert outcome is None
            initiator = "network" if code == 1006 else "vendor"
            assert (line.close.code, line.close.reason, line.close.initiator) == (
                code,
                "so",
                initiator,
            )
        await line.agent.close()


@pytest.mark.parametrize("count", range(4))
async def test_the_peer_closes_while_we_close(count: int) -> None:
    line = await Line().open()
    close = asyncio.create_task(line.agent.close())
    await steps(count)
    line.transport.end(1011)
    await close
    line.assert_nothing_left()
    line.assert_told_in_order()


@pytest.mark.parametrize(
    "refusal",
    [
        ConnectError("HTTP 401", kind=ErrorKind.AUTH, status=401),
        ConnectError("no route", retryable=True),
    ],
)
async def test_a_refused_connect_is_raised_as_it_is(refusal: ConnectError) -> None:
    line = Line(transport=ScriptedTransport(refuse=refusal))
    with pytest.raises(ConnectError) as caught:
        await line.agent.start()
    assert caught.value is refusal
    assert line.events == []
    line.assert_nothing_left()


class BrokenTransport(ScriptedTransport):
    """A transport of somebody else's, with a bug."""

    async def connect(self) -> None:
        raise RuntimeError("a bug in connect")


async def test_a_transport_with_a_bug_fails_the_start_as_a_connect_error() -> None:
    line = Line(transport=BrokenTransport())
    with pytest.raises(ConnectError, match="RuntimeError"):
        await line.agent.start()
    line.assert_nothing_left()


class Unfriendly(ScriptedTransport):
    """Says goodbye badly."""

    async def close(self, code: int = 1000) -> None:
        await super().close(code)
        raise OSError("the goodbye failed")


async def test_a_goodbye_that_fails_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    line = await Line(transport=Unfriendly()).open()
    await line.agent.close()
    assert line.agent._owner is not None
    assert line.agent._owner.exception() is None
    assert "goodbye" in caplog.text
    line.assert_nothing_left()
    assert line.kinds == ["session.open", "session.close"]


async def test_a_start_that_takes_too_long_is_given_up() -> None:
    for script in ([], [GREETING]):
        line = Line(start_timeout_s=7)
        line.transport.feed(*script)
        start = asyncio.create_task(line.agent.start())
        await steps(SETTLED)
        line.clock.advance(6.9)
        await steps(SETTLED)
        assert not start.done()
        line.clock.advance(0.2)
        with pytest.raises(ConnectError, match="7 s") as caught:
            await start
        assert caught.value.kind is ErrorKind.STALLED
        assert caught.value.retryable
        assert line.events == []
        line.assert_nothing_left()


async def test_a_connect_that_takes_too_long_is_given_up() -> None:
    line = Line()
    line.transport.hold_connect()
    start = asyncio.create_task(line.agent.start())
    await steps(SETTLED)
    line.clock.advance(15)
    with pytest.raises(ConnectError):
        await start
    line.assert_nothing_left(connected=False)


async def test_the_start_timer_is_gone_once_the_session_is_open() -> None:
    line = await Line(start_timeout_s=7).open()
    line.clock.advance(19)
    await steps(SETTLED)
    assert line.kinds == ["session.open"]
    await line.agent.close()


async def test_beta_opens_unacknowledged_by_its_timer() -> None:
    line = Line(dialect=OPENAI_BETA)
    line.transport.feed(GREETING)
    start = asyncio.create_task(line.agent.start())
    await steps(SETTLED)
    line.clock.advance(5)
    await start
    assert line.kinds == ["session.open"]
    await line.agent.close()
    line.assert_nothing_left()


async def test_a_second_start_is_refused_at_any_time() -> None:
    line = Line()
    line.transport.hold_connect()
    start = asyncio.create_task(line.agent.start())
    await steps(2)
    with pytest.raises(AgentStateError, match="second time"):
        await line.agent.start()
    line.transport.allow_connect()
    line.transport.feed(GREETING, UPDATED)
    await start
    with pytest.raises(AgentStateError, match="second time") as caught:
        await line.agent.start()
    assert not isinstance(caught.value, AgentClosedError)
    await line.agent.close()
    with pytest.raises(AgentClosedError):
        await line.agent.start()
    line.assert_nothing_left()


async def test_start_after_close_is_refused() -> None:
    line = Line()
    await line.agent.close()
    with pytest.raises(AgentClosedError):
        await line.agent.start()
    assert line.events == []
    line.assert_nothing_left(connected=False)


async def test_a_failed_start_cannot_be_repeated() -> None:
    line = Line(transport=ScriptedTransport(refuse=ConnectError("no")))
    with pytest.raises(ConnectError):
        await line.agent.start()
    with pytest.raises(AgentClosedError):
        await line.agent.start()


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_close_is_idempotent_and_concurrent(count: int) -> None:
    line = await Line().open()
    await asyncio.gather(*(line.agent.close() for _ in range(count)))
    await line.agent.close()
    line.assert_told_in_order()
    line.assert_nothing_left()


class SlowGoodbye(ScriptedTransport):
    """The peer never says goodbye."""

    async def close(self, code: int = 1000) -> None:
        await super().close(code)
        await asyncio.Event().wait()


async def test_close_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_core.session.CLOSE_LIMIT_S", 0.05)
    line = await Line(transport=SlowGoodbye()).open()
    async with asyncio.timeout(30):
        await line.agent.close()
    line.assert_told_in_order()
    line.assert_nothing_left()


async def test_the_close_is_told_before_the_goodbye_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_core.session.CLOSE_LIMIT_S", 0.05)
    line = await Line(transport=SlowGoodbye()).open()
    closing = [asyncio.create_task(line.agent.close()) for _ in range(2)]
    await steps(2)
    assert line.kinds == ["session.open", "session.close"]
    with pytest.raises(AgentClosedError):
        await line.agent.create_response()
    await asyncio.gather(*closing)
    line.assert_nothing_left()


@pytest.mark.parametrize("kind", ["session.open", "assistant.audio", "session.close", "error"])
async def test_close_from_a_task_a_callback_spawned(kind: str) -> None:
    tasks: list[asyncio.Task[None]] = []

    def on_event(event: Any) -> None:
        line.events.append(event)
        if event.type == kind:
            tasks.append(asyncio.create_task(line.agent.close()))

    line = Line(on_event=on_event)
    await line.open()
    await line.say(CREATED, audio())
    line.transport.end(1011)
    await steps(SETTLED)
    await asyncio.gather(*tasks)
    line.assert_told_in_order()
    line.assert_nothing_left()


async def test_async_with_starts_and_closes() -> None:
    line = Line()
    line.transport.feed(GREETING, UPDATED)
    async with line.agent as agent:
        assert agent is line.agent
        assert line.kinds == ["session.open"]
    line.assert_told_in_order()
    line.assert_nothing_left()


async def test_the_owner_cancelled_from_outside_ends_the_session_properly() -> None:
    line = await Line().open()
    await line.say(CREATED)
    assert line.agent._owner is not None
    line.agent._owner.cancel()  # as asyncio.run does at its end
    await steps(SETTLED)
    assert line.kinds == ["session.open", "assistant.turn.end", "session.close"]
    line.assert_nothing_left()


async def test_a_bug_in_the_wire_ends_the_session_loudly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = await Line().open()
    await line.say(CREATED)

    def broken(frame: bytes, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(line.wire, "receive", broken)
    await line.say(DONE)
    assert line.kinds == ["session.open", "error", "assistant.turn.end", "session.close"]
    assert "the session failed" in caplog.text
    line.assert_nothing_left()


async def test_a_bug_during_the_start_refuses_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line()

    def broken(frame: bytes, now: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(line.wire, "receive", broken)
    line.transport.feed(GREETING)
    with pytest.raises(ConnectError, match="ZeroDivisionError"):
        await line.agent.start()
    assert line.events == []
    line.assert_nothing_left()


Ending = Callable[[Line], Any]


def vendor_closes(line: Line) -> None:
    line.transport.end(1000)


def connection_breaks(line: Line) -> None:
    line.transport.end(1006)


def fatal_error(line: Line) -> None:
    line.transport.feed({"type": "error", "error": {"code": "session_expired", "message": "over"}})


@pytest.mark.parametrize("ending", [vendor_closes, connection_breaks, fatal_error])
async def test_after_the_end_commands_say_so(ending: Ending) -> None:
    line = await Line(disable_server_vad=True).open()
    ending(line)
    await steps(SETTLED)
    agent = line.agent
    for command in (
        agent.push_audio(b"\0\0"),
        agent.commit_input_audio(),
        agent.clear_input_audio(),
        agent.create_response(),
        agent.send_text("Hi"),
        agent.cancel(),
        agent.update_instructions("x"),
        agent.send_tool_result("C1", "x"),
    ):
        with pytest.raises(AgentClosedError):
            await command
    with pytest.raises(AgentStateError):
        await agent.start()
    agent.report_playback("A1", 5)
    line.clock.advance(2)
    await steps(SETTLED)
    line.assert_told_in_order()
    line.assert_nothing_left()
    assert any(event.type == "error" for event in line.events)
    await agent.close()


async def test_a_fatal_error_without_a_close_ends_after_two_seconds() -> None:
    line = await Line().open()
    await line.say(CREATED)
    fatal_error(line)
    await steps(SETTLED)
    assert line.kinds == ["session.open", "error"]
    line.clock.advance(1.9)
    await steps(SETTLED)
    assert "session.close" not in line.kinds
    line.clock.advance(0.2)
    await steps(SETTLED)
    assert line.kinds == ["session.open", "error", "assistant.turn.end", "session.close"]
    line.assert_nothing_left()


async def test_before_the_start_commands_say_so() -> None:
    line = Line(disable_server_vad=True)
    agent = line.agent
    for command in (
        agent.push_audio(b"\0\0"),
        agent.push_audio(b""),
        agent.commit_input_audio(),
        agent.clear_input_audio(),
        agent.create_response(),
        agent.send_text("Hi"),
        agent.cancel(),
        agent.update_instructions("x"),
        agent.send_tool_result("C1", "x"),
    ):
        with pytest.raises(AgentStateError) as caught:
            await command
        assert not isinstance(caught.value, AgentClosedError)
    agent.report_playback("A1", 5)
    assert line.transport.sent == []


async def test_commands_while_starting_say_so_and_audio_is_held() -> None:
    line = Line()
    line.transport.feed(GREETING)
    start = asyncio.create_task(line.agent.start())
    await steps(SETTLED)
    with pytest.raises(AgentStateError, match="start"):
        await line.agent.create_response()
    await line.agent.push_audio(b"\0\0")
    assert line.sent == ["session.update"]
    line.transport.feed(UPDATED)
    await start
    await steps(SETTLED)
    assert line.sent == ["session.update", "input_audio_buffer.append"]
    await line.agent.close()


async def test_a_peer_that_is_gone_without_a_word_is_noticed_after_forty_seconds() -> None:
    line = await Line().open()
    line.clock.advance(19.9)
    assert line.transport.pings == 0
    line.clock.advance(0.2)
    assert line.transport.pings == 1
    line.clock.advance(19.8)
    await steps(SETTLED)
    assert "session.close" not in line.kinds
    line.clock.advance(0.2)
    await steps(SETTLED)
    assert line.kinds[-2:] == ["error", "session.close"]
    assert line.close.initiator == "network"
    line.assert_nothing_left()


async def test_pongs_keep_a_session_alive() -> None:
    line = await Line().open()
    for count in range(1, 20):
        line.clock.advance(20)
        await steps(2)
        assert line.transport.pings == count
        line.transport.heard = True
    assert line.kinds == ["session.open"]
    await line.agent.close()
    line.assert_nothing_left()


async def test_a_peer_that_dies_during_the_start_fails_it() -> None:
    line = Line(start_timeout_s=100)
    start = asyncio.create_task(line.agent.start())
    await steps(SETTLED)
    line.clock.advance(41)
    with pytest.raises(RealtimeError) as caught:
        await start
    assert caught.value.kind is ErrorKind.STALLED
    line.assert_nothing_left()


async def test_a_reply_silent_for_thirty_seconds_ends_the_session() -> None:
    line = await Line().open()
    await line.say(CREATED, audio())
    for _ in range(3):
        line.clock.advance(9.9)
        line.transport.heard = True
    assert "session.close" not in line.kinds
    line.clock.advance(0.5)
    await steps(SETTLED)
    assert line.kinds[-3:] == ["error", "assistant.turn.end", "session.close"]
    line.assert_nothing_left()


async def test_a_deadline_that_moved_away_is_kept() -> None:
    line = await Line().open()
    await line.say(CREATED)
    for _ in range(6):
        line.clock.advance(15)
        await line.say(audio())
    assert "session.close" not in line.kinds
    await line.say(DONE)
    for _ in range(10):
        line.clock.advance(15)
        line.transport.heard = True
        await steps(1)
    assert "session.close" not in line.kinds
    await line.agent.close()
    assert isinstance(line.events[-1], SessionClose)
