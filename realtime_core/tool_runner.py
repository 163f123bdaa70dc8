"""
Runs the application's tools, off the path of the audio.

Each call has a task of its own and a time limit. Whatever happens to it, the model gets a short answer: a call
that is never answered leaves the conversation hanging.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from realtime_core.events import ToolCall
from realtime_core.log import SessionLog
from realtime_core.options import Options
from realtime_core.tools import ToolHandler

__all__ = ["MOST_OUTPUT_CHARS", "ToolRunner", "output_text"]

MOST_OUTPUT_CHARS = 32_000
"""Longer results are cut; a model reads the whole conversation again at every reply."""


def output_text(value: object) -> str:
    """Write a handler's result for the model: text as it is, anything else as JSON, cut when huge."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(value)
    if len(text) > MOST_OUTPUT_CHARS:
        text = f"{text[:MOST_OUTPUT_CHARS]} [cut: {len(text)} characters in all]"
    return text


def _told(problem: str) -> str:
    return json.dumps({"error": problem})


class ToolRunner:
    """
    Runs calls for one session.

    Args:
        options: Tools, handlers and time limit.
        answer: Takes call id and answer, on the session's loop.
        log: Of the session.
    """

    def __init__(
        self, options: Options, answer: Callable[[str, str], None], log: SessionLog
    ) -> None:
        self._handlers: Mapping[str, ToolHandler | None] = {
            tool.name.strip(): tool.handler for tool in options.tools
        }
        self._fallback = options.tool_handler
        self._timeout_s = options.tool_timeout_s
        self._answer = answer
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._handlers_at_work: set[asyncio.Task[str]] = set()
        self._left_to_application: dict[asyncio.Task[None], str] = {}
        """Call by task, the oldest first; some servers give an id to a call of a later reply again."""

    def owns(self, task: asyncio.Task[Any] | None) -> bool:
        """Say whether a task is one of a tool's."""
        return task in self._tasks or task in self._handlers_at_work

    def run(self, call: ToolCall) -> None:
        """Start a call; its answer comes later, or a word on why there is none."""
        handler = self._handler(call)
        task = asyncio.create_task(self._run(call, handler), name=f"realtime tool {call.name}")
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        if handler is _never:
            self._left_to_application[task] = call.call_id

    def answered(self, call_id: str) -> None:
        """The application has answered by itself: stop waiting for it; a handler that runs is left to end."""
        waiting = (task for task, call in self._left_to_application.items() if call == call_id)
        task = next(waiting, None)
        if task is not None:
            del self._left_to_application[task]
            task.cancel()

    def stop(self) -> None:
        """Cancel what runs: nobody is left to be answered. A handler that refuses to end is left behind."""
        for task in self._tasks:
            task.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._left_to_application.pop(task, None)

    def _handler(self, call: ToolCall) -> ToolHandler | None:
        """Who runs a call; `_never` where the application answers, `None` where nobody has such a tool."""
        handler = self._handlers.get(call.name) or self._fallback
        # Whoever gave no handler at all answers everything, tools of the vendor's own included.
        made_up = call.name not in self._handlers and any(self._handlers.values())
        return handler or (None if made_up else _never)

    async def _run(self, call: ToolCall, handler: ToolHandler | None) -> None:
        """See to it that a call is answered in time, whatever its handler does then."""
        if handler is None:
            self._answer(call.call_id, _told(f"there is no tool named {call.name}"))
            return
        work = asyncio.create_task(_call(handler, call), name=f"realtime tool {call.name}, handler")
        self._handlers_at_work.add(work)
        work.add_done_callback(self._handler_ended)
        try:
            await asyncio.wait({work}, timeout=self._timeout_s)
            self._answer(call.call_id, self._outcome(call, work))
        finally:
            work.cancel()  # it may clean up, or go on, but nobody waits for it

    def _outcome(self, call: ToolCall, work: asyncio.Task[str]) -> str:
        """Give the answer to a call as its handler stands now."""
        if not work.done():
            self._log.warning("tool %s gave no answer within %g s", call.name, self._timeout_s)
            return _told("the tool did not answer in time")
        if work.cancelled():
            self._log.warning("tool %s was cancelled inside", call.name)
            return _told("the tool failed")
        error = work.exception()
        if error is not None:
            self._log.error("tool %s raised", call.name, exc_info=error)
            return _told("the tool failed")
        return work.result()

    def _handler_ended(self, work: asyncio.Task[str]) -> None:
        self._handlers_at_work.discard(work)
        if not work.cancelled():
            work.exception()  # of a late one nobody asks


async def _never(name: str, arguments: dict[str, Any]) -> str:
    """Wait for the application's answer, until the time limit."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await answer


async def _call(handler: ToolHandler, call: ToolCall) -> str:
    return output_text(await _result(handler, call))


async def _result(handler: ToolHandler, call: ToolCall) -> object:
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004 - an object with an async __call__
    ):
        return await _awaited(handler(call.name, call.arguments))
    context = contextvars.copy_context()  # as a coroutine would see it
    result = await _in_thread(lambda: context.run(handler, call.name, call.arguments))
    return await _awaited(result) if inspect.isawaitable(result) else result


async def _awaited(value: Any) -> object:
    return await value if isinstance(value, Awaitable) else value


async def _in_thread(work: Callable[[], object]) -> object:
    """
    Run a plain function in a daemon thread of its own.

    Not in the loop's executor: a tool that hangs would hold the end of the program up, and a few of them every
    other user of the executor.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()

    def settle(result: object, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)

    def body() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - handed to whoever awaits
            error = RuntimeError("the tool ended its thread") if _is_exit(raised) else raised
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever asked
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=body, name="realtime tool", daemon=True).start()
    return await done


def _is_exit(error: BaseException) -> bool:
    return not isinstance(error, Exception)
