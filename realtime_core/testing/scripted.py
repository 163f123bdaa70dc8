"""A connection whose other end is the test."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from realtime_core.errors import RealtimeError
from realtime_core.transport import ConnectionClosed

__all__ = ["ScriptedTransport"]


class ScriptedTransport:
    """
    A `Transport` without a network: the test feeds what the vendor says and reads what was sent.

    Args:
        refuse: Raised by `connect` instead of connecting.
    """

    def __init__(self, *, refuse: RealtimeError | None = None) -> None:
        self.heard: bool = False
        self.sent: list[bytes] = []
        """Frames in the order they were sent."""
        self.pings: int = 0
        """Pings asked for."""
        self.connected: bool = False
        self.closed_with: int | None = None
        """Close code the session gave, once it has closed."""
        self.congested: bool = False
        """While true, the connection takes nothing more: `backlog` is above zero."""
        self._refuse = refuse
        self._incoming: asyncio.Queue[bytes | ConnectionClosed] = asyncio.Queue()
        self._may_connect = asyncio.Event()
        self._may_connect.set()
        self._drained = asyncio.Event()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The frames sent, parsed as JSON."""
        return [json.loads(frame) for frame in self.sent]

    def hold_connect(self) -> None:
        """Let `connect` wait until `allow_connect`."""
        self._may_connect.clear()

    def allow_connect(self) -> None:
        """Let `connect` return."""
        self._may_connect.set()

    def feed(self, *events: dict[str, Any] | bytes) -> None:
        """Say something as the vendor: JSON objects, or raw frames."""
        for event in events:
            frame = event if isinstance(event, bytes) else json.dumps(event).encode()
            self._incoming.put_nowait(frame)

    def end(self, code: int = 1000, reason: str = "") -> None:
        """End the connection as the vendor."""
        self._incoming.put_nowait(ConnectionClosed(code, reason))

    def relieve(self) -> None:
        """End the congestion."""
        self.congested = False
        self._drained.set()

    async def connect(self) -> None:
        """Connect, unless told otherwise."""
        await self._may_connect.wait()
        if self._refuse is not None:
            raise self._refuse
        self.connected = self.heard = True

    def send(self, frame: bytes) -> None:
        """Keep the frame."""
        self.sent.append(frame)

    def backlog(self) -> int:
        """Above zero while congested."""
        return 1 if self.congested else 0

    async def drained(self) -> None:
        """Wait for `relieve`."""
        while self.congested:
            self._drained.clear()
            await self._drained.wait()

    def ping(self) -> None:
        """Count it."""
        self.pings += 1

    async def receive(self) -> bytes | ConnectionClosed:
        """Give the next frame fed."""
        frame = await self._incoming.get()
        self.heard = True
        return frame

    async def close(self, code: int = 1000) -> None:
        """Note the code."""
        if self.closed_with is None:
            self.closed_with = code
        self.relieve()
