"""Plivo's own models and handler as judges of our messages and of our fake."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from realtime_telephony.leg import CallerAudio, DigitPressed
from realtime_telephony.media_dialect import PLIVO, detect
from realtime_telephony.media_frames import MediaFrames, read_start
from tests.telephony.fakes.media import FakePlivo, FakePlivoL16, eventually
from tests.telephony.fakes.media_server import call, media_server
from tests.telephony.test_media_stream import tone

types: Any = pytest.importorskip("plivo_stream.types")
base: Any = pytest.importorskip("plivo_stream.base")

pytestmark = pytest.mark.witnesses

FAKES = pytest.mark.parametrize("fake", [FakePlivo, FakePlivoL16])


class Handler(base.BaseStreamingHandler):  # type: ignore[misc]
    """The SDK's handler without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.seen: list[Any] = []
        self._error_callbacks.append(self._failed)
        for callbacks in (
            self._start_callbacks,
            self._media_callbacks,
            self._dtmf_callbacks,
            self._played_stream_callbacks,
            self._cleared_audio_callbacks,
        ):
            callbacks.append(self._saw)

    async def _failed(self, error: Exception) -> None:
        self.errors.append(error)

    async def _saw(self, event: Any) -> None:
        self.seen.append(event)

    async def _send_raw(self, message: str) -> None:
        self.sent.append(json.loads(message))

    async def start(self, *_: Any, **__: Any) -> None: ...

    async def stop(self, *_: Any, **__: Any) -> None: ...


@FAKES
async def test_every_message_of_ours_is_one_of_their_models(fake: type[FakePlivo]) -> None:
    models = {
        "playAudio": types.PlayAudioEvent,
        "checkpoint": types.CheckpointEvent,
        "clearAudio": types.ClearAudioEvent,
    }
    vendor = fake()
    async with call(vendor) as (leg, _):
        leg.play(tone(500, vendor.rate_hz))
        await asyncio.sleep(0.1)
        await leg.flush()
        leg.play(tone(70, vendor.rate_hz))
        await leg.drained(2.0)
    assert {message["event"] for message in vendor.received} == set(models)
    for message in vendor.received:
        model = models[message["event"]](**message)
        dumped = model.model_dump(by_alias=True)
        # Nothing but streamId is ours alone, and that on playAudio only, where pipecat sends it too.
        extra = {"streamId": vendor.stream} if message["event"] == "playAudio" else {}
        assert message == {**dumped, **extra}


@FAKES
async def test_their_handler_writes_what_we_write(fake: type[FakePlivo]) -> None:
    vendor = fake()
    start = vendor.start()
    ours = MediaFrames(read_start(PLIVO, start))
    handler = Handler()
    await handler._process_message(json.dumps(start))
    pcm = tone(20, vendor.rate_hz)
    await handler.send_media(
        base64.b64decode(vendor.encode(pcm)), vendor.content_type, vendor.rate_hz
    )
    await handler.send_checkpoint("7")
    await handler.send_clear_audio()
    written = [json.loads(text) for text in (ours.play(pcm), ours.mark("7"), ours.clear())]
    assert written[0].pop("streamId") == vendor.stream
    assert handler.sent == written
    assert handler.errors == []


@FAKES
async def test_every_message_of_our_fake_is_read_by_their_handler(fake: type[FakePlivo]) -> None:
    vendor = fake()
    handler = Handler()
    async with media_server() as server:
        await vendor.dial(server.url())
        sent: list[str] = []
        send = vendor.ws.send_str

        async def spied(text: str) -> None:
            sent.append(text)
            await send(text)

        vendor.ws.send_str = spied  # type: ignore[method-assign, assignment]
        await vendor.begin()
        leg = await asyncio.wait_for(server.legs.get(), 5)
        await vendor.speak(tone(60, vendor.rate_hz))
        await vendor.press("5")
        leg.play(tone(100, vendor.rate_hz))
        assert await leg.drained(2.0)
        leg.play(tone(300, vendor.rate_hz))
        await leg.flush()
        await eventually(lambda: any("clearedAudio" in text for text in sent))
        await vendor.leave()
    for text in sent:
        await handler._process_message(text)
    assert handler.errors == []
    names = {type(event).__name__ for event in handler.seen}
    assert names == {
        "StartEvent",
        "MediaEvent",
        "DtmfEvent",
        "PlayedStreamEvent",
        "ClearedAudioEvent",
    }
    assert len(handler.seen) == len(sent)


@FAKES
async def test_messages_made_with_their_models_are_understood(fake: type[FakePlivo]) -> None:
    class Modelled(fake):  # type: ignore[misc, valid-type]
        async def send(self, message: Any) -> None:
            model = {
                "start": types.StartEvent,
                "media": types.MediaEvent,
                "dtmf": types.DtmfEvent,
                "playedStream": types.PlayedStreamEvent,
                "clearedAudio": types.ClearedAudioEvent,
            }[message["event"]]
            await super().send(model(**message).model_dump_json(by_alias=True))

    vendor = Modelled()
    assert detect(vendor.start()) is PLIVO
    async with call(vendor) as (leg, _):
        assert leg.info.parameters["shop"] == "north"
        await vendor.press("#")
        assert await leg.receive() == DigitPressed("#")
        await vendor.speak(tone(20, vendor.rate_hz))
        assert isinstance(await leg.receive(), CallerAudio)
        leg.play(tone(100, vendor.rate_hz))
        assert await leg.drained(2.0)  # playedStream
        leg.play(tone(400, vendor.rate_hz))
        await asyncio.sleep(0.1)
        played = await leg.flush()  # clearedAudio
        assert vendor.rate_hz * 0.15 < played < vendor.rate_hz * 0.3
        assert leg.counters == {}
