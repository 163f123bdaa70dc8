"""
A tenant's credential: parsed JSON in, a vendor's frozen config object out.

A vendor declares an attrs class, preferably on top of `Credential`, and calls `load_credential`. Keys work
in camelCase and snake_case. Types are strict, see `realtime_core.credential_types`. An error names the path and what was
expected, never the value, which may be the key itself.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_type_hints

import attrs
from attrs import Attribute, field, frozen

from realtime_core.credential_types import camel_case, json_type, schema_of, structured
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


def _snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _fields(kind: type) -> Mapping[str, Attribute[Any]]:
    attrs.resolve_types(cast("type[attrs.AttrsInstance]", kind))
    return {item.name: item for item in attrs.fields(cast("type[attrs.AttrsInstance]", kind))}


def _warn_unknown(kind: type, key: str, known: Mapping[str, object]) -> None:
    """Once a key and class: a tenant's typo must not fill the log of a busy bridge."""
    if (kind, key) in _warned or len(_warned) > 1000:  # a bound, should keys be generated
        return
    _warned.add((kind, key))
    near = difflib.get_close_matches(_snake(key), known, n=1, cutoff=0.5)
    hint = f"; did you mean {camel_case(near[0])!r}?" if near else ""
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
        raise ConfigError(f"credential: expected an object, got {json_type(cfg)}")
    known = _fields(kind)
    values: dict[str, Any] = {}
    for key, value in cfg.items():
        if not isinstance(key, str):
            raise ConfigError("credential: expected string keys")
        name = _snake(key)
        if name in known:
            if name in values and values[name] != value:
                raise ConfigError(
                    f"credential.{camel_case(name)}: given twice, in camelCase and in snake_case"
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
                f"credential.{camel_case(name)}: expected no control characters, which no header may hold"
            )
    return structured(values, kind, "credential")


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
        entry = schema_of(hints[item.name])
        if item.metadata.get(_DOC):
            entry["description"] = item.metadata[_DOC]
        if item.metadata.get(_SECRET):
            entry["writeOnly"] = True
        if item.metadata.get(_ENV):
            entry["x-env"] = item.metadata[_ENV]
        if item.default is attrs.NOTHING:
            required.append(camel_case(item.name))
        elif (
            "writeOnly" not in entry
            and isinstance(item.default, (str, int, float, bool))
            and item.default != ""
        ):
            entry["default"] = item.default
        properties[camel_case(item.name)] = entry
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"provider": {"type": "string"}, **properties},
        "required": required,
    }
