from __future__ import annotations

import asyncio
import math
from array import array
from typing import Any

import pytest

from realtime_core.errors import UnsupportedError
from realtime_telephony import media_stream
from realtime_telephony.leg import CallerAudio, DigitPressed, LegClosed
from realtime_telephony.media_stream import MediaStreamLeg, StreamLimits
from tests.telephony.fakes.media import (
    CODECS,
    VENDORS,
    FakePlivo,
    FakePlivoL16,
    FakeTelnyx,
    FakeTwilio,
    FakeVendor,
    eventually,
)
from tests.telephony.fakes.media_by_hand import ByHand
from tests.telephony.fakes.media_server import call


def tone(ms: int, rate_hz: int) -> bytes:
    count = rate_hz * ms // 1000
    return array(
        "h", (int(8000 * math.sin(2 * math.pi * 440 * n / rate_hz)) for n in range(count))
    ).tobytes()


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.__name__)
def vendor(request: pytest.FixtureRequest) -> FakeVendor:
    made: FakeVendor = request.param()
    return made


@pytest.fixture(params=[FakeTwilio, FakeTelnyx, FakePlivo], ids=lambda vendor: vendor.__name__)
def any_vendor(request: pytest.FixtureRequest) -> FakeVendor:
    made: FakeVendor = request.param()
    return made


async def audio_of(leg: MediaStreamLeg, size: int) -> bytes:
    heard = b""
    async with asyncio.timeout(30):
        while len(heard) < size:
            event = await leg.receive()
            assert isinstance(event, CallerAudio)
            heard += event.pcm
    return heard


async def end_of(leg: MediaStreamLeg) -> LegClosed:
    async with asyncio.timeout(30):
        while True:
            event = await leg.receive()
            if isinstance(event, LegClosed):
                return event


def on_the_wire(codec: str, pcm: bytes) -> bytes:
    encode, decode, _ = CODECS[codec]
    return decode(encode(pcm))


async def test_the_start_says_what_call_it_is(vendor: FakeVendor) -> None:
    async with call(vendor) as (leg, _):
        assert leg.info.leg == vendor.name
        assert leg.info.call_id == vendor.call  # type: ignore[attr-defined]
        assert leg.info.caller in ("+15550100", "15550100")
        assert leg.info.dialled in ("+15550199", "15550199")
        assert leg.info.parameters["shop"] == "north"
        assert leg.sample_rate_hz == vendor.rate_hz
        assert leg.codec == {"ulaw": "g711_ulaw", "l16": "pcm"}[vendor.hears]
        assert leg.capabilities.owns_clock
        assert leg.capabilities.flush
        assert leg.capabilities.marks
        assert not leg.capabilities.hang_up


async def test_what_the_caller_says_arrives_as_it_was(vendor: FakeVendor) -> None:
    pcm = tone(200, vendor.rate_hz)
    async with call(vendor) as (leg, _):
        await vendor.speak(pcm)
        assert await audio_of(leg, len(pcm)) == on_the_wire(vendor.says, pcm)


async def test_what_we_play_is_heard_as_it_was(vendor: FakeVendor) -> None:
    pcm = tone(300, vendor.rate_hz)
    async with call(vendor) as (leg, _):
        for frame in vendor.frames(pcm):
            leg.play(frame)
        assert await leg.drained(30.0)
        assert vendor.heard == on_the_wire(vendor.hears, pcm)
        assert leg.played_samples() == len(pcm) // 2


async def test_a_second_at_once_and_odd_portions_go_out_in_fitting_messages(
    vendor: FakeVendor,
) -> None:
    pcm = tone(1000, vendor.rate_hz)
    first = 2 * vendor.rate_hz // 3
    async with call(vendor) as (leg, _):
        leg.play(pcm[:first])
        leg.play(pcm[first : first + 34])
        leg.play(pcm[first + 34 :])
        await eventually(lambda: len(vendor.received) > 10)
        assert vendor.violations == []


