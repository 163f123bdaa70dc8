"""Who may start a reply: one at a time, in order, and no wish is left hanging."""

from __future__ import annotations

from typing import Literal

import pytest

from realtime_core.arbiter import (
    SPEECH_LIMIT_S,
    VAD_REPLY_LIMIT_S,
    Arbiter,
    ReplyRequest,
)
from realtime_core.errors import AgentStateError, ErrorKind
from realtime_core.options import Options, ServerVAD
from realtime_core.wire.openai_asking import DOUBT_LIMIT_S

from .kit import (
    DASHSCOPE,
    DIALECTS,
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
    said_all,
    silence,
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
    assert ask(Talk(dialect).open()).wishes() == [None]


def test_a_wish_is_told_apart_where_replies_carry_its_metadata() -> None:
    sent = {name: ask(Talk(name).open()).sent() for name in DIALECTS}
    plain = {"type": "response.create", "event_id": "event_2"}
    marked = {**plain, "response": {"metadata": {"request": "event_2"}}}
    marks = ("openai_ga", "azure_ga")
    assert sent == {name: [marked if name in marks else plain] for name in DIALECTS}


@every_dialect
def test_a_wish_waits_for_the_running_reply(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(created()))
    assert talk.sent() == []
    talk.say(audio(), done("R0"))  # of another reply
    assert talk.say(done()).kinds() == ["response.create"]


@every_dialect
def test_a_wish_waits_for_the_one_on_its_way(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open(), "one"), "two")
    assert talk.wishes() == ["one"]
    assert talk.begin("R1").sent() == []
    assert talk.say(done("R1")).wishes() == ["two"]
    assert talk.begin("R2").say(done("R2")).sent() == []


@every_dialect
def test_plain_wishes_that_wait_are_one(dialect: str) -> None:
    talk = Talk(dialect).open().say(created("R1"))
    for _ in range(100):
        ask(talk)
    assert talk.say(done("R1")).wishes() == [None]
    assert talk.begin("R2").say(done("R2")).sent() == []


@every_dialect
def test_wishes_beyond_the_bound_are_left_out_and_reported(dialect: str) -> None:
    talk = Talk(dialect).open().say(created("R"))
    for number in range(40):
        ask(talk, f"wish {number}")
    assert [type(each) for each in talk.errors()] == [AgentStateError] * 8
    sent: list[str | None] = []
    talk.say(done("R"))
    while wishes := talk.wishes():
        sent += wishes
        talk.begin(f"R{len(sent)}").say(done(f"R{len(sent)}"))
    assert sent == [f"wish {number}" for number in range(32)]


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
    assert talk.wishes() == ["please"]
    assert talk.told_of("error") == []
    assert talk.begin("R2").say(done("R2")).sent() == []


@pytest.mark.parametrize("reply", [None, "VAD"])
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
    if not named and talk.wire.dialect.correlates:
        # Such servers name the event they refuse; this one may be about anything.
        assert ask(talk).wait(DOUBT_LIMIT_S - 0.01).sent() == []
        assert talk.wait(0.01).kinds() == ["response.create"]
        return
    assert talk.wire.deadline() is None
    assert talk.wait(60).sent() == []
    assert ask(talk).kinds() == ["response.create"]


@every_dialect
def test_a_wish_behind_a_refused_one_is_not_left_hanging(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open(), "one"), "two")
    (frame,) = talk.sent()
    talk.say(error("no", code="invalid_value", event=frame["event_id"]))
    assert talk.wishes() == ["two"]


@every_dialect
def test_a_refusal_of_something_else_leaves_the_wish_alone(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.sent()
    talk.say(error("no", code="invalid_value", event="event_of_another"))
    assert ask(talk, "two").sent() == []
    assert talk.begin().say(done()).wishes() == ["two"]


@every_dialect
def test_a_cancel_that_came_too_late_leaves_the_next_wish_alone(dialect: str) -> None:
    # R1 ends by itself while our cancel is on its way; its refusal names no event.
    talk = Talk(dialect).open().say(created("R1"))
    talk.wire.cancel(None, talk.now)
    ask(talk, "one")
    assert talk.kinds() == ["response.cancel"]
    assert talk.say(done("R1")).wishes() == ["one"]
    talk.say(OVER[dialect])
    ask(talk, "two")
    assert talk.sent() == []  # "one" is still on its way
    assert talk.begin("R2").say(done("R2")).wishes() == ["two"]


@every_dialect
def test_cancel_stops_mutes_and_ends_the_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), said("One"), audio(pcm(500)))
    talk.effects()
    talk.wait(0.2).wire.cancel(None, talk.now)
    (frame,) = talk.sent()
    assert frame["type"] == "response.cancel"
    assert frame.get("response_id") == ("R1" if dialect in OPENAI else None)
    assert talk.told() == [("flush", "R1")]
    talk.say(audio(), said(" two"), done(status="cancelled"), audio())
    assert talk.told() == [("text", "One", True, "A1", "R1")]
    assert talk.wait(0.149).told() == []  # what was heard may still be reported
    assert talk.sent() == []
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.wait(0.001).told() == [
        ("interrupted", "A1", 200, 300, *told),
        ("end", "R1", "cancelled"),
    ]
    assert [frame["audio_end_ms"] for frame in talk.sent()] == ([200] if told else [])
    assert talk.wire.deadline() is None


