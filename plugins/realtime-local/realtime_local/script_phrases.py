"""
What a caller may say, as a script writes it.

```
book [me] (a | the) table [for {people}] [please]
```

Words are in lower case, `[...]` may be left out, `(... | ...)` is one of several, `{name}` is a slot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

__all__ = [
    "Choice",
    "Node",
    "PhraseError",
    "Sequence",
    "SlotRef",
    "Word",
    "certain_slots",
    "is_word",
    "may_be_empty",
    "parse_phrase",
    "slots_of",
    "words_of",
]

_TOKEN = re.compile(r"\s*(?:(?P<slot>\{[^{}]*\})|(?P<mark>[\[\]()|])|(?P<word>[^\s\[\](){}|]+))")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*'?\Z")
_CLOSING = {"[": "]", "(": ")"}


class PhraseError(ValueError):
    """A phrase cannot be read; says what was expected."""


@frozen
class Word:
    """One word, said as it is."""

    text: str
    """In lower case."""


@frozen
class SlotRef:
    """A place where a value of a slot is said."""

    name: str
    """Of the slot."""


@frozen
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]
    """What is said, in order."""


@frozen
class Choice:
    """One of several."""

    options: tuple[Node, ...]
    """What may be said."""
    is_optional: bool = False
    """Whether it may be left out altogether."""


Node = Word | SlotRef | Sequence | Choice
"""A phrase or a part of one."""


_DEEPEST = 20


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = list(self._split(text))
        self.at = 0
        self.depth = 0

    @staticmethod
    def _split(text: str) -> Iterator[str]:
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None:
                raise PhraseError(
                    f"expected a slot in braces, such as {{name}}, near {text[at:]!r}"
                )
            at = found.end()
            yield found[0].strip()

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def choice(self) -> tuple[Node, ...]:
        options = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            options.append(self.sequence())
        return tuple(options)

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", "]", ")"):
            parts.append(self.part())
        if not parts:
            raise PhraseError("expected a word or a slot before " + (self.peek() or "the end"))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def part(self) -> Node:
        piece = self.peek()
        self.at += 1
        if piece in _CLOSING:
            self.depth += 1
            if self.depth > _DEEPEST:
                raise PhraseError(f"expected at most {_DEEPEST} brackets in each other")
            options = self.choice()
            self.depth -= 1
            if self.peek() != _CLOSING[piece]:
                raise PhraseError(f"expected {_CLOSING[piece]} for the {piece} before it")
            self.at += 1
            if piece == "(" and len(options) == 1:
                return options[0]
            return Choice(options, is_optional=piece == "[")
        if piece.startswith("{"):
            return SlotRef(piece[1:-1].strip())
        if not _WORD.match(piece):
            raise PhraseError(f"expected words of letters only, numbers written out, got {piece!r}")
        return Word(piece.lower().replace("’", "'"))


def is_word(text: str) -> bool:
    """Whether it is one word as phrases have them, in any case."""
    return _WORD.match(text) is not None


def parse_phrase(text: str) -> Node:
    """
    Read a phrase.

    Raises:
        PhraseError: It is no phrase, or one that may be empty.
    """
    parser = _Parser(text)
    options = parser.choice()
    if parser.peek():
        raise PhraseError(f"expected an opening bracket for the {parser.peek()}")
    node = options[0] if len(options) == 1 else Choice(options)
    if may_be_empty(node):
        raise PhraseError("expected at least one word that must be said")
    return node


def may_be_empty(node: Node) -> bool:
    """Whether it can be said by saying nothing."""
    match node:
        case Word() | SlotRef():
            return False
        case Sequence(parts):
            return all(map(may_be_empty, parts))
        case Choice(options, is_optional):
            return is_optional or any(map(may_be_empty, options))


def slots_of(node: Node) -> list[str]:
    """Name the slots a phrase may hold, in order, once for every time one can be said in a sentence."""
    match node:
        case Word():
            return []
        case SlotRef(name):
            return [name]
        case Sequence(parts):
            return [name for part in parts for name in slots_of(part)]
        case Choice(options):
            names: list[str] = []
            for option in options:
                have = list(names)
                for name in slots_of(option):
                    if name in have:
                        have.remove(name)
                    else:
                        names.append(name)
            return names


def certain_slots(node: Node) -> frozenset[str]:
    """Name the slots that every sentence of a phrase holds."""
    match node:
        case Word():
            return frozenset()
        case SlotRef(name):
            return frozenset({name})
        case Sequence(parts):
            return frozenset().union(*map(certain_slots, parts))
        case Choice(options, is_optional):
            if is_optional:
                return frozenset()
            return frozenset.intersection(*map(certain_slots, options))


def words_of(node: Node) -> Iterator[str]:
    """Give every word of a phrase."""
    match node:
        case Word(text):
            yield text
        case SlotRef():
            return
        case Sequence(parts) | Choice(parts):
            for part in parts:
                yield from words_of(part)
