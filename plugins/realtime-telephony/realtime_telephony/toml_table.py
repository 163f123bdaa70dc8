"""Reads the tables of a TOML file strictly: names what is wrong, where, and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

from realtime_core.checks import is_number, wrong
from realtime_core.errors import ConfigError

__all__ = ["Table"]


@final
class Table:
    """
    One table; every key is asked for once, and `finish` refuses those nobody asked for.

    Args:
        values: Parsed.
        file: For errors.
        path: Of the table, such as `server.http`; empty for the whole file.
    """

    def __init__(self, values: Mapping[str, Any], file: str, path: str = "") -> None:
        self.file = file
        self.path = path
        self._values = values
        self._known: set[str] = set()

    def at(self, key: str) -> str:
        """Give file and full path of a key, for errors."""
        return f"{self.file}: {self.path}.{key}" if self.path else f"{self.file}: {key}"

    def refuse(self, key: str, problem: str) -> ConfigError:
        """Make an error at a key."""
        return ConfigError(f"{self.at(key)}: {problem}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        self._known.add(key)
        return key in self._values

    def raw(self, key: str) -> Any:
        """Give a value as it is; `None` without one, which TOML has no word for."""
        self._known.add(key)
        return self._values.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Read a text."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise wrong(self.at(key), "a text", value)
        return value

    def optional_text(self, key: str) -> str | None:
        """Read a text that is not empty, if it is there."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise wrong(self.at(key), "a text that is not empty", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; a single one needs no brackets."""
        value = self.raw(key)
        if value is None:
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise wrong(self.at(key), "a text or a list of texts", value)
        if not items or not all(item.strip() for item in items):
            raise self.refuse(key, "expected texts that are not empty")
        return tuple(items)

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise wrong(self.at(key), "true or false", value)
        return value

    def whole(self, key: str, default: int | None, low: int, high: int) -> int | None:
        """Read a whole number within bounds."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise wrong(self.at(key), f"a whole number from {low} to {high}", value)
        return value

    def number(self, key: str, default: float | None, low: float, high: float) -> float | None:
        """Read a number within bounds."""
        value = self.raw(key)
        if value is None:
            return default
        if not is_number(value) or not low <= value <= high:
            raise wrong(self.at(key), f"a number from {low:g} to {high:g}", value)
        return float(value)

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """Read one of some words."""
        value = self.text(key, default)
        if value not in allowed:
            raise wrong(self.at(key), f"one of {', '.join(allowed)}{_near(value, allowed)}", value)
        return value

    def mapping(self, key: str) -> dict[str, str]:
        """Read a table of texts."""
        value = self.raw(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise wrong(self.at(key), "a table of texts", value)
        return dict(value)

    def table(self, key: str) -> Table:
        """Open a table in this one; one that is not there is empty."""
        value = self.raw(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise wrong(self.at(key), "a table", value)
        return Table(value, self.file, f"{self.path}.{key}" if self.path else key)

    def tables(self, key: str) -> Iterator[Table]:
        """Open a list of tables, counted from 1."""
        value = self.raw(key)
        if value is None:
            return
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise wrong(self.at(key), f"tables, each under [[{key}]]", value)
        for number, item in enumerate(value, 1):
            yield Table(item, self.file, f"{key}[{number}]")

    def values(self) -> dict[str, Any]:
        """Give all of the table as it is; every key counts as known."""
        self._known.update(self._values)
        return dict(self._values)

    def finish(self) -> None:
        """
        Refuse keys that nobody asked for.

        Raises:
            ConfigError: Names the key and the nearest known one.
        """
        for key in self._values:
            if key not in self._known:
                raise self.refuse(key, f"unknown key{_near(key, sorted(self._known))}")


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f" (did you mean {near[0]!r}?)"
    return f"; known here: {', '.join(known)}" if known else ""
