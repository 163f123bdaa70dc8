"""
What every call leg does, whatever carries it: one suite, over the real listeners and handlers, against the fake of each peer.

Time is the loop's: the peers play at the pace of speech. Nothing is slept for; what is awaited has a limit.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from array import array
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime_telephony import asterisk_leg, audiosocket_frames, media_frames
from realtime_telephony.leg import CallerAudio, CallLeg, DigitPressed, LegClosed, LegEvent
from realtime_telephony.pacer import Pacer
from tests.telephony.callers import CALLERS, Caller
from tests.telephony.fakes.media import eventually
from tests.telephony.stalls import stalls_watched

LIMIT_S = 30.0
FRAME_MS = 20
# Timers, and the peer's own frame.
SLACK_MS = 40


@pytest.fixture(params=CALLERS)
def caller(request: pytest.FixtureRequest) -> Caller:
    return CALLERS[request.param]()


def sockets() -> set[str]:
    """Give the sockets that are open, where the system tells."""
    here = Path("/proc/self/fd")
    found: set[str] = set()
    if here.is_dir():
        for entry in os.listdir(here):
            try:
                target = os.readlink(here / entry)
            except OSError:
                continue
            if target.startswith("socket:"):
                found.add(target)
    return found


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task or a socket behind."""
    tasks, open_before = asyncio.all_tasks(), await asyncio.to_thread(sockets)
    yield

    def left() -> set[asyncio.Task[object]]:
        return asyncio.all_tasks() - tasks - {asyncio.current_task()}

    await eventually(lambda: not left())
    for _ in range(3000):
        if not await asyncio.to_thread(sockets) - open_before:
            return
        await asyncio.sleep(0.01)
    pytest.fail("a socket was left")


@asynccontextmanager
async def in_call(caller: Caller) -> AsyncIterator[CallLeg]:
    """Give the leg of a call; the listener closes it in the end."""
    legs: asyncio.Queue[CallLeg] = asyncio.Queue()
    over = asyncio.Event()

    async def hold(leg: CallLeg) -> None:
        legs.put_nowait(leg)
        await over.wait()

    async with caller.dial(hold):
        try:
            async with asyncio.timeout(LIMIT_S):
                leg = await legs.get()
            yield leg
        finally:
            over.set()


