from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from realtime_core import AssistantAudio, Interrupted, Options, ServerVAD
from realtime_core.testing import LoopbackVendor, Scenario
from realtime_core.testing.loopback import Event, Reply, Speech
from realtime_core.testing.speech import speech_like
from tests.telephony.real.agents import Answering
from tests.telephony.real.calls import Calls
from tests.telephony.real.capture import Capture
from tests.telephony.real.sound import Sound, silence
from tests.telephony.real.tones import said, tone

TRIES = 20
TONES_HZ = tuple(range(600, 3120, 120))
assert len(TONES_HZ) == TRIES + 1
VENDOR_RATE_HZ = 24_000
LAST_PACKET_MS = {"ws-slin16": 60, "ws-ulaw": 60, "audiosocket-slin16": 100, "audiosocket": 100}
TRUNCATE_MS = 60


def callers_words() -> Sound:
    """A word every second and a half or so, at moments that have nothing to do with each other."""
    word = np.frombuffer(speech_like(300, 8000), dtype="<i2").astype(np.int16)
    pauses = np.random.default_rng(7).uniform(1.0, 1.3, TRIES + 1)
    return np.concatenate([part for pause in pauses for part in (word, silence(pause, 8000))])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("extension", LAST_PACKET_MS)
async def test_the_last_packet_of_a_reply_follows_the_speech_signal_at_once(
    calls: Calls, capture: Capture, extension: str
) -> None:
    signals: list[float] = []

    def note(event: Event, _: int) -> list[Event]:
        if event["type"] == "input_audio_buffer.speech_started":
            signals.append(time.monotonic())
        return [event]

    replies = tuple(
        Reply(parts=(Speech(audio=tone(hz, 4, VENDOR_RATE_HZ).tobytes(), transcript="La."),))
        for hz in TONES_HZ
    )
    scenario = Scenario(replies=replies, rewrite=note)
    async with LoopbackVendor(scenario=scenario, speed=3) as vendor:
        answering = Answering(
            vendor.credential("openai_ga"), options=Options(vad=ServerVAD(silence_ms=200))
        )
        calls.program = answering
        async with calls.phone(callers_words()) as phone:
            await phone.dial(calls.asterisk.uri(extension))
            await answering.wait_for(Interrupted, TRIES, timeout_s=60)
            await asyncio.sleep(1.0)  # the reply after the last cut, too, is to begin
            await phone.hang_up()
            report = await answering.report()
        (session,) = vendor.sessions
        assert vendor.violations == []
    assert report.ended_by == "caller"
    assert report.barge_ins == TRIES
    sent = said(capture.sent_to(phone.rtp_ports), TONES_HZ)
    late_ms = np.array([(sent[k].last_s - signals[k + 1]) * 1000 for k in range(TRIES)])
    items = list(dict.fromkeys(event.item_id for event in answering.of(AssistantAudio)))
    told = {
        event["item_id"]: event["audio_end_ms"]
        for event in session.received
        if event["type"] == "conversation.item.truncate"
    }
    off_ms = np.array([told[items[k]] - sent[k].ms for k in range(TRIES)])
    print(
        f"{extension}: last packet of the old reply after the signal p50 {np.median(late_ms):.1f}"
        f" p95 {np.percentile(late_ms, 95):.1f} max {late_ms.max():.1f} ms; truncate against what was sent"
        f" {off_ms.min():+.1f} to {off_ms.max():+.1f} ms; stalls {report.stalls}, latest {report.latest_ms:.0f} ms"
    )
    assert np.percentile(late_ms, 95) <= LAST_PACKET_MS[extension]
    # Nothing stale in front of the next reply, or in it.
    assert all(sent[k].last_s < sent[k + 1].first_s for k in range(TRIES))
    assert np.abs(off_ms).max() <= TRUNCATE_MS
