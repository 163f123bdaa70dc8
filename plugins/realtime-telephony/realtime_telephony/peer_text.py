"""What a peer wrote, made fit for a line of the log: it can neither break a line nor look like one of ours."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["one_line", "one_word", "written_out"]

_LONGEST_WORD: Final = 80
_LONGEST_LINE: Final = 200
_NOT_OF_A_WORD: Final = re.compile(r"[^\x21-\x7e]")
# Also what terminals take for commands, what other programs take for the end of a line, and half characters.
_NOT_OF_A_LINE: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def one_word(text: str) -> str:
    """Make one word, for ids: printable ASCII without blanks, at most 80 characters, `-` for nothing at all."""
    return _NOT_OF_A_WORD.sub("_", text)[:_LONGEST_WORD] or "-"


def one_line(text: str) -> str:
    """Make one line, for texts: control characters are written out, at most 200 characters of it are kept."""
    return written_out(text[:_LONGEST_LINE])


def written_out(text: str) -> str:
    """Write out control characters, as Python does."""
    return _NOT_OF_A_LINE.sub(lambda found: ascii(found[0])[1:-1], text)
