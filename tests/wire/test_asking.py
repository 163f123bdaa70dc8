"""Who may start a reply: one at a time, in order, and no wish is left hanging."""

from __future__ import annotations

import pytest

from realtime_core.arbiter import Arbiter, ReplyRequest
from realtime_core.errors import ErrorKind

from .kit import (
    DASHSCOPE,
    MANUAL,
    OPENAI,
    Talk,
    audio,
    created,
    done,
    error,
    every_dialect,
    pcm,
    said,
    speech,
)

RUNNING = {
    **dict.fromkeys(OPENAI, error("resp_1 runs", code="conversation_already_has_active_response")),
    **dict.fromkeys(DASHSCOPE, error("another response is in progress")),
}
OVER = {
    **dict.fromkeys(OPENAI, error("no active response", code="response_cancel_not_active")),
    **dict.fromkeys(DASHSCOPE, error("Conversation has none active response.", code="")),
}


def ask(talk: Talk, instructions: str | None = None) -> Talk:
    talk.wire.create_response(instructions, talk.now)
    return talk


@every_dialect
def test_a_wish_goes_out_at_once_when_nothing_runs(dialect: str) -> None:
    (frame,) = ask(Talk(dialect).open()).sent()
    assert frame == {"type": "response.create", "event_id": "event_2"}


@every_dialect
def test_a_wish_waits_for_the_running_reply(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(created()))
    assert talk.sent() == []
    talk.say(audio(), done("R0"))  # of another reply
    assert talk.say(done()).kinds() == ["response.create"]


@every_dialect
def test_a_wish_waits_for_the_one_on_its_way(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open(), "one"), "two")
    assert [frame["response"]["instructions"] for frame in talk.sent()] == ["one"]
    assert talk.say(created("R1")).sent() == []
    (second,) = talk.say(done("R1")).sent()
    assert second["response"] == {"instructions": "two"}
    assert talk.say(created("R2"), done("R2")).sent() == []


@every_dialect
def test_plain_wishes_that_wait_are_one(dialect: str) -> None:
    talk = Talk(dialect).open().say(created("R1"))
    for _ in range(100):
        ask(talk)
    assert talk.say(done("R1")).kinds() == ["response.create"]
    assert talk.say(created("R2"), done("R2")).kinds() == []


@every_dialect
def test_wishes_beyond_the_bound_are_left_out_and_reported(dialect: str) -> None:
    talk = Talk(dialect).open().say(created("R"))
    for number in range(40):
        ask(talk, f"wish {number}")
    errors = talk.errors()
    assert errors
    assert len(errors) < 40
    sent = []
    talk.say(done("R"))
    while frames := talk.sent():
        sent += [frame["response"]["instructions"] for frame in frames]
        talk.say(created(f"R{len(sent)}"), done(f"R{len(sent)}"))
    assert sent == [f"wish {number}" for number in range(40 - len(errors))]


@pytest.mark.parametrize("named", [True, False])
@every_dialect
def test_a_wish_refused_because_another_reply_runs_is_kept(dialect: str, named: bool) -> None:
    talk = ask(Talk(dialect).open(), "please")
    (frame,) = talk.sent()
    refusal = RUNNING[dialect]
    refusal = {
        **refusal,
        "error": {**refusal["error"], "event_id": frame["event_id"] if named else None},
    }
    talk.say(created("VAD"), refusal)  # the server's own turn detection was faster
    assert talk.told() == []
    assert talk.sent() == []


@every_dialect
def test_a_kept_wish_goes_out_again_when_the_other_reply_ended(dialect: str) -> None:
    talk = ask(Talk(dialect).open(), "please")
    talk.sent()
    talk.say(RUNNING[dialect], created("VAD"), audio(reply="VAD"), done("VAD"))
    (again,) = talk.sent()
    assert again["response"] == {"instructions": "please"}
    assert talk.told_of("error") == []
    assert talk.say(created("R2"), done("R2")).kinds() == []


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(
            None,
        ),
        "VAD",
    ],
)
@every_dialect
def test_a_kept_wish_goes_out_when_the_other_reply_shows_by_its_end_only(
    dialect: str, reply: str | None
) -> None:
    talk = ask(Talk(dialect).open())
    talk.sent()
    assert talk.say(RUNNING[dialect], done(reply, status="cancelled")).kinds() == [
        "response.create"
    ]


@every_dialect
def test_a_wish_kept_for_a_reply_that_never_shows_is_not_kept_for_ever(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.sent()
    talk.say(RUNNING[dialect])
    assert talk.wait(120).kinds() or talk.told_of("error")


@pytest.mark.parametrize("named", [True, False])
@every_dialect
def test_a_wish_refused_otherwise_is_reported_and_dropped(dialect: str, named: bool) -> None:
    talk = ask(Talk(dialect).open())
    (frame,) = talk.sent()
    event = frame["event_id"] if named else None
    found = talk.say(error("no", code="invalid_value", event=event)).vendor_error()
    assert (found.kind, found.event_id) == (ErrorKind.CONFIG, event)
    assert talk.wire.deadline() is None
    assert talk.wait(60).sent() == []
    assert ask(talk).kinds() == ["response.create"]


@every_dialect
def test_a_wish_behind_a_refused_one_is_not_left_hanging(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open(), "one"), "two")
    (frame,) = talk.sent()
    talk.say(error("no", code="invalid_value", event=frame["event_id"]))
    (second,) = talk.sent()
    assert second["response"] == {"instructions": "two"}


