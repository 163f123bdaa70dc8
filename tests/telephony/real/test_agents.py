from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from realtime_core import AssistantAudio, AssistantTurnEnd, Options, ServerVAD, UserTranscript
from realtime_core.testing import LoopbackVendor, Scenario
from realtime_core.testing.loopback import Call, Reply, Speech
from realtime_telephony import DigitPressed
from tests.local.sounds import needs_flite
from tests.telephony.real.agents import Answering
from tests.telephony.real.calls import Calls
from tests.telephony.real.capture import Capture
from tests.telephony.real.sound import chirp, silence
from tests.telephony.real.speech import (
    AUDIBLE,
    heard_replies,
    loudness,
    resampled,
    sentence,
    share_of,
)

pytestmark = [needs_flite, pytest.mark.timeout(120)]

MOST = 0.7  # of the pieces of a sound
LEGS = ("ws-slin16", "audiosocket-slin16", "audiosocket")
GREETING = "Hello, this is the Blue Garden restaurant. How can I help you?"
WEATHER = "It is sunny today, so the tables in the garden are open."
GOODBYE = "Thank you for your call. Good bye."


@pytest.mark.parametrize("extension", LEGS)
async def test_the_model_in_the_box_answers_a_call_and_hangs_up(
    calls: Calls, capture: Capture, extension: str
) -> None:
    question, goodbye = await asyncio.to_thread(
        lambda: (sentence("what is the weather today"), sentence("good bye"))
    )
    says = [silence(8.0, 8000), question, silence(9.0, 8000), goodbye]
    answering = Answering({"provider": "local"}, greeting="")
    calls.program = answering
    async with calls.phone(np.concatenate(says)) as phone:
        await phone.dial(calls.asterisk.uri(extension))
        await answering.wait_for(UserTranscript)
        await phone.press("5")
        await answering.wait_for(AssistantTurnEnd, 3, timeout_s=30)
        await phone.wait_event("CALL_CLOSED")
        closed_at = time.monotonic()
        report = await answering.report()
    packets = capture.sent_to(phone.rtp_ports)
    heard = await asyncio.to_thread(lambda: heard_replies(phone.heard(), packets))
    print(
        f"{extension}: {[(reply.text, round(reply.likeness, 2)) for reply in heard]}, {report.stats.last_playout_latency_ms} ms"
    )
    assert [reply.text for reply in heard] == [GREETING, WEATHER, GOODBYE]
    assert [event.text for event in answering.of(UserTranscript) if event.final] == [
        "what is the weather today",
        "goodbye",
    ]
    assert [press.digit for press in answering.of(DigitPressed)] == ["5"]
    assert (report.ended_by, report.digits, report.error) == ("agent", "5", None)
    assert closed_at - packets[-1].time_s < 1
    assert calls.asterisk.is_idle()


@pytest.mark.parametrize("extension", LEGS)
@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_a_vendors_model_answers_a_call_and_hangs_up(
    calls: Calls, capture: Capture, dialect: str, extension: str
) -> None:
    question, goodbye = await asyncio.to_thread(
        lambda: (sentence("what is the weather today"), sentence("good bye"))
    )
    says = [silence(1.0, 8000), question, silence(4.0, 8000), goodbye]
    # Both wires say 24 kHz.
    answer = chirp(1.0, 24000, high_hz=2500)
    last_words = chirp(1.5, 24000, low_hz=2500, high_hz=400)
    replies = (
        Reply(parts=(Speech(audio=answer.tobytes(), transcript="It is sunny."),)),
        Reply(
            parts=(
                Speech(audio=last_words.tobytes(), transcript="Good bye."),
                Call(name="hang_up", call_id="call_bye"),
            )
        ),
        Reply(parts=()),
    )
    async with LoopbackVendor(scenario=Scenario(replies=replies), speed=3) as vendor:
        answering = Answering(
            vendor.credential(dialect), options=Options(vad=ServerVAD(silence_ms=600))
        )
        calls.program = answering
        async with calls.phone(np.concatenate(says)) as phone:
            await phone.dial(calls.asterisk.uri(extension))
            await answering.wait_for(AssistantAudio)
            await phone.press("5")
            await phone.wait_event("CALL_CLOSED", timeout_s=20)
            closed_at = time.monotonic()
            report = await answering.report()
        (session,) = vendor.sessions
        assert vendor.violations == []
    packets = capture.sent_to(phone.rtp_ports)
    # At the higher rate: on the way it is delayed by less than a sample, too.
    heard = resampled(phone.heard(), 8000, 24000)
    assert share_of(answer, heard, 24000) > MOST
    assert share_of(last_words, heard, 24000) > MOST
    assert 2480 <= sum(20 for packet in packets if loudness(packet) > AUDIBLE) <= 2560
    first, second, *_ = session.turns
    for asked, turn in ((question, first), (goodbye, second)):
        rate_hz = turn.heard.rate_hz
        whole = np.frombuffer(bytes(session.audio_in), dtype="<i2").astype(np.int16)
        assert share_of(resampled(asked, 8000, rate_hz), whole, rate_hz) > MOST
    assert [press.digit for press in answering.of(DigitPressed)] == ["5"]
    assert (report.ended_by, report.digits, report.error) == ("agent", "5", None)
    assert closed_at - packets[-1].time_s < 1
    assert calls.asterisk.is_idle()
