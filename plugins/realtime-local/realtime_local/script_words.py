"""Where in a script's file the words stand that a recogniser does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from realtime_core.errors import ConfigError
from realtime_core.toml_file import Table, read_toml
from realtime_local.script_grammar import vocabulary_of
from realtime_local.script_reading import load_script
from realtime_local.vocabulary import unknown_words

__all__ = ["unknown_word"]

_SLOT_OR_MARK = re.compile(r"\{[^{}]*\}|[\[\]()|]")


def unknown_word(path: str | Path) -> ConfigError | None:
    """
    Make an error of the first word that the recogniser's dictionary does not have; `None` when it has them all.

    Reads the file and the dictionary: not for an event loop.

    Raises:
        ConfigError: The file is not the script any more that it was.
    """
    script = load_script(path)
    unknown = unknown_words(vocabulary_of(script) - script.pronunciations.keys())
    table = read_toml(path)
    for text, where in _spoken(table):
        for word in _SLOT_OR_MARK.sub(" ", text).lower().replace("’", "'").split():
            if word in unknown:
                others = ", ".join(repr(other) for other in unknown if other != word)
                return table.error(
                    f"expected US English words, numbers spelt out; the recogniser's dictionary does not have {word!r}"
                    + (f", nor {others}" if others else "")
                    + "; [pronunciations] can say how they sound",
                    *where,
                )
    return None


def _spoken(table: Table) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Give every text that callers may say, and where it is written."""
    for group, keys in (("slots", ("values", "answers")), ("intents", ("phrases",))):
        for name, entry in (table.raw(group) or {}).items():
            for key in keys:
                yield from _texts(entry.get(key), (group, name, key))


def _texts(value: Any, where: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, str):
        yield value, where
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*where, index))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, (*where, name))
