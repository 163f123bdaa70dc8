from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from realtime_core.g711 import ulaw_decode
from tests.local.sounds import needs_flite
from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.calls import Call, Calls, servers
from tests.telephony.real.capture import Capture, RtpPacket
from tests.telephony.real.parts import Parts
from tests.telephony.real.sound import chirp, find, silence
from tests.telephony.real.speech import resampled, sentence, share_of

AUDIOSOCKET = ("audiosocket", "audiosocket-slin16")
WEBSOCKET = ("ws-slin16", "ws-slin24", "ws-ulaw", "wsplain-alaw")
EVERY_LEG = (*AUDIOSOCKET, *WEBSOCKET)
SURE = 0.95  # correlation of what G.711 and a resampler leave of a sound


def gaps_ms(packets: list[RtpPacket]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.diff([packet.time_s for packet in packets]) * 1000


def audible(packets: list[RtpPacket]) -> list[RtpPacket]:
    """Leave out packets of nothing but mu-law or A-law silence."""
    return [p for p in packets if len(set(p.payload) - {0xFF, 0x7F, 0xFE, 0x7E, 0xD5, 0x55}) > 1]


@pytest.mark.parametrize("extension", EVERY_LEG)
async def test_both_sides_hear_each_other(calls: Calls, extension: str) -> None:
    asked = chirp(1.0, 8000)
    async with calls.phone(np.concatenate([silence(0.3, 8000), asked])) as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        rate = call.leg.sample_rate_hz
        # Silence around it: the phone's recording may lack a packet at either end.
        answer = chirp(1.0, rate, low_hz=3000, high_hz=400)
        call.say(np.concatenate([silence(0.3, rate), answer, silence(0.3, rate)]))
        await call.has_heard(2.0)
        await call.leg.hang_up()
        await phone.wait_event("CALL_CLOSED")
    assert (await call.ended()).reason == "us"
    assert find(chirp(1.0, rate), call.heard_sound, rate).score > SURE
    assert find(chirp(1.0, 8000, low_hz=3000, high_hz=400), phone.heard()).score > SURE
    assert calls.asterisk.is_idle()


@pytest.mark.parametrize(
    "extension", ["audiosocket", "audiosocket-slin16", "ws-slin16", "wsplain-ulaw"]
)
async def test_a_digit_arrives_once(calls: Calls, extension: str) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        await phone.press("5")
        async with asyncio.timeout(5):
            await call.pressed.wait()
        await asyncio.sleep(0.5)  # whatever else might come
        await phone.hang_up()
        await call.ended()
    assert call.digits == "5"


@pytest.mark.parametrize("extension", EVERY_LEG)
async def test_our_hang_up_reaches_the_phone_and_the_callers_reaches_us(
    calls: Calls, extension: str
) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        begun = time.monotonic()
        await call.leg.hang_up()
        await phone.wait_event("CALL_CLOSED")
        assert time.monotonic() - begun < 1
        assert (await call.ended()).reason == "us"
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        call.say(chirp(3.0, call.leg.sample_rate_hz))
        await phone.hang_up()
        assert (await call.ended()).reason == "caller"


@pytest.mark.parametrize("extension", EVERY_LEG)
async def test_a_flush_in_mid_speech_stops_the_packets(
    calls: Calls, capture: Capture, extension: str
) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        rate = call.leg.sample_rate_hz
        call.say(chirp(4.0, rate))
        await asyncio.sleep(1.0)
        flushed_at = time.monotonic()
        played = await call.flush()
        took = time.monotonic() - flushed_at
        await asyncio.sleep(0.5)
        await call.leg.hang_up()
        await phone.wait_event("CALL_CLOSED")
    sent = audible(capture.sent_to(phone.rtp_ports))
    after_ms = (sent[-1].time_s - flushed_at) * 1000
    sent_s = sum(len(packet.payload) for packet in sent) / 8000
    gaps = gaps_ms(sent)
    print(
        f"{extension}: last packet {after_ms:+.1f} ms after the flush, which took {took * 1000:.1f} ms; said"
        f" {played / rate:.3f} s, sent {sent_s:.3f} s; gaps p50 {np.median(gaps):.1f} p99"
        f" {np.percentile(gaps, 99):.1f} max {gaps.max():.1f} ms"
    )
    limit = 60 if call.leg.capabilities.flush else 100
    assert after_ms < limit
    if call.leg.capabilities.flush:
        assert took < 0.15
        assert abs(played / rate - sent_s) < 0.06


@pytest.mark.parametrize("extension", ["audiosocket", "ws-slin16"])
async def test_what_is_said_after_a_flush_is_heard_and_nothing_of_before(
    calls: Calls, extension: str
) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        rate = call.leg.sample_rate_hz
        call.say(chirp(4.0, rate, low_hz=300, high_hz=900))
        await asyncio.sleep(0.5)
        await call.flush()
        call.say(silence(0.2, rate))
        call.say(chirp(0.5, rate, low_hz=1500, high_hz=3000))
        call.say(silence(0.3, rate))
        await asyncio.sleep(1.2)
        await call.leg.hang_up()
        await phone.wait_event("CALL_CLOSED")
    heard = phone.heard()
    found = find(chirp(0.5, 8000, low_hz=1500, high_hz=3000), heard)
    assert found.score > SURE
    start = round((found.at_s - 0.15) * 8000)
    assert np.abs(heard[start : start + 1000]).max() < 200


@pytest.mark.parametrize("extension", ["ws-slin16", "wsplain-ulaw"])
async def test_drained_means_that_the_phone_was_sent_all(
    calls: Calls, capture: Capture, extension: str
) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        rate = call.leg.sample_rate_hz
        call.say(np.concatenate([silence(0.2, rate), chirp(1.01, rate)]))
        assert await call.leg.drained(5)
        at = time.monotonic()
        assert call.leg.played_samples() == round(1.21 * rate)
        await call.leg.hang_up()
        await phone.wait_event("CALL_CLOSED")
    sent = audible(capture.sent_to(phone.rtp_ports))
    assert -0.1 < sent[-1].time_s - at < 0.02
    assert find(chirp(1.01, 8000)[:7200], phone.heard()).score > SURE


@pytest.mark.parametrize("extension", ["ws-slin16"])
async def test_thirty_seconds_at_once_are_all_played_or_taken_back(
    calls: Calls, capture: Capture, extension: str
) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri(extension))
        call = await calls.call()
        call.say(chirp(30.0, call.leg.sample_rate_hz))
        await asyncio.sleep(2)
        played = await call.flush()
        await call.leg.hang_up()
        await phone.wait_event("CALL_CLOSED")
    sent_s = sum(len(p.payload) for p in audible(capture.sent_to(phone.rtp_ports))) / 8000
    assert abs(played / call.leg.sample_rate_hz - sent_s) < 0.06
    assert "queue is full" not in calls.asterisk.log


