"""
pipecat's serializers, which other people run against the vendors, as judges of our messages and of our fakes.

They are the bot's side, as we are: what they write must be what we write, and what they read from a vendor must be what we
read. A Telnyx or Twilio `media` message has the same shape both ways, so ours are also given to them to read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve, field, frozen

from realtime_telephony.leg import CallerAudio, DigitPressed
from realtime_telephony.media_dialect import DIALECTS, TELNYX, MediaDialect, detect
from realtime_telephony.media_frames import Media, MediaFrames, read_start
from tests.telephony.fakes.media import (
    FakePlivo,
    FakeTelnyx,
    FakeTelnyxAlaw,
    FakeTwilio,
    FakeVendor,
    eventually,
)
from tests.telephony.fakes.media_server import call
from tests.telephony.test_media_stream import audio_of, tone

pipecat_frames: Any = pytest.importorskip("pipecat.frames.frames")
twilio: Any = pytest.importorskip("pipecat.serializers.twilio")
telnyx: Any = pytest.importorskip("pipecat.serializers.telnyx")
plivo: Any = pytest.importorskip("pipecat.serializers.plivo")
runner: Any = pytest.importorskip("pipecat.runner.utils")

pytestmark = pytest.mark.witnesses


@frozen
class Case:
    fake: type[FakeVendor]
    serializer: Any = field(repr=False)
    dialect: MediaDialect = field(repr=False)

    def frames(self) -> MediaFrames:
        vendor: Any = self.fake()
        return MediaFrames(read_start(self.dialect, vendor.start()))

    async def witness(self) -> Any:
        made = self.serializer()
        await made.setup(SimpleNamespace(audio_in_sample_rate=8000))
        return made


def _twilio() -> Any:
    made = twilio.TwilioFrameSerializer
    return made(FakeTwilio.stream, params=made.InputParams(auto_hang_up=False))


def _telnyx(encoding: str) -> Any:
    made = telnyx.TelnyxFrameSerializer
    params = made.InputParams(auto_hang_up=False)
    return made(FakeTelnyx.stream, encoding, encoding, params=params)


def _plivo() -> Any:
    made = plivo.PlivoFrameSerializer
    return made(FakePlivo.stream, params=made.InputParams(auto_hang_up=False))


BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
CASES = [
    Case(FakeTwilio, _twilio, BY_NAME["twilio"]),
    Case(FakeTelnyx, lambda: _telnyx("PCMU"), TELNYX),
    Case(FakeTelnyxAlaw, lambda: _telnyx("PCMA"), evolve(TELNYX, reply_encoding="PCMA")),
    Case(FakePlivo, _plivo, BY_NAME["plivo"]),
]


@pytest.fixture(params=CASES, ids=lambda case: case.fake.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    made: Case = request.param
    return made


def out(pcm: bytes) -> Any:
    return pipecat_frames.OutputAudioRawFrame(audio=pcm, sample_rate=8000, num_channels=1)


async def test_our_audio_is_their_audio_byte_for_byte(case: Case) -> None:
    witness, ours = await case.witness(), case.frames()
    for ms in (20, 40, 100):
        pcm = tone(ms, 8000)
        theirs = json.loads(await witness.serialize(out(pcm)))
        assert json.loads(ours.play(pcm)) == theirs


async def test_every_sample_value_has_their_code(case: Case) -> None:
    witness, ours = await case.witness(), case.frames()
    pcm = b"".join(n.to_bytes(2, "little", signed=True) for n in range(-32768, 32768))
    theirs = json.loads(await witness.serialize(out(pcm)))
    assert json.loads(ours.play(pcm)) == theirs


async def test_our_clear_is_their_clear(case: Case) -> None:
    witness, ours = await case.witness(), case.frames()
    theirs = await witness.serialize(pipecat_frames.InterruptionFrame())
    assert json.loads(ours.clear()) == json.loads(theirs)


async def test_what_they_read_from_the_vendor_is_what_we_read(case: Case) -> None:
    witness = await case.witness()
    vendor = case.fake()
    pcm = tone(100, 8000)
    messages = [json.dumps(vendor.media(frame)) for frame in vendor.frames(pcm)]
    theirs = b"".join([(await witness.deserialize(message)).audio for message in messages])
    assert len(theirs) == len(pcm)
    async with call(vendor, dialects=[case.dialect]) as (leg, _):
        for message in messages:
            await vendor.send(message)
        assert await audio_of(leg, len(pcm)) == theirs


async def test_digits_they_read_are_digits_we_read(case: Case) -> None:
    witness = await case.witness()
    vendor = case.fake()
    sent: list[str] = []
    async with call(vendor) as (leg, _):
        send = vendor.ws.send_str

        async def spied(text: str) -> None:
            sent.append(text)
            await send(text)

        vendor.ws.send_str = spied  # type: ignore[method-assign, assignment]
        for digit in "0123456789*#":
            await vendor.press(digit)
            assert await leg.receive() == DigitPressed(digit)
    read = [(await witness.deserialize(text)).button.value for text in sent]
    assert "".join(read) == "0123456789*#"


async def test_all_our_messages_of_a_call_are_taken(case: Case) -> None:
    witness = await case.witness()
    vendor = case.fake()
    pcm = tone(500, 8000)
    async with call(vendor, dialects=[case.dialect]) as (leg, _):
        leg.play(pcm)
        await asyncio.sleep(0.1)
        await leg.flush()
        leg.play(pcm[:1600])
        await eventually(lambda: len(vendor.received) >= 9)
    heard = b""
    for message in vendor.received:
        read = await witness.deserialize(json.dumps(message))
        if message["event"] == "media":
            heard += read.audio
        else:
            assert read is None  # nothing they would read as something else
    if case.fake is not FakePlivo:  # playAudio is never read by a bot
        assert len(heard) == len(pcm) + 1600


async def test_their_media_is_understood_by_our_leg(case: Case) -> None:
    witness = await case.witness()
    pcm = tone(20, 8000)
    theirs = await witness.serialize(out(pcm))
    if case.fake is FakePlivo:
        strict = FakePlivo()
        await strict.take(json.loads(theirs))  # a vendor's message: our strict fake takes it
        assert strict._queue
        return
    frames = case.frames()
    read = frames.read(theirs)
    assert isinstance(read, Media)
    assert frames.started.plays.decode(read.payload) == (await witness.deserialize(theirs)).audio
    vendor = case.fake()
    async with call(vendor, dialects=[case.dialect]) as (leg, _):
        await vendor.send(theirs)
        event = await leg.receive()
        assert isinstance(event, CallerAudio)
        assert event.pcm == (await witness.deserialize(theirs)).audio


async def test_they_detect_the_vendor_as_we_do(case: Case) -> None:
    vendor: Any = case.fake()
    start = vendor.start()
    first: list[dict[str, Any]] = (
        [] if case.fake is FakePlivo else [{"event": "connected", "version": "1.0.0"}]
    )
    messages = [json.dumps(message) for message in (*first, start, vendor.media(bytes(320)))]

    async def texts() -> AsyncIterator[str]:
        for message in messages:
            yield message

    stream = texts()
    socket = SimpleNamespace(
        iter_text=lambda: stream, query_params={}, receive_text=stream.__anext__
    )
    name, data = await runner.parse_telephony_websocket(socket)
    dialect = detect(start)
    assert dialect is not None
    assert dialect.name == name
    started = read_start(dialect, start)
    assert (started.stream_id, started.info.call_id) == (data["stream_id"], data["call_id"])
