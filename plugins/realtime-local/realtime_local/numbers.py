"""Numbers as they are spoken: by name up to 99, longer ones digit by digit."""

from __future__ import annotations

import re
from datetime import datetime

__all__ = [
    "DIGIT_WORDS",
    "GREATEST_NUMBER",
    "TIMES_WORDS",
    "number_words",
    "spell_numerals",
    "spoken_time",
]

DIGIT_WORDS = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
"""Words for a digit, and the digit."""
TIMES_WORDS = {"double": 2, "triple": 3}
"""Words before a digit that is said once and meant several times."""
GREATEST_NUMBER = 99
"""The greatest number that has a name here."""

_NAMES = (  # noqa: SIM905 - reads better
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - reads better
_NUMERAL = re.compile(r"\d+")
_WORD_OF = {digit: word for word, digit in DIGIT_WORDS.items() if word != "oh"}


def number_words(number: int) -> str:
    """Name a number from 0 to `GREATEST_NUMBER`: `"twenty one"`, without a hyphen."""
    if number < len(_NAMES):
        return _NAMES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f" {_NAMES[ones]}" if ones else "")


def _digit_by_digit(numeral: str) -> str:
    return " ".join(_WORD_OF[str(int(digit))] for digit in numeral)


def spell_numerals(text: str, *, digit_by_digit: bool) -> str:
    """
    Write the numerals of a text in words.

    Args:
        text: Such as `"a table for 2"`.
        digit_by_digit: Also of numbers that have a name: `"12"` is `"one two"`, not `"twelve"`.
    """

    def spell(found: re.Match[str]) -> str:
        numeral = found[0]
        named = len(numeral) <= 2 and not digit_by_digit
        return f" {number_words(int(numeral)) if named else _digit_by_digit(numeral)} "

    return _NUMERAL.sub(spell, text)


def spoken_time(moment: datetime) -> str:
    """Say the time of day: `"five past"` is left to people, this is `"seven oh five in the evening"`."""
    hour, minute = moment.hour, moment.minute
    part = "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"
    if minute == 0:
        minutes = "o'clock"
    elif minute < 10:
        minutes = f"oh {number_words(minute)}"
    else:
        minutes = number_words(minute)
    return f"{number_words((hour - 1) % 12 + 1)} {minutes} in the {part}"
