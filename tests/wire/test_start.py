"""The gate of two: a greeting, and the acknowledgement that opens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from realtime_core.errors import ConnectError, ErrorKind, SessionLostError, VendorError
from realtime_core.options import Options
from realtime_core.wire import StartRefused, WireState

from .kit import (
    DIALECTS,
    OPENAI,
    Talk,
    audio,
    created,
    done,
    error,
    every_dialect,
    on,
)

GREETING = {"type": "session.created", "session": {"id": "S1"}}
UPDATED = {"type": "session.updated", "session": {"id": "S2"}}


def started(dialect: str, options: Options | None = None) -> Talk:
    talk = Talk(dialect, options)
    talk.wire.open(talk.now)
    return talk


@every_dialect
def test_opens_on_the_acknowledgement_never_on_the_greeting(dialect: str) -> None:
    talk = started(dialect)
    assert talk.sent() == []
    talk.say(GREETING)
    assert talk.kinds() == ["session.update"]
    assert talk.told() == []
    talk.say(UPDATED)
    assert talk.told() == [("open", "S2")]
    assert talk.wire.state is WireState.OPEN
    assert talk.wire.deadline() is None


@every_dialect
def test_the_greetings_id_is_kept_when_the_acknowledgement_names_none(dialect: str) -> None:
    assert started(dialect).say(GREETING, {"type": "session.updated"}).told() == [("open", "S1")]


@every_dialect
@pytest.mark.parametrize("greeting", ["conversation.created", "transcription_session.created"])
def test_a_server_may_greet_otherwise(dialect: str, greeting: str) -> None:
    talk = started(dialect).say({"type": greeting})
    assert talk.kinds() == ["session.update"]
    assert talk.say({"type": "transcription_session.updated"}).told() == [("open", None)]


@every_dialect
def test_configures_once_however_often_it_is_greeted(dialect: str) -> None:
    talk = started(dialect).say(GREETING, {"type": "conversation.created"}, GREETING)
    assert talk.kinds() == ["session.update"]
    talk.say(UPDATED, UPDATED, GREETING)
    assert talk.told() == [("open", "S2")]
    assert talk.sent() == []


@every_dialect
def test_an_acknowledgement_before_the_greeting_opens_nothing(dialect: str) -> None:
    talk = started(dialect).say(UPDATED)
    assert talk.told() == []
    assert talk.say(GREETING, UPDATED).told() == [("open", "S2")]


@every_dialect
def test_nothing_of_a_conversation_counts_before_the_session_is_open(dialect: str) -> None:
    talk = started(dialect).say(GREETING, created(), audio(), done())
    assert talk.told() == []
    assert talk.say(UPDATED).told() == [("open", "S2")]


@every_dialect
def test_a_refused_configuration_fails_the_start(dialect: str) -> None:
    talk = started(dialect).say(GREETING)
    (update,) = talk.sent()
    talk.say(error("bad voice", code="invalid_value", event=update["event_id"]))
    (refused,) = talk.effects()
    assert isinstance(refused, StartRefused)
    assert isinstance(refused.error, ConnectError)
    assert refused.error.kind is ErrorKind.CONFIG
    assert isinstance(refused.error.__cause__, VendorError)
    assert "bad voice" in str(refused.error)
    assert talk.wire.state is WireState.CLOSED
    assert talk.say(UPDATED, error()).told() == []


@every_dialect
@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (error("no such key", code="invalid_api_key"), ErrorKind.AUTH),
        (error("no such model", code="model_not_found"), ErrorKind.MODEL),
        (error("gone", kind="server_error"), ErrorKind.VENDOR),
        ({"type": "error"}, ErrorKind.VENDOR),
        ({"type": "error", "error": None}, ErrorKind.VENDOR),
        ({"type": "error", "error": "no"}, ErrorKind.VENDOR),
        # Even what would be a harmless race later: nothing else can be meant now.
        (error("no active response"), None),
    ],
)
def test_any_error_before_the_opening_fails_the_start(
    dialect: str, frame: dict[str, object], kind: ErrorKind | None
) -> None:
    for before in ([], [GREETING]):
        talk = started(dialect).say(*before, frame)
        (effect,) = talk.effects()
        assert isinstance(effect, StartRefused)
        # DashScope spells the code of a wrong key its own way.
        assert kind in (None, effect.error.kind) or (
            kind is ErrorKind.AUTH and dialect not in OPENAI
        )
        assert talk.wire.state is WireState.CLOSED


@every_dialect
def test_the_error_then_close_pair_is_one_refusal(dialect: str) -> None:
    talk = started(dialect).say(error("no", code="invalid_model"))
    talk.wire.receive_eof(4000, "invalid_request_error.invalid_model", talk.now)
    assert [each[0] for each in talk.told()] == ["refused"]


@every_dialect
@pytest.mark.parametrize("code", [1000, 1006, 1011, 4000])
def test_an_end_at_any_point_of_the_start_refuses_it(dialect: str, code: int) -> None:
    for frames in ([], [GREETING]):
        talk = started(dialect).say(*frames)
        talk.wire.receive_eof(code, "", talk.now)
        (effect,) = talk.effects()
        assert isinstance(effect, StartRefused)
        assert isinstance(effect.error, ConnectError)
        assert talk.wire.state is WireState.CLOSED


@pytest.mark.parametrize(
    ("dialect", "code", "reason", "kind"),
    [
        ("openai_ga", 3000, "invalid_request_error.invalid_api_key", ErrorKind.AUTH),
        ("openai_ga", 3000, "invalid_request_error", ErrorKind.AUTH),
        ("openai_ga", 4000, "invalid_request_error.invalid_model", ErrorKind.MODEL),
        ("openai_ga", 4000, "invalid_request_error.beta_api_shape_disabled", ErrorKind.CONFIG),
        ("openai_ga", 1006, "", ErrorKind.TRANSPORT),
        ("dashscope_omni", 1007, "Internal service error: null", ErrorKind.VENDOR),
        ("dashscope_omni", 1007, "Access denied.", ErrorKind.AUTH),
        ("dashscope_omni", 1011, "", ErrorKind.VENDOR),
    ],
)
def test_a_close_during_the_start_says_why(
    dialect: str, code: int, reason: str, kind: ErrorKind
) -> None:
    talk = started(dialect)
    talk.wire.receive_eof(code, reason, talk.now)
    (refusal,) = talk.errors()
    assert refusal.kind is kind


@every_dialect
def test_closed_by_us_before_the_opening_tells_nobody(dialect: str) -> None:
    for frames in ([], [GREETING]):
        talk = started(dialect).say(*frames)
        talk.wire.close(talk.now)
        assert talk.told() == []
        assert talk.say(UPDATED).told() == []
        talk.wire.receive_eof(1000, "", talk.now)
        assert talk.told() == []


@every_dialect
def test_the_drivers_failure_before_the_opening_refuses_the_start(dialect: str) -> None:
    talk = started(dialect).say(GREETING)
    talk.wire.fail(SessionLostError("dead", kind=ErrorKind.STALLED), talk.now)
    assert talk.told() == [("refused", "stalled")]


def test_beta_opens_five_seconds_after_an_update_nobody_acknowledged() -> None:
    talk = started("openai_beta").wait(4.9)
    assert talk.wire.deadline() is None
    talk.say(GREETING)
    assert talk.wait(4.9).told() == []
    assert talk.wait(0.2).told() == [("open", "S1")]
    assert talk.wire.deadline() is None
    assert talk.say(UPDATED).told() == []


@on(*(name for name in DIALECTS if name != "openai_beta"))
def test_the_others_never_open_unacknowledged(dialect: str) -> None:
    talk = started(dialect).say(GREETING)
    assert talk.wire.deadline() is None
    assert talk.wait(3600).told() == []


@pytest.mark.parametrize(
    "end",
    [
        lambda talk: talk.say(error()),
        lambda talk: talk.wire.receive_eof(1006, "", talk.now),
        lambda talk: talk.wire.close(talk.now),
        lambda talk: talk.wire.fail(SessionLostError("dead"), talk.now),
    ],
)
def test_a_start_that_ended_waits_for_nothing(end: Callable[[Talk], object]) -> None:
    talk = started("openai_beta").say(GREETING)
    end(talk)
    assert talk.wire.deadline() is None


@pytest.mark.parametrize(
    ("session", "rate_hz"),
    [
        ({"audio": {"output": {"format": {"type": "pcm", "sample_rate": 16000}}}}, 16000),
        ({"audio": {"output": {"format": {"type": "audio/pcm", "rate": 48000}}}}, 48000),
        ({"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, 24000),
        ({"audio": {"output": {"format": {"sample_rate": "16000"}}}}, 24000),
        ({"audio": {"output": {"format": {"sample_rate": True}}}}, 24000),
        ({"audio": {"output": {"format": {"sample_rate": 4}}}}, 24000),
        ({"audio": {"output": {"format": "pcm"}}}, 24000),
        ({"audio": None}, 24000),
        (None, 24000),
    ],
)
@every_dialect
def test_the_echoed_output_rate_is_trusted_when_it_is_one(
    dialect: str, session: object, rate_hz: int
) -> None:
    talk = started(dialect).say(GREETING, {"type": "session.updated", "session": session})
    assert talk.wire.state is WireState.OPEN
    assert talk.wire.output_rate_hz == rate_hz


@every_dialect
@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 100_000, b'{"type":7}']
)
def test_junk_during_the_start_is_only_logged(dialect: str, junk: bytes) -> None:
    talk = started(dialect).say(junk, GREETING, junk, UPDATED)
    assert talk.told() == [("open", "S2")]
