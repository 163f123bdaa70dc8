"""Where a media stream is, on a clock moved by hand."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime_telephony.media_position import GRACE_S
from tests.telephony.fakes.media import CODECS, FakePlivo, FakeTelnyx, FakeTwilio, FakeVendor
from tests.telephony.fakes.media_by_hand import ByHand

RATE = 8000
VENDORS: tuple[type[FakeVendor], ...] = (FakeTwilio, FakeTelnyx, FakePlivo)


@pytest.fixture(params=VENDORS, ids=lambda kind: kind.__name__)
async def call(request: pytest.FixtureRequest) -> AsyncIterator[ByHand]:
    call = ByHand(request.param)
    yield call
    await call.close()


def sound(ms: int) -> bytes:
    return array("h", (10 + at % 9000 for at in range(RATE * ms // 1000))).tobytes()


def as_heard(pcm: bytes) -> bytes:
    encode, decode, _ = CODECS["ulaw"]
    return decode(encode(pcm))


def _play(call: ByHand) -> str:
    return "playAudio" if call.leg.info.leg == "plivo" else "media"


async def test_audio_given_at_the_pace_of_speech_is_neither_held_nor_filled_up(
    call: ByHand,
) -> None:
    pcm = sound(400)
    for index, frame in enumerate(call.vendor.frames(pcm)):
        call.leg.play(frame)
        await call.settle()
        assert call.messages.count(_play(call)) == index + 1
        await call.advance(0.02)
    assert call.vendor.heard == as_heard(pcm)
    draining = asyncio.create_task(call.leg.drained(1))
    await call.settle()
    assert await draining
    assert call.leg.played_samples() == len(pcm) // 2
    assert len(call.vendor.marks_sent) == 2
    await call.advance(0.1)
    assert call.vendor.heard == as_heard(pcm)


async def test_the_position_is_what_is_heard(call: ByHand) -> None:
    call.leg.play(sound(600))
    for _ in range(130):
        await call.advance(0.005)
        assert call.leg.played_samples() == call.vendor.heard_samples
    assert call.leg.played_samples() == RATE * 600 // 1000


async def test_after_many_cuts_the_position_is_what_was_heard(call: ByHand) -> None:
    heard = 0
    for round_ms in (5, 10, 20, 35, 200, 205, 395, 600, 0):
        call.leg.play(sound(700))
        await call.advance(round_ms / 1000)
        flushing = asyncio.create_task(call.leg.flush())
        await call.settle()
        heard += RATE * round_ms // 1000
        assert call.vendor.heard_samples == heard
        assert await flushing == call.leg.played_samples() == heard
        await call.advance(0.3)  # the answers of before come, and a pause
        assert call.leg.played_samples() == heard
    call.leg.play(sound(90))
    draining = asyncio.create_task(call.leg.drained(1))
    await call.advance(0.1)
    assert await draining
    assert call.leg.played_samples() == heard + RATE * 90 // 1000


@pytest.mark.parametrize("kind", VENDORS)
async def test_answers_that_are_late_make_the_position_late_and_no_more(
    kind: type[FakeVendor],
) -> None:
    call = ByHand(kind, delay_s=0.08)
    call.leg.play(sound(1000))
    for _ in range(180):
        await call.advance(0.005)
        late = call.vendor.heard_samples - call.leg.played_samples()
        assert 0 <= late <= 0.08 * RATE + 40
    flushing = asyncio.create_task(call.leg.flush())
    await call.advance(0.1)
    played = await flushing
    assert 0 <= call.vendor.heard_samples - played <= 0.08 * RATE + 40
    call.leg.play(sound(200))
    await call.advance(0.4)
    assert call.leg.played_samples() == played + RATE * 200 // 1000
    await call.close()


@pytest.mark.parametrize("kind", VENDORS)
async def test_a_vendor_that_answers_no_mark_is_followed_by_the_clock_and_named(
    kind: type[FakeVendor], caplog: pytest.LogCaptureFixture
) -> None:
    class Markless(kind):  # type: ignore[misc, valid-type]
        async def answer_mark(self, name: str) -> None:
            pass

    call = ByHand(Markless)
    call.leg.play(sound(1000))
    draining = asyncio.create_task(call.leg.drained(5))
    await call.advance(0.5)
    assert call.leg.played_samples() == RATE * 200 // 1000  # as far as the first mark
    await call.advance(0.7 + GRACE_S)
    assert await draining
    assert call.leg.played_samples() == RATE
    assert call.leg.counters["unanswered_mark"] == 5
    assert "answers no marks" in caplog.text
    assert caplog.text.count("answers no marks") == 1
    await call.close()


async def test_plivo_that_never_answers_the_clear_costs_no_more_than_a_tenth_of_a_second() -> None:
    class Mute(FakePlivo):
        async def take(self, message: dict[str, Any]) -> None:
            if message["event"] == "clearAudio":
                await self.drop_queue()
            else:
                await super().take(message)

    call = ByHand(Mute)
    call.leg.play(sound(500))
    await call.advance(0.1)
    flushing = asyncio.create_task(call.leg.flush())
    await call.advance(0.085)
    assert not flushing.done()
    await call.advance(0.01)
    assert await flushing == RATE // 10
    await call.close()
