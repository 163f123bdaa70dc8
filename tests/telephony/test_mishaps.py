"""What goes wrong in a call beside the agent's own failures: nobody is left in silence, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from realtime_core import (
    AgentClosedError,
    AssistantTurnEnd,
    ConfigError,
    ErrorEvent,
    Event,
    RealtimeError,
    SessionClose,
    SessionLostError,
    UserSpeechStarted,
)
from realtime_core.clock import LoopClock
from realtime_core.errors import UnsupportedError
from realtime_telephony import CallControl, CallReport, attach, bridge, line
from realtime_telephony.call_record import Figures, record_of
from realtime_telephony.leg import CallerAudio, LegClosed, LegEvent
from realtime_telephony.tidying import to_the_end
from tests.telephony.kit import (
    BOTH,
    RATE_HZ,
    THEY_PACE,
    WE_PACE,
    StubAgent,
    StubLeg,
    pcm,
    spoken,
    until,
)

both = pytest.mark.parametrize("capabilities", BOTH)
SORRY = pcm(100, 0x0707)
OVER = AssistantTurnEnd(vendor="stub", response_id="R1")


class LiveAgent(StubAgent):
    """Says what a test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.closed = False
        self.started = asyncio.Event()

    async def start(self) -> None:
        self.started.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.events.get()

    def say(self, *events: Event) -> None:
        for event in events:
            self.events.put_nowait(event)

    async def close(self) -> None:
        self.closed = True


class FragileLeg(StubLeg):
    """Fails where it is told to."""

    def __init__(self, capabilities: str = "they_pace") -> None:
        super().__init__(BOTH[capabilities], LoopClock())
        self.failures: dict[str, list[BaseException]] = {}

    def fail(self, what: str, *errors: BaseException) -> None:
        self.failures[what] = list(errors)

    def _fails(self, what: str) -> None:
        if self.failures.get(what):
            raise self.failures[what].pop(0)

    async def receive(self) -> LegEvent:
        event = await super().receive()
        self._fails("receive")
        return event

    def play(self, pcm: bytes) -> None:
        self._fails("play")
        super().play(pcm)

    async def transfer(self, target: str) -> None:
        self._fails("transfer")
        await super().transfer(target)

    async def hang_up(self) -> None:
        self._fails("hang_up")
        await super().hang_up()


@pytest.fixture
def sorry(tmp_path: Path) -> Path:
    path = tmp_path / "sorry.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(SORRY)
    return path


async def nothing_left() -> None:
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def assert_apologised(report: CallReport, leg: StubLeg, agent: LiveAgent) -> None:
    assert report.ended_by == "failure"
    assert report.error is not None
    assert leg.heard.endswith(SORRY)
    assert leg.hung_up
    assert leg.closed
    assert agent.closed


