"""Errors and ends: what each code means, and how a session is over."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_core.errors import ErrorKind, RealtimeError, SessionLostError
from realtime_core.events import ErrorEvent, SessionClose
from realtime_core.wire import StartRefused, WireState

from .kit import (
    DASHSCOPE,
    OPENAI,
    Talk,
    audio,
    created,
    done,
    error,
    every_dialect,
    on,
    said,
)

K = ErrorKind

FATAL_OPENAI = [
    ("invalid_api_key", K.AUTH),
    ("insufficient_quota", K.QUOTA),
    ("account_deactivated", K.QUOTA),
    ("billing_hard_limit_reached", K.QUOTA),
    ("session_expired", K.EXPIRED),
    ("beta_api_shape_disabled", K.CONFIG),
    ("invalid_model", K.MODEL),
    ("missing_model", K.MODEL),
    ("model_not_found", K.MODEL),
]
FATAL_DASHSCOPE = [
    ("InvalidApiKey", K.AUTH),
    ("WorkspaceNotFound", K.AUTH),
    ("AccessDenied", K.AUTH),
    ("Model.AccessDenied", K.MODEL),
    ("model_not_found", K.MODEL),
    ("Arrearage", K.QUOTA),
    ("AllocationQuota.FreeTierOnly", K.QUOTA),
]
HARMLESS_OPENAI = [
    ("response_cancel_not_active", "Cancellation failed: no active response found"),
    ("input_audio_buffer_commit_empty", "buffer too small"),
    ("item_truncate_invalid_item_id", "no such item"),
    ("item_delete_invalid_item_id", "no such item"),
    ("unsupported_content_type", "Only model output audio messages can be truncated"),
    (None, "Cancellation failed: no active response found"),
    ("", "Audio content of 900ms is already shorter than 1000ms"),
    ("conversation_already_has_active_response", "resp_1 is running"),
    (None, "Conversation already has an active response"),
]
HARMLESS_DASHSCOPE = [
    (None, "Conversation has none active response."),
    ("", "no active response"),
    (
        None,
        "VAD turn committed but no response was created because a manual response is in progress",
    ),
    (None, "another response is in progress"),
    (None, "Conversation already has an active response"),
]
REPORTED_OPENAI = [
    ("rate_limit_exceeded", K.RATE_LIMIT),
    ("inference_rate_limit_exceeded", K.RATE_LIMIT),
    ("invalid_value", K.CONFIG),
    ("unknown_parameter", K.CONFIG),
    ("missing_required_parameter", K.CONFIG),
    ("cannot_update_voice", K.CONFIG),
    ("invalid_tool_call_id", K.TOOL),
    ("invalid_json", K.PROTOCOL),
    ("never_heard_of", K.VENDOR),
    (None, K.VENDOR),
]
REPORTED_DASHSCOPE = [
    ("Throttling", K.RATE_LIMIT),
    ("Throttling.RateQuota", K.RATE_LIMIT),
    ("Throttling.AllocationQuota", K.RATE_LIMIT),
    ("DataInspectionFailed", K.VENDOR),
    ("invalid_value", K.CONFIG),
]


def _of(table_openai: list[Any], table_dashscope: list[Any]) -> list[Any]:
    return [
        *[(dialect, *row) for dialect in OPENAI for row in table_openai],
        *[(dialect, *row) for dialect in DASHSCOPE for row in table_dashscope],
    ]


@pytest.mark.parametrize(("dialect", "code", "kind"), _of(FATAL_OPENAI, FATAL_DASHSCOPE))
def test_a_fatal_code_ends_the_session_and_its_close_says_the_rest(
    dialect: str, code: str, kind: ErrorKind
) -> None:
    talk = Talk(dialect).open().say(created(), said("He"), error("It is over.", code=code))
    assert talk.told()[1:] == [("error", kind.value, True)]
    assert talk.wire.state is WireState.ENDING
    talk.say(audio(), done(), error("again", code=code))
    assert talk.told() == []
    talk.wire.receive_eof(4000, "invalid_request_error", talk.now)
    *texts, _end, close = talk.effects()
    assert len(texts) == 1
    assert isinstance(close, SessionClose)
    assert (close.code, close.reason, close.initiator) == (4000, "invalid_request_error", "vendor")
    assert talk.wire.deadline() is None
    talk.wire.receive_eof(1006, "", talk.now)
    talk.wire.close(talk.now)
    talk.wire.fail(SessionLostError("late"), talk.now)
    assert talk.wait(60).told() == []


@every_dialect
def test_the_order_of_a_fatal_end(dialect: str) -> None:
    code = "model_not_found"
    talk = Talk(dialect).open().say(created(), audio(), error(code=code))
    talk.wire.receive_eof(1000, "", talk.now)
    told = [each for each in talk.told() if each[0] != "audio end"]
    assert told[1:] == [
        ("error", "model", True),
        ("end", "R1", "failed"),
        ("close", 1000, "vendor"),
    ]


@every_dialect
def test_a_fatal_error_without_a_close_ends_after_two_seconds(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), error(code="model_not_found"))
    assert talk.wait(1.9).told() == [("error", "model", True)]
    assert talk.wait(0.2).told() == [("end", "R1", "failed"), ("close", None, "client")]
    assert talk.wire.state is WireState.CLOSED
    assert talk.wire.deadline() is None


@every_dialect
def test_closing_while_the_vendors_goodbye_is_awaited_ends_once(dialect: str) -> None:
    talk = Talk(dialect).open().say(error(code="model_not_found"))
    talk.wire.close(talk.now)
    assert talk.told() == [("error", "model", True), ("close", 1000, "client")]
    talk.wire.receive_eof(4000, "", talk.now)
    assert talk.wait(10).told() == []


@pytest.mark.parametrize(("dialect", "code", "text"), _of(HARMLESS_OPENAI, HARMLESS_DASHSCOPE))
def test_a_harmless_race_is_only_logged(dialect: str, code: str | None, text: str) -> None:
    talk = Talk(dialect).open().say(created(), error(text, code=code))
    assert talk.told() == []
    assert talk.say(done()).told() == [("end", "R1", "completed")]


@pytest.mark.parametrize(("dialect", "code", "kind"), _of(REPORTED_OPENAI, REPORTED_DASHSCOPE))
def test_other_errors_are_reported_and_end_nothing(
    dialect: str, code: str | None, kind: ErrorKind
) -> None:
    talk = Talk(dialect).open().say(error("No.", code=code, event="event_7"))
    found = talk.vendor_error()
    assert (found.kind, found.code, found.event_id) == (kind, code, "event_7")
    assert found.type == "invalid_request_error"
    assert found.retryable is (kind in (K.RATE_LIMIT, K.VENDOR))
    assert "No." in str(found)
    assert talk.wire.state is WireState.OPEN


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Missing bearer or basic authentication in header", K.AUTH),
        ("Incorrect API key provided", K.AUTH),
        ("Rate limit reached for gpt-realtime", K.RATE_LIMIT),
        ("You exceeded your current quota", K.QUOTA),
    ],
)
@on(*OPENAI)
def test_openai_without_a_code_is_read_by_its_text(
    dialect: str, text: str, kind: ErrorKind
) -> None:
    assert Talk(dialect).open().say(error(text)).vendor_error().kind is kind
    # A code wins over any text.
    assert (
        Talk(dialect).open().say(error(text, code="invalid_value")).vendor_error().kind is K.CONFIG
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Invalid API-key provided.", K.AUTH),
        (
            "Access denied, please make sure your account is in good standing: not in good standing",
            K.QUOTA,
        ),
        ("The free tier of the model has been exhausted.", K.QUOTA),
        ("Allocated quota exceeded, please increase your quota limit.", K.RATE_LIMIT),
        ("Requests rate limit exceeded", K.RATE_LIMIT),
    ],
)
@pytest.mark.parametrize("kind_of_error", [None, "", "invalid_request_error"])
@on(*DASHSCOPE)
def test_dashscope_without_a_code_is_read_by_its_text(
    dialect: str, kind_of_error: str | None, text: str, kind: ErrorKind
) -> None:
    frame = error(text, code="", kind=kind_of_error)
    assert Talk(dialect).open().say(frame).vendor_error().kind is kind


@pytest.mark.parametrize(
    ("kind_of_error", "kind"),
    [
        ("server_error", K.VENDOR),
        ("authentication_error", K.AUTH),
        ("rate_limit_error", K.RATE_LIMIT),
        ("something_new", K.VENDOR),
    ],
)
@on(*DASHSCOPE)
def test_dashscope_closes_after_every_error_but_a_refused_request(
    dialect: str, kind_of_error: str, kind: ErrorKind
) -> None:
    talk = Talk(dialect).open().say(error("x", kind=kind_of_error))
    assert talk.told() == [("error", kind.value, True)]
    assert talk.wire.state is WireState.ENDING


@pytest.mark.parametrize("kind_of_error", ["server_error", "something_new", None])
@on(*OPENAI)
def test_openai_survives_errors_that_are_not_on_the_list(dialect: str, kind_of_error: Any) -> None:
    talk = Talk(dialect).open().say(error("x", kind=kind_of_error))
    assert talk.told() == [("error", "vendor", False)]
    assert talk.wire.state is WireState.OPEN


@pytest.mark.parametrize("field", ["code", "type"])
@on(*OPENAI)
def test_quota_may_stand_in_code_or_type(dialect: str, field: str) -> None:
    talk = Talk(dialect).open()
    talk.say({"type": "error", "error": {field: "insufficient_quota", "message": "m"}})
    assert talk.told() == [("error", "quota", True)]


@pytest.mark.parametrize(
    ("dialect", "details", "kind"),
    [
        ("openai_ga", {"error": {"type": "insufficient_quota", "code": None}}, K.QUOTA),
        ("openai_ga", {"error": {"code": "model_not_found"}}, K.MODEL),
        ("dashscope_omni", {"error": {"code": "Arrearage", "message": "pay"}}, K.QUOTA),
    ],
)
def test_a_reply_that_failed_for_good_ends_the_session(
    dialect: str, details: Any, kind: ErrorKind
) -> None:
    talk = Talk(dialect).open().say(created(), done(status="failed", status_details=details))
    assert talk.told() == [("error", kind.value, True), ("end", "R1", "failed")]
    talk.wire.receive_eof(1000, "", talk.now)
    assert talk.told() == [("close", 1000, "vendor")]


@pytest.mark.parametrize(
    "details",
    [
        {"type": "failed", "reason": "internal"},
        {"type": "failed"},
        {"type": "failed", "error": {"type": "server_error", "message": "the backend failed"}},
    ],
)
@on(*DASHSCOPE)
def test_a_reply_that_failed_leaves_the_session_of_dashscope_open(
    dialect: str, details: Any
) -> None:
    talk = Talk(dialect).open().say(created(), done(status="failed", status_details=details))
    assert talk.told() == [("error", "vendor", False), ("end", "R1", "failed")]


CLOSES = [
    ("openai_ga", 1000, "", K.TRANSPORT, "vendor"),
    (
        "openai_ga",
        1001,
        "Your session hit the maximum duration of 60 minutes.",
        K.EXPIRED,
        "vendor",
    ),
    ("openai_ga", 1001, "", K.EXPIRED, "vendor"),
    ("openai_ga", 1005, "", K.TRANSPORT, "vendor"),
    ("openai_ga", 1006, "", K.TRANSPORT, "network"),
    ("openai_ga", 1009, "", K.OVERFLOW, "vendor"),
    ("openai_ga", 1011, "", K.VENDOR, "vendor"),
    ("openai_ga", 1013, "", K.RATE_LIMIT, "vendor"),
    ("openai_ga", 3000, "invalid_request_error.invalid_api_key", K.AUTH, "vendor"),
    ("openai_ga", 3000, "the model is not for this key", K.AUTH, "vendor"),
    ("openai_ga", 1011, "The model is overloaded, try again", K.VENDOR, "vendor"),
    ("openai_ga", 1013, "the model has insufficient_quota", K.RATE_LIMIT, "vendor"),
    ("openai_ga", 1000, "insufficient_quota", K.QUOTA, "vendor"),
    ("openai_ga", 1000, "the model said goodbye", K.TRANSPORT, "vendor"),
    ("openai_ga", 4000, "", K.CONFIG, "vendor"),
    ("openai_ga", 4000, "invalid_request_error.invalid_model", K.MODEL, "vendor"),
    ("openai_ga", 4000, "invalid_request_error.missing_model", K.MODEL, "vendor"),
    ("openai_ga", 4000, "the model field is odd", K.CONFIG, "vendor"),
    ("openai_ga", 4999, "", K.TRANSPORT, "vendor"),
    ("openai_beta", 1001, "", K.EXPIRED, "vendor"),
    ("dashscope_omni", 1000, "", K.TRANSPORT, "vendor"),
    ("dashscope_omni", 1006, "", K.TRANSPORT, "network"),
    ("dashscope_omni", 1007, "no response was generated for 180 seconds", K.IDLE, "vendor"),
    ("dashscope_omni", 1007, "No Response Was Generated for 60 s", K.IDLE, "vendor"),
    ("dashscope_omni", 1007, "Allocated quota exceeded, please ...", K.QUOTA, "vendor"),
    ("dashscope_omni", 1007, "Internal service error: null", K.VENDOR, "vendor"),
    ("dashscope_omni", 1007, "", K.TRANSPORT, "vendor"),
    ("dashscope_omni", 1011, "", K.VENDOR, "vendor"),
    ("qwen_audio", 1007, "no response was generated for 180 seconds", K.IDLE, "vendor"),
]


@pytest.mark.parametrize(("dialect", "code", "reason", "kind", "initiator"), CLOSES)
def test_a_close_is_a_fatal_error_then_the_open_replys_end_then_the_close(
    dialect: str, code: int, reason: str, kind: ErrorKind, initiator: str
) -> None:
    talk = Talk(dialect).open().say(created())
    talk.wire.receive_eof(code, reason, talk.now)
    error_event, _end, close = talk.effects()
    assert isinstance(error_event, ErrorEvent)
    assert error_event.fatal
    lost = error_event.error
    assert isinstance(lost, SessionLostError)
    assert (lost.kind, lost.code, lost.reason) == (kind, code, reason)
    assert lost.retryable is (kind not in (K.AUTH, K.QUOTA, K.CONFIG, K.MODEL))
    assert isinstance(close, SessionClose)
    assert (close.code, close.reason, close.initiator) == (code, reason, initiator)
    assert talk.wire.state is WireState.CLOSED
    assert talk.say(created("R2"), error(code="model_not_found")).told() == []
    talk.wire.receive_eof(1006, "", talk.now)
    assert talk.told() == []


@every_dialect
def test_our_own_close_ends_the_open_reply_and_blames_nobody(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), said("He"))
    talk.effects()
    talk.wire.close(talk.now)
    assert talk.told() == [
        ("text", "He", True, "A1", "R1"),
        ("end", "R1", "cancelled"),
        ("close", 1000, "client"),
    ]
    talk.wire.close(talk.now)
    talk.wire.receive_eof(1000, "", talk.now)
    assert talk.told() == []
    assert talk.wire.deadline() is None


@every_dialect
def test_the_drivers_failure_ends_the_same_way(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    talk.wire.fail(RealtimeError("full", kind=K.OVERFLOW), talk.now)
    assert talk.told() == [
        ("error", "overflow", True),
        ("end", "R1", "failed"),
        ("close", None, "client"),
    ]
    talk.wire.fail(RealtimeError("full", kind=K.OVERFLOW), talk.now)
    assert talk.told() == []


@every_dialect
def test_a_failure_while_the_goodbye_is_awaited_is_no_second_error(dialect: str) -> None:
    talk = Talk(dialect).open().say(error(code="model_not_found"))
    talk.wire.fail(SessionLostError("dead", kind=K.STALLED), talk.now)
    assert talk.told() == [("error", "model", True), ("close", None, "network")]


@every_dialect
def test_a_timer_that_rings_early_or_late_does_nothing(dialect: str) -> None:
    talk = Talk(dialect)
    talk.wire.on_timer(99)
    talk.wire.open(0)
    talk.wire.on_timer(99)
    talk.open().say(created())
    talk.wire.on_timer(29.9)
    assert talk.told() == []
    talk.wire.close(0)
    talk.effects()
    talk.wire.on_timer(999)
    assert talk.told() == []


@every_dialect
def test_a_refusal_is_the_only_thing_a_failed_start_gives(dialect: str) -> None:
    talk = Talk(dialect)
    talk.wire.open(0)
    talk.say({"type": "session.created"}, error())
    talk.wire.receive_eof(1000, "", 0)
    talk.wire.close(0)
    (effect,) = talk.effects()
    assert isinstance(effect, StartRefused)


@on(*OPENAI)
def test_a_session_that_is_over_for_its_age_may_be_begun_anew(dialect: str) -> None:
    found = Talk(dialect).open().say(error("over", code="session_expired")).vendor_error()
    assert (found.kind, found.retryable) == (K.EXPIRED, True)
