"""Tools: functions the model may call."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, Literal

from attrs import field, frozen

from realtime_core.checks import expect

__all__ = ["Tool", "ToolHandler", "tools_for_session"]

ToolHandler = Callable[[str, dict[str, Any]], str | Awaitable[str]]
"""Called with the tool's name and its parsed arguments; returns, or awaits, the answer to the model."""


def _parsed_parameters(value: Mapping[str, Any] | str | None) -> Mapping[str, Any]:
    """Give the schema as a mapping; blank or unparsable text means a tool without arguments."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            value = None
    if not isinstance(value, Mapping) or not value:
        return {"type": "object", "properties": {}}
    return value


_check_text = expect("a string", lambda value: isinstance(value, str))


@frozen(kw_only=True)
class Tool:
    """
    A function the model may call.

    Raises:
        ConfigError: A field of another type.
    """

    name: str = field(validator=_check_text)
    """What the model calls it. A tool without a name is not sent."""
    description: str = field(default="", validator=_check_text)
    """Tells the model when to call it."""
    parameters: Mapping[str, Any] | str | None = None
    """JSON Schema of the arguments, as mapping or JSON text; blank or unparsable is an empty object."""
    handler: ToolHandler | None = field(
        default=None,
        repr=False,
        validator=expect("a function or None", lambda value: value is None or callable(value)),
    )
    """Runs the tool; wins over `Options.tool_handler`."""


def tools_for_session(
    tools: Iterable[Tool], *, style: Literal["nested", "flat"] = "nested"
) -> list[dict[str, Any]]:
    """
    Write tools as a vendor's session object wants them.

    Args:
        tools: The tools, in order; those without a name are skipped.
        style: `"nested"` puts the function into an object of its own (DashScope), `"flat"` does not
            (OpenAI Realtime).

    Returns:
        Plain values, ready for JSON; the caller owns them.
    """
    entries: list[dict[str, Any]] = []
    for tool in tools:
        name = tool.name.strip()
        if not name:
            continue
        function = {
            "name": name,
            "description": tool.description,
            "parameters": deepcopy(dict(_parsed_parameters(tool.parameters))),
        }
        if style == "flat":
            entries.append({"type": "function", **function})
        else:
            entries.append({"type": "function", "function": function})
    return entries
