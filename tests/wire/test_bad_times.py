"""Requests for a reply that come at a bad time, and what servers say or leave out about them."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_core.arbiter import RETRY_AFTER_S, SPEECH_LIMIT_S, VAD_REPLY_LIMIT_S
from realtime_core.errors import RealtimeError, VendorError
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_core.wire import WireState
from realtime_core.wire.openai_asking import DOUBT_LIMIT_S

from .kit import (
    DASHSCOPE,
    MANUAL,
    OPENAI,
    Frame,
    Talk,
    audio,
    call,
    created,
    done,
    error,
    every_dialect,
    item_done,
    on,
    pcm,
    silence,
    speech,
    transcript,
)

ECHOING = ("openai_ga", "azure_ga")
"""Dialects whose servers send a request's metadata back."""


def ask(talk: Talk, instructions: str | None = None) -> Talk:
    talk.wire.create_response(instructions, talk.now)
    return talk


def refusal(text: str, code: str, event: Any) -> Frame:
    """One that is no repetition of another."""
    return {"type": "error", "error": error(text, code=code, event=event)["error"]}


def runs(dialect: str, event: Any = None) -> Frame:
    """The refusal of a request because another reply runs."""
    if dialect in DASHSCOPE:
        return refusal("Another response is in progress.", "invalid_value", event)
    code = "conversation_already_has_active_response"
    return refusal("Conversation already has an active response", code, event)


def speaks(event: Any = None) -> Frame:
    return refusal("Cannot create response while user is speaking", "invalid_value", event)


def last_request(talk: Talk) -> str:
    """The id of the request for a reply that was sent last."""
    (*_, frame) = [frame for frame in talk.sent() if frame["type"] == "response.create"]
    event_id: str = frame["event_id"]
    return event_id


# While the caller speaks


@every_dialect
def test_a_wish_waits_for_speech_that_never_ends_within_a_limit(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(speech()))
    assert talk.wire.deadline() == SPEECH_LIMIT_S
    assert talk.wait(SPEECH_LIMIT_S - 0.01).sent() == []
    assert talk.wait(0.01).wishes() == [None]


@pytest.mark.parametrize("sign", [speech(), transcript("delta", delta="and", text="and")])
@every_dialect
def test_every_sign_of_speech_makes_a_wish_wait_on(dialect: str, sign: Frame) -> None:
    talk = ask(Talk(dialect).open().say(speech())).wait(20).say(sign)
    assert talk.wait(SPEECH_LIMIT_S - 0.1).sent() == []
    assert talk.wait(0.2).wishes() == [None]


@every_dialect
def test_a_transcript_behind_the_speech_makes_no_wish_wait(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(speech(), silence(), transcript("delta", text="x")))
    assert talk.wait(VAD_REPLY_LIMIT_S).wishes() == [None]


@every_dialect
def test_a_refusal_during_speech_that_is_known_makes_a_wish_wait_on(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(speech())).wait(SPEECH_LIMIT_S)
    talk.say(speaks(last_request(talk)))
    assert talk.wait(SPEECH_LIMIT_S - 0.1).sent() == []
    assert talk.wait(0.2).wishes() == [None]
    assert talk.told_of("error") == []


@pytest.mark.parametrize("options", [Options(), MANUAL])
@every_dialect
def test_a_refusal_for_speech_that_nobody_reported_is_tried_again(
    dialect: str, options: Options
) -> None:
    talk = ask(Talk(dialect, options).open(), "please")
    talk.say(speaks(last_request(talk)))
    assert talk.wait(RETRY_AFTER_S - 0.01).sent() == []
    assert talk.wait(0.01).wishes() == ["please"]
    assert talk.begin().told() == []


@every_dialect
def test_with_manual_turns_speech_is_not_the_vendors_to_report(dialect: str) -> None:
    assert ask(Talk(dialect, MANUAL).open().say(speech())).wishes() == [None]