@pytest.mark.parametrize("extension", ["audiosocket", "ws-slin16"])
async def test_a_phone_that_sends_nothing_for_five_seconds_keeps_its_call(
    calls: Calls, extension: str
) -> None:
    async with calls.sipp(extension, says=None, seconds=5.0) as sipp:
        call = await calls.call()
        begun = time.monotonic()
        assert (await call.ended(15)).reason == "caller"
        assert await sipp.finished(), sipp.log
    assert time.monotonic() - begun > 2.5  # beyond Asterisk's limit of 2 s


@pytest.mark.parametrize("extension", ["audiosocket", "ws-slin16"])
async def test_asterisk_killed_in_mid_call_ends_the_call(
    parts: Parts, tmp_path: Path, extension: str
) -> None:
    with Asterisk(parts) as asterisk:
        calls = Calls(parts, asterisk, tmp_path)
        async with servers(calls), calls.phone() as phone:
            await phone.dial(asterisk.uri(extension))
            call = await calls.call()
            call.say(chirp(3.0, call.leg.sample_rate_hz))
            asterisk.kill()
            closed = await call.ended()
        # On AudioSocket the end of the connection is all there is, whoever brought it about.
        assert closed.reason == ("network" if extension.startswith("ws") else "caller")
        await calls.nothing_is_left()


