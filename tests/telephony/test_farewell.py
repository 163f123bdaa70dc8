"""When to part."""

from __future__ import annotations

from realtime_core.testing import ManualClock
from realtime_telephony import CallControl
from realtime_telephony.call_control import CallWish
from realtime_telephony.farewell import ANSWER_S, GOODBYE_LIMIT_S, PATIENCE_S, Farewell

BYE = CallWish("hang_up")


def test_without_a_wish_nothing_is_ever_due() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    clock.advance(1000)
    assert farewell.due(line_is_silent=True) is None


def test_a_goodbye_after_the_tool_is_heard_out() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    farewell.turn_ended(["hang_up"])
    assert farewell.due(line_is_silent=True) is None
    clock.advance(1)
    farewell.spoke()
    farewell.turn_ended([])
    assert farewell.due(line_is_silent=False) is None
    assert farewell.due(line_is_silent=True) == BYE


def test_a_model_that_says_nothing_more_is_not_awaited_for_long() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    farewell.turn_ended(["hang_up"])
    clock.advance(PATIENCE_S - 0.1)
    assert farewell.due(line_is_silent=True) is None
    clock.advance(0.2)
    assert farewell.due(line_is_silent=True) == BYE


def test_patience_begins_when_the_line_is_silent() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    clock.advance(PATIENCE_S + 1)
    assert farewell.due(line_is_silent=False) is None
    clock.advance(1)
    assert farewell.due(line_is_silent=True) is None
    clock.advance(PATIENCE_S)
    assert farewell.due(line_is_silent=True) == BYE


def test_a_goodbye_without_end_is_ended() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    clock.advance(GOODBYE_LIMIT_S)
    assert farewell.due(line_is_silent=False) == BYE


def test_a_caller_who_cuts_in_is_heard_out_and_answered() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    farewell.spoke()
    farewell.caller_speaks(begins=True)
    farewell.turn_ended([], was_cut=True)
    clock.advance(PATIENCE_S + 1)
    assert farewell.due(line_is_silent=True) is None
    farewell.caller_speaks(begins=False)
    clock.advance(PATIENCE_S - 1)
    assert farewell.due(line_is_silent=True) is None
    farewell.turn_ended([])
    assert farewell.due(line_is_silent=False) is None
    clock.advance(ANSWER_S - 0.1)
    assert farewell.due(line_is_silent=True) is None  # it may have been a question
    clock.advance(0.2)
    assert farewell.due(line_is_silent=True) == BYE


def test_a_caller_who_cut_in_and_has_more_to_say_is_answered_again() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    farewell.caller_speaks(begins=True)
    farewell.caller_speaks(begins=False)
    farewell.turn_ended([])
    clock.advance(ANSWER_S - 0.1)
    farewell.caller_speaks(begins=True)
    farewell.caller_speaks(begins=False)
    clock.advance(PATIENCE_S - 0.1)
    assert farewell.due(line_is_silent=True) is None
    farewell.turn_ended(["hang_up"])
    farewell.wish(BYE)
    farewell.turn_ended([])
    assert farewell.due(line_is_silent=True) == BYE


def test_a_caller_who_says_bye_too_keeps_the_call_up_no_longer_than_the_limit() -> None:
    clock = ManualClock()
    farewell = Farewell(clock)
    farewell.wish(BYE)
    farewell.turn_ended([])
    farewell.caller_speaks(begins=True)
    assert farewell.due(line_is_silent=True) is None
    clock.advance(GOODBYE_LIMIT_S)
    assert farewell.due(line_is_silent=True) == BYE


async def test_the_tools_tell_whoever_the_control_is_bound_to() -> None:
    wishes: list[CallWish] = []
    control = CallControl(transfer_to={"a person": "100"})
    hang_up, transfer = control.tools
    assert hang_up.handler is not None
    assert transfer.handler is not None
    assert "no call" in await hang_up.handler("hang_up", {})  # type: ignore[misc]
    assert "no call" in await transfer.handler("transfer", {"target": "a person"})  # type: ignore[misc]
    control.bind(wishes.append)
    assert "heard out" in await hang_up.handler("hang_up", {})  # type: ignore[misc]
    assert "a person" in await transfer.handler("transfer", {"target": "the king"})  # type: ignore[misc]
    assert "put through" in await transfer.handler("transfer", {"target": "a person"})  # type: ignore[misc]
    assert wishes == [BYE, CallWish("transfer", "100")]


def test_only_the_tools_wanted_are_there() -> None:
    assert [tool.name for tool in CallControl().tools] == ["hang_up"]
    assert CallControl(hang_up=False).tools == ()


def test_last_words_are_said_when_a_reply_after_the_wish_has_ended_and_nobody_speaks() -> None:
    farewell = Farewell(ManualClock())
    farewell.turn_ended([])
    assert not farewell.is_complete
    farewell.wish(BYE)
    farewell.turn_ended(["hang_up"])
    assert not farewell.is_complete
    farewell.turn_ended([])
    assert farewell.is_complete
    farewell.caller_speaks(begins=True)
    assert not farewell.is_complete