async def test_a_tail_shorter_than_a_message_is_filled_up_and_not_counted(
    vendor: FakeVendor,
) -> None:
    pcm = tone(47, vendor.rate_hz)
    async with call(vendor) as (leg, _):
        leg.play(pcm[: 2 * vendor.rate_hz * 40 // 1000])
        leg.play(pcm[2 * vendor.rate_hz * 40 // 1000 :])
        assert await leg.drained(30.0)
        assert leg.played_samples() == len(pcm) // 2
        assert vendor.heard_samples == vendor.rate_hz * 60 // 1000


async def test_messages_grow_while_the_vendor_has_enough() -> None:
    hand = ByHand(FakeTwilio)
    for frame in hand.vendor.frames(tone(800, 8000)):
        hand.leg.play(frame)
    await hand.advance(1.0)
    assert hand.vendor.heard_samples == 6400
    # 100 ms in messages of 20 ms, then 40 ms each.
    assert hand.messages.count("media") <= 25
    await hand.close()


async def test_a_vendor_that_reads_no_more_is_let_go() -> None:
    vendor = FakePlivoL16()
    async with call(vendor) as (leg, _):
        transport: Any = vendor.ws._response.connection.transport  # type: ignore[union-attr]
        transport.pause_reading()
        second = bytes(2 * 16000)
        for _ in range(300):
            leg.play(second)
        closed = await end_of(leg)
        assert closed == LegClosed("network", "the vendor reads no more")
        async with asyncio.timeout(10):
            await leg.close()
        transport.abort()


async def test_the_end_of_a_reply_needs_no_drained_to_go_out(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        leg.play(tone(10, 8000))
        await eventually(lambda: any_vendor.heard_samples == 160)
        await eventually(lambda: leg.played_samples() == 80)


async def test_flush_stops_the_audio_and_says_how_much_was_heard(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        leg.play(tone(1000, 8000))
        await eventually(lambda: any_vendor.heard_samples >= 2400)
        played = await leg.flush()
        await eventually(lambda: any_vendor.cleared_at != [])
        # Twilio answers all waiting marks at once; they prove nothing.
        await any_vendor.press("1")
        assert await leg.receive() == DigitPressed("1")
        assert leg.played_samples() == played
        assert any_vendor.heard_samples == any_vendor.heard_at_clear[0]  # nothing after it


async def test_audio_after_a_flush_counts_on(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        leg.play(tone(800, 8000))
        await asyncio.sleep(0.25)
        played = await leg.flush()
        leg.play(tone(100, 8000))
        assert await leg.drained(30.0)
        assert leg.played_samples() == played + 800
        assert any_vendor.heard_samples == any_vendor.heard_at_clear[0] + 800


async def test_play_while_plivo_has_not_answered_the_clear_yet() -> None:
    vendor = FakePlivo()
    async with call(vendor) as (leg, _):
        leg.play(tone(500, 8000))
        await asyncio.sleep(0.15)
        flushing = asyncio.create_task(leg.flush())
        await asyncio.sleep(0)
        leg.play(tone(60, 8000))
        played = await flushing
        assert await leg.drained(30.0)
        assert leg.played_samples() == played + 480


async def test_a_mark_plivo_answers_before_it_answers_the_clear_was_played() -> None:
    class Late(FakePlivo):
        """Its last answers are still on their way when the clear arrives."""

        async def take(self, message: dict[str, Any]) -> None:
            if message["event"] == "clearAudio":
                for name in self.late:
                    await super().answer_mark(name)
            await super().take(message)

        late: tuple[str, ...] = ()

        async def answer_mark(self, name: str) -> None:
            self.late = (*self.late, name)

    vendor = Late()
    async with call(vendor) as (leg, _):
        leg.play(tone(600, 8000))  # marks at 200, 400 and 600 ms
        await eventually(lambda: len(vendor.late) == 2)
        assert leg.played_samples() == 1600  # as far as the first answer that did not come
        assert await leg.flush() == 3200
        assert leg.played_samples() == 3200


async def test_flush_before_anything_was_played(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        assert await leg.flush() == 0
        leg.play(tone(15, 8000))  # waits for more
        await leg.flush()
        await asyncio.sleep(0.06)
        assert any_vendor.heard_samples == 0


async def test_drained_is_false_when_flushed(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        leg.play(tone(9000, 8000))
        waiting = asyncio.create_task(leg.drained(30.0))
        await asyncio.sleep(0.05)
        await leg.flush()
        assert await waiting is False


async def test_drained_is_false_after_its_time_and_after_the_end(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        assert await leg.drained(0.01) is True  # nothing to wait for
        leg.play(tone(9000, 8000))
        assert await leg.drained(0.05) is False
        waiting = asyncio.create_task(leg.drained(30.0))
        await asyncio.sleep(0)
        await leg.close()
        assert await waiting is False
        assert await leg.drained(5.0) is False


async def test_a_vendor_that_answers_no_marks_is_followed_by_the_clock() -> None:
    class Markless(FakeTwilio):
        async def answer_mark(self, name: str) -> None:
            pass

    async with call(Markless()) as (leg, _):
        leg.play(tone(100, 8000))
        assert await leg.drained(30.0)
        assert leg.played_samples() == 800
        assert leg.counters["unanswered_mark"] == 1


async def test_digits_arrive_once_each(vendor: FakeVendor) -> None:
    async with call(vendor) as (leg, _):
        for digit in "1#a":
            await vendor.press(digit)
        await vendor.press("99")
        await vendor.speak(bytes(2 * vendor.rate_hz // 50))
        events = [await leg.receive() for _ in range(4)]
        assert events[:3] == [DigitPressed("1"), DigitPressed("#"), DigitPressed("A")]
        assert isinstance(events[3], CallerAudio)
        assert leg.counters["bad_digit"] == 1


async def test_the_caller_hangs_up(vendor: FakeVendor) -> None:
    async with call(vendor) as (leg, _):
        leg.play(tone(500, vendor.rate_hz))
        await vendor.hang_up()
        assert (await end_of(leg)).reason == "caller"
        with pytest.raises(RuntimeError):
            await leg.receive()


async def test_the_connection_breaks(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        await any_vendor.break_off()
        assert (await end_of(leg)).reason == "network"


async def test_hang_up_without_an_account_ends_the_stream(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        await asyncio.gather(leg.hang_up(), leg.hang_up())
        assert (await end_of(leg)).reason == "us"
        await asyncio.wait_for(any_vendor.closed.wait(), 30)
        assert any_vendor.close_code == 1000
        with pytest.raises(UnsupportedError):
            await leg.transfer("+15550100")


async def test_commands_after_the_end_are_harmless(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        leg.play(tone(100, 8000))
        await leg.close()
        await leg.close()
        played = leg.played_samples()
        leg.play(tone(100, 8000))
        assert await leg.flush() >= played
        await leg.hang_up()
        assert (await end_of(leg)).reason == "us"


async def test_nobody_says_anything(any_vendor: FakeVendor) -> None:
    async with call(any_vendor, limits=StreamLimits(idle_s=0.1)) as (leg, _):
        closed = await end_of(leg)
        assert closed.reason == "timeout"


async def test_audio_that_comes_out_of_order_is_put_into_order() -> None:
    vendor = FakeTelnyx()
    pcm = tone(200, 8000)
    async with call(vendor) as (leg, _):
        messages = [vendor.media(frame) for frame in vendor.frames(pcm)]
        for index in (0, 2, 1, 1, 5, 3, 4, 6, 9, 8, 7):
            await vendor.send(messages[index])
        assert await audio_of(leg, len(pcm)) == on_the_wire("ulaw", pcm)
        assert leg.counters == {"late_audio": 1}


async def test_strange_messages_are_counted_and_the_call_goes_on(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        good = any_vendor.media(tone(20, 8000))
        key = "stream_id" if any_vendor.name == "telnyx" else ""
        key = key or ("streamSid" if any_vendor.name == "twilio" else "streamId")
        strange: list[dict[str, Any] | str | bytes] = [
            "{",
            "[]",
            b"\x00\x01",
            "[" * 2000,
            '{"event": 7}',
            {"event": "transcription", "text": "hello"},
            {**good, key: "another"},
            {**good, "media": {**good["media"], "track": "outbound"}},
            {**good, "media": {**good["media"], "payload": "?!"}},
            {**good, "media": {**good["media"], "payload": 7}},
            {**good, "media": None},
            {"event": "dtmf"},
            {"event": "mark", "mark": []},
            {"event": "playedStream"},
            {"event": "start", "start": {}},
        ]
        for message in strange:
            await any_vendor.send(message)
        await any_vendor.send(good)
        assert await audio_of(leg, 320)
        counters = leg.counters
        assert counters["garbage"] >= 5
        assert counters["wrong_stream"] == 1
        assert counters["other_track"] == 1
        assert counters["bad_audio"] == 3
        assert counters["second_start"] == 1
        assert counters["unknown_event"] >= 1


async def test_too_much_garbage_ends_the_call(any_vendor: FakeVendor) -> None:
    async with call(any_vendor, limits=StreamLimits(bad_messages=3)) as (leg, _):
        for _ in range(4):
            await any_vendor.send("garbage")
        assert (await end_of(leg)).reason == "protocol"


async def test_a_message_too_large_ends_the_call(any_vendor: FakeVendor) -> None:
    async with call(any_vendor, limits=StreamLimits(message_bytes=4096)) as (leg, _):
        await any_vendor.send({"event": "media", "padding": "x" * 5000})
        assert (await end_of(leg)).reason == "protocol"
        await asyncio.wait_for(any_vendor.closed.wait(), 30)
        assert any_vendor.close_code == 1009


async def test_a_reader_that_is_too_slow_loses_the_oldest_audio() -> None:
    vendor = FakeTwilio()
    async with call(vendor, limits=StreamLimits(unread_audio_s=0.1)) as (leg, _):
        await vendor.press("1")
        await vendor.speak(tone(200, 8000))
        await eventually(lambda: leg.counters.get("unread_audio") == 5)
        assert await leg.receive() == DigitPressed("1")
        assert await audio_of(leg, 1600) == on_the_wire("ulaw", tone(200, 8000))[1600:]


async def test_a_complaint_of_telnyx_is_logged_and_the_call_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vendor = FakeTelnyx()
    async with call(vendor) as (leg, _):
        complaint = {"code": 100003, "title": "malformed_frame", "detail": "no\nway"}
        await vendor.send(vendor.envelope("error", payload=complaint))
        await vendor.press("1")
        assert await leg.receive() == DigitPressed("1")
        told = f"call {leg.info.call_id}: telnyx complains: 100003 malformed_frame no\\nway"
        assert told in caplog.text


async def test_cancelling_receive_loses_nothing(any_vendor: FakeVendor) -> None:
    async with call(any_vendor) as (leg, _):
        for digit in "123":
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(leg.receive(), 0.01)
            await any_vendor.press(digit)
            assert await asyncio.wait_for(leg.receive(), 30) == DigitPressed(digit)


async def test_two_calls_do_not_disturb_each_other() -> None:
    one, other = FakeTwilio(), FakePlivo()
    async with call(one) as (first, _), call(other) as (second, _):
        first.play(tone(200, 8000))
        second.play(tone(100, 8000))
        await one.break_off()
        assert await second.drained(30.0)
        assert (await end_of(first)).reason == "network"
        assert other.heard_samples == 800


async def test_digits_nobody_reads_are_bounded(
    any_vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_stream, "_MOST_EVENTS", 3)
    async with call(any_vendor) as (leg, _):
        for _ in range(5):
            await any_vendor.press("1")
        await eventually(lambda: leg.counters.get("unread_digit") == 2)
        for _ in range(3):
            assert await leg.receive() == DigitPressed("1")
