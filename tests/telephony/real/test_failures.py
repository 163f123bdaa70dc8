from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from realtime_core import AssistantAudio
from realtime_core.testing import LoopbackVendor, Scenario
from realtime_core.testing.loopback import Reply, Speech
from tests.local.sounds import needs_flite
from tests.telephony.fakes.media import eventually
from tests.telephony.real.agents import Answering
from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.calls import MADE, Calls, servers
from tests.telephony.real.capture import Capture
from tests.telephony.real.parts import Parts
from tests.telephony.real.programs import Program, wait_until
from tests.telephony.real.sound import Sound, chirp, silence, write_wav
from tests.telephony.real.speech import AUDIBLE, loudness, share_of

LEGS = ("ws-slin16", "audiosocket-slin16", "audiosocket")
MOST = 0.7
LONG = Scenario(replies=(Reply(parts=(Speech(ms=20_000, transcript="A very long answer."),)),))
PROGRAM = (
    "import sys; from realtime_core.cli.commands import realtime; "
    "from realtime_telephony.serve import serve_calls; realtime.add_command(serve_calls); "
    "sys.exit(realtime.main(prog_name='realtime', standalone_mode=False) or 0)"
)  # what the console script does, the wheel installed or not
ROUTING = """
[server]
drain_s = 5
[server.audiosocket]
port = {audiosocket}
[server.http]
port = {http}
[default]
credential = {{ provider = "local" }}
greeting = true
"""


def sorry() -> Sound:
    return np.concatenate([silence(0.2, 8000), chirp(1.0, 8000, high_hz=2500), silence(0.2, 8000)])


@pytest.mark.parametrize("extension", LEGS)
async def test_a_caller_who_hangs_up_in_mid_reply_ends_the_session(
    calls: Calls, extension: str
) -> None:
    async with LoopbackVendor(scenario=LONG) as vendor:
        answering = Answering(vendor.credential("openai_ga"), greeting="")
        calls.program = answering
        async with calls.phone() as phone:
            await phone.dial(calls.asterisk.uri(extension))
            await answering.wait_for(AssistantAudio)
            await asyncio.sleep(0.5)
            await phone.hang_up()
            report = await answering.report()
        (session,) = vendor.sessions
        async with asyncio.timeout(5):
            await session.closed.wait()
    assert (report.ended_by, report.error) == ("caller", None)
    assert session.closed_by == "client"
    assert calls.asterisk.is_idle()


@pytest.mark.parametrize("extension", LEGS)
async def test_when_the_agent_dies_the_caller_hears_the_fallback_and_is_hung_up(
    calls: Calls, capture: Capture, tmp_path: Path, extension: str
) -> None:
    fallback = write_wav(tmp_path / "sorry.wav", sorry())
    async with LoopbackVendor(scenario=LONG) as vendor:
        answering = Answering(vendor.credential("openai_ga"), greeting="", fallback=fallback)
        calls.program = answering
        async with calls.phone() as phone:
            await phone.dial(calls.asterisk.uri(extension))
            await answering.wait_for(AssistantAudio)
            await asyncio.sleep(0.5)
            died_at = time.monotonic()
            vendor.sessions[0].abort()
            await phone.wait_event("CALL_CLOSED")
            took_s = time.monotonic() - died_at
            report = await answering.report()
    assert report.ended_by == "failure"
    assert report.error
    assert took_s < 4
    assert share_of(chirp(1.0, 8000, high_hz=2500), phone.heard(), 8000) > MOST
    spoken = [p.time_s for p in capture.sent_to(phone.rtp_ports) if loudness(p) > AUDIBLE]
    silent_s = max(np.diff([at for at in spoken if at > died_at - 0.1]))
    print(f"{extension}: {silent_s * 1000:.0f} ms of silence before the fallback")
    assert silent_s < 2  # never dead air
    assert calls.asterisk.is_idle()


