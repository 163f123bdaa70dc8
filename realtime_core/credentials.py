"""
A tenant's credential: parsed JSON in, a vendor's frozen config object out.

A vendor declares an attrs class, preferably on top of `Credential`, and calls `load_credential`. Keys work
in camelCase and snake_case. Types are strict: JSON is not guessed at, so `5` is no `"5"` and `"false"` no
`False`. An error names the path and what was expected, never the value, which may be the key itself.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs
import cattrs
from attrs import Attribute, field, frozen
from cattrs.errors import ClassValidationError, IterableValidationError

from realtime_core.errors import ConfigError

__all__ = [
    "Credential",
    "credential_schema",
    "load_credential",
    "secret",
    "setting",
]

T = TypeVar("T")

_SECRET = "realtime.secret"  # noqa: S105 - the name of a marker
_ENV = "realtime.env"
_DOC = "realtime.doc"
_HEADER = "realtime.header"
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_FRONT_DOOR_KEYS = frozenset({"provider"})

_log = logging.getLogger("realtime_core.credentials")
_warned: set[tuple[type, str]] = set()


def secret(doc: str = "", *, env: str | None = None, default: Any = "", header: bool = True) -> Any:
    """
    Declare a field of a credential class that must never be shown.

    It has no repr, appears in no error and is `writeOnly` in the JSON Schema, its default left out.

    Args:
        doc: One sentence for the schema.
        env: Environment variable used when the credential does not hold the key.
        default: Value when neither is there.
        header: Whether it goes into a header, as keys do: blanks around it are taken off, and control characters,
            which no header may hold, are refused, in a mapping's names and values too. `False` for a key of several
            lines, such as PEM.
    """
    metadata = {_SECRET: True, _ENV: env, _DOC: doc, _HEADER: header}
    return field(default=default, repr=False, kw_only=True, metadata=metadata)


def setting(default: Any, doc: str = "", *, env: str | None = None, header: bool = False) -> Any:
    """
    Declare an ordinary field of a credential class.

    Args:
        default: Value when nothing is given.
        doc: One sentence for the schema.
        env: Environment variable used when the credential does not hold the key.
        header: Whether it goes into a header, see `secret`.
    """
    metadata = {_SECRET: False, _ENV: env, _DOC: doc, _HEADER: header}
    return field(default=default, kw_only=True, metadata=metadata)


@frozen(kw_only=True)
class Credential:
    """What a tenant may set for any vendor; a vendor's config class adds its own fields."""

    voice: str | None = setting(None, "Voice by the vendor's name; Options.voice wins.")
    instructions: str = setting("", "The tenant's instructions, put before the application's.")
    dial_timeout_ms: int | None = setting(
        None, "Bound of the connect, in ms; the start as a whole has its own."
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a connect bound that cannot work."""
        if self.dial_timeout_ms is not None and self.dial_timeout_ms <= 0:
            raise ConfigError("credential.dialTimeoutMs: expected a number of ms above 0")


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _strict(expected: type | tuple[type, ...], name: str) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        if isinstance(value, bool) and expected is not bool:
            raise _Expected(f"{name}, got {_json_type(value)}")
        if not isinstance(value, expected):
            raise _Expected(f"{name}, got {_json_type(value)}")
        return value

    return check


class _Expected(ValueError):
    """Carries an expectation, free of the value, out of cattrs."""


def _json_type(value: Any) -> str:
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
    raise _Expected(f"{' or '.join(expectations)}, got {_json_type(value)}")


def _structure_mapping(value: Any, kind: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _Expected(f"an object, got {_json_type(value)}")
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
        raise _Expected(f"a list, got {_json_type(value)}")
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


def _fields(kind: type) -> Mapping[str, Attribute[Any]]:
    attrs.resolve_types(cast("type[attrs.AttrsInstance]", kind))
    return {item.name: item for item in attrs.fields(cast("type[attrs.AttrsInstance]", kind))}


def _warn_unknown(kind: type, key: str, known: Mapping[str, object]) -> None:
    """Once a key and class: a tenant's typo must not fill the log of a busy bridge."""
    if (kind, key) in _warned or len(_warned) > 1000:  # a bound, should keys be generated
        return
    _warned.add((kind, key))
    near = difflib.get_close_matches(_snake(key), known, n=1, cutoff=0.5)
    hint = f"; did you mean {_camel(near[0])!r}?" if near else ""
    _log.warning("credential: unknown key %r is ignored%s", key, hint)


def _holds_control_characters(value: Any) -> bool:
    texts = [*value, *value.values()] if isinstance(value, Mapping) else [value]
    return any(isinstance(text, str) and _CONTROL_CHARACTER.search(text) for text in texts)


def load_credential(kind: type[T], cfg: Mapping[str, Any]) -> T:
    """
    Read a credential into a vendor's config class.

    Args:
        kind: A frozen attrs class whose fields are made with `secret` and `setting`.
        cfg: The tenant's JSON object; `provider` is the front door's and left out.

    Raises:
        ConfigError: A value of the wrong type, or a control character in what goes into a header; names the path and
            the expectation.
    """
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"credential: expected an object, got {_json_type(cfg)}")
    known = _fields(kind)
    values: dict[str, Any] = {}
    for key, value in cfg.items():
        if not isinstance(key, str):
            raise ConfigError("credential: expected string keys")
        name = _snake(key)
        if name in known:
            if name in values and values[name] != value:
                raise ConfigError(
                    f"credential.{_camel(name)}: given twice, in camelCase and in snake_case"
                )
            values[name] = value
        elif key not in _FRONT_DOOR_KEYS:
            _warn_unknown(kind, key, known)
    for name, item in known.items():
        header, env = item.metadata.get(_HEADER), item.metadata.get(_ENV)
        value = values.get(name)
        if header and isinstance(value, str):
            value = values[name] = value.strip()
        if env and value in (None, "") and os.environ.get(env, "").strip():
            value = values[name] = os.environ[env].strip()
        if header and _holds_control_characters(value):
            raise ConfigError(
                f"credential.{_camel(name)}: expected no control characters, which no header may hold"
            )
    problem: str | None = None
    try:
        return _converter.structure(values, kind)
    except ConfigError:
        raise
    except (ClassValidationError, IterableValidationError) as error:
        problem = _first_problem(error, "credential")
    # Raised out here so that no cause and no context, which hold the value, travel along.
    raise ConfigError(problem) from None


