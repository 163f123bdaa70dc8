from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_telephony.audiosocket_frames import (
    MAX_UNKNOWN,
    RATES_HZ,
    Audio,
    AudioSocketDecoder,
    CallId,
    Digit,
    HangUp,
    Malformed,
    Message,
    PeerError,
    audio_frame,
    encode,
)

CALL = CallId(UUID("40325ec2-5efd-4bd3-805f-53576e581d13"))

AUDIO = st.sampled_from(sorted(RATES_HZ.values())).flatmap(
    lambda rate: st.integers(1, 400).map(lambda samples: Audio(bytes(range(2)) * samples, rate))
)
MESSAGES = st.lists(
    st.one_of(
        AUDIO,
        st.sampled_from("0123456789*#ABCD").map(Digit),
        st.just(HangUp()),
        st.one_of(st.none(), st.integers(0, 255)).map(PeerError),
    ),
    max_size=12,
)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def started() -> AudioSocketDecoder:
    decoder = AudioSocketDecoder()
    assert decoder.feed(encode(CALL)) == [CALL]
    return decoder


def reason(messages: list[Message]) -> str:
    (message,) = messages
    assert isinstance(message, Malformed)
    return message.reason


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_any_split_of_the_stream_gives_the_same_messages(
    messages: list[Message], cuts: list[int]
) -> None:
    data = b"".join(encode(message) for message in [CALL, *messages])
    decoder = AudioSocketDecoder()
    assert [m for piece in split(data, cuts) for m in decoder.feed(piece)] == [CALL, *messages]


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=8))
def test_garbage_raises_nothing_and_is_malformed_once_at_most(data: bytes, cuts: list[int]) -> None:
    for decoder in (AudioSocketDecoder(), started()):
        messages = [m for piece in split(data, cuts) for m in decoder.feed(piece)]
        broken = [m for m in messages if isinstance(m, Malformed)]
        assert len(broken) <= 1
        if broken:
            assert messages[-1] is broken[0]
            assert decoder.feed(encode(CALL)) == []


def test_every_rate_has_its_type() -> None:
    for kind, rate in RATES_HZ.items():
        pcm = bytes(rate // 50 * 2)
        frame = audio_frame(pcm, rate)
        assert (frame[0], len(frame)) == (kind, 3 + len(pcm))
        assert started().feed(frame) == [Audio(pcm, rate)]


def test_the_wire_is_as_documented() -> None:
    assert encode(CALL) == b"\x01\x00\x10" + CALL.uuid.bytes
    assert encode(Digit("5")) == b"\x03\x00\x015"
    assert encode(HangUp()) == b"\x00\x00\x00"
    assert encode(PeerError(4)) == b"\xff\x00\x01\x04"
    assert audio_frame(b"\x01\x02" * 160, 8000)[:5] == b"\x10\x01\x40\x01\x02"


def test_anything_before_the_uuid_is_malformed_at_its_first_bytes() -> None:
    assert "UUID" in reason(AudioSocketDecoder().feed(b"GET / HTTP/1.1\r\n"))
    assert "UUID" in reason(AudioSocketDecoder().feed(audio_frame(bytes(320), 8000)))


@pytest.mark.parametrize(
    ("header", "word"),
    [
        (b"\x01\x00\x10", "second UUID"),
        (b"\x03\x00\x02", "1 bytes"),
        (b"\x03\x00\x00", "1 bytes"),
        (b"\x10\x01\x41", "whole 16-bit samples"),
        (b"\x10\xff\xfe", "at most 1000 ms"),
    ],
)
def test_a_header_that_cannot_be_is_refused_before_its_payload_comes(
    header: bytes, word: str
) -> None:
    assert word in reason(started().feed(header))


def test_a_uuid_of_another_length_is_malformed() -> None:
    assert "16 bytes" in reason(AudioSocketDecoder().feed(b"\x01\x00\x24"))


def test_empty_audio_and_a_digit_that_is_none_are_skipped() -> None:
    assert started().feed(b"\x10\x00\x00" + b"\x03\x00\x01!" + encode(Digit("1"))) == [Digit("1")]


def test_a_few_unknown_types_are_skipped_and_counted_and_many_are_malformed() -> None:
    decoder = started()
    assert decoder.feed(b"\x42\x00\x03abc" * MAX_UNKNOWN + encode(Digit("1"))) == [Digit("1")]
    assert decoder.unknown == MAX_UNKNOWN
    assert "unknown" in reason(decoder.feed(b"\x42\x00\x00"))


@pytest.mark.parametrize(
    ("pcm", "rate"), [(b"", 8000), (b"abc", 8000), (bytes(65536), 8000), (bytes(320), 11025)]
)
def test_a_frame_that_asterisk_would_not_take_is_not_made(pcm: bytes, rate: int) -> None:
    with pytest.raises(ValueError, match="AudioSocket"):
        audio_frame(pcm, rate)


def test_malformed_has_no_frame() -> None:
    with pytest.raises(ValueError, match="malformed"):
        encode(Malformed("x"))