@both
async def test_a_leg_that_fails_to_play_once_ends_the_call_with_an_apology(
    capabilities: str, sorry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leg, agent = FragileLeg(capabilities), LiveAgent()
    call = asyncio.create_task(attach(agent, leg, fallback=sorry))
    agent.say(spoken(2000))
    await until(lambda: bool(leg.heard))
    leg.fail("play", ValueError("a bug"))
    report = await call
    assert_apologised(report, leg, agent)
    assert report.error == "the line failed inside the SDK: ValueError"
    assert "the line failed" in caplog.text
    await nothing_left()


async def test_a_leg_that_can_play_no_more_ends_the_call_soon(
    sorry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leg, agent = FragileLeg("we_pace"), LiveAgent()
    leg.fail("play", *[ValueError("a bug")] * 1000)
    async with asyncio.timeout(15):
        report = await attach(agent, leg, fallback=sorry)
    assert report.ended_by == "failure"
    assert leg.hung_up
    assert leg.closed
    assert len(caplog.records) == 1
    await nothing_left()


async def test_a_leg_that_cannot_be_read_ends_the_call_with_an_apology(sorry: Path) -> None:
    leg, agent = FragileLeg(), LiveAgent()
    leg.fail("receive", KeyError("a bug"))
    leg.say(CallerAudio(pcm(20)))
    assert_apologised(await attach(agent, leg, fallback=sorry), leg, agent)


@pytest.mark.parametrize("by", ["speech", "silence"])
async def test_an_agent_that_cannot_listen_ends_the_call_with_an_apology(
    by: str, sorry: Path
) -> None:
    class Deaf(LiveAgent):
        async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
            raise KeyError("a bug")

    leg, agent = FragileLeg(), Deaf()
    if by == "speech":
        agent.start = lambda: until(lambda: False)  # type: ignore[method-assign]
        asyncio.get_running_loop().call_later(0.02, leg.say, CallerAudio(pcm(20)))
    assert_apologised(await attach(agent, leg, fallback=sorry), leg, agent)
    await nothing_left()


async def test_an_agent_with_a_bug_ends_the_call_with_an_apology(sorry: Path) -> None:
    class Broken(LiveAgent):
        async def start(self) -> None:
            raise KeyError("a bug")

    leg, agent = FragileLeg(), Broken()
    report = await attach(agent, leg, fallback=sorry)
    assert_apologised(report, leg, agent)
    assert report.error == "the agent failed inside the SDK: KeyError"


async def test_an_agent_that_is_over_is_given_no_more_audio(sorry: Path) -> None:
    class Over(LiveAgent):
        pushes = 0

        async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
            self.pushes += 1
            raise AgentClosedError("over")

    leg, agent = FragileLeg(), Over()
    call = asyncio.create_task(attach(agent, leg, fallback=sorry))
    await agent.started.wait()
    leg.says(pcm(100))
    leg.say(LegClosed("caller"))
    assert (await call).ended_by == "caller"
    assert agent.pushes == 1


# Parting


async def ended_by_tool(
    leg: StubLeg, tools: list[tuple[str, dict[str, Any]]], sorry: Path
) -> tuple[CallReport, list[str], LiveAgent]:
    """Let the model call tools, then say something."""
    control = CallControl(transfer_to={"a person": "+15550123"})
    handlers = {tool.name: tool.handler for tool in control.tools}
    agent = LiveAgent()
    call = asyncio.create_task(attach(agent, leg, control=control, fallback=sorry))
    await agent.started.wait()
    answers = []
    for name, arguments in tools:
        handler: Callable[[str, dict[str, Any]], Any] | None = handlers[name]
        assert handler is not None
        answers.append(await handler(name, arguments))
    agent.say(spoken(60), OVER)
    return await call, answers, agent


TRANSFER = ("transfer", {"target": "a person"})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RealtimeError("the vendor answered 500"), "the vendor answered 500"),
        (UnsupportedError("not on this leg"), "not on this leg"),
        (OSError("https://user:secret@host"), "OSError"),
    ],
)
async def test_a_transfer_that_fails_is_apologised_for(
    error: Exception, told: str, sorry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    leg = FragileLeg()
    leg.fail("transfer", error)
    report, _, agent = await ended_by_tool(leg, [TRANSFER], sorry)
    assert_apologised(report, leg, agent)
    assert report.error == report.detail == f"the transfer failed: {told}"
    assert leg.heard == pcm(60) + SORRY
    assert "secret" not in caplog.text


async def test_a_transfer_that_hangs_is_given_up(
    sorry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "TRANSFER_LIMIT_S", 0.05)
    leg = FragileLeg()
    leg.transfer = lambda target: until(lambda: False)  # type: ignore[method-assign]
    report, _, agent = await ended_by_tool(leg, [TRANSFER], sorry)
    assert_apologised(report, leg, agent)


async def test_a_caller_who_hangs_up_while_being_put_through_is_not_transferred(
    sorry: Path,
) -> None:
    leg = FragileLeg()
    drained = leg.drained

    async def gone(timeout_s: float) -> bool:
        leg.say(LegClosed("caller"))
        await asyncio.sleep(0.01)
        return await drained(timeout_s)

    leg.drained = gone  # type: ignore[method-assign]
    report, _, _ = await ended_by_tool(leg, [TRANSFER], sorry)
    assert report.ended_by == "caller"
    assert leg.transferred_to is None


async def test_a_model_is_told_that_its_call_cannot_be_transferred(sorry: Path) -> None:
    leg = StubLeg(WE_PACE, LoopClock())
    report, answers, _ = await ended_by_tool(leg, [TRANSFER, ("hang_up", {})], sorry)
    assert "cannot be put through" in answers[0]
    assert report.ended_by == "agent"


GONE = ErrorEvent(vendor="stub", error=SessionLostError("the vendor is gone"), fatal=True)
CLOSED = SessionClose(vendor="stub", code=1006, reason="", initiator="network")


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_an_agent_that_dies_after_its_goodbye_is_heard_out(status: Any, sorry: Path) -> None:
    class Ending(LiveAgent):
        async def __aiter__(self) -> AsyncIterator[Event]:
            while not isinstance(event := await self.events.get(), SessionClose):
                yield event
            yield event

    leg, agent = StubLeg(THEY_PACE, LoopClock()), Ending()
    control = CallControl()
    (hang_up,) = control.tools
    assert hang_up.handler is not None
    call = asyncio.create_task(attach(agent, leg, control=control, fallback=sorry))
    await agent.started.wait()
    await hang_up.handler("hang_up", {})  # type: ignore[misc]
    over = AssistantTurnEnd(vendor="stub", response_id="R1", status=status)
    agent.say(spoken(400), over, GONE, CLOSED)
    report = await call
    if status == "completed":
        assert (report.ended_by, leg.heard) == ("agent", pcm(400))
        assert report.error == "the vendor is gone"
    else:  # who knows how much of it there was
        assert_apologised(report, leg, agent)


async def test_hanging_up_twice_is_hanging_up(sorry: Path) -> None:
    leg = StubLeg(THEY_PACE, LoopClock())
    report, _, _ = await ended_by_tool(leg, [("hang_up", {})] * 2, sorry)
    assert (report.ended_by, report.detail) == ("agent", "hung up by the model")
    assert leg.heard == pcm(60)


async def test_a_wish_that_comes_while_parting_is_too_late(sorry: Path) -> None:
    leg = StubLeg(THEY_PACE, LoopClock())
    control = CallControl(transfer_to={"a person": "100"})
    hang_up, transfer = control.tools
    assert hang_up.handler is not None
    assert transfer.handler is not None
    agent = LiveAgent()
    drained = leg.drained

    async def late(timeout_s: float) -> bool:
        await transfer.handler("transfer", {"target": "a person"})  # type: ignore[misc]
        return await drained(timeout_s)

    leg.drained = late  # type: ignore[method-assign]
    call = asyncio.create_task(attach(agent, leg, control=control, fallback=sorry))
    await agent.started.wait()
    await hang_up.handler("hang_up", {})  # type: ignore[misc]
    agent.say(OVER)
    assert (await call).ended_by == "agent"
    assert leg.transferred_to is None


async def test_last_words_that_never_end_are_not_waited_for(
    sorry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "DRAIN_LIMIT_S", 0.05)
    leg = StubLeg(THEY_PACE, LoopClock())
    leg.drained = lambda timeout_s: until(lambda: False)  # type: ignore[method-assign, assignment, return-value]
    report, _, _ = await ended_by_tool(leg, [("hang_up", {})], sorry)
    assert report.ended_by == "agent"
    assert leg.hung_up


async def test_a_leg_that_cannot_tell_when_the_last_words_were_heard_is_hung_up(
    sorry: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(timeout_s: float) -> bool:
        raise KeyError("a bug")

    leg = StubLeg(THEY_PACE, LoopClock())
    leg.drained = fail  # type: ignore[method-assign]
    report, _, _ = await ended_by_tool(leg, [("hang_up", {})], sorry)
    assert report.ended_by == "agent"
    assert leg.heard == pcm(60)
    assert leg.hung_up
    assert "cannot be heard out" in caplog.text


# The fallback


async def test_a_long_fallback_is_heard_whole(sorry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "DRAIN_LIMIT_S", 0.05)
    leg, agent = FragileLeg("we_pace"), LiveAgent()
    leg.fail("receive", KeyError("a bug"))
    leg.say(CallerAudio(pcm(20)))
    assert_apologised(await attach(agent, leg, fallback=sorry), leg, agent)


async def test_a_caller_who_hangs_up_during_the_fallback_ends_it(sorry: Path) -> None:
    with wave.open(str(sorry), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(pcm(20_000, 0x0707))
    leg, agent = StubLeg(THEY_PACE, LoopClock()), LiveAgent()
    agent.start = lambda: refuse()  # type: ignore[method-assign]

    async def refuse() -> None:
        raise RealtimeError("refused")

    call = asyncio.create_task(attach(agent, leg, fallback=sorry))
    await until(lambda: bool(leg.heard))
    leg.say(LegClosed("caller"))
    async with asyncio.timeout(15):
        assert (await call).ended_by == "failure"
    assert leg.closed
    await nothing_left()


async def test_an_agent_that_lives_on_says_and_cuts_nothing_in_the_fallback(sorry: Path) -> None:
    leg = FragileLeg()
    leg.fail("transfer", RealtimeError("no"))
    agent: LiveAgent | None = None

    def on_event(event: object) -> None:
        assert agent is not None
        if isinstance(event, UserSpeechStarted):
            agent.tell_cut("R2")

    control = CallControl(transfer_to={"a person": "100"})
    handler = control.tools[1].handler
    assert handler is not None
    agent = LiveAgent()
    call = asyncio.create_task(
        attach(agent, leg, control=control, fallback=sorry, on_event=on_event)
    )
    await agent.started.wait()
    await handler(*TRANSFER)  # type: ignore[misc]
    agent.say(OVER)
    await until(lambda: bool(leg.heard))
    agent.say(spoken(60, "B1", "R2"), UserSpeechStarted(vendor="stub"))
    assert_apologised(await call, leg, agent)
    assert leg.heard == SORRY


async def test_what_went_missing_is_in_the_report_and_in_the_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "MAX_WAITING_S", 1)

    class Lossy(StubLeg):
        @property
        def counters(self) -> dict[str, int]:
            return {"lost_mark": 2}

    leg, agent = Lossy(THEY_PACE, LoopClock()), LiveAgent()
    agent.say(spoken(900), spoken(600), OVER)
    report = await attach(
        agent,
        leg,
        on_event=lambda event: leg.say(LegClosed("caller")) if event is OVER else None,
    )
    assert report.leg_counters == {"lost_mark": 2, "unsaid_ms": 600}
    record = record_of(leg.info, "shop", "stub", report, Figures(agent))
    assert "drops=leg_lost_mark:2,leg_unsaid_ms:600" in record.line()


# Tidying up


async def test_a_call_cancelled_while_it_is_put_away_is_put_away_all_the_same() -> None:
    leg, agent = StubLeg(THEY_PACE, LoopClock()), LiveAgent()
    hanging_up, may_go_on = asyncio.Event(), asyncio.Event()

    async def hang_up() -> None:
        hanging_up.set()
        await may_go_on.wait()
        leg.hung_up = True

    leg.hang_up = hang_up  # type: ignore[method-assign]
    leg.say(LegClosed("caller"))
    call = asyncio.create_task(attach(agent, leg))
    await hanging_up.wait()
    call.cancel()
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.sleep(0)
    assert not call.done()
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert leg.hung_up
    assert leg.closed
    assert agent.closed
    await nothing_left()


async def test_what_hangs_or_fails_at_the_end_holds_up_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bridge, "CLOSE_LIMIT_S", 0.5)  # for those that neither hang nor fail
    leg, agent = FragileLeg(), LiveAgent()
    leg.fail("hang_up", OSError("gone"))
    agent.close = lambda: until(lambda: False)  # type: ignore[method-assign]
    leg.say(LegClosed("caller"))
    assert (await attach(agent, leg)).ended_by == "caller"
    assert leg.closed
    assert caplog.text.count("failed") == 2
    await nothing_left()


async def test_work_that_is_cancelled_itself_is_not_awaited_for_ever() -> None:
    task = asyncio.create_task(to_the_end(until(lambda: False)))
    await asyncio.sleep(0)
    (work,) = asyncio.all_tasks() - {task, asyncio.current_task()}
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_file_that_cannot_be_written_leaves_no_thread(tmp_path: Path) -> None:
    leg, agent = StubLeg(THEY_PACE, LoopClock()), LiveAgent()
    with pytest.raises(ConfigError, match="no folder"):
        await attach(agent, leg, picture=tmp_path / "missing" / "call.svg")
    assert not leg.hung_up
    await until(
        lambda: not any(thread.name.startswith("realtime keep") for thread in threading.enumerate())
    )
