"""Tool calls on the wire; who runs them is another matter."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_core.errors import ConfigError

from .kit import (
    Talk,
    call,
    created,
    done,
    every_dialect,
    item_done,
    message,
    silence,
    speech,
)

BACK = ["conversation.item.create", "response.create"]


def result(call_id: str, event_id: str) -> dict[str, Any]:
    item = {"type": "function_call_output", "call_id": call_id, "output": f"result of {call_id}"}
    return {"type": "conversation.item.create", "event_id": event_id, "item": item}


def answer(talk: Talk, call_id: str) -> Talk:
    talk.wire.send_tool_result(call_id, f"result of {call_id}", talk.now)
    return talk


@every_dialect
def test_a_call_is_told_once_however_often_it_is_said(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    arguments = {
        "type": "response.function_call_arguments.done",
        "response_id": "R1",
        "call_id": "C1",
    }
    talk.say({**arguments, "name": "look", "arguments": "{}"})
    talk.say(item_done(call("C1")), item_done(call("C1")), done(output=[call("C1")]))
    assert talk.told() == [("call", "C1", "look", {}), ("end", "R1", "completed")]


@every_dialect
def test_a_call_that_was_missed_is_made_up_from_the_end(dialect: str) -> None:
    talk = (
        Talk(dialect).open().say(created(), done(output=[message("Wait."), call("C1"), call("C2")]))
    )
    assert [each[:2] for each in talk.told()] == [
        ("text", "Wait."),
        ("call", "C1"),
        ("call", "C2"),
        ("end", "R1"),
    ]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ('{"city": "Berlin"}', {"city": "Berlin"}),
        (' {"city": "Berlin"}', {"city": "Berlin"}),
        ("", {}),
        ("  ", {}),
        ("null", {}),
        ("[1]", {}),
        ("7", {}),
        ('{"city": Berlin', {}),
        ("[" * 100_000, {}),
        (None, {}),
        (7, {}),
        ({"city": "Berlin"}, {"city": "Berlin"}),
    ],
)
@every_dialect
def test_arguments_are_an_object_whatever_was_sent(dialect: str, text: Any, parsed: Any) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1", text)))
    assert talk.told() == [("call", "C1", "look", parsed)]


@pytest.mark.parametrize("status", ["incomplete", "in_progress", "", 7])
@every_dialect
def test_a_call_that_is_not_whole_is_not_told(dialect: str, status: Any) -> None:
    item = {**call("C1"), "status": status}
    talk = Talk(dialect).open().say(created(), item_done(item), done(output=[item]))
    assert talk.told() == [("end", "R1", "completed")]


@pytest.mark.parametrize("status", ["cancelled", "failed", "incomplete"])
@every_dialect
def test_a_call_first_seen_in_a_reply_that_was_cut_is_not_told(dialect: str, status: str) -> None:
    talk = Talk(dialect).open().say(created(), speech(), done(status=status, output=[call("C1")]))
    ended = "failed" if status == "failed" else "cancelled"
    assert talk.wait(1).told_of("call", "end") == [("end", "R1", ended)]


@pytest.mark.parametrize("status", ["completed", None])
@every_dialect
def test_a_call_without_a_status_is_whole(dialect: str, status: str | None) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1", status=status)))
    assert talk.told_of("call") == [("call", "C1", "look", {})]


@pytest.mark.parametrize("gone", ["name", "call_id"])
@every_dialect
def test_a_call_needs_a_name_and_an_id(dialect: str, gone: str) -> None:
    item = {key: value for key, value in call("C1").items() if key != gone}
    talk = Talk(dialect).open().say(created(), item_done(item), done())
    calls = talk.told_of("call")
    # Some compatible servers give a call's id as the item's.
    assert calls == ([("call", "item_C1", "look", {})] if gone == "call_id" else [])


@every_dialect
def test_the_end_names_the_tools(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), done(output=[call("C1"), call("C2")]))
    (*_, end) = talk.effects()
    assert getattr(end, "tool_names", None) == ("look", "look")


@every_dialect
def test_results_go_back_together_in_order_of_calling_and_ask_once(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")), item_done(call("C2")), done())
    assert answer(talk, "C2").sent() == []
    *results, request = answer(talk, "C1").sent()
    assert results == [result("C1", "event_2"), result("C2", "event_3")]
    assert request["type"] == "response.create"
    assert talk.begin("R2").say(done("R2")).sent() == []


@every_dialect
def test_results_given_while_the_reply_runs_go_back_when_it_has_ended(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")))
    assert answer(talk, "C1").sent() == []
    assert talk.say(done(output=[call("C1")])).kinds() == BACK


@every_dialect
def test_results_wait_for_calls_that_come_later_in_the_same_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")))
    answer(talk, "C1")
    talk.say(item_done(call("C2")), done(output=[call("C1"), call("C2")]))
    assert talk.sent() == []
    assert answer(talk, "C2").kinds() == ["conversation.item.create", *BACK]


@pytest.mark.parametrize("first", ["answer", "end"])
@every_dialect
def test_calls_of_a_reply_that_was_cut_are_answered_without_asking(
    dialect: str, first: str
) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")), speech())
    if first == "answer":
        answer(talk, "C1")
    else:
        talk.say(done(status="cancelled"))
    assert talk.sent() == []
    if first == "answer":
        talk.say(done(status="cancelled"))
    else:
        answer(talk, "C1")
    assert talk.sent() == [result("C1", "event_2")]
    assert talk.say(silence()).wait(10).sent() == []


@every_dialect
def test_results_given_during_another_reply_ask_when_that_one_has_ended(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")), done(), created("R2"))
    assert answer(talk, "C1").kinds() == ["conversation.item.create"]
    assert talk.say(done("R2")).kinds() == ["response.create"]


@every_dialect
def test_results_given_while_the_caller_speaks_are_answered_by_the_vendors_own_reply(
    dialect: str,
) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")), done(), speech())
    assert answer(talk, "C1").kinds() == ["conversation.item.create"]
    item = {"type": "function_call_output", "call_id": "C1"}
    talk.say({"type": "conversation.item.added", "item": item})
    assert talk.say(silence(), created("R2"), done("R2")).wait(10).sent() == []


@every_dialect
def test_a_call_waits_until_it_is_answered(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), item_done(call("C1")))
    assert talk.wire.waits_for("C1")
    assert not talk.wire.waits_for("C2")
    assert not answer(talk, "C1").wire.waits_for("C1")


@every_dialect
def test_a_result_for_no_call_is_refused_here(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), done(output=[call("C1")]))
    answer(talk, "C1")
    talk.sent()
    for call_id in ("C1", "C9", ""):
        with pytest.raises(ConfigError, match="no tool call"):
            answer(talk, call_id)
    assert talk.sent() == []


@every_dialect
def test_an_odd_output_is_no_call_and_no_text(dialect: str) -> None:
    output: list[Any] = [
        None,
        7,
        [],
        "call",
        {},
        {"type": "mcp_call", "id": "M"},
        {"type": ["message"]},
    ]
    talk = Talk(dialect).open().say(created(), done(output=output), created("R2"))
    talk.say({"type": "response.output_item.done", "response_id": "R2", "item": None})
    talk.say(done("R2", output="none"))
    assert talk.told() == [("end", "R1", "completed"), ("end", "R2", "completed")]


@every_dialect
def test_a_call_id_that_comes_again_in_a_later_reply_is_another_call(dialect: str) -> None:
    talk = Talk(dialect).open()  # compatible servers count from the beginning in each
    for reply in ("R1", "R2"):
        talk.say(created(reply), item_done(call("call_0"), reply), done(reply))
        assert talk.told_of("call") == [("call", "call_0", "look", {})]
        assert answer(talk, "call_0").kinds()[:1] == ["conversation.item.create"]


@every_dialect
def test_an_answer_is_for_one_call_though_another_has_its_id(dialect: str) -> None:
    talk = Talk(dialect).open()
    for reply in ("R1", "R2"):
        talk.say(created(reply), item_done(call("call_0"), reply), done(reply))
    for output in ("first", "second"):
        talk.wire.send_tool_result("call_0", output, talk.now)
    assert [each["item"]["output"] for each in talk.sent() if "item" in each] == ["first", "second"]
    assert not talk.wire.waits_for("call_0")


@every_dialect
def test_calls_beyond_the_bound_are_answered_with_an_error(dialect: str) -> None:
    talk = Talk(dialect).open()
    for number in range(66):
        reply = f"R{number}"
        talk.say(created(reply), item_done(call(f"C{number}"), reply), done(reply))
    items = [frame["item"] for frame in talk.sent() if "item" in frame]
    assert [item["call_id"] for item in items] == ["C0", "C1"]
    assert all("too many tools" in item["output"] for item in items)
    assert [talk.wire.waits_for(f"C{number}") for number in (0, 1, 2, 65)] == [False] * 2 + [
        True
    ] * 2
