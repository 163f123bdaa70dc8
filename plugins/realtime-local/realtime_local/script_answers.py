"""Answers of a script and the arguments of its tools: texts with `{names}` to fill in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from attrs import frozen

from realtime_local.numbers import number_words, spoken_time
from realtime_local.script import SlotValue

__all__ = [
    "ToolResult",
    "builtin_value",
    "fill",
    "fill_arguments",
    "names_in",
    "tool_result",
]

_FIELD = re.compile(r"\{([^{}]*)\}")
_BRACE = re.compile(r"[{}]")


def names_in(template: str) -> list[str]:
    """
    Name what a text wants filled in.

    Raises:
        ValueError: A brace without its partner.
    """
    if _BRACE.search(_FIELD.sub("", template)):
        raise ValueError("expected braces in pairs, such as {name}")
    return [name.strip() for name in _FIELD.findall(template)]


def fill(template: str, value_of: Callable[[str], str]) -> str:
    """
    Fill a text in.

    Args:
        template: With names in braces.
        value_of: Gives the value of a name; its `LookupError` is passed on.
    """
    return _FIELD.sub(lambda found: value_of(found[1].strip()), template)


def fill_arguments(value: Any, slots: Mapping[str, SlotValue]) -> Any:
    """Fill the arguments of a tool in, at every depth; a text that is a slot alone becomes the slot's own value."""
    if isinstance(value, Mapping):
        return {key: fill_arguments(item, slots) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_arguments(item, slots) for item in value]
    if not isinstance(value, str):
        return value
    alone = _FIELD.fullmatch(value)
    if alone is not None:
        return slots[alone[1].strip()].value
    return fill(value, lambda name: str(slots[name].value))


def builtin_value(name: str, moment: datetime) -> str:
    """Give `time`, `weekday` or `date` in words."""
    match name:
        case "time":
            return spoken_time(moment)
        case "weekday":
            return f"{moment:%A}"
        case "date":
            return f"{moment:%A}, {moment:%B} {_ordinal(moment.day)}"
        case _:
            raise LookupError(name)


_ORDINALS = {
    1: "first",
    2: "second",
    3: "third",
    5: "fifth",
    8: "eighth",
    9: "ninth",
    12: "twelfth",
}


def _ordinal(number: int) -> str:
    if number in _ORDINALS:
        return _ORDINALS[number]
    if number > 20 and number % 10:
        return f"{number_words(number - number % 10)} {_ordinal(number % 10)}"
    words = number_words(number)
    return f"{words[:-1]}ieth" if words.endswith("y") else f"{words}th"


@frozen(kw_only=True)
class ToolResult:
    """What a tool answered."""

    text: str
    """Its answer as a text."""
    fields: Mapping[str, Any]
    """The answer as an object, where it is one in JSON; else empty."""

    @property
    def failed(self) -> bool:
        """Whether it says so: an object with an `error`."""
        return bool(self.fields.get("error"))

    def value_of(self, name: str) -> str:
        """
        Give `result`, or a field of it such as `result.table.number`.

        Raises:
            LookupError: There is no such field, or it is nothing that can be said.
        """
        head, *keys = name.split(".")
        if head != "result":
            raise LookupError(name)
        if not keys:
            return self.text
        value: Any = self.fields
        for key in keys:
            value = value[key] if isinstance(value, Mapping) else None
        match value:
            case str():
                return value
            case bool() | None:
                raise LookupError(name)
            case int() | float():
                return str(value)
            case _:
                raise LookupError(name)


def tool_result(output: str) -> ToolResult:
    """Read what a tool answered: a JSON object, a JSON string, or any text."""
    try:
        parsed = json.loads(output)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, str):
        return ToolResult(text=parsed, fields={})
    return ToolResult(text=output, fields=parsed if isinstance(parsed, dict) else {})
