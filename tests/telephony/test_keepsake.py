"""Where things are in a recording, and what happens when the disk hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
from array import array
from pathlib import Path

import pytest

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


PROGRAM = """
import asyncio, sys
from pathlib import Path
from types import SimpleNamespace

from realtime_core import ConfigError, new_agent_from_credential
from realtime_telephony import attach, keepsake, options_for

async def main(stuck):
    leg = SimpleNamespace(sample_rate_hz=8000)
    credential = {"provider": "openai", "apiKey": "sk-test"}
    for given in ("fallback", "record"):
        agent = new_agent_from_credential(credential, options_for(leg))
        # The file that comes with the package does not hang, however slow the machine.
        sys.modules["realtime_telephony.attach"].FALLBACK_LIMIT_S = 0.1 if given == "fallback" else 50
        try:
            await attach(agent, leg, **{given: stuck})
        except ConfigError as error:
            print(error)

keepsake.OPEN_LIMIT_S = 0.1
keepsake.StereoRecording = lambda path, rate_hz: path.open()
asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file whose opening hangs")
def test_a_disk_that_hangs_holds_up_neither_a_call_nor_the_end_of_the_program(
    tmp_path: Path,
) -> None:
    stuck = tmp_path / "stuck"
    os.mkfifo(stuck)  # opening it waits for the other side
    ended = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(stuck)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout.splitlines() == [
        f"fallback: {stuck} could not be read within 0.1 s",
        f"record: {stuck} could not be opened within 0.1 s",
    ], ended.stderr
    assert ended.returncode == 0, ended.stderr
