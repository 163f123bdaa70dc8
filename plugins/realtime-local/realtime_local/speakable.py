"""Text as engines can take it: clean, and a sentence at a time."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["MAX_CHARACTERS", "ascii_of", "sentences_of"]

MAX_CHARACTERS: Final = 300
"""Longest piece, some 20 s of speech; longer sentences are cut between words."""

_END: Final = re.compile(r"(?<=[.!?;:。！？；])\s+|(?<=[。！？；])")
_PLAIN: Final = str.maketrans({
    "‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": ", ", "…": "...", "\u00ad": None,
})  # fmt: skip


def sentences_of(text: str) -> list[str]:
    """
    Split a text into pieces to speak.

    Control characters become spaces. What has neither letter nor digit is left out, so an empty text gives nothing.
    """
    clean = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    pieces = [part for sentence in _END.split(clean) for part in _cut(" ".join(sentence.split()))]
    return [piece for piece in pieces if any(sign.isalnum() for sign in piece)]


def ascii_of(text: str) -> str:
    """Write a text in ASCII, accents and typographic signs replaced by what is closest, the rest left out."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return decomposed.encode("ascii", "ignore").decode("ascii")


def _cut(sentence: str) -> list[str]:
    pieces: list[str] = []
    while len(sentence) > MAX_CHARACTERS:
        at = max(sentence.rfind(", ", 0, MAX_CHARACTERS) + 1, 0)
        if at < MAX_CHARACTERS // 2:
            at = sentence.rfind(" ", 1, MAX_CHARACTERS)
        if at <= 0:
            at = MAX_CHARACTERS
        pieces.append(sentence[:at].strip())
        sentence = sentence[at:].strip()
    return [*pieces, sentence]
