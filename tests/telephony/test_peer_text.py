"""What a peer wrote never breaks a line of the log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_telephony import CallInfo
from realtime_telephony.peer_text import one_line, one_word


@given(st.text())
def test_a_word_is_one_word_and_a_line_one_line(text: str) -> None:
    word, line = one_word(text), one_line(text)
    assert word.isascii()
    assert word.isprintable()
    assert len(word.split()) == 1
    assert len(word) <= 80
    assert len(line.splitlines()) <= 1
    line.encode()


def test_what_is_plain_stays_as_it_is() -> None:
    assert one_word("1795390505.1") == "1795390505.1"
    assert one_line("Queue is full: Größe 3") == "Queue is full: Größe 3"
    assert one_line("a\nb\x1b[2J\u202ec\ud800") == "a\\nb\\x1b[2J\\u202ec\\ud800"
    assert len(one_line("x" * 1000)) == 200
    assert CallInfo(leg="asterisk", call_id="1\n2 3").logged_id == "1_2_3"
    assert CallInfo(leg="asterisk", call_id="").logged_id == "-"
