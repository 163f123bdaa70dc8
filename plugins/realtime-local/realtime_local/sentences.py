"""Sentences out of a text that is still being written, each as soon as it is whole."""

from __future__ import annotations

import re
from typing import Final, final
from unicodedata import category

__all__ = ["MAX_SENTENCE_CHARS", "SentenceSplitter", "spoken_text"]

MAX_SENTENCE_CHARS: Final = 300
"""A longer sentence is cut where it can be: a speech engine should not wait for it."""

_END = re.compile(r"(?P<stop>[.!?…]+)(?P<close>[\"'”’)\]*_]*)(?P<space>\s)|[。！？]+[」』”’]?|\n")
_NEVER_ENDS = frozenset(
    "mr mrs ms dr prof st mt ft sr jr vs approx dept est gen gov hon lt rev sgt capt col".split()  # noqa: SIM905 - reads better
)
_SELDOM_ENDS = frozenset("e.g i.e etc inc ltd co corp no a.m p.m u.s u.k ca fig al".split())  # noqa: SIM905
_LAST_WORD = re.compile(r"[\w.&]+\Z")
_CLAUSES = (re.compile(r"[;:—](?=\s)|, "), re.compile(r"\s"))
_MARKS = re.compile(r"\*\*|__|`+|(?<!\w)[*_](?=\w)|(?<=[\w.!?,])[*_](?!\w)")
_LINE_START = re.compile(r"^\s*(?:#{1,6}|[-*•>])\s+", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def spoken_text(text: str) -> str:
    """
    Take off what is written and not spoken: Markdown's marks, bullets and links, blanks in a row, control characters.

    What is nothing but punctuation, such as a mark that was left alone, is empty.
    """
    if not text.isprintable():
        text = _joined_surrogates(text)
        text = "".join(sign for sign in text if category(sign) != "Cc" or sign.isspace())
    if not any(map(_can_be_said, text)):
        return ""
    text = _LINE_START.sub("", _LINK.sub(r"\1", text))
    return " ".join(_MARKS.sub("", text).split())


def _can_be_said(sign: str) -> bool:
    return sign.isalnum() or (not sign.isascii() and category(sign)[0] == "S")


def _joined_surrogates(text: str) -> str:
    """Put halves of characters that came apart together again, and mark what has lost its half: no file could hold it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@final
class SentenceSplitter:
    """
    Cuts a stream of text into sentences.

    Args:
        max_chars: Longest piece given out.
    """

    def __init__(self, max_chars: int = MAX_SENTENCE_CHARS) -> None:
        self._max_chars = max_chars
        self._text = ""

    def feed(self, text: str) -> list[str]:
        """Take more of the text; give the sentences that are whole now."""
        pieces: list[str] = []
        for at in range(0, len(text), self._max_chars):
            self._text += text[at : at + self._max_chars]
            while (end := self._end()) is not None:
                pieces.append(self._text[:end])
                self._text = self._text[end:]
        return [sentence for piece in pieces if (sentence := spoken_text(piece))]

    def finish(self) -> list[str]:
        """Give the rest, sentence or not; the splitter is as new after it."""
        rest, self._text = spoken_text(self._text), ""
        return [rest] if rest else []

    def _end(self) -> int | None:
        for found in _END.finditer(self._text):
            verdict = self._ends(found)
            if found.end() > self._max_chars or verdict is None:
                break
            if verdict:
                return found.end()
        return self._cut()

    def _ends(self, found: re.Match[str]) -> bool | None:
        """Tell whether a sentence ends here; `None` while what comes next is not known and decides."""
        stop, before = found["stop"], self._text[: found.start()]
        if stop is None:
            return found[0] != "\n" or bool(before.strip())
        if "!" in stop or "?" in stop or found["space"] == "\n":
            return True
        last = _LAST_WORD.search(before)
        word = last[0].lower() if last and stop == "." else ""
        if stop == ".":
            if word in _NEVER_ENDS or (len(word) == 1 and word.isalpha() and word != "i"):
                return False
            if word.isdecimal() and before.strip() == word:
                return False  # "1. First", a number of a list
            if word not in _SELDOM_ENDS:
                return True
        after = self._text[found.end() :].lstrip()
        if not after:
            return None
        return not after[0].islower() and not (word == "no" and after[0].isdecimal())

    def _cut(self) -> int | None:
        """Cut what has become too long, after the last clause or word that fits."""
        if len(self._text) <= self._max_chars:
            return None
        for where in _CLAUSES:
            ends = [found.end() for found in where.finditer(self._text, 1, self._max_chars)]
            if ends and ends[-1] > self._max_chars // 3:
                return ends[-1]
        return self._max_chars
