"""
Files that people write in TOML, read strictly: every error names file, line and key, and for a misspelt key the one meant.

`read_toml` gives the document as a `Table`. Each of a table's keys is asked for by the type it should have; what nobody
asked for is refused by `Table.finish`, or beforehand by `Table.only`. Items of lists are counted from 1 in errors, as
lines are.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final, overload

from realtime_core.checks import is_number
from realtime_core.errors import ConfigError
from realtime_core.toml_lines import KeyPath, line_of, lines_of

__all__ = ["LARGEST_TOML_BYTES", "Table", "nearest", "parse_toml", "read_toml"]

LARGEST_TOML_BYTES: Final = 4 * 1024 * 1024
"""A larger file was not written by hand, and is refused."""

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_QUOTED_LENGTH = 60

_NEEDED: Final = object()
"""The default of a key that has to be there."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant, or which there are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + (", ".join(names) or "none")


@final
class Table:
    """
    A table of a document.

    A key that is not there gives the default, and without one is an error. Every error is a `ConfigError`.

    Args:
        values: Its keys, as `tomllib` gives them.
        source: The file, for errors.
        lines: Where its keys are.
        path: Where it is in the document.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        source: str,
        lines: Mapping[KeyPath, int],
        path: KeyPath = (),
    ) -> None:
        self.source = source
        self.path = path
        self._values = values
        self._lines = lines
        self._asked: set[str] = set()

    def at(self, *below: str | int) -> str:
        """
        Give file, line and full key, for errors.

        Args:
            below: Keys, and indices from 0, from this table to what is meant; none: the table itself.
        """
        path = (*self.path, *below)
        where = f"{self.source}, line {line_of(self._lines, path)}"
        return f"{where}: {_dotted(path)}" if path else where

    def error(self, problem: str, *below: str | int) -> ConfigError:
        """
        Make an error.

        Args:
            problem: What was expected, what came.
            below: Where, as in `at`.
        """
        return ConfigError(f"{self.at(*below)}: {problem}")

    def has(self, key: str) -> bool:
        """Whether a key is there."""
        self._asked.add(key)
        return key in self._values

    def raw(self, key: str) -> Any:
        """Give a value as it is; `None` when the key is not there, which TOML has no word for."""
        self._asked.add(key)
        return self._values.get(key)

    def values(self) -> dict[str, Any]:
        """Give all keys and values as they are."""
        self._asked.update(self._values)
        return dict(self._values)

    def only(self, *known: str) -> None:
        """Refuse other keys than these."""
        for key in self._values:
            if key not in known:
                raise self.error(f"unknown key; {nearest(key, known)}", key)

    def finish(self) -> None:
        """Refuse keys that nobody asked for until now."""
        self.only(*self._asked)

    def required(self, key: str) -> None:
        """Refuse a table without a key."""
        if not self.has(key):
            raise self.error(f"expected a key {key!r} here")

    @overload
    def text(self, key: str, default: str = ...) -> str: ...

    @overload
    def text(self, key: str, default: None) -> str | None: ...

    def text(self, key: str, default: object = _NEEDED) -> object:
        """Give a string; a blank one only where the default is `""`."""
        value = self._value(key, default)
        if value is default or (default == "" and isinstance(value, str)):
            return value
        return self._text(value, key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Give one string, or a list of them that is not empty; none when the key is not there."""
        value = self.raw(key)
        if value is None:
            return ()
        if isinstance(value, str):
            return (self._text(value, key),)
        if not isinstance(value, list):
            raise self._wrong("a string or a list of strings", value, key)
        if not value:
            raise self.error("expected at least one string, got an empty list", key)
        return tuple(self._text(item, key, index) for index, item in enumerate(value))

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """Give one of some words."""
        value = self._value(key, default)
        if value not in allowed:
            hint = f"; {nearest(value, allowed)}" if isinstance(value, str) else ""
            raise self._wrong(f"one of {', '.join(allowed)}", value, key, hint=hint)
        return str(value)

    def flag(self, key: str, default: bool) -> bool:
        """Give true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._wrong("true or false", value, key)
        return value

    @overload
    def whole(self, key: str, least: int, most: int, default: int = ...) -> int: ...

    @overload
    def whole(self, key: str, least: int, most: int, default: None) -> int | None: ...

    def whole(self, key: str, least: int, most: int, default: object = _NEEDED) -> object:
        """Give a whole number within bounds."""
        value = self._value(key, default)
        return value if value is default else self._whole(value, least, most, key)

    def whole_pair(self, key: str, least: int, most: int) -> tuple[int, int]:
        """Give a whole number twice, or a list of two that do not fall."""
        value = self._value(key, _NEEDED)
        if not isinstance(value, list):
            number = self._whole(value, least, most, key)
            return number, number
        if len(value) != 2:
            raise self.error(f"expected a number or a list of two, got {len(value)} of them", key)
        low, high = (self._whole(item, least, most, key, i) for i, item in enumerate(value))
        if low > high:
            raise self.error(f"expected the smaller number first, got {low} and {high}", key)
        return low, high

    @overload
    def number(self, key: str, least: float, most: float, default: float = ...) -> float: ...

    @overload
    def number(self, key: str, least: float, most: float, default: None) -> float | None: ...

    def number(self, key: str, least: float, most: float, default: object = _NEEDED) -> object:
        """Give a number within bounds."""
        value = self._value(key, default)
        if value is default:
            return value
        if not is_number(value) or not least <= value <= most:
            raise self._wrong(f"a number from {least:g} to {most:g}", value, key)
        return float(value)

    def mapping(self, key: str) -> dict[str, str]:
        """Give a table of strings; an empty one when the key is not there."""
        table = self.table(key)
        return {name: table.text(name, "") for name in table.values()}

    def table(self, key: str) -> Table:
        """Give a table below; an empty one when the key is not there."""
        value = self._value(key, {})
        if not isinstance(value, dict):
            raise self._wrong("a table", value, key)
        return self._below(value, key)

    def tables(self, key: str) -> Iterator[Table]:
        """Give the tables of a list; none when the key is not there."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(f"tables, each under [[{key}]]", value, key)
        for index, item in enumerate(value):
            yield self._below(item, key, index)

    def _value(self, key: str, default: object) -> Any:
        value = self.raw(key)
        if value is not None:
            return value
        if default is _NEEDED:
            raise self.error(f"expected a key {key!r} here")
        return default

    def _below(self, values: Mapping[str, Any], *below: str | int) -> Table:
        return Table(values, self.source, self._lines, (*self.path, *below))

    def _text(self, value: object, *below: str | int) -> str:
        if not isinstance(value, str):
            raise self._wrong("a string", value, *below)
        if not value.strip():
            raise self.error("expected a string that is not blank", *below)
        return value

    def _whole(self, value: Any, least: int, most: int, *below: str | int) -> int:
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(f"a whole number from {least} to {most}", value, *below)
        return value

    def _wrong(
        self, expected: str, value: object, *below: str | int, hint: str = ""
    ) -> ConfigError:
        return self.error(f"expected {expected}, got {_quoted(value)}{hint}", *below)


