"""Broken scripts say where: file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_core import ConfigError
from realtime_local.script import DigitsSlot, ListSlot, SlotValue
from realtime_local.script_reading import load_script, parse_script

INTENT = '[intents.a]\nphrases = ["a b"]\nanswer = "c"\n'
SLOT = '[slots.n]\nkind = "number"\nto = 3\n'

BROKEN = {
    "no toml": ("greeting = hello\n", 1, "expected TOML"),
    "cut": ('greeting = "a"\n[slots', 2, "expected TOML"),
    "key twice": (INTENT + 'answer = "d"\n', 4, "expected TOML"),
    "unknown key": (
        'greting = "x"\n' + INTENT,
        1,
        "greting: unknown key; did you mean 'greeting'?",
    ),
    "unknown key far": (INTENT + "qqqq = 1\n", 4, "intents.a.qqqq: unknown key; known: answer"),
    "greeting type": ("greeting = 5\n" + INTENT, 1, "greeting: expected a string or a list of"),
    "blank": ('greeting = " "\n' + INTENT, 1, "greeting: expected a string that is not blank"),
    "empty list": ("\n\nfallback = []\n" + INTENT, 3, "fallback: expected at least one string"),
    "item type": (
        'fallback = [\n  "a",\n  true,\n]\n' + INTENT,
        3,
        "fallback[2]: expected a string, got true",
    ),
    "apology field": ('apology = "{time}"\n' + INTENT, 1, "apology: cannot fill in 'time'"),
    "no intents": ('greeting = "x"\n', 1, "intents: expected at least one intent"),
    "intents type": ("intents = 5\n", 1, "intents: expected a table, got 5"),
    "intent type": ("[intents]\na = 5\n", 2, "intents.a: expected a table"),
    "intent name": (
        '[intents."book it"]\nphrases = "a"\n',
        1,
        "intents.'book it': expected a name",
    ),
    "no phrases": ('\n[intents.a]\nanswer = "c"\n', 2, "intents.a: expected a key 'phrases'"),
    "no answer": ('[intents.a]\nphrases = "a"\n', 1, "intents.a: expected a key 'answer'"),
    "numeral": (
        '[intents.a]\nphrases = [\n"a b",\n"table 2",\n]\nanswer = "c"\n',
        4,
        "intents.a.phrases[2]: expected words of letters only, numbers written out, got '2'",
    ),
    "bracket": (
        '[intents.a]\nphrases = "a (b | c"\nanswer = "c"\n',
        2,
        "intents.a.phrases: expected ) for the (",
    ),
    "closing": ('[intents.a]\nphrases = "a b]"\nanswer = "c"\n', 2, "expected an opening bracket"),
    "empty option": ('[intents.a]\nphrases = "a (b |)"\nanswer = "c"\n', 2, "expected a word or a"),
    "all optional": (
        '[intents.a]\nphrases = "[a] [b]"\nanswer = "c"\n',
        2,
        "expected at least one",
    ),
    "open brace": ('[intents.a]\nphrases = "a {b"\nanswer = "c"\n', 2, "expected a slot in braces"),
    "deep": (
        '[intents.a]\nphrases = "' + "(" * 2000 + "a" + ")" * 2000 + '"\nanswer = "c"\n',
        2,
        "expected at most 20 brackets",
    ),
    "phrase slot": (
        SLOT + '[intents.a]\nphrases = "a {m}"\nanswer = "c"\n',
        5,
        "unknown slot 'm'; known: n",
    ),
    "slot twice": (
        SLOT + '[intents.a]\nphrases = "{n} {n}"\nanswer = "c"\n',
        5,
        "expected slot 'n' at most once",
    ),
    "answer braces": (
        '[intents.a]\nphrases = "a"\nanswer = "c {"\n',
        3,
        "expected braces in pairs",
    ),
    "answer field": (
        '[intents.a]\nphrases = "a"\nanswer = [\n"c",\n"{timme}"]\n',
        5,
        "intents.a.answer[2]: cannot fill in 'timme'; did you mean 'time'?",
    ),
    "answer uncertain slot": (
        SLOT + '[intents.a]\nphrases = ["a {n}", "b"]\nanswer = "{n}"\n',
        6,
        "intents.a.answer: cannot fill in 'n'",
    ),
    "result without tool": (
        '[intents.a]\nphrases = "a"\nanswer = "{result}"\n',
        3,
        "cannot fill in 'result'",
    ),
    "ask slot": (
        INTENT + "[intents.a.ask]\nx = 'y'\n",
        5,
        "intents.a.ask.x: unknown slot; known: none",
    ),
    "two actions": (
        INTENT + 'hang_up = true\ntransfer = "x"\n',
        5,
        "intents.a.transfer: expected no 'transfer' beside 'hang_up'",
    ),
    "hang up type": (INTENT + "hang_up = 1\n", 4, "intents.a.hang_up: expected true or false"),
    "transfer type": (INTENT + "transfer = 1\n", 4, "intents.a.transfer: expected a string"),
    "failed alone": (INTENT + 'failed = "x"\n', 4, "expected only beside hang_up or transfer"),
    "answer and tool": (INTENT + 'tool.name = "x"\n', 3, "expected none beside a tool"),
    "tool name": (
        '[intents.a]\nphrases="a"\n[intents.a.tool]\n',
        3,
        "intents.a.tool: expected a key 'name'",
    ),
    "tool key": (
        '[intents.a]\nphrases="a"\ntool = { name = "x", beforre = "y" }\n',
        3,
        "intents.a.tool.beforre: unknown key; did you mean 'before'?",
    ),
    "tool argument": (
        '[intents.a]\nphrases="a"\n[intents.a.tool]\nname="x"\n[intents.a.tool.arguments]\nb = [1, { c = "{d}" }]\n',
        6,
        "intents.a.tool.arguments.b[2].c: cannot fill in 'd'",
    ),
    "result before": (
        '[intents.a]\nphrases="a"\n[intents.a.tool]\nname="x"\nbefore = "{result}"\n',
        5,
        "intents.a.tool.before: cannot fill in 'result'",
    ),
    "slot kind": ('[slots.n]\nkind = "digit"\n' + INTENT, 2, "did you mean 'digits'?"),
    "no kind": ("[slots.n]\n" + INTENT, 1, "slots.n: expected a key 'kind'"),
    "slot name": ('[slots.time]\nkind = "list"\n' + INTENT, 1, "slots.time: expected another name"),
    "slot key": (SLOT + "values = []\n" + INTENT, 4, "slots.n.values: unknown key"),
    "length": ('[slots.n]\nkind = "digits"\nlength = [5, 3]\n' + INTENT, 3, "expected the smaller"),
    "length three": ('[slots.n]\nkind = "digits"\nlength = [1, 2, 3]\n' + INTENT, 3, "list of two"),
    "length range": (
        '[slots.n]\nkind = "digits"\nlength = [1,\n99]\n' + INTENT,
        4,
        "n.length[2]: expected a whole number from 1 to 20, got 99",
    ),
    "no length": ('[slots.n]\nkind = "digits"\n' + INTENT, 1, "slots.n: expected a key 'length'"),
    "to": ('[slots.n]\nkind = "number"\nfrom = 5\nto = 4\n' + INTENT, 4, "from 5 to 99, got 4"),
    "to type": ('[slots.n]\nkind = "number"\nto = 2.5\n' + INTENT, 3, "from 1 to 99, got 2.5"),
    "no values": ('[slots.n]\nkind = "list"\nvalues = {}\n' + INTENT, 3, "at least one value"),
    "value spoken": (
        '[slots.n]\nkind = "list"\nvalues = ["a", "b2"]\n' + INTENT,
        3,
        "letters only",
    ),
    "value twice": (
        '[slots.n]\nkind = "list"\n[slots.n.values]\na = "x"\nb = ["y",\n"X"]\n' + INTENT,
        6,
        "slots.n.values.b[2]: expected 'X' to mean one value only",
    ),
    "value form": (
        '[slots.n]\nkind = "list"\n[slots.n.values]\na = "x"\nb = "5 o"\n' + INTENT,
        5,
        "slots.n.values.b: expected words of letters only",
    ),
    "slot answer": (
        SLOT + 'answers = "no"\n' + INTENT,
        4,
        "slots.n.answers: expected {n} in every",
    ),
    "date": (
        '[intents.a]\nphrases="a"\n[intents.a.tool]\nname="x"\narguments.b = [{ c = 2026-11-01 }]\n',
        5,
        "intents.a.tool.arguments.b[1].c: expected a string, a number, true or false, got a date or time",
    ),
    "no number": (
        '[intents.a]\nphrases="a"\n[intents.a.tool]\nname="x"\narguments = { b = nan }\n',
        5,
        "intents.a.tool.arguments.b: expected a number that is one, got nan",
    ),
    "failed of nothing": (
        INTENT + 'hang_up = false\nfailed = "x"\n',
        5,
        "expected only beside hang_up or transfer",
    ),
    "pronunciation": (
        INTENT + "[pronunciations]\ngnocchi = 'N Y OW1 K IY'\n",
        5,
        "pronunciations.gnocchi: expected ARPAbet phones without stress, like 'HH AH L OW', got 'OW1'",
    ),
    "pronunciation of a number": (
        INTENT + "[pronunciations]\n'7up' = 'S'\n",
        5,
        "pronunciations.7up: expected a word of letters only",
    ),
    "pronunciations type": ("pronunciations = 1\n" + INTENT, 1, "expected a table"),
    "slot answers": (
        SLOT + 'answers = ["{n}", "no"]\n' + INTENT,
        4,
        "slots.n.answers[2]: expected {n} in every",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_script_names_file_line_and_key(name: str, tmp_path: Path) -> None:
    text, line, problem = BROKEN[name]
    file = tmp_path / "desk.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_script(file)
    assert str(caught.value).startswith(f"{file}, line {line}: ")
    assert problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"gone\.toml: expected a file that can be read: No such file"
    ):
        load_script(tmp_path / "gone.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load_script(tmp_path)
    with pytest.raises(ConfigError, match="no file has such a name"):
        load_script("a\0b")


def test_a_file_that_is_no_text_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_bytes(b'greeting = "a"\nfallback = "\xff"\n')
    with pytest.raises(ConfigError, match=r"desk\.toml, line 2: expected UTF-8"):
        load_script(file)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_bytes(b"#" * (4 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="at most 4194304 bytes"):
        load_script(file)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"script, line 1: expected TOML"):
        parse_script("a = " + "[" * 5000 + "]" * 5000)


def test_a_byte_order_mark_is_no_part_of_the_script() -> None:
    assert parse_script("\ufeff" + INTENT).intents[0].name == "a"


def test_what_is_left_out_has_a_default() -> None:
    script = parse_script(INTENT)
    assert script.greeting == ("Hello. How can I help you?",)
    assert script.fallback == ("Sorry, I did not understand that.",)
    assert script.apology == "Sorry, something went wrong. Please try again."


def test_slots_of_every_kind() -> None:
    script = parse_script(
        """
[slots.people]
kind = "number"
from = 20
to = 21
[slots.code]
kind = "digits"
length = 4
[slots.city]
kind = "list"
values = { BER = ["Berlin", "the capital"], MUC = "munich" }
[intents.a]
phrases = "a"
answer = "b"
"""
    )
    people, code, city = script.slots.values()
    assert isinstance(people, ListSlot)
    assert isinstance(city, ListSlot)
    assert [form.words for form in people.forms] == [("twenty",), ("twenty", "one")]
    assert [form.value.value for form in people.forms] == [20, 21]
    assert isinstance(code, DigitsSlot)
    assert (code.shortest, code.longest) == (4, 4)
    assert [(form.words, form.value) for form in city.forms] == [
        (("berlin",), SlotValue("BER", "Berlin")),
        (("the", "capital"), SlotValue("BER", "Berlin")),
        (("munich",), SlotValue("MUC", "munich")),
    ]
