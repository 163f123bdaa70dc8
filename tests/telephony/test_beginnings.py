"""What goes wrong before a call has begun, or with the files it leaves."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from realtime_core import (
    AgentClosedError,
    ConfigError,
    ErrorEvent,
    Options,
    SessionLostError,
)
from realtime_core.clock import LoopClock
from realtime_core.recording import StereoRecording
from realtime_core.timeline import Timeline
from realtime_telephony import CallControl, attach, bridge, keepsake
from realtime_telephony.fallback import fallback_audio
from realtime_telephony.leg import CallerAudio, LegClosed
from tests.telephony.kit import RATE_HZ, THEY_PACE, WE_PACE, StubLeg, pcm, spoken, until
from tests.telephony.test_mishaps import LiveAgent, nothing_left


def wav(path: Path, audio: bytes, rate_hz: int = RATE_HZ) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(audio)
    return path


# The first moments


async def test_what_the_caller_said_before_the_agent_was_there_is_not_lost() -> None:
    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    leg.says(pcm(400))
    leg.say(LegClosed("caller"))
    await attach(agent, leg)
    assert bytes(agent.pushed).startswith(pcm(400))


async def test_an_agent_that_waits_for_its_vendor_is_refused() -> None:
    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    agent.options = Options(input_sample_rate=RATE_HZ, output_sample_rate=RATE_HZ, when_full="wait")
    with pytest.raises(ConfigError, match="drop_oldest"):
        await attach(agent, leg)


async def test_a_control_is_in_one_call_at_a_time() -> None:
    control = CallControl()
    leg, other = StubLeg(WE_PACE, LoopClock()), StubLeg(WE_PACE, LoopClock())
    agent = LiveAgent()
    call = asyncio.create_task(attach(agent, leg, control=control))
    await agent.started.wait()
    with pytest.raises(ConfigError, match="one for each call"):
        await attach(LiveAgent(), other, control=control)
    assert not other.hung_up
    leg.say(LegClosed("caller"))
    await call
    (hang_up,) = control.tools
    assert hang_up.handler is not None
    assert await hang_up.handler("hang_up", {}) == "There is no call to end."  # type: ignore[misc]
    other.say(LegClosed("caller"))
    assert (await attach(LiveAgent(), other, control=control)).ended_by == "caller"


@pytest.mark.parametrize("shared", ["agent", "leg"])
async def test_an_agent_and_a_leg_are_in_one_call_at_a_time(shared: str) -> None:
    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    call = asyncio.create_task(attach(agent, leg))
    await agent.started.wait()
    other_leg = leg if shared == "leg" else StubLeg(WE_PACE, LoopClock())
    other_agent = agent if shared == "agent" else LiveAgent()
    with pytest.raises(ConfigError, match=f"this {shared} is in another call"):
        await attach(other_agent, other_leg)
    assert not agent.closed
    assert not leg.hung_up
    leg.say(LegClosed("caller"))
    assert (await call).ended_by == "caller"
    leg.say(LegClosed("caller"))
    await attach(agent, leg)  # neither is in a call any more


@pytest.mark.parametrize("turns", range(1, 12))
async def test_cancelling_at_any_moment_hangs_up(turns: int, tmp_path: Path) -> None:
    leg, agent = StubLeg(THEY_PACE, LoopClock()), LiveAgent()
    call = asyncio.create_task(attach(agent, leg, record=tmp_path / "call.wav"))
    for _ in range(turns):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert leg.hung_up
    assert leg.closed
    assert agent.closed
    await nothing_left()


async def test_an_agent_that_was_over_before_it_could_greet_tells_why_itself() -> None:
    class Short(LiveAgent):
        async def create_response(self, instructions: str | None = None) -> None:
            raise AgentClosedError("create_response: the session is over")

    leg, agent = StubLeg(THEY_PACE, LoopClock()), Short()
    agent.say(
        ErrorEvent(vendor="stub", error=SessionLostError("no credit is left"), fatal=True),
    )

    report = await attach(
        agent, leg, greeting="", on_event=lambda event: leg.say(LegClosed("caller"))
    )
    assert report.error == "no credit is left"


async def test_an_agent_that_never_starts_ends_in_an_apology(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "START_GRACE_S", 0.01)
    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    agent.options = evolve(agent.options, start_timeout_s=0.01)
    agent.start = lambda: until(lambda: False)  # type: ignore[method-assign]
    async with asyncio.timeout(30):
        report = await attach(agent, leg, fallback=wav(tmp_path / "sorry.wav", pcm(100)))
    assert report.ended_by == "failure"
    assert report.error == "the agent did not start within 0.02 s"
    assert leg.heard == pcm(100)
    assert leg.hung_up


async def test_an_agent_that_is_closed_while_it_starts_ends_the_call_without_an_apology(
    tmp_path: Path,
) -> None:
    async def closed() -> None:
        await asyncio.sleep(0)
        raise AgentClosedError("start: the agent was closed while it was starting")

    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    agent.start = closed  # type: ignore[method-assign]
    report = await attach(agent, leg, fallback=wav(tmp_path / "sorry.wav", pcm(100)))
    assert (report.ended_by, report.detail) == ("us", "the application closed the agent")
    assert report.error is None
    assert leg.heard == b""
    assert leg.hung_up


async def test_an_agent_that_was_used_before_ends_in_an_apology(tmp_path: Path) -> None:
    async def used() -> None:
        raise AgentClosedError("start: the agent was closed; make a new one")

    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    agent.start = used  # type: ignore[method-assign]
    report = await attach(agent, leg, fallback=wav(tmp_path / "sorry.wav", pcm(100)))
    assert report.ended_by == "failure"
    assert report.error == "start: the agent was closed; make a new one"
    assert leg.heard == pcm(100)


async def test_an_agent_that_cannot_be_stopped_holds_no_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bridge, "CLOSE_LIMIT_S", 0.5)
    may_end = asyncio.Event()

    class Stubborn(LiveAgent):
        async def start(self) -> None:
            try:
                await until(lambda: False)
            finally:
                await may_end.wait()

    leg, agent = StubLeg(THEY_PACE, LoopClock()), Stubborn()
    leg.say(LegClosed("caller"))
    assert (await attach(agent, leg)).ended_by == "caller"
    assert leg.hung_up
    may_end.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)


# The fallback's file


def test_a_fallback_that_was_cut_off_keeps_whole_samples(tmp_path: Path) -> None:
    path = wav(tmp_path / "sorry.wav", pcm(100))
    path.write_bytes(path.read_bytes()[:-1])
    assert fallback_audio(path, RATE_HZ) == pcm(100)[:-2]
    assert len(fallback_audio(path, 16_000)) % 2 == 0


@pytest.mark.parametrize(
    ("audio", "rate_hz", "told"),
    [(b"", 8000, "no audio"), (pcm(20), 400, "expected a rate"), (pcm(20), 4_000_000, "rate")],
)
def test_a_fallback_that_says_nothing_is_refused(
    audio: bytes, rate_hz: int, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=told):
        fallback_audio(wav(tmp_path / "sorry.wav", audio, rate_hz), RATE_HZ)


def test_whatever_stands_in_a_fallback_is_audio_or_a_config_error(tmp_path: Path) -> None:
    path = wav(tmp_path / "sorry.wav", pcm(20))
    whole, dice = path.read_bytes(), random.Random(5)
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(48)] = dice.randrange(256)
        path.write_bytes(data[: dice.randint(0, 2 * len(data))])
        with suppress(ConfigError):
            assert len(fallback_audio(path, RATE_HZ)) % 2 == 0


# What a call leaves


async def recorded(leg: StubLeg, path: Path) -> None:
    call = asyncio.create_task(attach(LiveAgent(), leg, record=path))
    for _ in range(100):
        leg.say(CallerAudio(pcm(20)))
    await until(lambda: len(leg.given) > 3200)
    leg.say(LegClosed("caller"))
    assert (await call).ended_by == "caller"


async def test_a_disk_that_fills_up_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[bool] = []

    class Full(StereoRecording):  # type: ignore[misc]
        def caller(self, pcm: bytes, t_ms: float | None = None) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            closed.append(True)
            super().close()

    monkeypatch.setattr(keepsake, "StereoRecording", Full)
    await recorded(StubLeg(WE_PACE, LoopClock()), tmp_path / "call.wav")
    assert closed == [True]
    assert caplog.text.count("No space left") == 1


async def test_a_bug_in_the_picture_costs_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(timeline: object) -> str:
        raise KeyError("a bug")

    monkeypatch.setattr(keepsake, "draw", fail)
    leg = StubLeg(WE_PACE, LoopClock())
    leg.say(LegClosed("caller"))
    report = await attach(LiveAgent(), leg, picture=tmp_path / "call.svg")
    assert report.ended_by == "caller"
    assert "the picture could not be written" in caplog.text


async def test_a_bug_in_what_the_picture_is_drawn_from_costs_the_picture_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a bug")

    for what in ("caller", "heard", "take"):
        monkeypatch.setattr(Timeline, what, fail)
    leg, agent = StubLeg(WE_PACE, LoopClock()), LiveAgent()
    call = asyncio.create_task(attach(agent, leg, picture=tmp_path / "call.svg"))
    agent.say(spoken(100))
    leg.says(pcm(40))
    await until(lambda: bytes(leg.given).count(pcm(20)) >= 5)
    leg.say(LegClosed("caller"))
    assert (await call).ended_by == "caller"
    assert caplog.text.count("the picture could not be written") == 1
    assert not (tmp_path / "call.svg").exists()


async def test_a_disk_that_hangs_is_not_waited_for_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keepsake, "FINISH_LIMIT_S", 0.02)
    may_go_on = threading.Event()

    def hang(timeline: Any) -> str:
        may_go_on.wait(10)
        return "<svg/>"

    monkeypatch.setattr(keepsake, "draw", hang)
    leg = StubLeg(WE_PACE, LoopClock())
    leg.say(LegClosed("caller"))
    try:
        assert (await attach(LiveAgent(), leg, picture=tmp_path / "x.svg")).ended_by == "caller"
        assert "the disk is too slow" in caplog.text
    finally:
        may_go_on.set()
    await until(lambda: (tmp_path / "x.svg").exists())


async def test_a_disk_that_is_too_slow_ends_the_recording_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keepsake, "_MOST_UNWRITTEN", 2)

    class Slow(StereoRecording):  # type: ignore[misc]
        def caller(self, pcm: bytes, t_ms: float | None = None) -> None:
            for _ in range(3000):  # in the writer's thread: slower than whatever gives it work
                if "too slow for the recording" in caplog.text:
                    break
                time.sleep(0.01)
            super().caller(pcm, t_ms)

    monkeypatch.setattr(keepsake, "StereoRecording", Slow)
    await recorded(StubLeg(WE_PACE, LoopClock()), tmp_path / "call.wav")
    assert caplog.text.count("too slow for the recording") == 1
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert file.getframerate() == RATE_HZ