def _quoted(value: object) -> str:
    """Show a value as TOML writes it, of larger ones the kind."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _QUOTED_LENGTH:
        return "a very large number"
    if isinstance(value, (str, int, float)):
        text = repr(value)
        return text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH]}..."
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else "a date or time"


def _dotted(path: KeyPath) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step + 1}]"
        else:
            text += ("." if text else "") + (step if _BARE.match(step) else repr(step))
    return text


def parse_toml(text: str, source: str) -> Table:
    """
    Read TOML that is at hand as a text.

    Args:
        text: TOML; a byte order mark in front is no part of it.
        source: What errors call it.

    Raises:
        ConfigError: It is no TOML; names the line.
    """
    text = text.removeprefix("\ufeff")
    try:
        values = tomllib.loads(text)
        lines = lines_of(text)
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        line = found[1] if found and found[1] else text.rstrip().count("\n") + 1
        problem = _POSITION.sub("", str(error))
        raise ConfigError(f"{source}, line {line}: expected TOML: {problem}") from None
    except RecursionError:
        raise ConfigError(f"{source}, line 1: expected TOML without such deep nesting") from None
    except ValueError:  # of Python's limit on the digits of a number; tomllib lets it out
        raise ConfigError(f"{source}, line 1: expected TOML without such long numbers") from None
    return Table(values, source, lines)


def read_toml(path: str | Path) -> Table:
    """
    Read a TOML file.

    Raises:
        ConfigError: It cannot be read, is no TOML, or is larger than `LARGEST_TOML_BYTES`.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_TOML_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise ConfigError(f"{path}: expected a file that can be read: {reason}") from None
    if len(data) > LARGEST_TOML_BYTES:
        raise ConfigError(f"{path}: expected a file of at most {LARGEST_TOML_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: expected UTF-8") from None
    return parse_toml(text, str(path))
