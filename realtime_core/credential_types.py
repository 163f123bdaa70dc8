"""
Which JSON fits a field of a credential, by the field's type: read strictly, and described as JSON Schema.

JSON is not guessed at, so `5` is no `"5"` and `"false"` no `False`. An error names the path and what was expected, never
the value.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError

from realtime_core.errors import ConfigError

__all__ = ["camel_case", "json_type", "schema_of", "structured"]

T = TypeVar("T")


def camel_case(name: str) -> str:
    """Give the key of a field as JSON has it."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _strict(expected: type | tuple[type, ...], name: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        if isinstance(value, bool) and expected is not bool:
            raise _Expected(f"{name}, got {json_type(value)}")
        if not isinstance(value, expected):
            raise _Expected(f"{name}, got {json_type(value)}")
        return value

    return check


class _Expected(ValueError):
    """Carries an expectation, free of the value, out of cattrs."""


def json_type(value: Any) -> str:
    """Name the type of a JSON value, for errors."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    if type(value) in names:
        return names[type(value)]
    return "an object" if isinstance(value, Mapping) else "a list"


def _structure_literal(value: Any, kind: Any) -> Any:
    allowed = get_args(kind)
    if any(type(value) is type(item) and value == item for item in allowed):
        return value
    raise _Expected("one of " + ", ".join(map(repr, allowed)))


def _structure_union(value: Any, kind: Any) -> Any:
    """Take the first member that fits exactly; scalars and null only, so there is no guessing."""
    expectations: list[str] = []
    for member in get_args(kind):
        if member is type(None):
            if value is None:
                return None
            continue
        try:
            return _converter.structure(value, member)
        except _Expected as error:
            expectations.append(str(error).partition(", got ")[0])
    if type(None) in get_args(kind):
        expectations.append("null")
    raise _Expected(f"{' or '.join(expectations)}, got {json_type(value)}")


def _structure_mapping(value: Any, kind: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _Expected(f"an object, got {json_type(value)}")
    of = get_args(kind)[1] if get_args(kind) else Any
    out: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise _Expected("an object with string keys")
        try:
            out[key] = item if of is Any else _converter.structure(item, of)
        except _Expected as error:
            raise _Expected(f"{error} under one of its keys") from None
    return out


def _structure_list(value: Any, kind: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _Expected(f"a list, got {json_type(value)}")
    of = get_args(kind)[0] if get_args(kind) else Any
    out: list[Any] = []
    for item in value:
        try:
            out.append(item if of is Any else _converter.structure(item, of))
        except _Expected as error:
            raise _Expected(f"each item to be {error}") from None
    return out if (get_origin(kind) or kind) is list else tuple(out)


def _is_literal(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is Literal


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _is_list(kind: Any) -> bool:
    """A list, a sequence, or a tuple of any length."""
    origin = get_origin(kind) or kind
    if origin is tuple:
        return get_args(kind)[1:] in ((), (...,))
    return origin in (list, Sequence)


def _new_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    converter.register_structure_hook(str, _strict(str, "a string"))
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(int, _strict(int, "a whole number"))
    converter.register_structure_hook(float, _strict((int, float), "a number"))
    converter.register_structure_hook_func(_is_literal, _structure_literal)
    converter.register_structure_hook_func(_is_union, _structure_union)
    converter.register_structure_hook_func(_is_mapping, _structure_mapping)
    converter.register_structure_hook_func(_is_list, _structure_list)
    return converter


_converter = _new_converter()


def structured(values: Mapping[str, Any], kind: type[T], path: str) -> T:
    """
    Make an object of an attrs class.

    Args:
        values: Parsed JSON by field name.
        kind: The class.
        path: Of the object, for errors.

    Raises:
        ConfigError: A value does not fit its field, or the class refuses it.
    """
    problem: str | None = None
    try:
        return _converter.structure(values, kind)
    except ConfigError:
        raise
    except (ClassValidationError, IterableValidationError) as error:
        problem = _first_problem(error, path)
    # Raised out here so that no cause and no context, which hold the value, travel along.
    raise ConfigError(problem) from None


def _first_problem(error: BaseException, path: str) -> str:
    """Walk cattrs' groups to the first leaf; only our own expectations are quoted, never a value."""
    if isinstance(error, ClassValidationError):
        noted, unnoted = error.group_exceptions()
        for leaf, note in noted:
            return _first_problem(leaf, f"{path}.{camel_case(note.name)}")
        return _first_problem(unnoted[0], path)
    if isinstance(error, IterableValidationError):
        for leaf, item_note in error.group_exceptions()[0]:
            return _first_problem(leaf, f"{path}[{item_note.index}]")
    if isinstance(error, ConfigError):
        return str(error)
    expectation = str(error) if isinstance(error, _Expected) else "a valid value"
    return f"{path}: expected {expectation}"


def schema_of(kind: Any) -> dict[str, Any]:
    """
    Describe what a type takes.

    Raises:
        TypeError: No credential may have a field of such a type.
    """
    plain: dict[Any, dict[str, Any]] = {
        str: {"type": "string"},
        bool: {"type": "boolean"},
        int: {"type": "integer"},
        float: {"type": "number"},
        type(None): {"type": "null"},
        Any: {},
    }
    if kind in plain:
        return dict(plain[kind])
    if _is_literal(kind):
        return {"enum": list(get_args(kind))}
    if _is_union(kind):
        members = [schema_of(member) for member in get_args(kind)]
        if all(set(member) == {"type"} for member in members):
            return {"type": [member["type"] for member in members]}
        return {"anyOf": members}
    if _is_list(kind):
        of = get_args(kind)[0] if get_args(kind) else Any
        return {"type": "array", "items": schema_of(of) or True}
    if _is_mapping(kind):
        of = get_args(kind)[1] if get_args(kind) else Any
        return {"type": "object", "additionalProperties": schema_of(of) or True}
    raise TypeError(f"no JSON Schema for a credential field of type {kind!r}")
