from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from realtime_core import ConfigError
from realtime_telephony.media_dialect import DIALECTS, PLIVO, TELNYX, TWILIO, MediaDialect, detect
from realtime_telephony.media_frames import MediaFrames, StreamStarted, read_start
from tests.telephony.fakes.media import FakePlivo, FakePlivoL16, FakeTelnyx, FakeTwilio

STARTS = [(TWILIO, FakeTwilio), (TELNYX, FakeTelnyx), (PLIVO, FakePlivo)]


def started(dialect: MediaDialect, message: dict[str, Any]) -> StreamStarted:
    assert detect(message, [dialect]) is dialect
    return read_start(dialect, message)


@pytest.mark.parametrize(("dialect", "fake"), STARTS, ids=lambda item: getattr(item, "name", ""))
async def test_each_start_is_recognised_as_its_own_vendors(
    dialect: MediaDialect, fake: type[FakeTwilio | FakeTelnyx | FakePlivo]
) -> None:
    assert detect(fake().start()) is dialect


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "start",
        {},
        {"event": "connected"},
        {"event": "start"},
        {"event": "start", "start": []},
        {"event": "start", "start": {"streamSid": "MZ1"}},
        {"event": "start", "start": {"streamSid": 1, "callSid": 2}},
        {
            "event": "start",
            "start": {"stream_sid": "1", "call_sid": "2"},
        },  # Exotel: not one of ours
        {"event": "media", "start": {"streamSid": "MZ1", "callSid": "CA1"}},
    ],
)
def test_other_messages_are_nobodys(message: object) -> None:
    assert detect(message) is None


def test_names_of_dialects_differ() -> None:
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)


async def test_telnyx_g722_is_refused_with_the_setting_to_change() -> None:
    start = FakeTelnyx().start(
        media_format={"encoding": "G722", "sample_rate": 8000, "channels": 1}
    )
    with pytest.raises(ConfigError, match=r"'G722'.*stream_bidirectional_codec to PCMU"):
        read_start(TELNYX, start)


@pytest.mark.parametrize("channels", [2, "2", 0])
async def test_more_than_one_channel_is_refused(channels: object) -> None:
    encoding = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": channels}
    with pytest.raises(ConfigError, match="one channel"):
        read_start(TWILIO, FakeTwilio().start(mediaFormat=encoding))


@pytest.mark.parametrize("encoding", ["OPUS", "AMR-WB", "mp3", "", None, 7])
async def test_what_we_cannot_carry_is_refused(encoding: object) -> None:
    media_format = {"encoding": encoding, "sample_rate": 8000, "channels": 1}
    with pytest.raises(ConfigError, match="stream_bidirectional_mode to rtp"):
        read_start(TELNYX, FakeTelnyx().start(media_format=media_format))


async def test_rates_we_cannot_carry_are_refused() -> None:
    with pytest.raises(ConfigError, match="contentType"):
        read_start(
            PLIVO, FakePlivo().start(mediaFormat={"encoding": "audio/x-l16", "sampleRate": 24000})
        )
    with pytest.raises(ConfigError, match="8000 Hz, got 16000"):
        read_start(
            TWILIO,
            FakeTwilio().start(mediaFormat={"encoding": "audio/x-mulaw", "sampleRate": "16000"}),
        )


async def test_guess_telnyx_expects_pcmu_whatever_the_caller_has() -> None:
    # stream_bidirectional_codec has this default and no message tells it.
    alaw = {"encoding": "PCMA", "sample_rate": 8000, "channels": 1}
    stream = started(TELNYX, FakeTelnyx().start(media_format=alaw))
    assert (stream.hears.name, stream.plays.name) == ("PCMA", "PCMU")
    as_set = evolve(TELNYX, reply_encoding="PCMA")
    assert started(as_set, FakeTelnyx().start(media_format=alaw)).plays.name == "PCMA"


