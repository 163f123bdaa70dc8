"""What a script answers, turn by turn."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from realtime_core import Tool
from realtime_local.engines import Message, Replier, Say, TurnRequest
from realtime_local.restaurant import restaurant_tools
from realtime_local.script_reading import demo_script, parse_script
from realtime_local.script_replier import ScriptReplier
from tests.local.turns import Conversation

SCRIPT = """
greeting = ["Welcome. It is {weekday}.", "Welcome back."]
fallback = ["Pardon?", "Once more?"]
apology = "Oh no."
[slots.people]
kind = "number"
to = 9
[slots.day]
kind = "list"
values = { friday = ["friday", "the last day"], saturday = "saturday" }
answers = ["[on] {day}", "{day} for {people}"]
[slots.code]
kind = "digits"
length = [2, 4]
[intents.hello]
phrases = "hello"
answer = ["One.", "Two."]
[intents.date]
phrases = "what is the date"
answer = "It is {date}, {time}."
[intents.code]
phrases = "code {code}"
answer = "You said {code}."
[intents.book]
phrases = ["book [for {people}] [on {day}]"]
ask = { people = "How many?", day = ["Which day?", "Friday or saturday?"] }
[intents.book.tool]
name = "book"
arguments = { people = "{people}", note = "{people} on {day}", fixed = { list = [1, "x"] }, day = "{day}" }
before = "A moment for {people}."
after = "Booked {day}: number {result.number}, {result.place.name}."
failed = "No: {result.error}."
missing = "I cannot book {day}."
[intents.plain]
phrases = "plain"
tool = { name = "plain", after = "It says {result}." }
[intents.quiet]
phrases = "quiet"
tool = { name = "quiet" }
[intents.again]
phrases = "again"
answer = "{last}"
[intents.bye]
phrases = "bye"
answer = "Bye."
hang_up = true
[intents.boss]
phrases = "boss on {day}"
answer = "Putting you through."
transfer = "boss {day}"
failed = "Nobody there."
"""
TOOLS = [Tool(name=name) for name in ("book", "plain", "quiet", "hang_up", "transfer")]


def _clock() -> datetime:
    return datetime(2026, 11, 22, 19, 5, tzinfo=UTC)


def _talk(*, tools: list[Tool] = TOOLS) -> Conversation:
    replier: Replier = ScriptReplier(parse_script(SCRIPT), clock=_clock)
    return Conversation(replier, tools)


async def test_a_greeting_and_answers_are_used_in_turn() -> None:
    talk = _talk()
    assert await talk.greeting() == "Welcome. It is Sunday."
    assert await talk.greeting() == "Welcome back."
    assert [await talk.say("hello") for _ in range(3)] == ["One.", "Two.", "One."]
    assert [await talk.say("what") for _ in range(3)] == ["Pardon?", "Once more?", "Pardon?"]


async def test_builtin_values_and_digits_are_spoken_in_words() -> None:
    talk = _talk()
    expected = "It is Sunday, November twenty second, seven oh five in the evening."
    assert await talk.say("what is the date") == expected
    assert await talk.say("code 5 oh 7") == "You said five zero seven."


async def test_what_was_said_last_is_said_again() -> None:
    talk = _talk()
    assert await talk.say("again") == "Welcome. It is Sunday."
    assert await talk.say("hello") == "One."
    assert [await talk.say("again") for _ in range(2)] == ["One.", "One."]


async def test_a_tool_is_called_with_slots_and_constants_and_its_result_said() -> None:
    talk = _talk()
    assert await talk.say("book for two on the last day") == "A moment for two."
    (call,) = talk.calls
    assert call.name == "book"
    assert call.arguments == {
        "people": 2,
        "note": "2 on friday",
        "fixed": {"list": [1, "x"]},
        "day": "friday",
    }
    answer = await talk.tell('{"number": 7, "place": {"name": "the garden"}}')
    assert answer == "Booked friday: number 7, the garden."
    assert await talk.tell('{"number": 7}') == ""  # nobody waits for it any more


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ('{"error": "all is full"}', "No: all is full."),
        ('{"number": 7}', "Oh no."),  # nothing to say for the place, and no error to quote
        ('{"number": true, "place": {"name": "x"}}', "Oh no."),
        ('{"number": [1], "place": {"name": "x"}}', "Oh no."),
        ("no json", "Oh no."),
        ("[" * 100_000, "Oh no."),
    ],
)
async def test_a_tool_that_failed(output: str, said: str) -> None:
    talk = _talk()
    await talk.say("book for two on friday")
    assert await talk.tell(output) == said


async def test_a_result_is_a_text_too() -> None:
    talk = _talk()
    for output, said in (("five.", "It says five.."), ('"six"', "It says six.")):
        assert await talk.say("plain") == ""
        assert await talk.tell(output) == said
    await talk.say("plain")
    assert await talk.tell('{"error": "x"}') == "Oh no."


async def test_a_tool_may_have_nothing_to_say() -> None:
    talk = _talk()
    assert await talk.say("quiet") == ""
    assert await talk.tell("done") == ""


async def test_a_tool_that_is_not_offered() -> None:
    talk = _talk(tools=[])
    assert await talk.say("book for two on friday") == "I cannot book friday."
    assert await talk.say("plain") == "Oh no."
    assert await talk.say("bye") == "Bye."
    assert await talk.say("boss on friday") == "Putting you through."
    assert talk.calls == []


async def test_hanging_up_and_transferring_are_tools_of_the_application() -> None:
    talk = _talk()
    assert await talk.say("boss on friday") == "Putting you through."
    assert await talk.tell('{"error": "busy"}') == "Nobody there."
    assert await talk.say("bye") == "Bye."
    assert await talk.tell("ok") == ""
    assert [(call.name, call.arguments) for call in talk.calls] == [
        ("transfer", {"target": "boss friday"}),
        ("hang_up", {}),
    ]
    assert len({call.call_id for call in talk.calls}) == 2


async def test_missing_slots_are_asked_for_in_order() -> None:
    talk = _talk()
    assert await talk.say("book") == "How many?"
    assert await talk.say("three") == "Which day?"
    assert await talk.say("on saturday") == "A moment for three."
    assert talk.calls[0].arguments["note"] == "3 on saturday"


async def test_one_answer_may_fill_several_slots() -> None:
    talk = _talk()
    assert await talk.say("book for four") == "Which day?"
    assert await talk.say("saturday for five") == "A moment for five."


async def test_an_open_question_is_asked_again_but_not_for_ever() -> None:
    talk = _talk()
    assert await talk.say("book for two") == "Which day?"
    assert await talk.say("what") == "Pardon? Friday or saturday?"
    assert await talk.say("again") == "Friday or saturday?"
    assert await talk.say("what") == "Once more? Which day?"
    assert await talk.say("what") == "Pardon?"
    assert await talk.say("friday") == "Once more?"


async def test_another_wish_drops_the_question() -> None:
    talk = _talk()
    assert await talk.say("book") == "How many?"
    assert await talk.say("hello") == "One."
    assert await talk.say("three") == "Pardon?"


async def test_a_value_that_nobody_asked_for_is_not_understood() -> None:
    assert await _talk().say("friday") == "Pardon?"


async def test_a_caller_who_cuts_in_hears_the_answer_of_the_tool_too() -> None:
    talk = _talk()
    await talk.say("plain")
    talk.history.append(Message(role="tool", text="five", call_id=talk.calls[0].call_id))
    assert await talk.say("hello") == "It says five. One."


async def test_a_turn_without_words_is_silent() -> None:
    replier = ScriptReplier(parse_script(SCRIPT))
    talk = Conversation(replier)
    talk.history.append(Message(role="assistant", text="x"))
    assert [piece async for piece in replier.reply(talk.request())] == []
    talk.history.append(Message(role="user", text=""))
    assert [piece async for piece in replier.reply(talk.request())] == [Say(text="Pardon?")]


async def test_a_cut_reply_has_taken_its_turn() -> None:
    replier = ScriptReplier(parse_script(SCRIPT))
    talk = Conversation(replier)
    request = TurnRequest(history=[Message(role="user", text="hello")])
    reply = replier.reply(request)
    assert await anext(aiter(reply)) == Say(text="One.")
    await reply.aclose()
    assert await talk.say("hello") == "Two."
    assert await talk.say("again") == "Two."


async def test_calls_without_an_answer_are_forgotten_some_day() -> None:
    talk = _talk()
    for _ in range(150):
        await talk.say("plain")
    assert await talk.tell("x", talk.calls[0]) == ""
    assert await talk.tell("x", talk.calls[-1]) == "It says x."


async def test_its_grammar_and_its_apology_are_those_of_the_script() -> None:
    replier = ScriptReplier(parse_script(SCRIPT))
    assert "<intent_hello> = hello;" in replier.phrases()
    assert replier.apology == "Oh no."
    await replier.close()
    await replier.close()


async def test_a_table_is_booked_from_greeting_to_good_bye() -> None:
    talk = Conversation(ScriptReplier(demo_script(), clock=_clock), restaurant_tools())
    assert "Blue Garden" in await talk.greeting()
    assert await talk.say("what time is it") == "It is seven oh five in the evening."
    assert await talk.say("book a table for two") == "For which day would you like the table?"
    assert "At what time" in await talk.say("tomorrow")
    assert await talk.say("at half past seven") == "One moment, I am looking for a table for two."
    (call,) = talk.calls
    handler = talk.tools[0].handler
    assert handler is not None
    output = handler(call.name, dict(call.arguments))
    assert isinstance(output, str)
    assert await talk.tell(output) == (
        "Your table for two is booked, tomorrow at seven thirty. Your booking number is one zero one. "
        "We look forward to seeing you."
    )
    assert (await talk.say("can you repeat that please")).startswith("Your table for two is booked")
    assert await talk.say("good bye") == "Thank you for your call. Good bye."


ASKING = """
fallback = "Pardon?"

