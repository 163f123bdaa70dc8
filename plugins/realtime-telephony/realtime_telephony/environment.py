"""Takes secrets out of environment variables, so that files hold only their names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from realtime_core.errors import ConfigError

__all__ = ["expanded", "has_reference", "secret_named"]

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def secret_named(name: str, at: str) -> str:
    """
    Read a secret by the name of its environment variable.

    Args:
        name: Capitals, digits and underscores; anything else is taken for a secret put in by mistake, and not quoted.
        at: Where the name stands, for errors.

    Raises:
        ConfigError: No name, or the variable is not set.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{at}: expected the name of an environment variable in capitals; "
            "the secret itself does not belong into the file"
        )
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"{at}: the environment variable {name} is not set")
    return value


def has_reference(value: object) -> bool:
    """Whether a text takes something from the environment."""
    return isinstance(value, str) and _REFERENCE.search(value) is not None


def expanded(value: Any, at: str) -> Any:
    """
    Put environment variables in the place of their `${NAME}` in all texts of a parsed value.

    Args:
        value: Of JSON or TOML; not changed.
        at: Where it stands, for errors.

    Raises:
        ConfigError: A variable is not set, or what stands in the braces is no name.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: secret_named(found[1], at), value)
    if isinstance(value, Mapping):
        return {key: expanded(item, f"{at}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item, f"{at}[{number}]") for number, item in enumerate(value)]
    return value
