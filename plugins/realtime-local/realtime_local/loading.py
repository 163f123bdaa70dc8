"""Engines of the application's own, by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from realtime_core.errors import ConfigError

__all__ = ["load_object"]


def load_object(name: str, what: str) -> Any:
    """
    Import what `package.module:attribute` names; an attribute of an attribute may follow after a dot.

    Args:
        name: The name, of a module that can be imported.
        what: What it is to be, for the error: "recogniser".

    Raises:
        ConfigError: Not such a name, no such module (or one it needs), no such attribute.
    """
    module_name, colon, path = name.partition(":")
    parts = [*module_name.split("."), *path.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise ConfigError(f"{what}: expected a name like 'package.module:factory', got {name!r}")
    try:
        found: Any = import_module(module_name)
    except ImportError as error:
        raise ConfigError(
            f"{what}: the module of {name!r} cannot be imported: {error}; expected it installed or on PYTHONPATH"
        ) from error
    except Exception as error:  # a user's module may raise anything
        raise ConfigError(
            f"{what}: the module of {name!r} fails when it is imported: {type(error).__name__}"
        ) from error
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            raise ConfigError(f"{what}: {module_name!r} has no {path!r}") from error
    return found
