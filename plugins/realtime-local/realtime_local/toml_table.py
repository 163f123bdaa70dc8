"""Reading a TOML table strictly: every error names file, line and key, unknown keys the nearest known one."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, final

from realtime_core.errors import ConfigError
from realtime_local.toml_lines import Path, line_of, lines_of

__all__ = ["Table", "nearest", "parse_document", "read_document"]

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_LARGEST_BYTES = 4 * 1024 * 1024
_TYPES = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


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

    Args:
        values: Its keys, as `tomllib` gives them.
        source: The file, for errors.
        lines: Where its keys are.
        path: Where it is in the document.
    """

    def __init__(
        self, values: Mapping[str, Any], source: str, lines: Mapping[Path, int], path: Path = ()
    ) -> None:
        self.values = values
        self.source = source
        self.path = path
        self._lines = lines

    def error(self, problem: str, *below: str | int) -> ConfigError:
        """
        Make an error.

        Args:
            problem: What was expected, what came.
            below: Keys and indices from this table to what is wrong.
        """
        path = (*self.path, *below)
        where = f"{self.source}, line {line_of(self._lines, path)}"
        return ConfigError(f"{where}: {_dotted(path)}{': ' if path else ''}{problem}")

    def only(self, *known: str) -> None:
        """Refuse other keys than these."""
        for key in self.values:
            if key not in known:
                raise self.error(f"unknown key; {nearest(key, known)}", key)

    def has(self, key: str) -> bool:
        """Whether a key is there."""
        return key in self.values

    def required(self, key: str) -> None:
        """Refuse a table without a key."""
        if key not in self.values:
            raise self.error(f"expected a key {key!r} here")

    def text(self, key: str) -> str:
        """Give a text that is not blank."""
        return self._text(self.values[key], key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Give one text, or a list of them that is not empty."""
        value = self.values[key]
        if isinstance(value, str):
            return (self.text(key),)
        if not isinstance(value, list):
            raise self.error(f"expected a string or a list of strings, got {_type_of(value)}", key)
        if not value:
            raise self.error("expected at least one string, got an empty list", key)
        return tuple(self._text(item, key, index) for index, item in enumerate(value))

    def whole(self, key: str, least: int, most: int) -> int:
        """Give a whole number within bounds."""
        return self._whole(self.values[key], least, most, key)

    def whole_pair(self, key: str, least: int, most: int) -> tuple[int, int]:
        """Give a whole number twice, or a list of two that do not fall."""
        value = self.values[key]
        if not isinstance(value, list):
            number = self._whole(value, least, most, key)
            return number, number
        if len(value) != 2:
            raise self.error(f"expected a number or a list of two, got {len(value)} of them", key)
        low, high = (self._whole(item, least, most, key, i) for i, item in enumerate(value))
        if low > high:
            raise self.error(f"expected the smaller number first, got {low} and {high}", key)
        return low, high

    def is_true(self, key: str) -> bool:
        """Give a boolean; `False` when the key is not there."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"expected true or false, got {_type_of(value)}", key)
        return value

    def table(self, key: str) -> Table:
        """Give a table below; an empty one when the key is not there."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.error(f"expected a table, got {_type_of(value)}", key)
        return Table(value, self.source, self._lines, (*self.path, key))

    def _text(self, value: Any, *below: str | int) -> str:
        if not isinstance(value, str):
            raise self.error(f"expected a string, got {_type_of(value)}", *below)
        text = " ".join(value.split())
        if not text:
            raise self.error("expected a string that is not blank", *below)
        return text

    def _whole(self, value: Any, least: int, most: int, *below: str | int) -> int:
        wanted = f"expected a whole number from {least} to {most}"
        if type(value) is not int:
            raise self.error(f"{wanted}, got {_type_of(value)}", *below)
        if not least <= value <= most:
            raise self.error(f"{wanted}, got {value}", *below)
        return value


def _type_of(value: Any) -> str:
    return _TYPES.get(type(value), "a date or time")


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if _BARE.match(step) else repr(step))
    return text


def parse_document(text: str, source: str) -> Table:
    """
    Read TOML text.

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
    return Table(values, source, lines)


def read_document(path: str | FilePath) -> Table:
    """
    Read a TOML file.

    Raises:
        ConfigError: It cannot be read, is no TOML, or is too large to be written by hand.
    """
    try:
        with FilePath(path).open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise ConfigError(f"{path}: expected a file that can be read: {reason}") from None
    if len(data) > _LARGEST_BYTES:
        raise ConfigError(f"{path}: expected a file of at most {_LARGEST_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: expected UTF-8") from None
    return parse_document(text, str(path))
