"""Tools of a route, named in the routing file as `module:name`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, cast

from attrs import field, frozen

from realtime_core.errors import ConfigError
from realtime_core.tools import Tool
from realtime_telephony.leg import CallInfo

__all__ = ["ToolSource", "find_tools"]

_EXPECTED: Final = (
    "expected a Tool, several of them, or a plain function of a CallInfo that gives some"
)


@frozen
class ToolSource:
    """Where a route's tools come from."""

    name: str
    """As in the file."""
    offer: Tool | tuple[Tool, ...] | Callable[[CallInfo], Iterable[Tool]] = field(repr=False)
    """What stands there; a function is asked once a call."""

    @property
    def fixed(self) -> tuple[Tool, ...]:
        """The tools that are the same for every call; none where a function gives them."""
        if isinstance(self.offer, Tool):
            return (self.offer,)
        return self.offer if isinstance(self.offer, tuple) else ()

    def tools_for(self, call: CallInfo) -> tuple[Tool, ...]:
        """
        Give the tools for one call.

        Raises:
            ConfigError: The function gave something else. What it raises itself comes out as it is.
        """
        if isinstance(self.offer, (Tool, tuple)):
            return self.fixed
        return _several(self.offer(call), self.name)


def _several(value: Any, name: str) -> tuple[Tool, ...]:
    if isinstance(value, Tool):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        tools = tuple(value)
        if all(isinstance(tool, Tool) for tool in tools):
            return tools
    raise ConfigError(f"tools {name}: {_EXPECTED}, got {type(value).__name__}")


def find_tools(name: str, folder: Path, at: str) -> ToolSource:
    """
    Import what a name stands for; the folder of the routing file is looked in last.

    Args:
        name: `module:name`.
        folder: Of the routing file.
        at: Where the name stands, for errors.

    Raises:
        ConfigError: No such module or name, an import that fails, or something that is no tool.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigError(f"{at}: expected module:name, got {name!r}")
    place = str(folder.resolve())
    if place not in sys.path:
        sys.path.append(place)
    try:
        value: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            value = getattr(value, part)
    except (Exception, SystemExit) as error:  # whatever a foreign import raises
        raise ConfigError(f"{at}: {name!r}: {type(error).__name__}: {error}") from error
    if callable(value):
        return ToolSource(name, cast("Callable[[CallInfo], Iterable[Tool]]", value))
    try:
        return ToolSource(name, _several(value, name))
    except ConfigError:
        raise ConfigError(f"{at}: {name!r}: {_EXPECTED}, got {type(value).__name__}") from None
