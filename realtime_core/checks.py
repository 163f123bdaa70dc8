"""How a wrong option is refused: what was expected, what came, and where."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from attrs import Attribute

from realtime_core.errors import ConfigError

__all__ = ["expect", "is_number", "listed", "wrong"]


def wrong(path: str, expected: str, value: object) -> ConfigError:
    """Make the error; a scalar is quoted, of anything else its type is named."""
    scalar = value is None or isinstance(value, (bool, int, float, str))
    came = f"{value!r:.60}" if scalar else type(value).__name__
    return ConfigError(f"{path}: expected {expected}, got {came}")


def is_number(value: object) -> bool:
    """Tell a finite number from a boolean, from text and from infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def listed(path: str, expected: str, values: Any) -> tuple[Any, ...]:
    """
    Keep a sequence as a tuple of our own.

    Raises:
        ConfigError: It is none, or a text.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise wrong(path, expected, values)
    return tuple(values)


def expect(
    expected: str, fits: Callable[[Any], bool]
) -> Callable[[object, Attribute[Any], Any], None]:
    """
    Make a validator of a field of `Options` or `Tool`.

    Args:
        expected: For the error: what the field takes.
        fits: Whether a value is that.
    """

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:
        if not fits(value):
            raise wrong(f"{type(instance).__name__}.{attribute.name}", expected, value)

    return check