async def test_guess_telnyx_l16_is_in_network_byte_order() -> None:
    l16 = {"encoding": "L16", "sample_rate": 16000, "channels": 1}
    with pytest.raises(ConfigError, match="stream_bidirectional_codec"):
        started(TELNYX, FakeTelnyx().start(media_format=l16))  # our side would be PCMU at 8 kHz
    stream = started(evolve(TELNYX, reply_encoding="L16"), FakeTelnyx().start(media_format=l16))
    assert stream.plays.encode(b"\x01\x02\x03\x04") == b"\x02\x01\x04\x03"
    assert stream.hears.decode(b"\x02\x01\x04\x03") == b"\x01\x02\x03\x04"


async def test_guess_plivo_l16_is_little_endian() -> None:
    stream = started(PLIVO, FakePlivoL16().start())
    assert stream.plays.encode(b"\x01\x02") == stream.hears.decode(b"\x01\x02") == b"\x01\x02"
    assert stream.plays.sample_rate_hz == 16000


@pytest.mark.parametrize(
    "text",
    [
        "shop=north;caller=15550100",
        "shop=north,caller=15550100",
        '{"shop": "north", "caller": "15550100"}',
        " shop = north ; caller = 15550100 ; nothing",
    ],
)
async def test_plivo_extra_headers_are_read_in_every_form_that_is_documented(text: str) -> None:
    stream = read_start(PLIVO, {**FakePlivo().start(), "extra_headers": text})
    assert stream.info.parameters == {"shop": "north", "caller": "15550100"}
    assert stream.info.caller == "15550100"
    assert stream.info.dialled is None


async def test_parameters_are_bounded() -> None:
    many = {f"p{n}": "x" * 5000 for n in range(100)}
    info = read_start(TWILIO, FakeTwilio().start(customParameters=many)).info
    assert len(info.parameters) == 64
    assert {len(value) for value in info.parameters.values()} == {1024}
    odd = {"a": {"b": 1}, "c": None, "d": 4}
    assert read_start(TWILIO, FakeTwilio().start(customParameters=odd)).info.parameters == {
        "d": "4"
    }


@pytest.mark.parametrize("call_id", ["", "../Account", "a b", "CA1\n", "x" * 300, 7, None])
async def test_a_call_id_no_vendor_gives_is_refused(call_id: object) -> None:
    with pytest.raises(ConfigError, match="id of the call"):
        read_start(TWILIO, FakeTwilio().start(callSid=call_id))


async def test_the_messages_we_write() -> None:
    twilio = MediaFrames(started(TWILIO, FakeTwilio().start()))
    sid = f'"streamSid":"{FakeTwilio.stream}"'.encode()
    assert twilio.play(bytes(4)) == b'{"event":"media",' + sid + b',"media":{"payload":"//8="}}'
    assert twilio.mark("7") == b'{"event":"mark",' + sid + b',"mark":{"name":"7"}}'
    assert twilio.clear() == b'{"event":"clear",' + sid + b"}"

    telnyx = MediaFrames(started(TELNYX, FakeTelnyx().start()))
    assert telnyx.play(bytes(4)) == b'{"event":"media","media":{"payload":"//8="}}'
    assert telnyx.mark("7") == b'{"event":"mark","mark":{"name":"7"}}'
    assert telnyx.clear() == b'{"event":"clear"}'

    plivo = MediaFrames(started(PLIVO, FakePlivoL16().start()))
    sid = f'"streamId":"{FakePlivo.stream}"'.encode()
    assert plivo.play(bytes(4)) == (
        b'{"event":"playAudio",' + sid + b',"media":{"contentType":"audio/x-l16",'
        b'"sampleRate":16000,"payload":"AAAAAA=="}}'
    )
    assert plivo.mark("7") == b'{"event":"checkpoint",' + sid + b',"name":"7"}'
    assert plivo.clear() == b'{"event":"clearAudio",' + sid + b"}"