@every_dialect
def test_a_refusal_of_something_else_leaves_the_wish_alone(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.sent()
    talk.say(error("no", code="invalid_value", event="event_of_another"))
    assert ask(talk, "two").sent() == []
    assert talk.say(created(), done()).kinds() == ["response.create"]


@every_dialect
def test_a_cancel_that_came_too_late_leaves_the_next_wish_alone(dialect: str) -> None:
    # R1 ends by itself while our cancel is on its way; its refusal names no event.
    talk = Talk(dialect).open().say(created("R1"))
    talk.wire.cancel(None, talk.now)
    ask(talk, "one")
    assert talk.kinds() == ["response.cancel"]
    assert talk.say(done("R1")).kinds() == ["response.create"]
    talk.say(OVER[dialect])
    ask(talk, "two")
    assert talk.sent() == []  # "one" is still on its way
    assert talk.say(created("R2"), done("R2")).kinds() == ["response.create"]


@every_dialect
def test_cancel_stops_mutes_and_ends_the_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), said("One"), audio())
    talk.effects()
    talk.wire.cancel(None, talk.now)
    (frame,) = talk.sent()
    assert frame["type"] == "response.cancel"
    assert frame.get("response_id") == ("R1" if dialect in OPENAI else None)
    assert talk.told() == [("flush", "R1")]
    talk.say(audio(), said(" two"), done(status="cancelled"), audio())
    assert talk.told() == [("text", "One", True, "A1", "R1"), ("end", "R1", "cancelled")]


@every_dialect
def test_cancel_is_sent_once(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    for _ in range(3):
        talk.wire.cancel(None, talk.now)
    assert talk.kinds() == ["response.cancel"]


@every_dialect
def test_cancel_after_the_server_cut_the_reply_sends_nothing(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(), speech())
    talk.wire.cancel(None, talk.now)
    assert talk.sent() == []


@every_dialect
def test_cancel_with_nothing_running_and_nothing_audible_is_nothing(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.wire.cancel(None, talk.now)
    talk.say(created(), audio(pcm(100)), done())
    talk.now = 0.2
    talk.effects()
    talk.wire.cancel(None, talk.now)
    assert talk.sent() == []
    assert talk.told() == []


@every_dialect
def test_cancel_of_a_reply_that_is_only_heard_flushes_it(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)), done())
    talk.effects()
    talk.wire.cancel(None, talk.now)
    assert talk.sent() == []
    assert talk.told() == [("flush", None)]


@every_dialect
def test_cancel_drops_the_wishes_that_wait(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open().say(created()), "one"), "two")
    talk.wire.cancel(None, talk.now)
    talk.say(done(status="cancelled"))
    assert talk.kinds() == ["response.cancel"]
    assert ask(talk).kinds() == ["response.create"]


@every_dialect
def test_a_reply_that_begins_after_it_was_given_up_is_cancelled_and_muted(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    assert talk.kinds() == ["response.create"]
    (frame,) = talk.say(created()).sent()
    assert frame["type"] == "response.cancel"
    assert frame.get("response_id") == ("R1" if dialect in OPENAI else None)
    talk.say(said("Hi"), audio(), done(status="cancelled"))
    assert talk.told() == [("end", "R1", "cancelled")]
    # Only that one.
    assert ask(talk).say(created("R2"), audio(reply="R2")).told() == [
        ("audio", b"\1\2", "A1", "R2")
    ]


@every_dialect
def test_a_wish_after_a_given_up_one_is_heard(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    ask(talk, "instead")
    talk.say(created("R1"), audio(reply="R1"), done("R1", status="cancelled"))
    assert talk.kinds() == ["response.create", "response.cancel", "response.create"]
    talk.effects()
    assert talk.say(created("R2"), audio(reply="R2")).told() == [("audio", b"\1\2", "A1", "R2")]


@every_dialect
def test_a_given_up_wish_that_is_refused_is_not_sent_again(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    talk.say(RUNNING[dialect], created("VAD"), done("VAD"))
    assert talk.kinds() == ["response.create"]
    assert talk.told() == [("end", "VAD", "completed")]


@every_dialect
def test_a_commit_during_a_reply_cancels_that_reply_first(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().say(created(), audio()).push(200)
    assert talk.wire.commit_input_audio(talk.now)
    assert talk.kinds() == ["response.cancel", "input_audio_buffer.commit"]
    assert talk.say(audio(), done(status="cancelled")).kinds() == ["response.create"]
    assert talk.say(created("R2"), audio(reply="R2")).told()[-1] == ("audio", b"\1\2", "A1", "R2")


@every_dialect
def test_a_reply_of_the_servers_own_is_no_answer_to_anyone(dialect: str) -> None:
    talk = Talk(dialect).open().say(speech(), created("VAD"), done("VAD"))
    assert talk.sent() == []
    assert ask(talk).kinds() == ["response.create"]


def test_the_arbiter_alone() -> None:
    arbiter = Arbiter()
    assert arbiter.idle
    assert arbiter.next() is None
    assert arbiter.request(ReplyRequest("a"))
    assert arbiter.next() == ReplyRequest("a")
    arbiter.sent_as("event_1")
    assert arbiter.asked == ReplyRequest("a", "event_1")
    assert not arbiter.idle
    arbiter.refused(because_running=True)
    assert arbiter.asked is None
    assert arbiter.next() is None
    arbiter.ended()
    assert arbiter.next() == ReplyRequest("a")
    arbiter.started()
    arbiter.sent_as("too late")
    arbiter.refused(because_running=True)
    assert arbiter.asked is None
    arbiter.ended()
    assert arbiter.idle
    assert arbiter.next() is None