def noise(ms: int, rate_hz: int, seed: int = 1) -> bytes:
    """Sound no piece of which is like another, and none of which is silence."""
    dice = random.Random(seed)
    samples = (dice.choice((-1, 1)) * dice.randint(500, 20_000) for _ in range(rate_hz * ms // 1000))  # fmt: skip
    return array("h", samples).tobytes()


class Speaker:
    """Plays as the bridge does: frame by frame where we own the pace, all at once elsewhere."""

    def __init__(self, caller: Caller, leg: CallLeg) -> None:
        self._caller = caller
        self._leg = leg
        self._pacer: Pacer | None = None
        self.began = 0.0

    def play(self, pcm: bytes) -> None:
        self.began = asyncio.get_running_loop().time()
        frames = iter(self._caller.frames(pcm))
        if self._leg.capabilities.owns_clock:
            for frame in frames:
                self._leg.play(frame)
            return

        def tick() -> None:
            frame = next(frames, None)
            if frame is None:
                self.stop()
            else:
                self._leg.play(frame)

        self._pacer = Pacer(tick, ahead_ms=self._leg.capabilities.ahead_ms)
        self._pacer.start()

    def stop(self) -> None:
        """What a cut does first."""
        if self._pacer is not None:
            self._pacer.stop()

    async def done(self) -> None:
        if self._pacer is not None:
            pacer = self._pacer
            await eventually(lambda: not pacer.running)

    @property
    def ms(self) -> float:
        """Time since it began."""
        return (asyncio.get_running_loop().time() - self.began) * 1000


async def all_events(leg: CallLeg) -> list[LegEvent]:
    """Read to the end of the call."""
    found: list[LegEvent] = []
    async with asyncio.timeout(LIMIT_S):
        while not found or not isinstance(found[-1], LegClosed):
            found.append(await leg.receive())
    return found


async def end_of(leg: CallLeg) -> LegClosed:
    end = (await all_events(leg))[-1]
    assert isinstance(end, LegClosed)
    return end


# What is known of a call


async def test_the_call_is_known(caller: Caller) -> None:
    expected = caller.expected
    async with in_call(caller) as leg:
        assert leg.info.leg == expected.leg
        assert leg.info.call_id == caller.call_id
        assert (leg.info.dialled, leg.info.caller) == (expected.dialled, expected.caller)
        assert expected.parameters.items() <= leg.info.parameters.items()
        assert (leg.sample_rate_hz, leg.codec) == (expected.rate_hz, expected.codec)
        can = leg.capabilities
        assert can.dtmf
        assert can.hang_up
        assert can.needs_silence != can.owns_clock == can.flush == can.marks


# Audio and digits


async def test_what_the_caller_says_arrives_as_it_was(caller: Caller) -> None:
    said = noise(400, caller.expected.rate_hz)
    expected = caller.lead_in + caller.carried(said)
    heard = b""
    async with in_call(caller) as leg:
        await caller.say(said)
        async with asyncio.timeout(LIMIT_S):
            while len(heard) < len(expected):
                event = await leg.receive()
                assert isinstance(event, CallerAudio)
                heard += event.pcm
    assert heard == expected


async def test_what_we_play_is_heard_as_it_was(caller: Caller) -> None:
    played = noise(300, caller.expected.rate_hz)
    async with in_call(caller) as leg:
        speaker = Speaker(caller, leg)
        speaker.play(played)
        await speaker.done()
        assert await leg.drained(LIMIT_S)
        await eventually(lambda: len(caller.heard) >= len(played))
        assert caller.heard == caller.carried(played)
        assert leg.played_samples() == len(played) // 2


async def test_the_position_never_falls_and_never_runs_ahead(caller: Caller) -> None:
    played = noise(300, caller.expected.rate_hz)
    async with stalls_watched() as stalls, in_call(caller) as leg:
        speaker = Speaker(caller, leg)
        speaker.play(played)
        told: list[int] = []
        while not told or told[-1] < len(played) // 2:
            told.append(leg.played_samples())
            limit_ms = speaker.ms + SLACK_MS + leg.capabilities.ahead_ms * (not leg.capabilities.flush)  # fmt: skip
            assert told[-1] * 1000 / leg.sample_rate_hz <= limit_ms + stalls.total_ms
            assert speaker.ms < 1000 * LIMIT_S
            await asyncio.sleep(0.005)
        assert told == sorted(told)


async def test_digits_arrive_once_a_press_and_in_their_place(caller: Caller) -> None:
    rate = caller.expected.rate_hz
    async with in_call(caller) as leg:
        await caller.say(noise(40, rate))
        for digit in "42#":
            await caller.press(digit)
        await caller.say(noise(40, rate, seed=2))
        await caller.press("*")
        await caller.hang_up()
        events = await all_events(leg)
    assert [each.digit for each in events if isinstance(each, DigitPressed)] == ["4", "2", "#", "*"]
    first = events.index(DigitPressed("4"))
    before = b"".join(each.pcm for each in events[:first] if isinstance(each, CallerAudio))
    assert before == caller.lead_in + caller.carried(noise(40, rate))


async def test_digits_arrive_while_we_speak(caller: Caller) -> None:
    played = noise(300, caller.expected.rate_hz)
    async with in_call(caller) as leg:
        speaker = Speaker(caller, leg)
        speaker.play(played)
        await caller.press("7")
        async with asyncio.timeout(LIMIT_S):
            while not isinstance(event := await leg.receive(), DigitPressed):
                pass
        assert event == DigitPressed("7")
        await speaker.done()
        assert await leg.drained(LIMIT_S)
        await eventually(lambda: caller.heard == caller.carried(played))


# Taking back


async def test_a_flush_is_heard_at_once_and_its_count_is_true(caller: Caller) -> None:
    rate = caller.expected.rate_hz
    first, second = noise(900, rate), noise(200, rate, seed=2)
    async with stalls_watched() as stalls, in_call(caller) as leg:
        speaker = Speaker(caller, leg)
        speaker.play(first)
        await eventually(lambda: len(caller.heard) >= 2 * rate * 200 // 1000)
        speaker.stop()
        flushed_at_ms = speaker.ms
        played = await leg.flush()
        assert speaker.ms - flushed_at_ms < 100 + SLACK_MS + stalls.total_ms
        assert leg.played_samples() == played
        speaker.play(second)
        await speaker.done()
        assert await leg.drained(LIMIT_S)
        expected = caller.carried(second)
        await eventually(lambda: caller.heard.endswith(expected))
        assert leg.played_samples() == played + len(second) // 2
        heard = caller.heard[: -len(expected)]
    # What was heard is the beginning of the first, nothing else, and no more of it than its time and our lead.
    assert heard == caller.carried(first)[: len(heard)]
    ahead_ms = 0 if leg.capabilities.flush else leg.capabilities.ahead_ms
    assert len(heard) * 500 / rate <= flushed_at_ms + ahead_ms + SLACK_MS + stalls.total_ms
    error_ms = abs(len(heard) * 500 / rate - played * 1000 / rate)
    assert error_ms <= FRAME_MS + ahead_ms + stalls.total_ms


async def test_a_second_flush_at_once_changes_nothing(caller: Caller) -> None:
    rate = caller.expected.rate_hz
    async with stalls_watched() as stalls, in_call(caller) as leg:
        speaker = Speaker(caller, leg)
        speaker.play(noise(900, rate))
        await eventually(lambda: len(caller.heard) >= 2 * rate * 200 // 1000)
        speaker.stop()
        played, again = await asyncio.gather(leg.flush(), leg.flush())
        assert again == leg.played_samples()
        assert abs(again - played) * 1000 / rate <= FRAME_MS + stalls.total_ms
        ahead_ms = 0 if leg.capabilities.flush else leg.capabilities.ahead_ms
        error_ms = abs(len(caller.heard) // 2 - again) * 1000 / rate
        assert error_ms <= FRAME_MS + ahead_ms + stalls.total_ms
        second = noise(100, rate, seed=2)
        speaker.play(second)
        await speaker.done()
        assert await leg.drained(LIMIT_S)
        await eventually(lambda: caller.heard.endswith(caller.carried(second)))


async def test_a_flush_of_nothing_is_nothing(caller: Caller) -> None:
    async with in_call(caller) as leg:
        assert await leg.flush() == 0
        played = noise(100, caller.expected.rate_hz)
        speaker = Speaker(caller, leg)
        speaker.play(played)
        await speaker.done()
        assert await leg.drained(LIMIT_S)
        await eventually(lambda: caller.heard == caller.carried(played))


# Waiting for the end of what was played


async def test_what_was_never_played_has_drained(caller: Caller) -> None:
    async with in_call(caller) as leg:
        assert await leg.drained(LIMIT_S)


async def test_a_wait_that_is_too_short_says_so(caller: Caller) -> None:
    async with in_call(caller) as leg:
        for frame in caller.frames(noise(1500, caller.expected.rate_hz)):
            leg.play(frame)
        assert not await leg.drained(0.05)
        assert await leg.drained(LIMIT_S)


async def test_what_is_played_meanwhile_does_not_lengthen_the_wait(caller: Caller) -> None:
    rate = caller.expected.rate_hz
    async with in_call(caller) as leg:
        speaker = Speaker(caller, leg)
        for frame in caller.frames(noise(100, rate)):
            leg.play(frame)
        drained = asyncio.create_task(leg.drained(LIMIT_S))
        await asyncio.sleep(0)
        speaker.play(noise(300, rate, seed=2))
        assert await drained
        await speaker.done()


async def test_what_was_flushed_has_not_drained(caller: Caller) -> None:
    async with in_call(caller) as leg:
        if not leg.capabilities.flush:
            pytest.skip("what was given is heard, flush or not")
        for frame in caller.frames(noise(5000, caller.expected.rate_hz)):
            leg.play(frame)
        drained = asyncio.create_task(leg.drained(LIMIT_S))
        await asyncio.sleep(0)
        await leg.flush()
        assert not await drained


async def test_what_is_waited_for_at_the_end_of_the_call_has_not_drained(caller: Caller) -> None:
    async with in_call(caller) as leg:
        for frame in caller.frames(noise(5000, caller.expected.rate_hz)):
            leg.play(frame)
        drained = asyncio.create_task(leg.drained(LIMIT_S))
        await asyncio.sleep(0)
        await caller.hang_up()
        assert not await drained
        assert not await leg.drained(LIMIT_S)


# The end


async def test_hanging_up_ends_the_call_at_the_peer(caller: Caller) -> None:
    async with in_call(caller) as leg:
        for frame in caller.frames(noise(600, caller.expected.rate_hz)):
            leg.play(frame)
        async with asyncio.timeout(LIMIT_S):
            await asyncio.gather(leg.hang_up(), leg.hang_up())
        assert (await end_of(leg)).reason == "us"
        await eventually(lambda: caller.is_over)
        await leg.hang_up()


@pytest.mark.parametrize("how", ["hang_up", "drop", "misbehave", "close"])
async def test_every_end_is_told_once_with_its_cause(caller: Caller, how: str) -> None:
    reasons = {
        "hang_up": "caller",
        "drop": caller.expected.dropped,
        "misbehave": "protocol",
        "close": "us",
    }
    async with in_call(caller) as leg:
        for frame in caller.frames(noise(600, caller.expected.rate_hz)):
            leg.play(frame)
        await (leg.close() if how == "close" else getattr(caller, how)())
        events = await all_events(leg)
        assert [each for each in events if isinstance(each, LegClosed)] == events[-1:]
        end = events[-1]
        assert isinstance(end, LegClosed)
        assert end.reason == reasons[how], end
        # All commands are harmless now.
        leg.play(noise(20, caller.expected.rate_hz))
        at = leg.played_samples()
        assert await leg.flush() >= at
        assert not await leg.drained(LIMIT_S)
        await leg.hang_up()
        await leg.close()
        await leg.close()


async def test_a_message_nobody_knows_changes_nothing(caller: Caller) -> None:
    said = noise(40, caller.expected.rate_hz)
    async with in_call(caller) as leg:
        await caller.mumble()
        await caller.say(said)
        await caller.hang_up()
        events = await all_events(leg)
    heard = b"".join(each.pcm for each in events if isinstance(each, CallerAudio))
    assert heard == caller.lead_in + caller.carried(said)
    assert events[-1] == LegClosed("caller", events[-1].detail)  # type: ignore[union-attr]


async def test_a_bug_of_ours_in_reading_ends_the_call(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("a bug")

    async with in_call(caller) as leg:
        monkeypatch.setattr(asterisk_leg, "parse_event", fail)
        monkeypatch.setattr(media_frames.MediaFrames, "read", fail)
        monkeypatch.setattr(audiosocket_frames.AudioSocketDecoder, "feed", fail)
        await caller.press("1")
        assert (await end_of(leg)).reason in ("protocol", "network")
    assert "a bug" in caplog.text


async def test_a_wait_for_an_event_that_was_given_up_loses_none(caller: Caller) -> None:
    async with in_call(caller) as leg:
        if caller.lead_in:
            await leg.receive()
        waiting = asyncio.create_task(leg.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await caller.press("5")
        async with asyncio.timeout(LIMIT_S):
            assert await leg.receive() == DigitPressed("5")


async def test_a_call_begins_while_the_loops_threads_are_all_busy(caller: Caller) -> None:
    # As when the names of vendors are looked up in vain: aiohttp has that done by the same threads.
    busy, threads = threading.Event(), ThreadPoolExecutor(1)
    asyncio.get_running_loop().set_default_executor(threads)
    threads.submit(busy.wait, 10)
    begun = asyncio.Event()

    async def on_call(leg: CallLeg) -> None:
        begun.set()

    try:
        async with caller.dial(on_call), asyncio.timeout(LIMIT_S):
            await begun.wait()
    finally:
        busy.set()
