"""Tools by name, and what is told of their answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from realtime_core import Tool, ToolHandler
from realtime_core.cli.toolbox import HANG_UP, Toolbox, ToolsError, load_tools

MODULE = """
from realtime_core import Tool, ToolHandler
one = Tool(name="one")
several = [one, Tool(name="two")]
def made(): return several
def broken(): raise RuntimeError("no database")
def ends(): raise SystemExit(3)
class Inside: tools = several
number = 5
numbers = [5]
twice = [*several, Tool(name=" two ")]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tmp_path.joinpath("tools_of_mine.py").write_text(MODULE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [each for each in sys.path if each])
    yield
    sys.modules.pop("tools_of_mine", None)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("one", ["one"]),
        ("several", ["one", "two"]),
        ("made", ["one", "two"]),
        ("Inside.tools", ["one", "two"]),
    ],
)
def test_tools_are_found_by_name(name: str, names: list[str]) -> None:
    assert [tool.name for tool in load_tools(f"tools_of_mine:{name}")] == names


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("tools_of_mine", "'tools_of_mine' has no module or no attribute; expected module:attr"),
        (":one", "has no module"),
        ("tools_of_nobody:one", "ModuleNotFoundError: No module named 'tools_of_nobody'"),
        ("tools_of_mine:three", "has no attribute 'three'"),
        ("tools_of_mine:broken", "RuntimeError: no database"),
        ("tools_of_mine:ends", "SystemExit: 3"),
        ("tools_of_mine:number", "is of type int; expected"),
        ("tools_of_mine:numbers", "holds something of type int; expected"),
        ("tools_of_mine:twice", "holds several tools 'two'; expected each name once"),
    ],
)
def test_what_is_no_tool_is_told(where: str, says: str) -> None:
    with pytest.raises(ToolsError) as error:
        load_tools(where)
    assert says in str(error.value)


def names(box: Toolbox) -> list[str]:
    return [tool.name for tool in box.tools]


def test_hang_up_is_offered_where_there_is_none() -> None:
    assert names(Toolbox()) == []
    assert names(Toolbox(offers_hang_up=True)) == [HANG_UP]
    assert names(Toolbox([Tool(name=HANG_UP)], offers_hang_up=True)) == [HANG_UP]


Told = list[tuple[str, Mapping[str, Any], str]]


def listening(box: Toolbox) -> Told:
    told: Told = []
    box.listen(lambda *answer: told.append(answer))
    return told


async def a_coroutine(name: str, arguments: dict[str, Any]) -> str:
    return "async"


def an_awaitable(name: str, arguments: dict[str, Any]) -> Any:
    return a_coroutine(name, arguments)


async def finished(handler: ToolHandler) -> str:
    result = handler("f", {})
    return result if isinstance(result, str) else await result


@pytest.mark.parametrize("handler", [a_coroutine, an_awaitable, lambda name, arguments: "async"])
async def test_answers_are_told(handler: Any) -> None:
    box = Toolbox([Tool(name="f", handler=handler)])
    told = listening(box)
    wrapped = box.tools[0].handler
    assert wrapped is not None
    assert asyncio.iscoroutinefunction(wrapped) is (handler is a_coroutine)
    assert await finished(wrapped) == "async"
    await asyncio.sleep(0)
    assert told == [("f", {}, "async")]


async def fails(name: str, arguments: dict[str, Any]) -> str:
    raise LookupError("secret")


def fails_at_once(name: str, arguments: dict[str, Any]) -> str:
    raise LookupError("secret")


@pytest.mark.parametrize("handler", [fails, fails_at_once])
async def test_a_failure_is_told_without_its_text_and_raised(handler: Any) -> None:
    box = Toolbox([Tool(name="f", handler=handler)])
    told = listening(box)
    wrapped = box.tools[0].handler
    assert wrapped is not None
    with pytest.raises(LookupError):
        await finished(wrapped)
    await asyncio.sleep(0)
    assert told == [("f", {}, "failed, LookupError")]


async def test_what_nobody_runs_is_answered() -> None:
    box = Toolbox()
    told = listening(box)
    for name, says in ((HANG_UP, "the call ends"), ("book", "has nobody who runs it")):
        result = box.handler(name, {})
        assert not isinstance(result, str)
        assert says in await result
    await asyncio.sleep(0)
    assert len(told) == 2


async def test_an_answer_before_anybody_listens_is_no_error() -> None:
    handler = Toolbox([Tool(name="f", handler=lambda name, arguments: "x")]).tools[0].handler
    assert handler is not None
    assert handler("f", {}) == "x"