[slots.people]
kind = "number"
to = 9
answers = "for {people}"

[slots.day]
kind = "list"
values = ["monday", "friday"]
answers = "on {day}"

[intents.book]
phrases = ["book a table [for {people}] [on {day}]", "a table [for {people}] [on {day}]"]
ask.people = "How many?"
ask.day = "Which day?"
[intents.book.tool]
name = "book"
arguments = { people = "{people}", day = "{day}" }
after = "Booked."

[intents.menu]
phrases = "the menu"
answer = "Soup."
"""
BOOK = Tool(name="book")


def _asking(*history: Message) -> Conversation:
    talk = Conversation(ScriptReplier(parse_script(ASKING)), tools=[BOOK])
    talk.history += history
    return talk


def _user(text: str) -> Message:
    return Message(role="user", text=text)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["book a table", "for two", "on friday"], ""),  # one sentence with pauses in it
        (["book a table", "for two"], "Which day?"),
        (["book a table", "", "hm"], "How many?"),
        (["the menu", "book a table"], "Soup. How many?"),
        (["book a table", "a table"], "How many?"),
        (["the menu", "the menu"], "Soup."),
        (["", "hm", ""], "Pardon?"),
    ],
)
async def test_what_was_said_since_the_last_reply_is_answered_together(
    said: list[str], answer: str
) -> None:
    talk = _asking(*map(_user, said[:-1]))
    assert await talk.say(said[-1]) == answer
    if not answer:
        assert talk.calls[0].arguments == {"people": 2, "day": "friday"}


async def test_who_says_their_wish_again_with_more_does_not_lose_what_they_said_first() -> None:
    talk = _asking()
    assert await talk.say("book a table on friday") == "How many?"
    assert await talk.say("a table for two") == ""
    assert talk.calls[0].arguments == {"people": 2, "day": "friday"}


async def test_the_answer_of_a_tool_is_told_wherever_it_stands() -> None:
    talk = _asking()
    await talk.say("book a table for two on friday")
    talk.history += [
        Message(role="tool", text="{}", call_id=talk.calls[0].call_id),
        Message(role="assistant", text="Something else."),
    ]
    assert await talk.say("hm") == "Booked. Pardon?"
    assert await talk.say("the menu") == "Soup."


@pytest.mark.parametrize(
    ("first", "then", "answer"),
    [
        ("the menu", "book a table", "How many?"),  # who cut in wants something else
        ("the menu", "", "Soup."),  # a cough
        ("the menu", "hm", "Pardon?"),
        ("the menu", "the menu", "Soup."),
        ("book a table", "for two", "Which day?"),
        ("book a table", "on friday", "How many?"),
    ],
)
async def test_of_a_reply_that_nobody_heard_the_question_is_taken_up_with_what_came_then(
    first: str, then: str, answer: str
) -> None:
    talk = _asking()
    await talk.say(first)
    del talk.history[1:]  # cut before its first sound
    assert await talk.say(then) == answer


async def test_who_is_asked_to_speak_while_a_question_is_open_asks_it_again() -> None:
    talk = _asking()
    assert await talk.greeting() == "Hello. How can I help you?"
    assert await talk.say("book a table") == "How many?"
    assert await talk.greeting() == "How many?"
    assert await talk.say("for two") == "Which day?"
