"""Tools for `realtime talk`: found by name, their answers told, and one of our own that ends the call."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, final

from attrs import evolve

from realtime_core.tool_runner import output_text
from realtime_core.tools import Tool, ToolHandler

__all__ = ["HANG_UP", "Toolbox", "ToolsError", "load_tools"]

HANG_UP = "hang_up"
"""Name of the tool that ends the call, after what is said then was heard."""

_HANG_UP = Tool(
    name=HANG_UP,
    description="End the call. Call it when the caller has said goodbye, and say goodbye yourself.",
)

_Told = Callable[[str, Mapping[str, Any], str], None]


class ToolsError(Exception):
    """There are no tools at that name; says what was expected."""


def load_tools(where: str) -> Sequence[Tool]:
    """
    Find tools by name.

    Args:
        where: `module:attribute`; the module is looked for in the current folder too. The attribute is a `Tool`, a
            sequence of them, or a function without arguments that gives one of these.

    Raises:
        ToolsError: There is no such thing, or several tools of one name.
    """
    expected = "expected module:attribute, a Tool, a sequence of Tool or a function that gives them"
    module_name, _, path = where.partition(":")
    if not module_name or not path:
        raise ToolsError(f"{where!r} has no module or no attribute; {expected}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
        tools = found() if callable(found) else found
    except (Exception, SystemExit) as error:  # a program that is run by its import may end itself
        raise ToolsError(f"{where}: {type(error).__name__}: {error}; {expected}") from error
    tools = (tools,) if isinstance(tools, Tool) else tools
    if not isinstance(tools, Iterable):
        raise ToolsError(f"{where} is of type {type(tools).__name__}; {expected}")
    listed = tuple(tools)
    for tool in listed:
        if not isinstance(tool, Tool):
            raise ToolsError(f"{where} holds something of type {type(tool).__name__}; {expected}")
    names = [tool.name.strip() for tool in listed]
    for name in filter(None, names):
        if names.count(name) > 1:
            raise ToolsError(f"{where} holds several tools {name!r}; expected each name once")
    return listed


@final
class Toolbox:
    """
    The tools of a call.

    Args:
        tools: The application's.
        offers_hang_up: Whether the model is offered `HANG_UP` where the application has no tool of that name. A call
            of it is answered in any case.
    """

    def __init__(self, tools: Sequence[Tool] = (), *, offers_hang_up: bool = False) -> None:
        names = {tool.name.strip() for tool in tools}
        own = (_HANG_UP,) if offers_hang_up and HANG_UP not in names else ()
        self._tools = (*tools, *own)
        self._told: _Told = lambda name, arguments, answer: None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def tools(self) -> Sequence[Tool]:
        """For `Options.tools`; what their handlers answer is told."""
        return [
            tool if tool.handler is None else evolve(tool, handler=self._telling(tool.handler))
            for tool in self._tools
        ]

    @property
    def handler(self) -> ToolHandler:
        """For `Options.tool_handler`: answers what no tool of the application's does."""
        return self._telling(self._answer)

    def listen(self, told: _Told) -> None:
        """
        Be told each answer, on the running event loop.

        Args:
            told: Takes name, arguments and answer.
        """
        self._told, self._loop = told, asyncio.get_running_loop()

    async def _answer(self, name: str, arguments: dict[str, Any]) -> str:
        if name == HANG_UP:
            return json.dumps({"status": "the call ends when you have said goodbye"})
        return json.dumps({"error": f"the tool {name} has nobody who runs it"})

    def _tell(self, name: str, arguments: Mapping[str, Any], answer: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is gone, and with it whoever listens
                self._loop.call_soon_threadsafe(self._told, name, arguments, output_text(answer))

    def _telling(self, handler: ToolHandler) -> ToolHandler:
        """Wrap a handler; what is async stays so, and what is plain keeps its thread."""

        async def finished(
            name: str, arguments: dict[str, Any], result: str | Awaitable[str]
        ) -> str:
            try:
                answer = await result if inspect.isawaitable(result) else result
            except Exception as error:
                self._tell(name, arguments, f"failed, {type(error).__name__}")
                raise
            self._tell(name, arguments, answer)
            return answer

        async def run(name: str, arguments: dict[str, Any]) -> str:
            return await finished(name, arguments, handler(name, arguments))

        def run_plain(name: str, arguments: dict[str, Any]) -> str | Awaitable[str]:
            try:
                result = handler(name, arguments)
            except Exception as error:
                self._tell(name, arguments, f"failed, {type(error).__name__}")
                raise
            if inspect.isawaitable(result):
                return finished(name, arguments, result)
            self._tell(name, arguments, result)
            return result

        call = getattr(handler, "__call__", None)  # noqa: B004 - an object may have an async one
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
        return run if is_async else run_plain
