"""Where things are in a recording."""

from __future__ import annotations

import wave
from array import array
from pathlib import Path

from realtime_core.testing import ManualClock
from realtime_telephony.keepsake import Keepsake
from tests.telephony.kit import RATE_HZ, StubAgent, pcm


async def test_a_standstill_of_ours_is_no_hole_in_the_recording(tmp_path: Path) -> None:
    clock, path = ManualClock(7.0), tmp_path / "call.wav"
    kept = Keepsake(StubAgent(), RATE_HZ, record=path, picture=None, clock=clock)
    await kept.open()
    for _ in range(10):
        clock.advance(0.02)
        kept.caller(pcm(20))
    clock.advance(0.4)
    kept.heard(pcm(400))  # which the leg played meanwhile, from its queue
    for _ in range(20):
        kept.caller(pcm(20))
    await kept.finish()
    with wave.open(str(path)) as file:
        both = array("h", file.readframes(file.getnframes()))
    assert both[0::2].tobytes() == pcm(600)
    assert both[1::2].tobytes() == bytes(len(pcm(200))) + pcm(400)