@pytest.mark.parametrize("settled_by", ["final report", "figure"])
@every_dialect
def test_a_cut_is_settled_at_once_by_whoever_knows(dialect: str, settled_by: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(500)))
    talk.effects()
    talk.wait(0.2).wire.cancel(120 if settled_by == "figure" else None, talk.now)
    talk.wire.report_playback("A1", 120, True, talk.now)  # too late for a figure, which stands
    assert talk.told() == [("flush", "R1")]  # Interrupted comes behind the reply's last text
    talk.say(said_all("One two."), done(status="cancelled"))
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.told() == [
        ("text", "One two.", True, "A1", "R1"),
        ("interrupted", "A1", 120, 380, *told),
        ("end", "R1", "cancelled"),
    ]


@every_dialect
def test_whoever_was_told_of_a_cut_may_settle_it_by_a_figure(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(500)))
    talk.effects()
    talk.wait(0.2).say(speech(), done(status="cancelled")).effects()
    talk.wait(0.01).wire.cancel(120, talk.now)
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.told() == [("interrupted", "A1", 120, 380, *told), ("end", "R1", "cancelled")]
    assert talk.kinds() == (["conversation.item.truncate"] if told else [])


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
    talk.wait(0.4).wire.cancel(None, talk.now)
    assert talk.sent() == []
    assert talk.told() == [("flush", None)]
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.wait(0.15).told() == [("interrupted", "A1", 400, 600, *told)]


@every_dialect
def test_cancel_drops_the_wishes_that_wait(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open().say(created()), "one"), "two")
    talk.wire.cancel(None, talk.now)
    talk.say(done(status="cancelled"))
    assert talk.kinds() == ["response.cancel"]
    assert ask(talk, "three").wishes() == ["three"]


