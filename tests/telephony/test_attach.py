"""A call between a leg and real agents of the loopback vendor."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime_core import (
    AssistantTurnEnd,
    ConfigError,
    Event,
    Interrupted,
    Options,
    Tool,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.clock import LoopClock
from realtime_core.testing import LoopbackDouble
from realtime_core.testing.speech import silence, speech_like
from realtime_telephony import CallControl, CallReport, DigitPressed, attach, options_for
from realtime_telephony.leg import LegClosed
from tests.telephony.kit import BOTH, RATE_HZ, THEY_PACE, WE_PACE, StubLeg, pcm, until

both = pytest.mark.parametrize("capabilities", BOTH)
DIALECTS = ("openai_ga", "dashscope_omni")
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture
def short_fallback(tmp_path: Path) -> Path:
    path = tmp_path / "sorry.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm(100, 0x0707))
    return path


class Seen:
    """Events as they come, and what to do about them."""

    def __init__(self) -> None:
        self.events: list[Event | DigitPressed] = []
        self.on: dict[type, Callable[[], object]] = {}

    def __call__(self, event: Event | DigitPressed) -> None:
        self.events.append(event)
        act = self.on.pop(type(event), None)
        if act is not None:
            act()

    def of(self, kind: type) -> list[Event | DigitPressed]:
        return [event for event in self.events if isinstance(event, kind)]


async def nothing_left() -> None:
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@both
@every_dialect
async def test_a_caller_who_hangs_up_in_mid_reply_ends_everything(
    capabilities: str, dialect: str
) -> None:
    async with LoopbackDouble(dialect) as vendor:
        await vendor.hold_reply()
        leg, seen = StubLeg(BOTH[capabilities], LoopClock()), Seen()
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        call = asyncio.create_task(attach(agent, leg, greeting="", on_event=seen))
        await until(lambda: bool(leg.heard))
        leg.say(LegClosed("caller"))
        report = await call
        assert report.ended_by == "caller"
        assert leg.hung_up
        assert leg.closed
        assert vendor.violations == []
    await nothing_left()


@both
@every_dialect
async def test_speech_cuts_the_reply_and_the_vendor_learns_what_was_heard(
    capabilities: str, dialect: str
) -> None:
    async with LoopbackDouble(dialect) as vendor:
        await vendor.hold_reply()
        leg, seen = StubLeg(BOTH[capabilities], LoopClock()), Seen()
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        call = asyncio.create_task(attach(agent, leg, greeting="", on_event=seen))
        await until(lambda: bool(leg.heard))
        leg.says(silence(100, RATE_HZ) + speech_like(600, RATE_HZ))
        await until(lambda: bool(seen.of(Interrupted)))
        leg.say(LegClosed("caller"))
        report = await call
        (started,) = seen.of(UserSpeechStarted)
        assert isinstance(started, UserSpeechStarted)
        assert started.interrupts
        (cut,) = seen.of(Interrupted)
        assert isinstance(cut, Interrupted)
        heard_ms = len(leg.heard) // 16
        assert abs(cut.heard_ms - heard_ms) <= 20
        assert report.barge_ins == 1
        assert vendor.violations == []


@both
async def test_an_agent_that_cannot_start_is_apologised_for(
    capabilities: str, short_fallback: Path
) -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        assert vendor.refused_credential is not None
        leg = StubLeg(BOTH[capabilities], LoopClock())
        agent = new_agent_from_credential(vendor.refused_credential, options_for(leg))
        report = await attach(agent, leg, fallback=short_fallback)
    assert report.ended_by == "failure"
    assert report.error is not None
    assert leg.heard == pcm(100, 0x0707)
    assert leg.hung_up
    await nothing_left()


@every_dialect
async def test_an_agent_that_dies_in_mid_call_is_apologised_for(
    dialect: str, short_fallback: Path
) -> None:
    async with LoopbackDouble(dialect) as vendor:
        await vendor.hold_reply()
        leg = StubLeg(THEY_PACE, LoopClock())
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        call = asyncio.create_task(attach(agent, leg, greeting="", fallback=short_fallback))
        await until(lambda: bool(leg.heard))
        await vendor.break_connection()
        report = await call
    assert report.ended_by == "failure"
    assert leg.heard.endswith(pcm(100, 0x0707))
    assert leg.hung_up


async def ends_by_tool(name: str, arguments: dict[str, str], leg: StubLeg) -> CallReport:
    control = CallControl(transfer_to={"a person": "100"})
    async with LoopbackDouble("openai_ga") as vendor:
        await vendor.call_tool(name, arguments)
        agent = new_agent_from_credential(
            vendor.credential, options_for(leg, Options(tools=control.tools))
        )
        report = await attach(agent, leg, control=control, greeting="")
        assert len(vendor.tool_answers) == 1
        assert vendor.violations == []
    return report


@both
async def test_the_model_hangs_up_when_its_goodbye_was_heard(capabilities: str) -> None:
    leg = StubLeg(BOTH[capabilities], LoopClock())
    report = await ends_by_tool("hang_up", {}, leg)
    assert report.ended_by == "agent"
    assert leg.hung_up
    assert leg.transferred_to is None
    # All of what was said after the tool's answer.
    assert abs(len(leg.heard) / 16 - report.stats.audio_out_ms) <= 40


async def test_the_model_transfers_when_it_was_heard_out() -> None:
    leg = StubLeg(THEY_PACE, LoopClock())
    report = await ends_by_tool("transfer", {"target": "a person"}, leg)
    assert report.ended_by == "transfer"
    assert leg.transferred_to == "100"


async def test_digits_reach_the_application_in_order() -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg, seen = StubLeg(WE_PACE, LoopClock()), Seen()
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        for digit in "42#":
            leg.say(DigitPressed(digit))
        leg.say(LegClosed("caller"))
        report = await attach(agent, leg, on_event=seen)
    assert seen.of(DigitPressed) == [DigitPressed(digit) for digit in "42#"]
    assert report.digits == "42#"


async def test_a_line_on_which_nothing_comes_is_silence_to_the_vendor() -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg = StubLeg(WE_PACE, LoopClock())
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        call = asyncio.create_task(attach(agent, leg))
        await until(lambda: agent.stats.audio_in_ms >= 300)
        leg.say(LegClosed("caller"))
        report = await call
    assert report.silence_filled_ms >= 300


async def test_cancelling_hangs_up_and_leaves_nothing() -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg = StubLeg(WE_PACE, LoopClock())
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        call = asyncio.create_task(attach(agent, leg))
        await until(lambda: len(leg.given) >= 640)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert leg.hung_up
        assert leg.closed
    await nothing_left()


async def test_what_an_application_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg, seen = StubLeg(WE_PACE, LoopClock()), Seen()

        def fail() -> None:
            leg.say(LegClosed("caller"))
            raise ValueError("mine")

        seen.on[AssistantTurnEnd] = fail
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        report = await attach(agent, leg, greeting="", on_event=seen)
    assert report.ended_by == "caller"
    assert "on_event raised" in caplog.text


async def test_an_application_that_closes_the_agent_ends_the_call_without_an_apology(
    short_fallback: Path,
) -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg = StubLeg(WE_PACE, LoopClock())
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        call = asyncio.create_task(attach(agent, leg, fallback=short_fallback))
        await until(lambda: agent.stats.time_to_session_ms is not None)
        await agent.close()
        report = await call
    assert report.ended_by == "us"
    assert leg.heard == b""


async def test_recording_and_picture_are_left_behind(tmp_path: Path) -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg, seen = StubLeg(WE_PACE, LoopClock()), Seen()
        seen.on[AssistantTurnEnd] = lambda: leg.say(LegClosed("caller"))
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        wav, svg = tmp_path / "call.wav", tmp_path / "call.svg"
        await attach(agent, leg, greeting="", on_event=seen, record=wav, picture=svg)
    with wave.open(str(wav)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE_HZ)
        assert file.getnframes() > 0
    assert svg.read_text(encoding="utf-8").startswith("<svg")


async def test_an_agent_at_other_rates_is_refused_with_the_cure() -> None:
    async with LoopbackDouble("openai_ga") as vendor:
        leg = StubLeg(WE_PACE, LoopClock())
        agent = new_agent_from_credential(vendor.credential, Options())
        with pytest.raises(ConfigError, match="options_for"):
            await attach(agent, leg)
        taken = new_agent_from_credential(
            vendor.credential, options_for(leg, Options(on_event=print, tools=(Tool(name="x"),)))
        )
        with pytest.raises(ConfigError, match="on_event here"):
            await attach(taken, leg)


@pytest.mark.parametrize("what", ["missing", "no_wav", "stereo"])
async def test_a_fallback_that_cannot_be_used_is_told_before_the_call(
    what: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    if what == "no_wav":
        path.write_bytes(b"RIFFnothing")
    elif what == "stereo":
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
    async with LoopbackDouble("openai_ga") as vendor:
        leg = StubLeg(WE_PACE, LoopClock())
        agent = new_agent_from_credential(vendor.credential, options_for(leg))
        with pytest.raises(ConfigError, match="fallback"):
            await attach(agent, leg, fallback=path)
