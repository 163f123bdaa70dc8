"""From what was heard to an intent and the values of its slots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import final

from attrs import frozen

from realtime_local.numbers import DIGIT_WORDS, TIMES_WORDS, number_words, spell_numerals
from realtime_local.script import DigitsSlot, Intent, ListSlot, Script, SlotValue
from realtime_local.script_phrases import Choice, Node, Sequence, SlotRef, Word

__all__ = ["Match", "Matcher", "normalised_words"]

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*'?")
_MOST_WORDS = 100
_Slots = tuple[tuple[str, SlotValue], ...]
_State = tuple[int, _Slots]


def normalised_words(text: str, *, digit_by_digit: bool = False) -> list[str]:
    """
    Make words as phrases have them: lower case, no punctuation, numerals spelled out.

    Args:
        text: From a recogniser, or typed.
        digit_by_digit: How numerals are read, see `spell_numerals`.
    """
    spelled = spell_numerals(text.lower().replace("’", "'"), digit_by_digit=digit_by_digit)
    return _WORD.findall(spelled)


@frozen(kw_only=True)
class Match:
    """An intent that was understood."""

    intent: Intent
    """Which."""
    slots: Mapping[str, SlotValue]
    """What was said for its slots; those not said are left out."""


@final
class Matcher:
    """
    Understands the sentences of a script, and only whole ones.

    Args:
        script: Of several intents that fit, its first wins.
    """

    def __init__(self, script: Script) -> None:
        self._script = script

    def match(self, text: str) -> Match | None:
        """Find the intent of a sentence; `None` when no phrase fits from its first word to its last."""
        for words in _readings(text):
            for intent in self._script.intents:
                slots = self._first(intent.phrases, words)
                if slots is not None:
                    return Match(intent=intent, slots=slots)
        return None

    def match_answer(self, text: str, slot: str) -> Mapping[str, SlotValue] | None:
        """Read the answer to the question for a slot; `None` when it is none."""
        for words in _readings(text):
            slots = self._first(self._script.slots[slot].answers, words)
            if slots is not None:
                return slots
        return None

    def _first(self, phrases: Iterable[Node], words: list[str]) -> Mapping[str, SlotValue] | None:
        for phrase in phrases:
            for end, slots in self._after(phrase, words, [(0, ())]):
                if end == len(words):
                    return dict(slots)
        return None

    def _after(self, node: Node, words: list[str], states: list[_State]) -> list[_State]:
        """Give the states that are reached from others by saying a part; each once, so their number stays small."""
        match node:
            case Word(text):
                return [(at + 1, had) for at, had in states if words[at : at + 1] == [text]]
            case SlotRef(name):
                return [
                    (end, (*had, (name, value)))
                    for at, had in states
                    for end, value in self._values(name, words, at)
                ]
            case Sequence(parts):
                for part in parts:
                    states = self._after(part, words, states)
                return states
            case Choice(options, is_optional):
                reached = [
                    state for option in options for state in self._after(option, words, states)
                ]
                return list(dict.fromkeys([*reached, *(states if is_optional else ())]))

    def _values(self, name: str, words: list[str], at: int) -> list[tuple[int, SlotValue]]:
        match self._script.slots[name]:
            case DigitsSlot(shortest=shortest, longest=longest):
                said = [
                    (end, _digits(digits))
                    for end, digits in _spoken_digits(words, at)
                    if shortest <= len(digits) <= longest
                ]
                return said[::-1]  # as many as possible first
            case ListSlot(forms=forms):
                return [
                    (at + len(form.words), form.value)
                    for form in forms
                    if tuple(words[at : at + len(form.words)]) == form.words
                ]


def _spoken_digits(words: list[str], at: int) -> Iterator[tuple[int, str]]:
    """Give where each digit from a place on ends, with all digits up to there."""
    digits = ""
    while at < len(words):
        times = TIMES_WORDS.get(words[at], 1)
        at += 1 if times == 1 else 2
        digit = DIGIT_WORDS.get(words[at - 1]) if at <= len(words) else None
        if digit is None:
            return
        digits += digit * times
        yield at, digits


def _digits(digits: str) -> SlotValue:
    return SlotValue(digits, " ".join(number_words(int(digit)) for digit in digits))


def _readings(text: str) -> list[list[str]]:
    """Read numerals both ways; a sentence too long to be one of a script's is none."""
    readings = [normalised_words(text, digit_by_digit=way) for way in (False, True)]
    if readings[0] == readings[1]:
        del readings[1]
    return [words for words in readings if 0 < len(words) <= _MOST_WORDS]
