"""
Where the keys of a TOML text are: `tomllib` reads values and forgets lines, an error about a value needs them.

The text is known to be valid, so this only skips what `tomllib` reads: it follows headers, keys, arrays and inline
tables and writes down at which line each began.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

__all__ = ["KeyPath", "line_of", "lines_of"]

KeyPath = tuple[str | int, ...]
"""Keys and indices from the root of the document to a value."""

_SIMPLE_KEY = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"{_SIMPLE_KEY}(?:[ \t]*\.[ \t]*{_SIMPLE_KEY})*")
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'", re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def _keys(dotted: str) -> list[str]:
    """Let `tomllib` undo quotes and escapes."""
    keys: list[str] = []
    level: Any = tomllib.loads(f"{dotted} = 0")
    while isinstance(level, dict):
        ((key, level),) = level.items()
        keys.append(key)
    return keys


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.tables_of: dict[KeyPath, int] = {}  # how many tables an array of tables has so far
        self.counted = 0  # up to here, for the line below; what is noted comes in order
        self.line = 1

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    def sees(self, start: str) -> bool:
        return self.text.startswith(start, self.at)

    def note(self, path: KeyPath) -> None:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        self.lines.setdefault(path, self.line)

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(_SPACE) or self.at < len(self.text):
            if self.at >= len(self.text):
                return
            if self.sees("["):
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> KeyPath:
        brackets = 2 if self.sees("[[") else 1
        begin = self.at
        self.at += brackets
        self.skip(_BLANK)
        keys = _keys(self.skip(_KEY))
        self.skip(_BLANK)
        end, self.at = self.at + brackets, begin
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            self.note(path)
            if number == len(keys) and brackets == 2:
                self.tables_of[path] = self.tables_of.get(path, 0) + 1
            if path in self.tables_of:
                path = (*path, self.tables_of[path] - 1)
                self.note(path)
        self.at = end
        return path

    def pair(self, table: KeyPath) -> None:
        begin = self.at
        keys = _keys(self.skip(_KEY))
        after, self.at = self.at, begin
        path = table
        for key in keys:
            path = (*path, key)
            self.note(path)
        self.at = after
        self.skip(_BLANK)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.sees("["):
            self.at += 1
            index = 0
            while self.skip(_SPACE) is not None and not self.sees("]"):
                self.note((*path, index))
                self.value((*path, index))
                index += 1
                self.separator()
            self.at += 1
        elif self.sees("{"):
            self.at += 1
            while self.skip(_SPACE) is not None and not self.sees("}"):
                self.pair(path)
                self.separator()
            self.at += 1
        elif not self.skip(_STRING):
            self.skip(_SCALAR)

    def separator(self) -> None:
        self.skip(_SPACE)
        if self.sees(","):
            self.at += 1


def lines_of(text: str) -> Mapping[KeyPath, int]:
    """
    Find the line of every key and of every item of an array.

    Args:
        text: TOML that `tomllib` accepts.

    Returns:
        Line, counted from 1, by path.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Give the line of a path or, for a key that is not there, of the table that should hold it; else the first."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
