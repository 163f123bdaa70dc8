"""What a leg has for its reader: bounded, and the end of the call comes last and is never lost."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, final

from realtime_telephony.leg import CallerAudio, DigitPressed, LegClosed, LegEvent

__all__ = ["MAX_EVENTS", "Inbox"]

MAX_EVENTS: Final = 500
"""Ten seconds of audio in frames of 20 ms; a reader that is later than that loses the oldest audio."""


@final
class Inbox:
    """
    A queue from a socket to the one task that reads the leg.

    Args:
        limit: How many events may wait.
    """

    def __init__(self, limit: int = MAX_EVENTS) -> None:
        self._limit = limit
        self._events: deque[CallerAudio | DigitPressed] = deque()
        self._closed: LegClosed | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.dropped: int = 0
        """How many pieces of caller audio were dropped because nobody read."""

    @property
    def closed(self) -> LegClosed | None:
        """How the call ended; `None` while it is up."""
        return self._closed

    def put(self, event: CallerAudio | DigitPressed) -> None:
        """Add an event; after the end, nothing."""
        if self._closed is not None:
            return
        if len(self._events) >= self._limit:
            self._drop_oldest_audio()
        self._events.append(event)
        self._wake()

    def close(self, event: LegClosed) -> bool:
        """Say that the call is over; the first cause counts. Returns whether this was it."""
        if self._closed is not None:
            return False
        self._closed = event
        self._wake()
        return True

    async def get(self) -> LegEvent:
        """Wait for the next event; safe to cancel."""
        while not self._events:
            if self._closed is not None:
                return self._closed
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._events.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _drop_oldest_audio(self) -> None:
        for index, event in enumerate(self._events):
            if isinstance(event, CallerAudio):
                del self._events[index]
                self.dropped += 1
                return
        self._events.popleft()  # nothing but digits: nobody presses that many