@pytest.mark.parametrize(
    ("extension", "ended_by"),
    # On AudioSocket the end of the connection is all there is, whoever brought it about.
    [("ws-slin16", "network"), ("audiosocket-slin16", "caller"), ("audiosocket", "caller")],
)
async def test_when_asterisk_is_killed_the_session_ends(
    parts: Parts, tmp_path: Path, extension: str, ended_by: str
) -> None:
    with Asterisk(parts) as asterisk:
        calls = Calls(parts, asterisk, tmp_path)
        async with LoopbackVendor(scenario=LONG) as vendor, servers(calls):
            answering = Answering(vendor.credential("openai_ga"), greeting="")
            calls.program = answering
            async with calls.phone() as phone:
                await phone.dial(asterisk.uri(extension))
                await answering.wait_for(AssistantAudio)
                asterisk.kill()
                report = await answering.report()
            async with asyncio.timeout(5):
                await vendor.sessions[0].closed.wait()
        assert (report.ended_by, report.error) == (ended_by, None)
        await calls.nothing_is_left()


@pytest.mark.parametrize("extension", LEGS)
async def test_a_phone_that_sends_nothing_for_five_seconds_is_heard_as_silence(
    calls: Calls, extension: str
) -> None:
    async with LoopbackVendor() as vendor:
        answering = Answering(vendor.credential("openai_ga"))
        calls.program = answering

        def heard_ms() -> float:
            return sum(len(session.audio_in) for session in vendor.sessions) / 48

        async with calls.sipp(extension, says=None, seconds=40.0, ends="callee") as sipp:
            # Silence comes at the pace of the clock, and to a call that is up only: Asterisk's limit is 2 s.
            await eventually(lambda: heard_ms() >= 5000 or answering.reports, 30)
            assert answering.reports == []
            await calls.legs[0].hang_up()
            report = await answering.report()
            assert await sipp.finished(), sipp.log
    assert (report.ended_by, report.error) == ("us", None)
    assert heard_ms() >= 5000  # the vendor measures time by what it hears
    assert report.silence_filled_ms > 4000  # nearly all of it was ours


@needs_flite
@pytest.mark.timeout(90)
async def test_a_server_that_is_told_to_stop_lets_calls_go_on_and_then_hangs_up(
    parts: Parts, capture: Capture, tmp_path: Path
) -> None:
    with Asterisk(parts) as asterisk:
        calls = Calls(parts, asterisk, tmp_path)
        config = tmp_path / "calls.toml"
        config.write_text(
            ROUTING.format(audiosocket=asterisk.audiosocket_port, http=asterisk.websocket_port)
        )
        log = tmp_path / "server.log"
        server = Program(
            [sys.executable, "-P", "-u", "-c", PROGRAM, "serve-calls", "--config", str(config)], log
        )
        try:
            await asyncio.to_thread(
                wait_until, lambda: "At most" in log.read_text(), 20, "the server to listen"
            )
            async with calls.phone() as one, calls.phone() as other, calls.phone() as late:
                await one.dial(asterisk.uri("ws-slin16"))
                await other.dial(asterisk.uri("audiosocket"))
                await asyncio.to_thread(
                    wait_until,
                    lambda: all(
                        any(loudness(p) > AUDIBLE for p in capture.sent_to(phone.rtp_ports))
                        for phone in (one, other)
                    ),
                    20,
                    "the greeting of both calls",
                )
                MADE.extend(("serve-calls", "serve-calls"))
                asked_at = time.monotonic()
                os.kill(server.pid, signal.SIGTERM)
                await asyncio.sleep(0.5)
                # Asterisk tries five times, half a second apart, before it believes that nobody takes the call.
                await late.dial(asterisk.uri("ws-slin16"), established=False)
                await late.wait_event("CALL_CLOSED")
                assert time.monotonic() - asked_at < 4.9
                for phone in (one, other):
                    await phone.wait_event("CALL_CLOSED")
                    spoken = [p for p in capture.sent_to(phone.rtp_ports) if loudness(p) > AUDIBLE]
                    assert spoken[-1].time_s > asked_at + 0.5  # it went on
                took_s = time.monotonic() - asked_at
            code = await asyncio.to_thread(server.wait, 10)
        finally:
            server.stop()
        said = log.read_text()
        assert code == 0, said
        assert 4.9 < took_s < 10
        assert "stopping: 2 calls are up" in said
        assert said.count(" call leg=") == 2
        assert asterisk.is_idle()
