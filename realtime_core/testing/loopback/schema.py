"""Checks of JSON values, composed into the shape of a session, an item or a response."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .refusal import Refusal

__all__ = [
    "Check",
    "any_of",
    "anything",
    "boolean",
    "integer",
    "listing",
    "nullable",
    "number",
    "obj",
    "one_of",
    "tagged",
    "text",
]

Check = Callable[[Any, str], None]
"""Raises `Refusal` when a value at a path is not what the vendor accepts."""


def _wrong(path: str, expected: str, value: object, *, code: str = "invalid_type") -> Refusal:
    shown = repr(value)[:80]
    return Refusal(
        code,
        f"Invalid value for '{path}': expected {expected}, but got {shown}.",
        param=path,
        rule="wrong-type" if code == "invalid_type" else "wrong-value",
    )


def anything(value: Any, path: str) -> None:
    """Accept every value."""
    del value, path


def text(value: Any, path: str) -> None:
    """Accept a string."""
    if not isinstance(value, str):
        raise _wrong(path, "a string", value)


def boolean(value: Any, path: str) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise _wrong(path, "a boolean", value)


def nullable(check: Check) -> Check:
    """Accept null besides what *check* accepts."""

    def run(value: Any, path: str) -> None:
        if value is not None:
            check(value, path)

    return run


def one_of(*choices: object) -> Check:
    """Accept the listed values."""

    def run(value: Any, path: str) -> None:
        if isinstance(value, dict | list) or value not in choices:
            listed = ", ".join(repr(choice) for choice in choices)
            raise _wrong(path, f"one of {listed}", value, code="invalid_value")

    return run


def any_of(*checks: Check) -> Check:
    """Accept what any of *checks* accepts; the last one words the refusal."""

    def run(value: Any, path: str) -> None:
        for check in checks[:-1]:
            try:
                check(value, path)
            except Refusal:
                continue
            return
        checks[-1](value, path)

    return run


def number(
    least: float | None = None, most: float | None = None, *, kind: str = "decimal"
) -> Check:
    """Accept a number from *least* to *most*."""

    def run(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(path, f"a {kind}", value)
        for bad, bound, side in (
            (least is not None and value < least, least, "below_min"),
            (most is not None and value > most, most, "above_max"),
        ):
            if bad:
                word = ">=" if side == "below_min" else "<="
                raise _wrong(path, f"a value {word} {bound}", value, code=f"{kind}_{side}_value")

    return run


def integer(least: int | None = None, most: int | None = None) -> Check:
    """Accept an integer from *least* to *most*."""
    bounds = number(least, most, kind="integer")

    def run(value: Any, path: str) -> None:
        if not isinstance(value, int):
            raise _wrong(path, "an integer", value)
        bounds(value, path)

    return run


def listing(check: Check) -> Check:
    """Accept a list of what *check* accepts."""

    def run(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise _wrong(path, "an array", value)
        for number_, element in enumerate(value):
            check(element, f"{path}[{number_}]")

    return run


def obj(fields: Mapping[str, Check], *, required: Collection[str] = ()) -> Check:
    """Accept an object with only *fields*, and with all that are *required*."""

    def run(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        for key in required:
            if key not in value:
                raise Refusal(
                    "missing_required_parameter",
                    f"Missing required parameter: '{path}.{key}'.",
                    param=f"{path}.{key}",
                    rule="missing-parameter",
                )
        for key, inner in value.items():
            if key not in fields:
                raise Refusal(
                    "unknown_parameter",
                    f"Unknown parameter: '{path}.{key}'.",
                    param=f"{path}.{key}",
                    rule="unknown-parameter",
                )
            fields[key](inner, f"{path}.{key}")

    return run


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """Accept an object whose field *tag* says which of *variants* it is."""
    names = one_of(*variants)

    def run(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        if tag not in value:
            raise Refusal(
                "missing_required_parameter",
                f"Missing required parameter: '{path}.{tag}'.",
                param=f"{path}.{tag}",
                rule="missing-parameter",
            )
        names(value[tag], f"{path}.{tag}")
        variants[value[tag]](value, path)

    return run
