"""Engines without speech in them, and the model in the box as the double that `AgentConformance` drives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from realtime_core.testing.speech import speech_like
from realtime_local.engines import CallTool, Heard, Say, TurnRequest

RATE_HZ = 16000
_WORD = speech_like(60, RATE_HZ)


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what the loop or another thread brings about, 30 s long."""
    for _ in range(30_000):
        if reached():
            return
        await asyncio.sleep(0.001)
    raise TimeoutError


class Humming:
    """Says 60 ms a word, in chunks of a word."""

    name = "humming"
    sample_rate_hz = RATE_HZ

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        for _ in text.split():
            yield _WORD


class Deaf:
    """Understands that something was said."""

    def __init__(self, grammar: str | None) -> None:
        self.grammar = grammar

    def recognise(self, pcm: bytes) -> Heard:
        return Heard(text=f"about {round(len(pcm) / 32 / 500) / 2} seconds")


class Told:
    """Answers as a test tells it."""

    apology = "Sorry."

    def __init__(self) -> None:
        self.requests: list[TurnRequest] = []
        self.hold = False
        self.tool: tuple[str, Mapping[str, Any]] | None = None
        self.closed = False

    async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
        self.requests.append(request)
        number = len(self.requests)
        if number == 1 and self.tool is not None:
            name, arguments = self.tool
            yield CallTool(call_id=f"call_{number}", name=name, arguments=arguments)
            return
        yield Say(text="This is what I have to say about that.")
        if number == 1 and self.hold:
            yield Say(text="And now I think about it for ever.")
            await asyncio.Event().wait()
        yield Say(text="Thank you.")

    def phrases(self) -> str | None:
        return None

    async def close(self) -> None:
        self.closed = True

    @property
    def tool_answers(self) -> list[str]:
        history = self.requests[-1].history if self.requests else ()
        return [message.text for message in history if message.role == "tool"]


CREDENTIAL = {
    "provider": "local",
    "synthesiser": "tests.local.doubles:Humming",
    "recogniser": "tests.local.doubles:Deaf",
    "replier": "tests.local.doubles:new_told",
}
_newest: list[LocalDouble] = []


def new_told() -> Told:
    """What the credential names: a replier of the double that is running."""
    return _newest[-1].new_replier()


class LocalDouble:
    """A `VendorDouble` whose vendor is this process."""

    def __init__(self) -> None:
        self.repliers: list[Told] = []
        self._hold = False
        self._tool: tuple[str, Mapping[str, Any]] | None = None

    def enter(self) -> None:
        _newest.append(self)

    def leave(self) -> None:
        _newest.remove(self)

    async def __aenter__(self) -> Self:
        self.enter()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def new_replier(self) -> Told:
        replier = Told()
        self.repliers.append(replier)
        self._tell(replier)
        return replier

    def _tell(self, replier: Told) -> None:
        replier.hold, replier.tool = self._hold, self._tool

    @property
    def credential(self) -> Mapping[str, Any]:
        return json.loads(json.dumps(CREDENTIAL))  # type: ignore[no-any-return]

    @property
    def refused_credential(self) -> None:
        return None

    async def hold_reply(self) -> None:
        self._hold = True
        for replier in self.repliers:  # made with the agent, before its session
            self._tell(replier)

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> None:
        self._tool = (name, arguments)
        for replier in self.repliers:
            self._tell(replier)

    @property
    def tool_answers(self) -> list[str]:
        return [answer for replier in self.repliers for answer in replier.tool_answers]

    async def break_connection(self) -> bool:
        return False

    @property
    def violations(self) -> list[Any]:
        return []
