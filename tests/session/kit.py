"""A driver between a scripted connection and a clock moved by hand."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from typing import Any, ClassVar

from realtime_core.events import Event, SessionClose
from realtime_core.options import Options
from realtime_core.session import SessionAgent
from realtime_core.testing.clock import ManualClock
from realtime_core.testing.scripted import ScriptedTransport
from realtime_core.wire import Dialect, OpenAIWire, SessionSettings
from realtime_openai._dialect import OPENAI_GA

GREETING = {"type": "session.created", "session": {"id": "S1"}}
UPDATED = {"type": "session.updated", "session": {"id": "S1"}}
CREATED: dict[str, Any] = {"type": "response.created", "response": {"id": "R1"}}
DONE = {"type": "response.done", "response": {"id": "R1", "status": "completed"}}
CANCELLED = {"type": "response.done", "response": {"id": "R1", "status": "cancelled"}}


def audio(data: bytes = b"\1\2", reply: str = "R1", item: str = "A1") -> dict[str, Any]:
    kind = "response.output_audio.delta"
    delta = b64encode(data).decode()
    return {"type": kind, "response_id": reply, "item_id": item, "delta": delta}


def said(text: str) -> dict[str, Any]:
    kind = "response.output_audio_transcript.delta"
    return {"type": kind, "response_id": "R1", "item_id": "A1", "delta": text}


def pcm(ms: int, rate_hz: int = 24000, value: int = 0) -> bytes:
    return value.to_bytes(2, "little") * (rate_hz * ms // 1000)


async def steps(count: int) -> None:
    """Let the loop turn so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


SETTLED = 12
"""Turns of the loop in which everything that does not wait has happened."""


class HoldingResampler:
    """Keeps the last sample back until the next one, as real ones keep some ms."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.held = b""

    def process(self, pcm: bytes | bytearray | memoryview) -> bytes:
        whole = self.held + bytes(pcm)
        self.held = whole[-2:]
        return whole[:-2]

    def flush(self) -> bytes:
        held, self.held = self.held, b""
        return held

    def clear(self) -> None:
        self.held = b""


class Line:
    """
    An agent, its connection, its clock, and what it told.

    Args:
        listening: Whether events go to a callback, kept in `events`.
        dialect: The wire's.
        options: For `Options`; the wire's rate, so that nothing is resampled, unless they say otherwise.
    """

    made: ClassVar[list[Line]] = []
    """Those of the running test."""

    def __init__(
        self,
        *,
        listening: bool = True,
        dialect: Dialect = OPENAI_GA,
        transport: ScriptedTransport | None = None,
        **options: Any,
    ) -> None:
        self.made.append(self)
        self.events: list[Event] = []
        self.clock = ManualClock()
        self.transport = transport or ScriptedTransport()
        options.setdefault("input_sample_rate", dialect.input_rate_hz)
        if listening:
            options.setdefault("on_event", self.events.append)
        self.options = Options(**options)
        self.wire = OpenAIWire(
            vendor="test", dialect=dialect, settings=SessionSettings(), options=self.options
        )
        self.agent = SessionAgent(
            options=self.options,
            wire=self.wire,
            transport=self.transport,
            resampler=HoldingResampler,
            clock=self.clock,
        )

    @property
    def kinds(self) -> list[str]:
        return [event.type.value for event in self.events]

    @property
    def sent(self) -> list[str]:
        return [event["type"] for event in self.transport.events]

    def created(self) -> dict[str, Any]:
        """The beginning of the reply `R1` that was asked for last."""
        asked = [event for event in self.transport.events if event["type"] == "response.create"]
        metadata = asked[-1].get("response", {}).get("metadata")
        return {**CREATED, "response": {**CREATED["response"], "metadata": metadata}}

    async def open(self) -> Line:
        """Start, with a vendor that answers as it should."""
        self.transport.feed(GREETING, UPDATED)
        await self.agent.start()
        return self

    async def say(self, *frames: Any) -> Line:
        """The vendor says something, and it is taken."""
        self.transport.feed(*frames)
        await steps(SETTLED)
        return self

    def assert_nothing_left(self, *, connected: bool = True) -> None:
        """No task, no timer, no open connection, nobody waiting."""
        assert self.clock.pending == 0
        assert tasks_left() == set()
        if connected:
            assert self.transport.closed_with is not None
        assert self.agent._opened is None or self.agent._opened.done()

    def assert_told_in_order(self) -> None:
        """At most one opening, first; exactly one close after it, last."""
        kinds = self.kinds
        if "session.open" in kinds:
            assert kinds[0] == "session.open"
            assert kinds.count("session.open") == 1
            assert kinds.count("session.close") == 1
            assert kinds[-1] == "session.close"
        else:
            assert kinds == []

    @property
    def close(self) -> SessionClose:
        last = self.events[-1]
        assert isinstance(last, SessionClose)
        return last


def tasks_left() -> set[asyncio.Task[Any]]:
    """Tasks besides the one that asks."""
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current and not task.done()}


def open_sockets() -> int:
    count = 0
    for entry in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{entry}").startswith("socket:")
        except OSError:  # the listing's own
            continue
    return count
