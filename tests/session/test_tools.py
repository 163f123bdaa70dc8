"""The time limit of a tool holds whatever its handler does."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from typing import Any

import pytest

from realtime_core.tools import Tool, ToolHandler

from .kit import CREATED, DONE, SETTLED, Line, steps

LIMIT_S = 0.05


def called(call_id: str = "C1", reply: str = "R1") -> dict[str, Any]:
    item = {"type": "function_call", "call_id": call_id, "name": "look", "status": "completed"}
    return {"type": "response.output_item.done", "response_id": reply, "item": item}


async def call(handler: ToolHandler) -> Line:
    tools = [Tool(name="look", handler=handler)]
    line = await Line(tools=tools, tool_timeout_s=LIMIT_S).open()
    await line.say(CREATED, called(), DONE)
    return line


def outputs(line: Line) -> list[str]:
    return [event["item"]["output"] for event in line.transport.events if "item" in event]


async def answered(line: Line) -> list[str]:
    """Wait for the answer the vendor is given."""
    async with asyncio.timeout(30):
        while not outputs(line):  # noqa: ASYNC110 - there is nothing to wait on in the product
            await asyncio.sleep(0.005)
    return outputs(line)


async def test_a_handler_that_cleans_up_slowly_is_answered_for_in_time() -> None:
    may_end, cleaned = asyncio.Event(), asyncio.Event()

    async def look(name: str, arguments: dict[str, Any]) -> str:
        try:
            await asyncio.sleep(100)
        finally:
            await may_end.wait()
            cleaned.set()
        return ""

    line = await call(look)
    assert await answered(line) == ['{"error": "the tool did not answer in time"}']
    assert not cleaned.is_set()
    may_end.set()
    await asyncio.wait_for(cleaned.wait(), 30)  # it may end what it does
    await line.agent.close()


async def test_a_handler_that_will_not_be_cancelled_is_answered_for_in_time() -> None:
    over = asyncio.Event()

    async def look(name: str, arguments: dict[str, Any]) -> str:
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()
        raise RuntimeError("nobody asks any more")

    line = await call(look)
    assert await answered(line) == ['{"error": "the tool did not answer in time"}']
    await line.agent.close()
    over.set()
    await steps(SETTLED)


async def test_the_answer_of_a_late_handler_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    async def look(name: str, arguments: dict[str, Any]) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "at last"
        return ""

    line = await call(look)
    await answered(line)
    await steps(SETTLED)  # the late answer has come meanwhile
    assert len(outputs(line)) == 1
    (record,) = [each for each in caplog.records if "tool" in each.getMessage()]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == "[test S1] tool look gave no answer within 0.05 s"
    await line.agent.close()


async def test_a_plain_function_sees_the_context_it_was_called_in() -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    tenant.set("ACME")
    line = await call(lambda name, arguments: tenant.get())
    assert await answered(line) == ["ACME"]
    await line.agent.close()


async def test_a_call_whose_id_comes_again_ends_with_the_session_too() -> None:
    """Some servers count the calls of each reply from the beginning."""
    ended: list[str] = []

    async def look(name: str, arguments: dict[str, Any]) -> str:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(name)
        return ""

    line = await Line(tools=[Tool(name="look", handler=look)]).open()
    await line.say(CREATED, called(), DONE)
    again = {"id": "R2", "status": "completed"}
    await line.say({"type": "response.created", "response": again}, called(reply="R2"))
    await line.agent.close()
    await steps(SETTLED)
    assert ended == ["look", "look"]
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert not [name for name in names if "tool" in name]


async def test_an_answer_of_the_application_ends_the_wait_for_the_oldest_call_of_its_id() -> None:
    def waiting() -> set[asyncio.Task[Any]]:
        return {task for task in asyncio.all_tasks() if task.get_name() == "realtime tool look"}

    line = await Line(tools=[Tool(name="look")]).open()
    await line.say(CREATED, called(), DONE)
    first = waiting()
    again = {"id": "R2", "status": "completed"}
    await line.say({"type": "response.created", "response": again}, called(reply="R2"))
    await line.say({**DONE, "response": again})
    second = waiting() - first
    assert (len(first), len(second)) == (1, 1)
    await line.agent.send_tool_result("C1", "one")
    await steps(SETTLED)
    assert waiting() == second
    await line.agent.send_tool_result("C1", "two")
    await steps(SETTLED)
    assert waiting() == set()
    assert outputs(line) == ["one", "two"]
    await line.agent.close()
