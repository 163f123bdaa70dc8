"""What the desk does with the files of a call."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest

from realtime_core import Agent, ConfigError, SessionStats
from realtime_core.clock import LoopClock
from realtime_telephony.call_report import CallReport
from realtime_telephony.desk import Desk
from realtime_telephony.leg import CallLeg
from realtime_telephony.routing import read_routing
from tests.telephony.kit import RATE_HZ, WE_PACE, StubLeg, pcm


@pytest.mark.parametrize("broken", ["record", "fallback"])
async def test_files_that_cannot_be_used_cost_no_more_than_they_must(
    broken: str, tmp_path: Path
) -> None:
    fallback = tmp_path / "sorry.wav"
    with wave.open(str(fallback), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(pcm(20))
    tried: list[tuple[bool, bool, bool]] = []

    async def join(agent: Agent, leg: CallLeg, **files: Any) -> CallReport:
        given = [files[name] is not None for name in ("fallback", "record", "picture")]
        tried.append((given[0], given[1], given[2]))
        if files[broken] is not None:
            raise ConfigError(f"{broken}: cannot be used")
        return CallReport(
            ended_by="caller", detail="", duration_s=1, stats=SessionStats(), digits=""
        )

    routing = read_routing(
        "[server]\n[server.audiosocket]\nport = 0\n"
        '[default]\ncredential = { provider = "openai", apiKey = "sk-test" }\n'
        f"fallback = '{fallback}'\nrecord = '{tmp_path}'\npicture = '{tmp_path}'\n",
        file="calls.toml",
        folder=tmp_path,
    )
    desk = Desk(routing, on_record=lambda record: None, join=join)
    leg = StubLeg(WE_PACE, LoopClock())
    await desk.take(leg)
    assert leg.closed
    expected = [(True, True, True), (True, False, False), (False, False, False)]
    assert tried == expected[: 2 if broken == "record" else 3]
