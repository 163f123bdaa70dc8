"""Server-sent events, sentences, and what a streamed completion says."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_core import RemoteProtocolError, Tool
from realtime_local.chat_messages import chat_body, chat_messages
from realtime_local.chat_stream import ChatStream, StreamedError
from realtime_local.engines import CallTool, Message, Say, TurnRequest
from realtime_local.sentences import SentenceSplitter, spoken_text
from realtime_local.sse import SseParser

EVENTS = "\ufeffdata: one\n\n: comment\r\nevent: x\rdata:two\r\ndata:  lines\r\n\r\n\n\ndata\ndata: é\n\ndata: last".encode()
DATA = ["one", "two\n lines", "\né"]


@given(st.lists(st.integers(0, len(EVENTS)), max_size=12))
def test_events_are_the_same_however_they_are_split(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(EVENTS)]
    parser = SseParser()
    found = [data for a, b in pairwise(edges) for data in parser.feed(EVENTS[a:b])]
    assert found == DATA
    assert parser.finish() == ["last"]
    assert parser.finish() == []


@given(st.binary(max_size=60))
def test_any_bytes_are_taken(data: bytes) -> None:
    parser = SseParser()
    whole = [*parser.feed(data), *parser.finish()]
    parser = SseParser()
    assert (
        whole
        == [x for i in range(len(data)) for x in parser.feed(data[i : i + 1])] + parser.finish()
    )


SENTENCES = [
    ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
    ("It costs 3.50 dollars. Yes.", ["It costs 3.50 dollars.", "Yes."]),
    ("Mr. Smith and Dr. J. Doe came. They left.", ["Mr. Smith and Dr. J. Doe came.", "They left."]),
    ("Well... maybe. Wait... No.", ["Well... maybe.", "Wait...", "No."]),
    ("Fruit, e.g. apples. At 5 p.m. we close. At 6 p.m. We open.", ["Fruit, e.g. apples.", "At 5 p.m. we close.", "At 6 p.m.", "We open."]),
    ("Room no. 5 is free. No. It is not.", ["Room no. 5 is free.", "No.", "It is not."]),
    ('He said "Stop!" Then he left.', ['He said "Stop!"', "Then he left."]),
    ("So do I. Then go.", ["So do I.", "Then go."]),
    ("First line\nSecond line\n\n- a bullet\n1. Soup\n2. Fish", ["First line", "Second line", "a bullet", "1. Soup", "2. Fish"]),
    ("**Bold** and `code` in _this_ [link](http://x). # no", ["Bold and code in this link.", "no"]),
    ("你好。很高兴！再见", ["你好。", "很高兴！", "再见"]),
    ("It was 2 * 3 = 6, snake_case too.", ["It was 2 * 3 = 6, snake_case too."]),
    ("What?! Really?", ["What?!", "Really?"]),
    ("  \n \n", []),
    ("Fig. a", ["Fig. a"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences(text: str, expected: list[str]) -> None:
    splitter = SentenceSplitter()
    assert [*splitter.feed(text), *splitter.finish()] == expected
    by_char = SentenceSplitter()
    assert [s for char in text for s in by_char.feed(char)] + by_char.finish() == expected


def test_a_sentence_is_given_as_soon_as_it_is_whole() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("Hello. ") == ["Hello."]
    assert splitter.feed("At 5 p.m. ") == []
    assert splitter.feed("We") == ["At 5 p.m."]


def test_a_long_sentence_is_cut_where_it_can_be() -> None:
    splitter = SentenceSplitter(max_chars=20)
    assert splitter.feed("one two three, four five six seven eight nine ten") == [
        "one two three,",
        "four five six seven",
    ]
    assert splitter.finish() == ["eight nine ten"]
    assert splitter.feed("x" * 45) == ["x" * 20, "x" * 20]
    assert splitter.finish() == ["x" * 5]


@given(st.text(st.sampled_from("ab. ,\n!?1A…*"), max_size=80), st.integers(5, 30))
def test_sentences_lose_nothing_and_are_bounded(text: str, most: int) -> None:
    splitter = SentenceSplitter(max_chars=most)
    pieces = [*splitter.feed(text), *splitter.finish()]
    assert all(0 < len(piece) <= most for piece in pieces)
    letters = [char for char in text if char.isalnum()]
    assert [char for piece in pieces for char in piece if char.isalnum()] == letters


def test_spoken_text_is_on_one_line() -> None:
    assert spoken_text("# Title\n* a\n> b") == "Title a b"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("A\x00 b\x07ad.\x1b[0m", "A bad.[0m"),
        ("Half a \ud83d face", "Half a \N{REPLACEMENT CHARACTER} face"),
        ("A \ud83d\ude00 face", "A \N{GRINNING FACE} face"),
        ("\N{THUMBS UP SIGN}", "\N{THUMBS UP SIGN}"),
        ("سی\N{ZERO WIDTH NON-JOINER}ب", "سی\N{ZERO WIDTH NON-JOINER}ب"),
        ("**", ""),
        (" ... ", ""),
        ("---", ""),
    ],
)
def test_what_cannot_be_spoken_or_written_down_is_left_out(text: str, spoken: str) -> None:
    assert spoken_text(text) == spoken
    spoken_text(text).encode()


def _delta(**delta: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta}]})


def _call(index: int | None, id_: str | None, name: str | None, arguments: Any) -> str:
    call: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id_ is not None:
        call["id"] = id_
    return _delta(tool_calls=[call])


def _stream(*events: str) -> list[Say | CallTool]:
    stream = ChatStream("host", lambda given: given or "made")
    said: list[Say | CallTool] = []
    for event in events:
        said += stream.feed(event)
    return [*said, *stream.finish()]


def test_words_come_before_calls() -> None:
    events = (
        _delta(role="assistant"),
        _call(0, "a", "f", "{}"),
        _delta(content="Hi. The"),
        _delta(content="re"),
    )
    assert _stream(*events) == [
        Say(text="Hi."),
        Say(text="There"),
        CallTool(call_id="a", name="f", arguments={}),
    ]


@pytest.mark.parametrize(
    "events",
    [
        [_call(0, "a", "f", ""), _call(0, None, None, '{"x"'), _call(0, None, None, ": 1}"), _call(1, "b", "g", None)],
        [_call(0, "a", "f", '{"x": 1}'), _call(0, "b", "g", "{}")],  # every one under index 0
        [_call(None, "a", "f", '{"x":'), _call(None, None, None, "1}"), _call(None, "b", "g", "")],
        [_call(0, "a", "f", {"x": 1}), _call(1, "b", "g", {})],  # arguments as an object
        [_call(0, "a", "f", '{"x": 1'), _call(1, "b", "g", "{"), _call(0, "a", "", "}"), _call(1, "", None, "}")],
        [_call(0, None, None, ""), _call(0, "a", "f", '{"x": 1}'), _call(1, "b", "g", "")],
    ],
)  # fmt: skip
def test_fragments_of_calls_are_put_together(events: list[str]) -> None:
    assert _stream(*events) == [
        CallTool(call_id="a", name="f", arguments={"x": 1}),
        CallTool(call_id="b", name="g", arguments={}),
    ]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>Hm. A b.</think>Hello.", "Hello."),
        ("\n<think>\n</think>\n\nHello <think>.", "Hello <think>."),
        ("<thin Hello.", "<thin Hello."),
        ("<think>for ever. And ever.", ""),
        (" <t", "<t"),
        ("No <think>x</think>.", "No <think>x</think>."),
    ],
)
def test_thoughts_are_not_spoken(text: str, answer: str) -> None:
    for step in (1, 3, 100):
        pieces = [text[at : at + step] for at in range(0, len(text), step)]
        said = [
            piece.text
            for piece in _stream(*(_delta(content=p) for p in pieces))
            if isinstance(piece, Say)
        ]
        assert " ".join(said) == answer


@pytest.mark.parametrize("arguments", ["{", "[1]", "5", "nonsense", "[" * 100_000])
def test_arguments_that_are_no_object_are_empty(arguments: str) -> None:
    assert _stream(_call(0, None, "f", arguments)) == [
        CallTool(call_id="made", name="f", arguments={})
    ]


def test_a_call_without_a_name_is_dropped() -> None:
    assert _stream(_call(0, "a", None, "{}")) == []


def test_events_with_nothing_to_say_are_taken() -> None:
    nothing = [
        {"choices": []},
        {"choices": [], "usage": {}},
        {"choices": [5]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
        {"choices": [{"delta": {"content": 5, "tool_calls": [5, {"index": "x", "function": 5}]}}]},
    ]
    assert _stream(*map(json.dumps, nothing)) == []


@pytest.mark.parametrize("data", ["", "x", "5", "[]", "{}", '{"choices": 5}', "[" * 100_000])
def test_garbage_is_an_error(data: str) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^host sent an event"):
        _stream(data)


def test_too_many_calls_are_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="more than 32"):
        _stream(*(_call(index, f"c{index}", "f", "{}") for index in range(33)))


def test_an_error_in_the_stream_is_told() -> None:
    with pytest.raises(StreamedError):
        _stream('{"error": {"message": "overloaded"}}')


def _asked(call_id: str) -> CallTool:
    return CallTool(call_id=call_id, name="f", arguments={"x": "é"})


def test_messages_keep_calls_and_answers_together() -> None:
    history = [
        Message(role="user", text="hi"),
        Message(role="assistant", text="Wait.", calls=(_asked("a"), _asked("b"))),
        Message(role="user", text="hurry"),
        Message(role="assistant", text=""),
        Message(role="tool", text="done", call_id="a"),
        Message(role="tool", text="lost", call_id="z"),
        Message(role="user", text=" "),
        Message(role="assistant", text="", calls=(_asked("c"),)),
    ]
    messages = chat_messages(history, "Be kind.")
    assert messages == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "Wait.",
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"x": "é"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"role": "user", "content": "hurry"},
    ]


def test_a_body_holds_tools_and_temperature_only_where_there_are_any() -> None:
    request = TurnRequest(history=[Message(role="user", text="hi")])
    plain = chat_body(request, "m", None)
    assert plain == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    request = TurnRequest(history=[], tools=[Tool(name="f")], is_greeting=True)
    body = chat_body(request, "m", 0.0)
    assert body["temperature"] == 0.0
    assert body["tools"][0]["function"]["name"] == "f"
    assert body["messages"] == [
        {"role": "user", "content": "(The call has begun. Greet the caller.)"}
    ]


def test_a_reply_that_nobody_asked_for_has_something_to_answer() -> None:
    request = TurnRequest(history=[Message(role="assistant", text="Hello.")], is_greeting=True)
    assert chat_body(request, "m", None)["messages"][-1] == {
        "role": "user",
        "content": "(Say something to the caller.)",
    }
