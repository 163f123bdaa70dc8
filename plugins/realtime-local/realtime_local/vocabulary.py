"""The words of a grammar and how they are pronounced, from the dictionary that pocketsphinx carries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from realtime_core.errors import ConfigError

from .sphinx_package import model_folder

__all__ = ["check_grammar", "dictionary_of", "grammar_words", "unknown_words"]

_COMMENTS: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_NOT_WORDS: Final = re.compile(
    _COMMENTS.pattern
    # The header with the grammar's name. Elsewhere "grammar" and "import" are words, and so is "public" inside a rule.
    + rf"|\A[^;]*;(?:\s|{_COMMENTS.pattern})*(?:grammar\b[^;]*;)?"
    r"|\bpublic(?=\s*<[^>]*>\s*=)"
    r"|<[^>]*>|/[\d.]+/"  # names of rules, weights
    r"|\{(?:\\.|[^}])*\}",  # tags
    re.DOTALL,
)
_USED: Final = re.compile(r"<([^>]+)>(\s*=)?")
_BUILT_IN: Final = {"NULL", "VOID"}
_WORD: Final = re.compile(r"[^\s()\[\]|*+=;\"]+")
_PHONES: Final = re.compile(r"[A-Z]{1,2}(?: [A-Z]{1,2})*")


def check_grammar(jsgf: str) -> None:
    """
    Look for what pocketsphinx passes over or prints.

    Raises:
        ConfigError: No JSGF header, no word, a word in quotation marks, or a rule that is used and not defined.
    """
    if not jsgf.lstrip("\ufeff \t\r\n").startswith("#JSGF"):
        raise ConfigError("grammar: expected JSGF, which begins with '#JSGF V1.0;'")
    if not grammar_words(jsgf):
        raise ConfigError("grammar: expected JSGF with words in it")
    if '"' in _NOT_WORDS.sub(" ", jsgf):
        raise ConfigError("grammar: expected words without quotation marks")
    rules = _USED.findall(_COMMENTS.sub(" ", jsgf))
    defined = {name for name, equals in rules if equals}
    if missing := {name for name, _ in rules} - defined - _BUILT_IN:
        raise ConfigError(f"grammar: used and not defined: {', '.join(sorted(missing))}")


def grammar_words(jsgf: str) -> frozenset[str]:
    """Give the words of a JSGF grammar, as they are written there."""
    return frozenset(_WORD.findall(_NOT_WORDS.sub(" ", jsgf)))


def unknown_words(words: Iterable[str]) -> list[str]:
    """Give those words which the dictionary does not have, in alphabetical order; reads it: not for an event loop."""
    wanted = frozenset(word.lower() for word in words)
    return sorted(wanted - _entries(wanted).keys())


def dictionary_of(words: Iterable[str], pronunciations: Mapping[str, str]) -> str:
    """
    Give a dictionary of some words alone, in pocketsphinx's format.

    A dictionary of a few words is there in no time, where the whole one takes 140 ms and 28 MB of each decoder.

    Args:
        words: The words, as the grammar writes them: pocketsphinx tells capital letters from small ones.
        pronunciations: ARPAbet phones by word, such as `{"risotto": "R IH Z OW T OW"}`, before the dictionary's.

    Raises:
        ConfigError: The dictionary does not have a word, or a pronunciation is none.
    """
    for word, phones in pronunciations.items():
        if not _PHONES.fullmatch(phones):
            raise ConfigError(
                f"pronunciation of {word!r}: expected ARPAbet phones like 'HH AH L OW', got {phones!r}"
            )
    given = {word.lower(): phones for word, phones in pronunciations.items()}
    written = sorted(frozenset(words))
    wanted = frozenset(word.lower() for word in written)
    entries = _entries(frozenset(wanted - given.keys()))
    if missing := sorted(wanted - entries.keys() - given.keys()):
        raise ConfigError(
            f"the recogniser's dictionary does not have: {', '.join(missing)}; "
            "expected US English words (numbers spelt out), or a pronunciation of each"
        )
    lines = [f"{word} {given[word.lower()]}" for word in written if word.lower() in given]
    for word in written:
        lines += [word + line[len(word) :] for line in entries.get(word.lower(), ())]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=16)
def _entries(wanted: frozenset[str], /) -> Mapping[str, list[str]]:
    """Read all lines of the words, "read R EH D" as well as "read(2) R IY D"."""
    found: dict[str, list[str]] = {}
    if not wanted:
        return found
    path = model_folder() / "en-us" / "cmudict-en-us.dict"
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word = line.partition(" ")[0].partition("(")[0]
            if word in wanted:
                found.setdefault(word, []).append(line.rstrip())
    return found
