"""Silence in place of audio that did not come, and none in place of audio that was not read yet."""

from __future__ import annotations

import pytest

from realtime_core.testing import ManualClock
from realtime_telephony.ear import Ear
from tests.telephony.kit import RATE_HZ, StubAgent, pcm


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock(50.0)
        self.agent = StubAgent()
        self.ear = Ear(self.agent, RATE_HZ, self.clock)
        self.ear.is_open = True

    def looks(self, ms: int) -> list[int]:
        """Look every 20 ms, as a tick does."""
        found = []
        for _ in range(ms // 20):
            self.clock.advance(0.0201)
            found.append(self.ear.gap_ms())
        return found


async def test_a_gap_is_one_after_a_tenth_of_a_second() -> None:
    rig = Rig()
    await rig.ear.hear(pcm(20))
    assert rig.looks(120) == [0, 0, 0, 0, 100, 120]
    silence = rig.ear.silence(120)
    await rig.ear.fill(silence)
    assert silence == bytes(2 * 8 * 120)
    assert bytes(rig.agent.pushed) == pcm(20) + silence
    assert rig.looks(100) == [0, 0, 0, 0, 100]
    assert rig.ear.silence_filled_ms == 120


@pytest.mark.parametrize("stall_ms", [60, 150, 400, 3000])
async def test_after_a_standstill_of_ours_what_came_meanwhile_is_read_first(stall_ms: int) -> None:
    rig = Rig()
    rig.looks(80)
    rig.clock.advance(stall_ms / 1000)
    assert rig.ear.gap_ms() == 0
    await rig.ear.hear(pcm(stall_ms))
    assert rig.looks(80) == [0] * 4
    assert bytes(rig.agent.pushed) == pcm(stall_ms)


async def test_after_a_standstill_in_which_nothing_came_there_is_silence_all_the_same() -> None:
    rig = Rig()
    rig.clock.advance(0.3)
    assert rig.ear.gap_ms() == 0
    assert rig.looks(40) == [0, 340]


async def test_a_long_gap_is_filled_in_portions() -> None:
    rig = Rig()
    rig.looks(2000)
    assert rig.ear.gap_ms() == 500


async def test_while_the_agent_takes_nothing_time_is_kept() -> None:
    rig = Rig()
    rig.ear.is_open = False
    await rig.ear.hear(pcm(20))
    assert rig.looks(100) == [0, 0, 0, 0, 100]
    await rig.ear.fill(rig.ear.silence(100))
    assert rig.looks(80) == [0] * 4
    assert (bytes(rig.agent.pushed), rig.ear.silence_filled_ms) == (b"", 0)
