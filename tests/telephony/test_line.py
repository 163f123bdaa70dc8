"""What goes to the caller, when, and what the agent is told of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_core.events import AssistantTurnEnd
from realtime_core.testing import ManualClock
from realtime_telephony import line
from realtime_telephony.line import FRAME_MS, Line
from tests.telephony.kit import BOTH, THEY_PACE, WE_PACE, StubAgent, StubLeg, pcm, spoken

OVER = AssistantTurnEnd(vendor="stub", response_id="R1")


class Rig:
    """A line that ticks when time is moved."""

    def __init__(self, capabilities: str = "we_pace") -> None:
        self.clock = ManualClock(100.0)
        self.leg = StubLeg(BOTH[capabilities], self.clock)
        self.agent = StubAgent()
        self.heard = bytearray()
        self.line = Line(self.agent, self.leg, self.heard.extend)

    def run(self, ms: int) -> None:
        for _ in range(ms // FRAME_MS):
            self.line.tick()
            self.clock.advance(FRAME_MS / 1000)

    @property
    def finals(self) -> list[tuple[str, int]]:
        return [(item, ms) for item, ms, final in self.agent.reports if final]


both = pytest.mark.parametrize("capabilities", BOTH)


def test_a_leg_that_we_pace_gets_a_frame_each_tick_and_silence_where_there_is_none() -> None:
    rig = Rig()
    rig.line.feed(spoken(50))
    rig.line.feed(OVER)
    rig.run(100)
    assert rig.leg.pieces == [20] * 5
    assert bytes(rig.leg.given) == pcm(50) + bytes(2 * 8 * 50)


def test_a_leg_with_a_clock_is_kept_as_far_ahead_as_it_wants_and_gets_no_silence() -> None:
    rig = Rig("they_pace")
    rig.line.feed(spoken(1000))
    rig.line.feed(OVER)
    rig.run(20)
    assert sum(rig.leg.pieces) == THEY_PACE.ahead_ms
    rig.run(500)
    assert sum(rig.leg.pieces) == THEY_PACE.ahead_ms + 500
    rig.run(1000)
    assert bytes(rig.leg.given) == pcm(1000)


def test_a_leg_with_a_clock_is_topped_up_in_large_pieces() -> None:
    rig = Rig("they_pace")
    for _ in range(100):
        rig.line.feed(spoken(20))
    rig.run(1800)
    assert set(rig.leg.pieces) == {100}
    assert sum(rig.leg.pieces) >= 1800 + THEY_PACE.ahead_ms - 100


def test_a_leg_with_a_clock_gets_a_slow_reply_as_it_comes() -> None:
    rig = Rig("they_pace")
    for _ in range(20):
        rig.line.feed(spoken(20))
        rig.run(20)
    assert rig.leg.pieces == [20] * 20


def test_a_tick_costs_the_same_however_much_waits() -> None:
    class CountedDeque(deque[Any]):
        walked = 0

        def __iter__(self) -> Iterator[Any]:
            CountedDeque.walked += 1
            return super().__iter__()

    rig = Rig("they_pace")
    rig.line._waiting = CountedDeque()
    for _ in range(3000):
        rig.line.feed(spoken(20))
    rig.run(200)
    assert CountedDeque.walked == 0


def test_a_frame_that_is_not_full_yet_waits_for_the_rest_of_it() -> None:
    rig = Rig()
    rig.line.feed(spoken(30))
    rig.run(60)
    rig.line.feed(spoken(30))
    rig.line.feed(OVER)
    rig.run(60)
    assert bytes(rig.leg.given) == pcm(20) + bytes(2 * 8 * 40) + pcm(40) + bytes(2 * 8 * 20)


def test_a_leg_with_a_clock_gets_no_splinters_in_mid_reply() -> None:
    rig = Rig("they_pace")
    rig.line.feed(spoken(7))
    rig.run(20)
    assert rig.leg.pieces == []
    rig.line.feed(spoken(30))
    rig.line.feed(OVER)
    rig.run(40)
    assert rig.leg.pieces == [37]


@both
def test_an_item_heard_to_its_end_is_reported_once_as_final(capabilities: str) -> None:
    rig = Rig(capabilities)
    rig.line.feed(spoken(300))
    rig.line.feed(OVER)
    rig.run(1000)
    assert rig.finals == [("A1", 300)]
    assert rig.line.is_silent
    progress = [ms for _, ms, final in rig.agent.reports if not final]
    assert progress == sorted(set(progress))
    assert progress


@both
async def test_a_cut_stops_at_once_and_says_what_was_heard(capabilities: str) -> None:
    rig = Rig(capabilities)
    rig.line.feed(spoken(1000))
    rig.run(100)
    rig.agent.tell_cut()
    heard_then = len(rig.leg.given)
    await rig.line.stop()
    assert rig.finals == [("A1", 100)]
    assert len(rig.leg.given) <= heard_then
    rig.run(200)
    assert rig.leg.heard == pcm(100)
    assert rig.line.is_silent


@both
async def test_items_of_a_cut_reply_are_told_apart(capabilities: str) -> None:
    rig = Rig(capabilities)
    rig.line.feed(spoken(60, "A1"))
    rig.line.feed(spoken(60, "A2"))
    rig.line.feed(spoken(60, "A3"))
    rig.run(80)
    rig.agent.tell_cut()
    await rig.line.stop()
    assert dict(rig.finals) == {"A1": 60, "A2": 20, "A3": 0}


@both
async def test_a_reply_after_a_cut_is_heard_whole_and_counted_from_its_own_begin(
    capabilities: str,
) -> None:
    rig = Rig(capabilities)
    rig.line.feed(spoken(1000))
    rig.run(100)
    rig.agent.tell_cut()
    await asyncio.sleep(0)  # the leg is asked
    rig.line.feed(spoken(200, "B1", "R2"))
    rig.line.feed(OVER)
    rig.run(40)  # the cut is being settled: nothing new goes out before it is
    await rig.line.stop()
    rig.run(600)
    assert rig.finals == [("A1", 100), ("B1", 200)]


async def test_a_second_cut_while_the_first_is_settled_loses_nothing() -> None:
    rig = Rig("they_pace")
    rig.line.feed(spoken(1000))
    rig.run(100)
    rig.agent.tell_cut()
    rig.line.feed(spoken(200, "B1", "R2"))
    rig.agent.tell_cut()
    await rig.line.stop()
    assert dict(rig.finals) == {"A1": 100, "B1": 0}


@both
async def test_audio_that_was_fetched_before_a_cut_and_comes_after_it_is_stale(
    capabilities: str,
) -> None:
    rig = Rig(capabilities)
    rig.line.feed(spoken(1000))
    rig.run(100)
    rig.agent.tell_cut("R1")
    rig.line.feed(spoken(40))
    rig.line.feed(spoken(40, "A2"))
    await rig.line.stop()
    rig.line.feed(spoken(40))
    rig.run(200)
    assert rig.leg.heard == pcm(100)
    # Reported at once for an item of which nothing was said, and with the rest for one that was being heard.
    assert rig.finals == [("A2", 0), ("A1", 100)]


async def test_a_flush_that_fails_keeps_nothing_from_the_agent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig("they_pace")
    rig.line.feed(spoken(1000))
    rig.run(100)

    async def fail() -> int:
        raise ValueError("a bug")

    rig.leg.flush = fail  # type: ignore[method-assign]
    rig.agent.tell_cut()
    await rig.line.stop()
    assert rig.finals == [("A1", 100)]
    assert "the flush failed" in caplog.text


@both
def test_what_the_leg_played_before_does_not_count(capabilities: str) -> None:
    rig = Rig(capabilities)
    rig.leg.play(pcm(300))
    rig.clock.advance(0.3)
    rig.line = Line(rig.agent, rig.leg)
    rig.line.feed(spoken(200))
    rig.run(100)
    assert rig.agent.reports[-1][1] <= 100
    assert not rig.line.is_silent


def test_what_waits_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(line, "MAX_WAITING_S", 1)
    rig = Rig()
    for _ in range(3):
        rig.line.feed(spoken(600))
    assert rig.line.dropped_bytes == 2 * len(pcm(600))
    assert caplog.text.count("too far") == 1
    rig.line.feed(OVER)
    rig.run(1000)
    assert rig.finals == [("A1", 600)]
    rig.line.feed(spoken(600, "B1", "R2"))
    rig.run(100)
    assert rig.leg.heard.endswith(pcm(100))


async def test_a_cut_with_nothing_to_hear_is_nothing() -> None:
    rig = Rig("they_pace")
    rig.agent.tell_cut()
    await rig.line.stop()
    assert rig.agent.reports == []


@both
async def test_what_is_recorded_is_what_was_heard(capabilities: str) -> None:
    rig = Rig(capabilities)
    rig.line.feed(spoken(1000))
    rig.run(100)
    rig.agent.tell_cut()
    await rig.line.stop()
    rig.run(100)
    assert bytes(rig.heard).strip(b"\0") == pcm(100)


def test_a_stall_in_mid_item_does_not_count_as_heard() -> None:
    rig = Rig()
    rig.line.feed(spoken(40))
    rig.run(100)
    rig.line.feed(spoken(40))
    rig.line.feed(OVER)
    rig.run(200)
    assert rig.finals == [("A1", 80)]
    assert WE_PACE.needs_silence
