from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_core import ConfigError
from realtime_telephony.media_dialect import DIALECTS, PLIVO, TELNYX, TWILIO, detect
from realtime_telephony.media_frames import (
    Cleared,
    Digit,
    Ignored,
    MarkReached,
    Media,
    MediaFrames,
    MediaMessage,
    StreamStopped,
    parse_json,
    read_start,
)

START: dict[str, dict[str, Any]] = {
    "twilio": {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "streamSid": "MZ1",
            "callSid": "CA1",
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        },
    },
    "telnyx": {
        "event": "start",
        "sequence_number": "1",
        "stream_id": "s1",
        "start": {
            "call_control_id": "v3:c1",
            "media_format": {"encoding": "PCMU", "sample_rate": 8000},
        },
    },
    "plivo": {
        "event": "start",
        "sequenceNumber": 1,
        "start": {
            "streamId": "s1",
            "callId": "c1",
            "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 8000},
        },
    },
}

# fmt: off
KEYS = [
    "event", "start", "media", "mark", "dtmf", "digit", "name", "payload", "chunk", "track", "streamSid", "streamId",
    "stream_id", "callSid", "callId", "call_control_id", "mediaFormat", "media_format", "encoding", "sampleRate",
    "sample_rate", "customParameters", "extra_headers", "sequenceNumber",
]
# fmt: on

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner
            | st.sampled_from(["start", "media", "mark", "dtmf", "stop", "MZ1", "s1", "AAA="]),
            max_size=6,
        )
    ),
    max_leaves=20,
)


def frames(name: str) -> MediaFrames:
    dialect = next(dialect for dialect in DIALECTS if dialect.name == name)
    return MediaFrames(read_start(dialect, START[name]))


@given(text=st.text() | st.binary() | JSON.map(json.dumps))
def test_whatever_comes_reading_never_raises(text: str | bytes) -> None:
    for name in START:
        assert isinstance(frames(name).read(text), get_args(MediaMessage))


@given(message=JSON, event=st.sampled_from(["start", "media", "mark", "dtmf", "playedStream"]))
def test_damaged_messages_never_raise(message: Any, event: str) -> None:
    damaged = {**message, "event": event} if isinstance(message, dict) else {"event": event}
    for name in START:
        frames(name).read(json.dumps(damaged))


@given(message=JSON)
def test_a_damaged_start_is_refused_or_read(message: Any) -> None:
    for dialect in DIALECTS:
        for path in (("start",), ("start", "mediaFormat"), ("start", "media_format")):
            damaged = json.loads(json.dumps(START[dialect.name]))
            inner = damaged
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = message
            assert detect(damaged) in (*DIALECTS, None)
            with suppress(ConfigError):
                read_start(dialect, damaged)


def test_depth_and_half_characters_are_garbage() -> None:
    assert parse_json("[" * 100_000) is None
    assert parse_json("\ud800") is None
    assert parse_json(b"\xff") is None


@pytest.mark.parametrize("chunk", [3, "3"])
def test_numbers_are_read_as_number_and_as_text(chunk: object) -> None:
    message = {
        "event": "media",
        "streamSid": "MZ1",
        "media": {"track": "inbound", "chunk": chunk, "payload": "//8="},
    }
    assert frames("twilio").read(json.dumps(message)) == Media(b"\xff\xff", 3)


@pytest.mark.parametrize("chunk", ["", "-1", "1e3", "9" * 400, None, [], True, "\u0663"])
def test_a_chunk_number_that_is_none_does_not_cost_the_audio(chunk: object) -> None:
    message = {"event": "media", "media": {"chunk": chunk, "payload": "//8="}}
    assert frames("twilio").read(json.dumps(message)) == Media(b"\xff\xff", None)


def test_messages_that_never_came_are_counted() -> None:
    for name, key in (("twilio", "sequenceNumber"), ("plivo", "sequenceNumber")):
        reader = frames(name)
        for number in (2, 3, 7, 8):
            reader.read(json.dumps({"event": "later", key: number}))
        assert reader.missing == 3


def test_half_a_sample_of_l16_is_bad_audio() -> None:
    message = {"event": "media", "media": {"track": "inbound", "payload": "AAAA"}}  # 3 bytes
    assert frames("plivo").read(json.dumps(message)) == Ignored("bad_audio")


def test_what_each_vendor_says() -> None:
    cases: list[tuple[str, dict[str, Any], MediaMessage]] = [
        ("twilio", {"event": "connected"}, Ignored("greeting")),
        ("plivo", {"event": "connected"}, Ignored("unknown_event")),
        ("twilio", {"event": "mark", "mark": {"name": "1"}}, MarkReached("1")),
        ("telnyx", {"event": "mark", "mark": {"name": "1"}}, MarkReached("1")),
        ("plivo", {"event": "playedStream", "name": "1"}, MarkReached("1")),
        ("plivo", {"event": "clearedAudio"}, Cleared()),
        ("twilio", {"event": "clearedAudio"}, Ignored("unknown_event")),
        ("twilio", {"event": "stop", "stop": {}}, StreamStopped()),
        ("telnyx", {"event": "dtmf", "dtmf": {"digit": "d"}}, Digit("D")),
        ("telnyx", {"event": "dtmf", "dtmf": {"digit": ""}}, Ignored("bad_digit")),
        ("twilio", {"event": "error"}, Ignored("unknown_event")),
        ("twilio", {"event": "dtmf", "streamSid": "MZ2", "dtmf": {"digit": "1"}}, Ignored("wrong_stream")),
    ]  # fmt: skip
    for name, message, expected in cases:
        assert frames(name).read(json.dumps(message)) == expected, (name, message)


def test_every_dialect_has_advice_for_what_it_cannot_carry() -> None:
    assert all(dialect.advice for dialect in (TWILIO, TELNYX, PLIVO))