def _first_problem(error: BaseException, path: str) -> str:
    """Walk cattrs' groups to the first leaf; only our own expectations are quoted, never a value."""
    if isinstance(error, ClassValidationError):
        noted, unnoted = error.group_exceptions()
        for leaf, note in noted:
            return _first_problem(leaf, f"{path}.{_camel(note.name)}")
        return _first_problem(unnoted[0], path)
    if isinstance(error, IterableValidationError):
        for leaf, item_note in error.group_exceptions()[0]:
            return _first_problem(leaf, f"{path}[{item_note.index}]")
    if isinstance(error, ConfigError):
        return str(error)
    expectation = str(error) if isinstance(error, _Expected) else "a valid value"
    return f"{path}: expected {expectation}"


def _schema_of(kind: Any) -> dict[str, Any]:
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
        members = [_schema_of(member) for member in get_args(kind)]
        if all(set(member) == {"type"} for member in members):
            return {"type": [member["type"] for member in members]}
        return {"anyOf": members}
    if _is_list(kind):
        of = get_args(kind)[0] if get_args(kind) else Any
        return {"type": "array", "items": _schema_of(of) or True}
    if _is_mapping(kind):
        of = get_args(kind)[1] if get_args(kind) else Any
        return {"type": "object", "additionalProperties": _schema_of(of) or True}
    raise TypeError(f"no JSON Schema for a credential field of type {kind!r}")


def credential_schema(kind: type) -> dict[str, Any]:
    """
    Describe a credential class as JSON Schema, for a control plane that draws its form.

    Args:
        kind: The attrs class given to `load_credential`.

    Returns:
        A draft 2020-12 object schema with camelCase keys; secrets are `writeOnly`, and `x-env` names the
        environment variable that serves when the key is left out.
    """
    hints = get_type_hints(kind)
    properties: dict[str, Any] = {}
    required = ["provider"]
    for item in attrs.fields(cast("type[attrs.AttrsInstance]", kind)):
        entry = _schema_of(hints[item.name])
        if item.metadata.get(_DOC):
            entry["description"] = item.metadata[_DOC]
        if item.metadata.get(_SECRET):
            entry["writeOnly"] = True
        if item.metadata.get(_ENV):
            entry["x-env"] = item.metadata[_ENV]
        if item.default is attrs.NOTHING:
            required.append(_camel(item.name))
        elif (
            "writeOnly" not in entry
            and isinstance(item.default, (str, int, float, bool))
            and item.default != ""
        ):
            entry["default"] = item.default
        properties[_camel(item.name)] = entry
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"provider": {"type": "string"}, **properties},
        "required": required,
    }
