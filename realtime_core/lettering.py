"""Texts of unknown length in a picture: how wide they are, where they break, and how they get out of each other's way."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from attrs import frozen

from realtime_core.svg import clean

__all__ = ["Block", "block", "in_lanes", "text_width", "word_end"]

_WIDE, _BROAD, _CAPITAL, _MIDDLE, _NARROW = 1.0, 0.92, 0.7, 0.6, 0.36
_NARROW_LETTERS = frozenset("iljtfr.,:;'!|()[] I")
_BROAD_LETTERS = frozenset("mwMW@%")


def text_width(text: str, size: float) -> float:
    """
    Guess how wide a text is in any sans-serif font, rather too wide than too narrow.

    Args:
        text: One line.
        size: Of the font, in the unit of the answer.
    """
    return sum(map(_advance, text)) * size


def _advance(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return _WIDE
    if letter in _NARROW_LETTERS:
        return _NARROW
    if letter in _BROAD_LETTERS:
        return _BROAD
    return _CAPITAL if letter.isupper() else _MIDDLE


@frozen
class Block:
    """A text, broken into lines."""

    lines: Sequence[tuple[int, str]]
    """Each with the place of its first letter in the whole text."""
    width: float
    """Of the longest."""


def block(text: str, *, width: float, size: float, most_lines: int = 5) -> Block:
    """
    Break a text into lines.

    Args:
        text: Any; control characters and runs of blanks are taken for one blank.
        width: Of a line, in the unit of `size`.
        size: Of the font.
        most_lines: More are cut off, with an ellipsis.
    """
    words = _words(clean(text), width, size)
    lines: list[tuple[int, str]] = []
    for at, word in words:
        joined = lines[-1][1] + word if lines else word
        if lines and text_width(joined.rstrip(), size) <= width:
            lines[-1] = (lines[-1][0], joined)
        else:
            lines.append((at, word))
    if len(lines) > most_lines:
        at, last = lines[most_lines - 1]
        while last and text_width(last.rstrip() + "\u2026", size) > width:
            last = last[:-1]
        lines = [*lines[: most_lines - 1], (at, last.rstrip() + "\u2026")]
    stripped = [(at, line.rstrip()) for at, line in lines]
    return Block(stripped, max((text_width(line, size) for _, line in stripped), default=0.0))


def _words(text: str, width: float, size: float) -> list[tuple[int, str]]:
    """Cut where a line may break: behind blanks, at wide letters, and anywhere in what is longer than a line."""
    words: list[tuple[int, str]] = []
    for at, letter in enumerate(text):
        last = words[-1][1] if words else " "
        breaks = last.endswith(" ") or _advance(letter) == _WIDE or _advance(last[-1]) == _WIDE
        if letter != " " and (breaks or text_width(last + letter, size) > width):
            words.append((at, letter))
        else:
            words[-1] = (words[-1][0], last + letter)
    return words


def word_end(text: str, at: int) -> int:
    """Give where the word at a place ends, with the blank behind it; wide letters are words of their own."""
    for end in range(at, len(text)):
        if text[end] == " ":
            return end + 1
        if _advance(text[end]) == _WIDE:
            return end
    return len(text)


def in_lanes(spans: Sequence[tuple[float, float]], *, gap: float) -> list[int]:
    """
    Put labels into as few lanes as they need without touching.

    Args:
        spans: From and to of each, ordered by from.
        gap: Between two in the same lane.

    Returns:
        The lane of each, from 0.
    """
    free_from: list[float] = []
    lanes: list[int] = []
    for start, end in spans:
        lane = next((n for n, free in enumerate(free_from) if free <= start), len(free_from))
        if lane == len(free_from):
            free_from.append(0.0)
        free_from[lane] = end + gap
        lanes.append(lane)
    return lanes
