"""Grammar and matching are two readings of the same phrases."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_local.numbers import TIMES_WORDS, number_words
from realtime_local.script import Script
from realtime_local.script_grammar import grammar_of, vocabulary_of
from realtime_local.script_matching import Matcher, normalised_words
from realtime_local.script_phrases import may_be_empty, parse_phrase
from realtime_local.script_reading import demo_script, parse_script

pocketsphinx: Any = importlib.import_module("pocketsphinx")  # has no types

SCRIPT = """
[slots.people]
kind = "number"
to = 99
answers = ["{people} [people]", "we are {people} on {day}"]
[slots.day]
kind = "list"
values = { friday = ["friday", "friday night"], saturday = "saturday" }
[slots.code]
kind = "digits"
length = [2, 4]
[intents.book]
phrases = "book [a | the] table [for {people} [people]] [on {day}]"
answer = "x"
ask = { people = "how many", day = "when" }
[intents.number]
phrases = ["my number is {code}", "{code} is (my | the) number"]
answer = "x"
[intents.both]
phrases = ["{people} people with number {code} [please]"]
answer = "x"
"""


def _values(matcher: Matcher, text: str) -> tuple[str, dict[str, str | int]] | None:
    match = matcher.match(text)
    if match is None:
        return None
    return match.intent.name, {name: slot.value for name, slot in match.slots.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("book table", ("book", {})),
        ("book the table for twenty one people", ("book", {"people": 21})),
        ("book a table for twenty on friday night", ("book", {"people": 20, "day": "friday"})),
        ("Book a table, for 12 people!", ("book", {"people": 12})),
        ("book a table for twenty-one", ("book", {"people": 21})),
        ("book a a table", None),
        ("book a table for", None),
        ("please book a table", None),
        ("book", None),
        ("", None),
        ("... !", None),
        ("my number is one oh three", ("number", {"code": "103"})),
        ("My number is 527.", ("number", {"code": "527"})),
        ("my number is 12", ("number", {"code": "12"})),
        ("my number is 5 2 7 0", ("number", {"code": "5270"})),
        ("my number is five", None),
        ("my number is one two three four five", None),
        ("my number is double five", ("number", {"code": "55"})),
        ("my number is triple oh seven", ("number", {"code": "0007"})),
        ("my number is double 5 double 2", ("number", {"code": "5522"})),
        ("my number is double five triple two", None),
        ("my number is five double", None),
        ("my number is double", None),
        ("my number is double twenty", None),
        ("double one is my number", ("number", {"code": "11"})),
        ("one two is my number", ("number", {"code": "12"})),
        ("two people with number one two", ("both", {"people": 2, "code": "12"})),
        ("12 people with number 5 2 7", ("both", {"people": 12, "code": "527"})),
        ("friday", None),
        ("word " * 200, None),
    ],
)
def test_a_sentence_has_an_intent_and_values(
    text: str, expected: tuple[str, dict[str, str | int]] | None
) -> None:
    assert _values(Matcher(parse_script(SCRIPT)), text) == expected


@pytest.mark.parametrize(
    ("text", "slot", "expected"),
    [
        ("four", "people", {"people": 4}),
        ("4 people", "people", {"people": 4}),
        ("we are two on saturday", "people", {"people": 2, "day": "saturday"}),
        ("friday", "people", None),
        ("friday night", "day", {"day": "friday"}),
    ],
)
def test_an_answer_is_read_for_its_slot(
    text: str, slot: str, expected: Mapping[str, str | int] | None
) -> None:
    slots = Matcher(parse_script(SCRIPT)).match_answer(text, slot)
    have = None if slots is None else {name: value.value for name, value in slots.items()}
    assert have == expected


def test_the_first_intent_that_fits_wins() -> None:
    text = '[intents.b]\nphrases="x [y]"\nanswer="1"\n[intents.a]\nphrases="x y"\nanswer="2"\n'
    match = Matcher(parse_script(text)).match("x y")
    assert match is not None
    assert match.intent.name == "b"


def test_many_optional_words_do_not_take_for_ever() -> None:
    phrase = " ".join(["[a]"] * 40 + ["b"])
    matcher = Matcher(parse_script(f'[intents.a]\nphrases="{phrase}"\nanswer="1"\n'))
    assert matcher.match("a " * 40 + "b") is not None
    assert matcher.match("a " * 39 + "c") is None


def test_words_are_normalised() -> None:
    assert normalised_words("What’s UP, at 7:30?") == ["what's", "up", "at", "seven", "thirty"]
    assert normalised_words("12", digit_by_digit=True) == ["one", "two"]
    assert normalised_words("007") == ["zero", "zero", "seven"]
    assert normalised_words("٣") == ["three"]


# A second reading of JSGF, written for this test: what a recogniser makes of the grammar.

_JSGF_TOKEN = re.compile(r"<\w+>|[\[\]()|;=*]|[^\s\[\]()|;=<>*]+")
_JSGF_WEIGHT = re.compile(r"/[\d.]+/")


def _rules(grammar: str) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for line in grammar.splitlines()[2:]:
        name, _, body = line.removeprefix("public ").partition(" = ")
        rules[name] = _JSGF_TOKEN.findall(_JSGF_WEIGHT.sub("", body.removesuffix(";")))
    return rules


class _Speaker:
    """Says a random sentence of a rule, and every word it chose from."""

    def __init__(self, grammar: str, rng: random.Random) -> None:
        self.rules = _rules(grammar)
        self.rng = rng

    def say(self, rule: str) -> list[str]:
        words, end = self._choice(self.rules[rule], 0)
        assert end == len(self.rules[rule])
        return words

    def _choice(self, tokens: list[str], at: int) -> tuple[list[str], int]:
        options: list[list[str]] = [[]]
        while at < len(tokens) and tokens[at] not in ("]", ")"):
            token = tokens[at]
            at += 1
            if token == "|":
                options.append([])
            elif token in ("[", "("):
                begins, (inner, at) = at, self._choice(tokens, at)
                at += 1
                if tokens[at : at + 1] == ["*"]:
                    at += 1
                    for _ in range(self.rng.randrange(3)):
                        options[-1] += self._choice(tokens, begins)[0]
                elif token == "(" or self.rng.random() < 0.5:
                    options[-1] += inner
            elif token.startswith("<"):
                is_starred = tokens[at : at + 1] == ["*"]
                at += is_starred
                for _ in range(self.rng.randrange(3) if is_starred else 1):
                    options[-1] += self.say(token)
            else:
                options[-1].append(token)
        return self.rng.choice(options), at


_WORDS = st.sampled_from(["red", "green", "blue", "the", "a", "of", "for", "with"])


@st.composite
def _phrase(draw: st.DrawFn, slots: list[str], depth: int = 2) -> str:
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["word", "word", "slot", "group", "optional"]))
        if kind == "slot" and slots:
            parts.append(f"{{{slots.pop()}}}")
        elif kind in ("group", "optional") and depth:
            options = [draw(_phrase(slots, depth - 1)) for _ in range(draw(st.integers(1, 3)))]
            inner = " | ".join(options)
            parts.append(f"[{inner}]" if kind == "optional" else f"({inner})")
        else:
            parts.append(draw(_WORDS))
    return " ".join(parts)


@st.composite
def _scripts(draw: st.DrawFn) -> Script:
    least = draw(st.integers(0, 25))
    digits = sorted(draw(st.tuples(st.integers(1, 4), st.integers(1, 4))))
    lines = [
        f'[slots.n]\nkind = "number"\nfrom = {least}\nto = {least + draw(st.integers(0, 74))}',
        f'[slots.d]\nkind = "digits"\nlength = {digits}',
        '[slots.c]\nkind = "list"\nvalues = { x = ["rome", "the city of rome"], y = "red sea" }',
    ]
    for index in range(draw(st.integers(1, 4))):
        # A first word of its own: which intent is meant must be no question of order.
        slots = draw(st.permutations(["n", "d", "c"]))
        phrases = [f"{number_words(index)}th {draw(_phrase(list(slots)))}" for _ in range(2)]
        lines.append(f'[intents.i{index}]\nphrases = {phrases}\nanswer = "x"'.replace("'", '"'))
        lines.append(f'[intents.i{index}.ask]\nn = "?"\nd = "?"')
    return parse_script("\n".join(lines))


def _may_be_too_many_digits(words: list[str]) -> bool:
    """Whether there are doubles in it, which the grammar does not count."""
    return not TIMES_WORDS.keys().isdisjoint(words)


@settings(max_examples=150, deadline=None)
@given(_scripts(), st.integers(0, 2**32))
def test_every_sentence_of_a_grammar_matches_its_own_intent(script: Script, seed: int) -> None:
    speaker, matcher = _Speaker(grammar_of(script), random.Random(seed)), Matcher(script)
    vocabulary = vocabulary_of(script)
    for rule in speaker.rules:
        if rule.startswith("<intent_"):
            words = speaker.say(rule)
            match = matcher.match(" ".join(words))
            assert vocabulary.issuperset(words)
            if match is None:
                assert _may_be_too_many_digits(words)
            else:
                assert f"<intent_{match.intent.name}>" == rule
        elif rule.startswith("<answer_"):
            name = rule.removeprefix("<answer_").removesuffix(">")
            words = speaker.say(rule)
            slots = matcher.match_answer(" ".join(words), name)
            assert name in slots if slots is not None else _may_be_too_many_digits(words)


def test_every_sentence_of_the_demo_matches_its_own_intent() -> None:
    script = demo_script()
    speaker, matcher = _Speaker(grammar_of(script), random.Random(1)), Matcher(script)
    for rule in speaker.rules:
        for _ in range(200 if rule.startswith("<intent_") else 0):
            words = speaker.say(rule)
            match = matcher.match(" ".join(words))
            if match is None:
                assert _may_be_too_many_digits(words)
            else:
                assert f"<intent_{match.intent.name}>" == rule, words


def test_every_word_of_the_demo_is_in_the_recognisers_dictionary() -> None:
    with open(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as file:
        known = {line.split(maxsplit=1)[0] for line in file}
    assert vocabulary_of(demo_script()) - known == set()


def test_the_recogniser_takes_the_grammar() -> None:
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    for script in (demo_script(), parse_script(SCRIPT)):
        decoder.add_jsgf_string("script", grammar_of(script))
        decoder.activate_search("script")


@pytest.mark.parametrize("length", ["1", "2", "3", "[1, 20]"])
def test_the_recogniser_takes_every_way_to_say_digits(length: str) -> None:
    script = parse_script(
        f'[slots.n]\nkind = "digits"\nlength = {length}\n'
        '[intents.a]\nphrases = "my number is {n} please"\nanswer = "x"\n'
    )
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    decoder.add_jsgf_string("script", grammar_of(script))
    accepts, matcher = decoder.get_fsg("script").accept, Matcher(script)
    ways = ["one", "two two", "double two", "five oh one", "double five two", "two double five"]
    for way in [*ways, "triple six", "one two triple six double one nine"]:
        sentence = f"my number is {way} please"
        if matcher.match(sentence) is not None:
            assert accepts(sentence)
    assert not accepts("my number is double please")


def test_a_phrase_that_may_be_empty_is_none() -> None:
    assert not may_be_empty(parse_phrase("(a | b [c]) [d]"))
