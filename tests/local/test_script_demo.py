"""The restaurant's telephone desk: it answers what it promises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_core import Tool
from realtime_local.restaurant import BookingBook, restaurant_tools
from realtime_local.script_matching import Matcher
from realtime_local.script_reading import demo_script
from realtime_local.sentences import SentenceSplitter

SENTENCES = {
    "what time is it": "time",
    "book a table for two": "book_table",
    "transfer me to a human": "human",
    "what is the weather today": "weather",
    "i want to cancel my order": "cancel_order",
    "can you repeat that please": "repeat",
    "my account number is five two seven": "account",
    "please stop talking": "stop",
    "how much does it cost": "prices",
    "good bye": "goodbye",
    "book a table for four people on friday at half past seven": "book_table",
    "what are your opening hours": "opening_hours",
    "can you read me the menu please": "menu",
    "cancel my booking": "cancel_booking",
    "how much is the pizza": "price_of_dish",
}
OUTSIDE = [
    "hello there how are you",
    "how do i get to the station",
    "no thanks i will call later",
    "the quick brown fox",
    "seven",
    "i want",
    "",
]


@pytest.mark.parametrize(("text", "intent"), SENTENCES.items())
def test_it_understands(text: str, intent: str) -> None:
    match = Matcher(demo_script()).match(text)
    assert match is not None
    assert match.intent.name == intent


@pytest.mark.parametrize("text", OUTSIDE)
def test_it_does_not_understand_what_it_was_not_told(text: str) -> None:
    assert Matcher(demo_script()).match(text) is None


def test_answers_are_of_natural_length_and_some_are_long_enough_to_interrupt() -> None:
    script = demo_script()
    texts = [text for intent in script.intents for text in intent.answers]
    words = [len(text.split()) for text in texts]
    assert sum(count >= 40 for count in words) >= 2  # over ten seconds at 150 to 200 words a minute
    assert sorted(words)[len(words) // 2] <= 25
    for text in [*texts, *script.greeting, *script.fallback]:
        splitter = SentenceSplitter()
        assert 1 <= len([*splitter.feed(text), *splitter.finish()]) <= 5


def test_the_tools_of_the_script_are_there() -> None:
    tools = {tool.name: tool for tool in restaurant_tools(transfer=lambda target: None)}
    for intent in demo_script().intents:
        if intent.tool is not None and intent.tool.name != "hang_up":
            parameters: Any = tools[intent.tool.name].parameters
            assert set(intent.tool.arguments) == set(parameters["properties"])
    assert [tool.name for tool in restaurant_tools()] == ["book_table", "cancel_booking"]


def _call(tools: list[Tool], name: str, **arguments: Any) -> Any:
    (tool,) = (tool for tool in tools if tool.name == name)
    assert tool.handler is not None
    answer = tool.handler(name, arguments)
    assert isinstance(answer, str)
    return json.loads(answer)


def test_a_table_is_booked_and_given_back() -> None:
    book = BookingBook(tables=1)
    tools = restaurant_tools(book)
    booked = _call(tools, "book_table", people=2, day="friday", time="19:30")
    assert booked == {"number": "101", "number_spoken": "one zero one"}
    (booking,) = book.bookings.values()
    assert (booking.people, booking.day, booking.time) == (2, "friday", "19:30")
    full = _call(tools, "book_table", people=2, day="friday", time="19:30")
    assert full == {"error": "There is no free table at that time"}
    assert _call(tools, "cancel_booking", number="101") == {"cancelled": True}
    assert book.bookings == {}
    assert "no booking" in _call(tools, "cancel_booking", number="101")["error"]
    assert _call(tools, "book_table", people=2, day="friday", time="19:30")["number"] == "102"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"people": "2", "day": "friday", "time": "x"}, {"people": 13, "day": "x", "time": "x"}],
)
def test_a_booking_that_makes_no_sense_is_an_error(arguments: dict[str, Any]) -> None:
    assert "error" in _call(restaurant_tools(), "book_table", **arguments)


def test_the_book_is_bounded() -> None:
    book = BookingBook(tables=10_000)
    while book.book(1, "today", "18:00") is not None:
        pass
    assert max(book.bookings) == "900"


def test_a_transfer_is_told_to_the_application() -> None:
    targets: list[str] = []
    tools = restaurant_tools(transfer=targets.append)
    assert _call(tools, "transfer", target="reception") == {"transferred": True}
    assert targets == ["reception"]
