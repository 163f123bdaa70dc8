"""What no server should send: nothing of it raises, little of it is heard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_core.errors import ErrorKind, RemoteProtocolError
from realtime_core.events import ErrorEvent
from realtime_core.wire import WireState

from .kit import (
    CODECS,
    DASHSCOPE,
    Frame,
    Talk,
    audio,
    audio_done,
    call,
    created,
    done,
    error,
    every_dialect,
    item_done,
    message,
    on,
    recorded,
    said,
    said_all,
    silence,
    speech,
    transcript,
)

every_codec = pytest.mark.parametrize("codec", CODECS)

NO_OBJECTS = {
    "nothing": b"",
    "blank": b"  ",
    "open": b"{",
    "list": b"[]",
    "text": b'"hello"',
    "null": b"null",
    "number": b"1e5",
    "words": b"not json at all",
    "two": b"{}{}",
    "no utf-8": b'{"type":"\xff"}',
    "binary": bytes(range(256)),
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"type":"response.done","response":' * 20_000 + b"{}" + b"}" * 20_000,
}


@pytest.mark.parametrize("junk", NO_OBJECTS.values(), ids=NO_OBJECTS)
@every_codec
@every_dialect
def test_a_frame_that_holds_no_object_is_an_error_and_nothing_more(
    dialect: str, codec: str, junk: bytes
) -> None:
    talk = Talk(dialect, codec=CODECS[codec]).open().say(created(), junk, audio(), done())
    effects = talk.effects()
    (event,) = [effect for effect in effects if isinstance(effect, ErrorEvent)]
    assert isinstance(event.error, RemoteProtocolError)
    assert not event.fatal
    assert str(len(junk)) in str(event.error)
    assert talk.wire.state is WireState.OPEN
    assert [type(effect).__name__ for effect in effects if effect is not event] == [
        "AudioDelta",
        "AudioEnd",
        "AssistantTurnEnd",
    ]


@pytest.mark.parametrize("kind", [None, 7, True, [], {}, "", "vendor.news", "RESPONSE.DONE"])
@every_dialect
def test_an_event_nobody_knows_is_ignored_and_counted(dialect: str, kind: Any) -> None:
    talk = Talk(dialect).open().say(created())
    talk.say({"type": kind, "response_id": "R1", "delta": 7})
    assert talk.told() == []
    assert talk.wire.frames_ignored == 1
    assert talk.say({}).told() == []
    assert talk.wire.frames_ignored == 2


@every_dialect
def test_events_that_need_no_answer_say_nothing(dialect: str) -> None:
    talk = Talk(dialect).open()
    for kind in (
        "input_audio_buffer.committed",
        "input_audio_buffer.cleared",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.done",
        "conversation.item.truncated",
        "rate_limits.updated",
        "session.updated",
        "session.created",
    ):
        talk.say({"type": kind})
    assert talk.told() == []
    assert talk.sent() == []


@pytest.mark.parametrize(
    "delta", ["***", "AQ", "AQ=", "A", "AQI=\n", "AQI-", "é", "\ud800", None, 7, [], {}, True]
)
@every_codec
@every_dialect
def test_audio_that_is_none_is_left_out_and_reported(dialect: str, codec: str, delta: Any) -> None:
    frame = {**audio(), "delta": delta}
    talk = Talk(dialect, codec=CODECS[codec]).open().say(created(), audio(), frame, audio(), done())
    assert talk.told() == [
        ("audio", b"\1\2", "A1", "R1"),
        ("error", "protocol", False),
        ("audio", b"\1\2", "A1", "R1"),
        ("audio end", "A1", "R1"),
        ("end", "R1", "completed"),
    ]


@every_dialect
def test_audio_without_audio_is_reported(dialect: str) -> None:
    frame = audio()
    del frame["delta"]
    talk = Talk(dialect).open().say(created(), frame)
    assert talk.told() == [("error", "protocol", False)]


SCRIPT: list[Frame] = [
    speech(),
    silence(),
    transcript("delta", delta="Hi", text="Hi", stash=""),
    transcript("completed", transcript="Hi"),
    created(),
    {"type": "response.output_item.added", "response_id": "R1", "item": message("")},
    said("Hello"),
    audio(),
    audio_done(),
    said_all("Hello"),
    item_done(message("Hello")),
    item_done(call("C1")),
    done(output=[message("Hello"), call("C1")], usage={"input_tokens": 1}),
    transcript("failed", error={"message": "no"}),
    error("no"),
    done("R2", status="failed", status_details={"error": {"message": "no"}}),
]
_WRONG: tuple[Any, ...] = (None, True, -1, 1e308, "", "x", [], [None, [[]]], {}, {"id": [None]})


def _closes_after(dialect: str, frame: Frame) -> bool:
    """After an error of a type that is not known, DashScope closes."""
    given = frame.get("error")
    kind = given.get("type") if frame["type"] == "error" and isinstance(given, dict) else None
    return (
        dialect in DASHSCOPE and isinstance(kind, str) and kind not in ("", "invalid_request_error")
    )


def _broken(frame: Frame) -> list[Frame]:
    """The frame with each of its fields, at two depths, missing or of each wrong type."""
    versions: list[Frame] = []
    for key, value in frame.items():
        if key == "type":
            continue
        versions.append({other: frame[other] for other in frame if other != key})
        versions.extend({**frame, key: wrong} for wrong in _WRONG)
        if isinstance(value, dict):
            for inner in value:
                rest = {other: value[other] for other in value if other != inner}
                versions.append({**frame, key: rest})
                versions.extend({**frame, key: {**value, inner: wrong}} for wrong in _WRONG)
    return versions


@pytest.mark.parametrize("number", range(len(SCRIPT)))
@on("openai_ga", "openai_beta", "dashscope_omni")  # the others read as these do
def test_any_field_may_be_missing_null_or_of_a_wrong_type(dialect: str, number: int) -> None:
    for frame in _broken(SCRIPT[number]):
        if _closes_after(dialect, frame):
            continue
        talk = Talk(dialect).open()
        talk.say(*SCRIPT[:number], frame)
        for effect in talk.effects():
            assert not (isinstance(effect, ErrorEvent) and effect.fatal), frame
        assert talk.wire.state is WireState.OPEN, frame
        # The conversation goes on.
        talk.say(created("R9"), audio(reply="R9"), done("R9"))
        assert talk.told()[-1] == ("end", "R9", "completed"), frame


@pytest.mark.parametrize("script", ["openai/vad_turn", "dashscope/vad_turn"])
@every_dialect
def test_optional_fields_may_all_be_missing(dialect: str, script: str) -> None:
    gone = ("event_id", "output_index", "content_index", "previous_item_id", "usage", "object")
    talk, bare = Talk(dialect), Talk(dialect)
    talk.wire.open(0)
    bare.wire.open(0)
    frames = recorded(script)
    talk.say(*frames)
    bare.say(*({key: value for key, value in frame.items() if key not in gone} for frame in frames))
    assert bare.told() == talk.told()


@every_dialect
def test_numbers_on_the_vendors_clock_may_be_anything(dialect: str) -> None:
    talk = Talk(dialect).open()
    for at in (b"NaN", b"Infinity", b"-1e999", b"1e400", b"true", b'"7"', b"null", b"[7]"):
        talk.say(b'{"type":"input_audio_buffer.speech_stopped","audio_end_ms":' + at + b"}")
    talk.say(silence("U1", 7))
    told = talk.told_of("silence")
    assert {each[2] for each in told[:-1]} <= {None}
    assert told[-1] == ("silence", "U1", 7)


@every_dialect
def test_two_mebibytes_of_news_are_no_trouble(dialect: str) -> None:
    talk = Talk(dialect, codec=CODECS["fast"]).open()
    talk.say(json.dumps({"type": "vendor.news", "pad": "x" * 2**21}).encode())
    assert talk.told() == []
    talk.say(created(), audio(bytes(2**21)))
    assert talk.told() == [("audio", bytes(2**21), "A1", "R1")]


@every_dialect
def test_an_error_event_may_be_anything(dialect: str) -> None:
    words: tuple[Any, ...] = ("words", {}, {"message": None}, {"message": ["a"], "code": {}})
    for given in (None, 7, [], *words):
        talk = Talk(dialect).open().say({"type": "error", "error": given}, {"type": "error"})
        for found in talk.errors():
            assert found.kind is ErrorKind.VENDOR
            assert str(found)
        assert talk.wire.state is WireState.OPEN
