from __future__ import annotations

import pytest

from realtime_local.speakable import MAX_CHARACTERS, ascii_of, sentences_of


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x1b", "...", "-- !?", "\u200b"])
def test_what_cannot_be_spoken_gives_nothing(text: str) -> None:
    assert sentences_of(text) == []


def test_sentences_come_apart_and_clean() -> None:
    text = " Hello\x00there.\r\nHow are you?  Fine; 3.5 of 4! 你好。再见"
    assert sentences_of(text) == [
        "Hello there.",
        "How are you?",
        "Fine;",
        "3.5 of 4!",
        "你好。",
        "再见",
    ]


@pytest.mark.parametrize("text", ["word " * 500, "x" * 2000, "a short clause, " * 100], ids=len)
def test_long_ones_are_cut_and_nothing_is_lost(text: str) -> None:
    pieces = sentences_of(text)
    assert max(map(len, pieces)) <= MAX_CHARACTERS
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")


def test_clauses_stay_whole() -> None:
    assert all(piece.endswith("clause,") for piece in sentences_of("a short clause, " * 100))


def test_ascii() -> None:
    assert ascii_of("“Crème brûlée” — it’s 5 €…") == '"Creme brulee" ,  it\'s 5 ...'
