"""Texts in a picture: widths, breaks, lanes."""

from __future__ import annotations

import pytest

from realtime_core.lettering import block, in_lanes, text_width, word_end


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 100, []),
        ("one", 100, [(0, "one")]),
        ("one two three", 60, [(0, "one two"), (8, "three")]),
        ("  one \n two ", 200, [(0, "one two")]),
        ("什么时候", 21, [(0, "什么"), (2, "时候")]),
        ("aaaaaaaaaa", 25, [(0, "aaaa"), (4, "aaaa"), (8, "aa")]),
    ],
)
def test_lines_break_where_they_may(text: str, width: float, lines: list[tuple[int, str]]) -> None:
    made = block(text, width=width, size=10)
    assert list(made.lines) == lines
    assert made.width == max((text_width(line, 10) for _, line in lines), default=0)
    assert made.width <= width


def test_too_many_lines_end_in_an_ellipsis() -> None:
    made = block("word " * 50, width=70, size=10, most_lines=2)
    assert [line for _, line in made.lines] == ["word word", "word word\u2026"]
    narrow = block("word " * 50, width=58, size=10, most_lines=2)
    assert [line for _, line in narrow.lines] == ["word word", "word wor\u2026"]


def test_wide_letters_are_wide() -> None:
    assert text_width("i", 10) < text_width("n", 10) < text_width("N", 10) < text_width("m", 10)
    assert text_width("时", 10) == 10


@pytest.mark.parametrize(
    ("text", "at", "end"),
    [("one two", 1, 4), ("one two", 3, 4), ("one two", 5, 7), ("什么时候", 2, 2), ("ok什么", 1, 2)],
)
def test_a_word_ends_behind_its_blank_or_at_a_wide_letter(text: str, at: int, end: int) -> None:
    assert word_end(text, at) == end


def test_lanes_keep_labels_apart() -> None:
    spans = [(0.0, 10.0), (5.0, 8.0), (9.0, 20.0), (21.0, 30.0), (23.0, 24.0)]
    assert in_lanes(spans, gap=0) == [0, 1, 1, 0, 1]
    assert in_lanes(spans, gap=2) == [0, 1, 2, 0, 1]
    assert in_lanes([], gap=2) == []