async def test_an_asterisk_that_stands_still_does_not_hold_up_a_hang_up(
    parts: Parts, tmp_path: Path
) -> None:
    with Asterisk(parts) as asterisk:
        calls = Calls(parts, asterisk, tmp_path)
        async with servers(calls), calls.phone() as phone:
            await phone.dial(asterisk.uri("ws-slin16"))
            call = await calls.call()
            os.kill(asterisk.pid, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                await call.leg.hang_up()
                assert time.monotonic() - begun < 5
            finally:
                os.kill(asterisk.pid, signal.SIGCONT)
            await phone.wait_event("CALL_CLOSED")
        await calls.nothing_is_left()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_the_channel_driver_without_a_codec_never_becomes_a_call(
    calls: Calls, caplog: pytest.LogCaptureFixture, codec: str
) -> None:
    async with calls.phone(codecs=codec) as phone:
        await phone.dial(calls.asterisk.uri("audiosocket-bare"), established=False)
        await phone.wait_event("CALL_CLOSED")
    assert "labelled as PCM" in caplog.text
    assert "c(slin16)" in caplog.text
    assert calls.listener.refused == 1


@needs_flite
@pytest.mark.parametrize(
    ("codec", "packet_ms", "speaks"),
    [("PCMU", 40, False), ("PCMU", 40, True), ("PCMA", 60, True)],
)
async def test_the_channel_driver_without_a_codec_is_found_whatever_a_phone_packs(
    parts: Parts,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    codec: str,
    packet_ms: int,
    speaks: bool,
) -> None:
    said = await asyncio.to_thread(sentence, "A table for four tomorrow at seven, please.")
    with Asterisk(parts, packet_ms=packet_ms) as asterisk:
        calls = Calls(parts, asterisk, tmp_path)
        says = np.tile(said, 3) if speaks else None
        async with servers(calls), calls.phone(says, codecs=codec) as phone:
            await phone.dial(asterisk.uri("audiosocket-bare"), established=False)
            call = await calls.call()
            closed = await call.ended(30)
            await phone.wait_event("CALL_CLOSED")
        await calls.nothing_is_left()
    assert closed.reason == "protocol"
    assert "labelled as PCM" in closed.detail
    assert "c(slin16)" in caplog.text


@pytest.mark.parametrize("packet_ms", [10, 30, 60])
@pytest.mark.parametrize("extension", AUDIOSOCKET)
async def test_a_phone_is_welcome_whatever_it_packs(
    parts: Parts, tmp_path: Path, packet_ms: int, extension: str
) -> None:
    asked = chirp(1.0, 8000)
    with Asterisk(parts, packet_ms=packet_ms) as asterisk:
        calls = Calls(parts, asterisk, tmp_path)
        async with (
            servers(calls),
            calls.phone(np.concatenate([silence(0.3, 8000), asked])) as phone,
        ):
            await phone.dial(asterisk.uri(extension))
            call = await calls.call()
            await call.has_heard(3.0)
            await phone.hang_up()
            assert (await call.ended()).reason == "caller"
    rate = call.leg.sample_rate_hz
    assert find(chirp(1.0, rate), call.heard_sound, rate).score > SURE


async def test_a_phone_that_is_silent_at_first_is_heard_at_whatever_rate_the_channel_has(
    calls: Calls, capture: Capture
) -> None:
    asked, answer = chirp(1.0, 8000), chirp(1.0, 8000, low_hz=3000, high_hz=400)
    async with calls.sipp("audiosocket-slin16", says=asked, silent_s=2.5, seconds=4.0) as sipp:
        call = await calls.call()
        assert call.leg.sample_rate_hz == 8000  # nothing told the rate
        call.say(np.concatenate([silence(0.3, 8000), answer, silence(0.3, 8000)]))
        await call.has_heard(2.5)
        assert await sipp.finished(), sipp.log
        assert (await call.ended()).reason == "caller"
    # High tones come later than low ones by part of a sample: looked at piece by piece, at a finer rate.
    finer = resampled(call.heard_sound, 8000, 32_000)
    assert share_of(chirp(1.0, 32_000), finer, 32_000) > SURE
    sent = b"".join(packet.payload for packet in capture.sent_to(sipp.rtp_ports))
    heard = np.frombuffer(ulaw_decode(sent), dtype="<i2").astype(np.int16)
    assert find(answer, heard).score > SURE


async def test_garbage_on_both_ports_leaves_a_call_alone(calls: Calls) -> None:
    async with calls.phone() as phone:
        await phone.dial(calls.asterisk.uri("audiosocket"))
        call = await calls.call()
        for port in (calls.asterisk.audiosocket_port, calls.asterisk.websocket_port):
            for garbage in (
                b"\xff" * 1000,
                b"GET / HTTP/1.1\r\n\r\n",
                b"\x01\x00\x10" + bytes(16) + b"\x42" * 5000,
            ):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(garbage)
                await asyncio.sleep(0.05)
                writer.close()
        before = len(call.heard)
        await asyncio.sleep(0.3)
        assert len(call.heard) > before
        await phone.hang_up()
        assert (await call.ended()).reason == "caller"


@pytest.mark.parametrize("extension", ["audiosocket", "ws-slin16"])
async def test_ten_phones_at_once_each_hear_their_own(
    calls: Calls, capture: Capture, extension: str
) -> None:
    async with calls.sipp(extension, says=chirp(1.0, 8000), seconds=4.0, calls=10, rate=20) as sipp:
        every: list[Call] = [await calls.call() for _ in range(10)]
        for call in every:
            call.say(chirp(2.0, call.leg.sample_rate_hz))
        assert await sipp.finished(), sipp.log
        for call in every:
            assert (await call.ended()).reason == "caller"
    for call in every:
        assert (
            find(
                chirp(1.0, call.leg.sample_rate_hz), call.heard_sound, call.leg.sample_rate_hz
            ).score
            > SURE
        )
    # All of sipp's calls share a port; Asterisk has one for each.
    streams = {packet.source_port for packet in capture.sent_to(sipp.rtp_ports)}
    assert len(streams) == 10
