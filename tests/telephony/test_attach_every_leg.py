"""One conversation over every call leg: greeting, barge-in, and the model hangs up when it was heard out."""

from __future__ import annotations

import asyncio
from array import array

import pytest

from realtime_core import Interrupted, Options, UserSpeechStarted, new_agent_from_credential
from realtime_core.testing.loopback import Call, LoopbackVendor, Reply, Scenario, Speech
from realtime_core.testing.speech import silence, speech_like
from realtime_telephony import CallControl, CallReport, DigitPressed, attach, options_for
from realtime_telephony.leg import CallLeg
from tests.telephony.callers import CALLERS, Caller
from tests.telephony.fakes.media import eventually
from tests.telephony.stalls import stalls_watched

GREETING_MS = 4000
GOODBYE_MS = 300
SCENARIO = Scenario(
    name="greeting_and_goodbye",
    replies=(
        Reply(parts=(Speech(ms=GREETING_MS, transcript="Hello, and much more."),)),
        Reply(parts=(Call(name="hang_up"),)),
        Reply(parts=(Speech(ms=GOODBYE_MS, transcript="Goodbye."),)),
    ),
)


def voiced_ms(caller: Caller) -> int:
    """How much the caller heard that was not silence, counted in frames of 10 ms."""
    samples = array("h", caller.heard)
    size = caller.expected.rate_hz // 100
    loud = [max(map(abs, samples[at : at + size])) > 300 for at in range(0, len(samples), size)]
    return 10 * sum(loud)


WIRES = [(name, wire) for name, made in CALLERS.items() for wire in ("pcm", made().expected.codec)]


@pytest.mark.parametrize(("name", "wire"), dict.fromkeys(WIRES))
async def test_what_is_truncated_is_what_was_not_heard(name: str, wire: str) -> None:
    caller = CALLERS[name]()
    expected = caller.expected
    control = CallControl()
    events: list[object] = []
    reports: list[CallReport] = []
    vendor = LoopbackVendor(scenario=SCENARIO)

    async def on_call(leg: CallLeg) -> None:
        credential = {**vendor.credential("openai_ga"), "wireAudio": wire}
        agent = new_agent_from_credential(
            credential, options_for(leg, Options(tools=control.tools))
        )
        reports.append(
            await attach(agent, leg, control=control, greeting="", on_event=events.append)
        )

    rate = expected.rate_hz
    objection = silence(100, rate) + speech_like(500, rate) + silence(900, rate)
    async with stalls_watched() as stalls, vendor, caller.dial(on_call):
        async with asyncio.timeout(15):
            while voiced_ms(caller) < 400:  # noqa: ASYNC110 - nothing in the fakes tells
                await asyncio.sleep(0.02)
        await caller.press("9")
        await caller.say(objection)
        await eventually(lambda: bool(reports), 20.0)
        await eventually(lambda: caller.is_over)
        (session,) = vendor.sessions
        assert vendor.violations == []
        truncates = [
            each for each in session.received if each["type"] == "conversation.item.truncate"
        ]
    (truncate,) = truncates
    (report,) = reports
    heard_ms = voiced_ms(caller) - GOODBYE_MS
    assert abs(truncate["audio_end_ms"] - heard_ms) <= 60 + 2 * stalls.worst_ms, (
        truncate,
        heard_ms,
        voiced_ms(caller),
    )
    (cut,) = (each for each in events if isinstance(each, Interrupted))
    assert cut.heard_ms == truncate["audio_end_ms"]
    assert sum(isinstance(each, UserSpeechStarted) for each in events) == 1
    assert (report.ended_by, report.digits, report.barge_ins) == ("agent", "9", 1)
    assert DigitPressed("9") in events
    assert asyncio.all_tasks() == {asyncio.current_task()}