@every_dialect
def test_a_reply_that_begins_after_it_was_given_up_is_cancelled_and_muted(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    assert talk.kinds() == ["response.create"]
    (frame,) = talk.begin().sent()
    assert frame["type"] == "response.cancel"
    assert frame.get("response_id") == ("R1" if dialect in OPENAI else None)
    talk.say(said("Hi"), audio(), done(status="cancelled"))
    assert talk.told() == [("end", "R1", "cancelled")]
    # Only that one.
    assert ask(talk).begin("R2").say(audio(reply="R2")).told() == [("audio", b"\1\2", "A1", "R2")]


@every_dialect
def test_what_a_given_up_reply_began_to_say_is_taken_out_of_the_vendors_memory(
    dialect: str,
) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    added = {"type": "response.output_item.added", "response_id": "R1"}
    talk.begin().say({**added, "item": {"id": "A1", "type": "message"}}, said("Hi"), audio())
    assert talk.kinds() == ["response.create", "response.cancel"]
    talk.say(done(status="cancelled"))
    frames = talk.sent()
    if dialect in OPENAI:
        assert [(frame["type"], frame["item_id"]) for frame in frames] == [
            ("conversation.item.delete", "A1")
        ]
    else:
        assert frames == []


@every_dialect
def test_a_refusal_that_comes_after_another_reply_was_taken_for_the_answer_keeps_the_wish(
    dialect: str,
) -> None:
    talk = ask(Talk(dialect).open(), "wish")
    (request,) = talk.sent()
    # A server that echoes no metadata, and a reply of its own that crossed with our request.
    talk.say(created("VAD"), done("VAD"), created("VAD2"))
    refusal = {**RUNNING[dialect]["error"], "event_id": request["event_id"]}
    talk.say({**RUNNING[dialect], "error": refusal})
    assert talk.sent() == []
    assert talk.say(done("VAD2")).wishes() == ["wish"]


@every_dialect
def test_cancel_drops_a_wish_whose_refusal_is_still_on_its_way(dialect: str) -> None:
    talk = ask(Talk(dialect).open(), "wish")
    (request,) = talk.sent()
    talk.say(created("VAD"), done("VAD"))
    talk.wire.cancel(None, talk.now)
    refusal = {**RUNNING[dialect]["error"], "event_id": request["event_id"]}
    talk.say({**RUNNING[dialect], "error": refusal})
    assert talk.sent() == []
    assert ask(talk, "next").wishes() == ["next"]


@every_dialect
def test_a_wish_after_a_given_up_one_is_heard(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    ask(talk, "instead")
    talk.begin("R1").say(audio(reply="R1"))
    assert talk.kinds() == ["response.create", "response.cancel"]
    assert talk.say(done("R1", status="cancelled")).wishes() == ["instead"]
    assert talk.told() == [("end", "R1", "cancelled")]
    assert talk.begin("R2").say(audio(reply="R2")).told() == [("audio", b"\1\2", "A1", "R2")]


@every_dialect
def test_a_given_up_wish_that_is_refused_is_not_sent_again(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    talk.say(RUNNING[dialect], created("VAD"), done("VAD"))
    assert talk.kinds() == ["response.create"]
    assert talk.told() == [("end", "VAD", "completed")]


@every_dialect
def test_a_commit_during_a_reply_cancels_that_reply_first(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().say(created(), audio(pcm(500))).push(200)
    talk.now = 0.1
    assert talk.wire.commit_input_audio(talk.now)
    assert talk.kinds() == ["response.cancel", "input_audio_buffer.commit"]
    assert talk.say(audio(), done(status="cancelled")).wishes() == [None]
    talk.effects()
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.begin("R2").say(audio(reply="R2")).told() == [
        ("interrupted", "A1", 100, 400, *told),
        ("end", "R1", "cancelled"),  # a cut reply ends before the next begins
        ("audio", b"\1\2", "A1", "R2"),
    ]


@every_dialect
def test_a_reply_of_the_servers_own_is_no_answer_to_anyone(dialect: str) -> None:
    talk = Talk(dialect).open().say(speech(), silence(), created("VAD"), done("VAD"))
    assert talk.sent() == []
    assert ask(talk).wishes() == [None]


@every_dialect
def test_a_wish_waits_while_the_caller_speaks_and_for_their_answer(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(speech())).wait(SPEECH_LIMIT_S - 0.1)
    assert talk.say(silence()).wait(2.9).sent() == []
    assert talk.say(created("VAD")).wait(20).sent() == []
    assert talk.say(done("VAD")).wishes() == [None]


@every_dialect
def test_a_wish_waits_three_seconds_for_an_answer_that_never_comes(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(speech(), silence()))
    assert talk.wait(2.99).sent() == []
    assert talk.wait(0.02).wishes() == [None]


@every_dialect
def test_a_wish_waits_for_no_answer_where_the_vendor_gives_none(dialect: str) -> None:
    talk = Talk(dialect, Options(vad=ServerVAD(respond=False))).open().say(speech())
    assert ask(talk).sent() == []
    assert talk.say(silence()).wishes() == [None]


def test_the_arbiter_gives_one_wish_at_a_time_in_order_of_asking() -> None:
    arbiter = Arbiter()
    assert arbiter.next(0) is None
    assert all(arbiter.request(ReplyRequest(each)) for each in ("a", "b"))
    assert arbiter.next(0) == arbiter.asked == ReplyRequest("a")
    arbiter.sent_as("event_1")
    assert arbiter.asked == ReplyRequest("a", event_id="event_1")
    assert arbiter.next(0) is None  # on its way
    asked = arbiter.asked
    assert asked is not None
    assert arbiter.postponed(asked, 0, speaking=False)
    assert arbiter.asked is None
    assert arbiter.next(0) is None  # the other reply runs
    arbiter.ended()
    assert arbiter.next(0) == ReplyRequest("a", tries=1)  # again, before those asked for later
    arbiter.started(asked_for=True)
    arbiter.sent_as("too late")
    assert arbiter.asked is None
    assert arbiter.next(0) is None  # it runs
    arbiter.ended()
    assert arbiter.next(0) == ReplyRequest("b")
    arbiter.refused()
    assert arbiter.next(0) is None


def test_the_arbiter_lets_nobody_talk_over_the_caller() -> None:
    arbiter = Arbiter()
    arbiter.caller_started(990)
    arbiter.request(ReplyRequest("a"))
    assert arbiter.next(1000) is None
    assert arbiter.hold_until == 990 + SPEECH_LIMIT_S
    arbiter.caller_speaks_on(1000)
    assert arbiter.hold_until == 1000 + SPEECH_LIMIT_S
    arbiter.caller_stopped(1000, answered_by_vendor=True)
    assert arbiter.hold_until == 1000 + VAD_REPLY_LIMIT_S == 1003
    assert arbiter.next(1002.9) is None
    assert arbiter.next(1003) == ReplyRequest("a")
    assert arbiter.hold_until is None


@pytest.mark.parametrize(("cause", "left"), [("tools", False), ("application", True)])
def test_a_reply_of_the_vendors_own_answers_tool_results_and_no_other_wish(
    cause: Literal["tools", "application"], left: bool
) -> None:
    arbiter = Arbiter()
    arbiter.caller_started(0)
    arbiter.request(ReplyRequest(cause="tools"))
    arbiter.request(ReplyRequest(cause=cause))  # one reply for both
    arbiter.caller_stopped(0, answered_by_vendor=True)
    arbiter.started(asked_for=False)
    arbiter.is_vendors(knows_results=True)
    arbiter.ended()
    assert arbiter.next(0) == (ReplyRequest() if left else None)
    arbiter.started(asked_for=True)
    arbiter.ended()
    assert arbiter.next(0) is None