@every_dialect
def test_a_commit_after_a_refused_one_asks_again(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().push(500)
    assert talk.wire.commit_input_audio(talk.now)
    talk.say(speaks(last_request(talk))).push(500)
    assert talk.wire.commit_input_audio(talk.now)
    assert talk.kinds() == ["input_audio_buffer.commit", "response.create"]


# A reply that does not show


@every_dialect
def test_a_wish_refused_for_a_reply_that_is_over_is_tried_again(dialect: str) -> None:
    talk = ask(Talk(dialect).open().say(created("R1"), done("R1")), "please")
    talk.effects()
    talk.say(runs(dialect, last_request(talk)))
    assert talk.wait(RETRY_AFTER_S - 0.01).sent() == []
    assert talk.wait(0.01).wishes() == ["please"]
    talk.begin("R2").say(done("R2"))
    assert talk.told() == [("end", "R2", "completed")]


@pytest.mark.parametrize("why", ["running", "speaking"])
@every_dialect
def test_a_wish_refused_again_and_again_is_reported_and_the_next_goes_out(
    dialect: str, why: str
) -> None:
    talk = ask(ask(Talk(dialect).open(), "one"), "two")
    refusals, found = 0, list[RealtimeError]()
    while not found and talk.wishes() == ["one"]:
        talk.say(runs(dialect) if why == "running" else speaks())
        refusals, found = refusals + 1, talk.errors()
        if not found:
            talk.wait(RETRY_AFTER_S)
    assert (refusals, [type(each) for each in found]) == (11, [VendorError])
    assert talk.wishes() == ["two"]
    assert talk.wire.state is WireState.OPEN


@every_dialect
def test_a_wish_refused_for_a_reply_that_shows_late_waits_for_its_end(dialect: str) -> None:
    talk = ask(Talk(dialect).open(), "please")
    talk.say(runs(dialect, last_request(talk))).wait(0.5)
    assert talk.say(created("VAD")).wait(20).sent() == []
    assert talk.say(done("VAD")).wishes() == ["please"]


@every_dialect
def test_late_refusals_of_two_requests_bring_both_wishes_back(dialect: str) -> None:
    talk = ask(Talk(dialect).open(), "one")
    first = last_request(talk)
    talk.say(created("VAD1"), done("VAD1"))  # taken for the answer
    second = last_request(ask(talk, "two"))
    talk.say(created("VAD2"), done("VAD2"), created("VAD3"))
    talk.say(runs(dialect, second), runs(dialect, first))
    assert talk.say(done("VAD3")).wishes() == ["one"]
    assert talk.begin("R1").say(done("R1")).wishes() == ["two"]


@pytest.mark.parametrize("named", [True, False])
@every_dialect
def test_a_refusal_of_what_was_given_up_meanwhile_brings_nothing_back(
    dialect: str, named: bool
) -> None:
    talk = ask(Talk(dialect).open(), "one")
    first = last_request(talk)
    talk.say(created("VAD"))  # taken for the answer
    talk.wire.cancel(None, talk.now)
    talk.say(runs(dialect, first if named else None), done("VAD", status="cancelled"))
    assert talk.wait(60).wishes() == []
    assert talk.told_of("error") == []


# The vendor's own reply


def taken(call_id: str | None) -> Frame:
    """The vendor has put a tool's answer into the conversation."""
    item = {"id": "item_9", "type": "function_call_output", "call_id": call_id}
    return {"type": "conversation.item.created", "item": item}


def calls(dialect: str, *call_ids: str) -> Talk:
    """A reply that called, and the caller spoke behind it."""
    talk = Talk(dialect).open().say(created("R1"))
    talk.say(*(item_done(call(each), "R1") for each in call_ids), done("R1"))
    talk.wait(1).say(speech()).wait(1).say(silence())
    return talk


@every_dialect
def test_a_tools_answer_that_crosses_the_vendors_own_reply_is_spoken_after_it(dialect: str) -> None:
    talk = calls(dialect, "C1")
    talk.wire.send_tool_result("C1", "42", talk.now)
    talk.say(created("R2"), taken("C1"))  # R2 was begun without it
    assert talk.kinds() == ["conversation.item.create"]
    assert talk.say(audio(pcm(100), "R2", "A2"), done("R2")).kinds() == ["response.create"]


@pytest.mark.parametrize("call_ids", [("C1", "C2"), ("C2", "C1"), (None, "other")])
@every_dialect
def test_a_reply_that_begins_behind_the_tools_answers_is_the_reply_to_them(
    dialect: str, call_ids: tuple[str | None, str | None]
) -> None:
    talk = calls(dialect, "C1", "C2")
    for each in ("C1", "C2"):
        talk.wire.send_tool_result(each, "42", talk.now)
    talk.say(*map(taken, call_ids), created("R2"), done("R2"))
    assert talk.wait(60).kinds() == ["conversation.item.create"] * 2


@every_dialect
def test_a_reply_between_the_tools_answers_is_not_the_reply_to_them(dialect: str) -> None:
    talk = calls(dialect, "C1", "C2")
    for each in ("C1", "C2"):
        talk.wire.send_tool_result(each, "42", talk.now)
    talk.say(taken("C1"), created("R2"), taken("C2"), done("R2"))
    assert talk.kinds()[2:] == ["response.create"]
    # Nothing of it is left over for the next time.
    talk.begin("R3").say(item_done(call("C3"), "R3"), done("R3"), speech(), silence())
    talk.wire.send_tool_result("C3", "42", talk.now)
    talk.say(taken("C3"), created("R4"), done("R4"))
    assert talk.wait(60).kinds() == ["conversation.item.create"]


@every_dialect
def test_answers_the_vendor_never_takes_over_are_spoken_all_the_same(dialect: str) -> None:
    many = [f"C{number}" for number in range(70)]
    talk = calls(dialect, *many)
    for each in many:
        talk.wire.send_tool_result(each, "42", talk.now)
    talk.say(created("R2"), done("R2"))
    assert talk.kinds()[len(many) :] == ["response.create"]


@on(*OPENAI)
def test_a_turn_the_vendor_could_not_answer_is_answered_after_the_running_reply(
    dialect: str,
) -> None:
    talk = Talk(dialect, Options(vad=ServerVAD(interrupt=False))).open()
    talk.say(created("R1"), audio(pcm(10)), speech()).wait(1).say(silence())
    talk.say(runs(dialect))
    assert talk.sent() == []
    assert talk.say(done("R1")).wishes() == [None]
    assert talk.told_of("error") == []


@pytest.mark.parametrize("why", ["no turn", "respond=False", "manual", "names an event"])
@on(*OPENAI)
def test_nothing_is_asked_for_where_the_vendor_had_no_turn_to_answer(
    dialect: str, why: str
) -> None:
    options = {
        "respond=False": Options(vad=SemanticVAD(interrupt=False, respond=False)),
        "manual": MANUAL,
    }.get(why, Options(vad=ServerVAD(interrupt=False)))
    talk = Talk(dialect, options).open().say(created("R1"))
    if why != "no turn":
        talk.say(speech(), silence())
    talk.say(runs(dialect, "event_of_another" if why == "names an event" else None))
    assert talk.say(done("R1")).wait(60).sent() == []


# Errors that name no event, and replies without metadata


@on(*ECHOING)
def test_an_error_about_something_else_does_not_let_a_given_up_reply_speak(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    talk.say(error("The server had an error", kind="server_error"))  # livekit/agents#6244
    talk.begin("R1").say(audio(pcm(100)))
    assert talk.kinds() == ["response.create", "response.cancel"]
    assert talk.told() == [("error", "vendor", False)]


@pytest.mark.parametrize("wait_s", [0.0, DOUBT_LIMIT_S])
@on(*ECHOING)
def test_a_reply_given_up_long_ago_does_not_speak(dialect: str, wait_s: float) -> None:
    talk = ask(Talk(dialect).open())
    talk.wire.cancel(None, talk.now)
    talk.say(error("The server had an error", kind="server_error")).wait(wait_s)
    first = talk.sent()[0]
    ask(talk, "instead")
    late = created("R1")
    late["response"]["metadata"] = first["response"]["metadata"]
    talk.say(late, audio(pcm(100)), done("R1", status="cancelled"))
    assert [each for each in talk.told() if each[0] != "error"] == [("end", "R1", "cancelled")]
    kinds = talk.kinds()
    assert sorted(kinds) == ["response.cancel", "response.create"]
    assert talk.begin("R2").say(audio(reply="R2")).told() == [("audio", b"\1\2", "A1", "R2")]


@on(*ECHOING)
def test_an_error_about_something_else_does_not_send_a_second_request(dialect: str) -> None:
    talk = ask(ask(Talk(dialect).open(), "one"), "two")
    talk.say(error("The server had an error", kind="server_error")).wait(1)
    assert talk.wishes() == ["one"]
    assert talk.begin("R1").wait(20).sent() == []
    assert talk.say(done("R1")).wishes() == ["two"]


@pytest.mark.parametrize("by", ["cancel", "speech"])
@every_dialect
def test_a_given_up_reply_is_known_also_where_servers_echo_no_metadata(
    dialect: str, by: str
) -> None:
    talk = ask(Talk(dialect).open())
    if by == "cancel":
        talk.wire.cancel(None, talk.now)
    else:
        talk.say(speech())
    talk.say(created("R1"), audio(pcm(100)))
    assert talk.kinds() == ["response.create", "response.cancel"]
    assert talk.told_of("audio") == []


@on(*ECHOING)
def test_the_vendors_own_reply_is_not_taken_for_one_that_was_given_up(dialect: str) -> None:
    talk = ask(Talk(dialect).open())
    talk.say(speech(), silence(), created("VAD"), audio(reply="VAD"))
    assert talk.told_of("audio") == [("audio", b"\1\2", "A1", "VAD")]
    # Once it was seen that this server echoes nothing, the first reply answers the first request.
    talk = ask(Talk(dialect).open())
    talk.say(created("R1"), done("R1"))
    ask(talk).say(speech(), silence(), created("R2"), audio(reply="R2"))
    assert talk.told_of("audio") == []
