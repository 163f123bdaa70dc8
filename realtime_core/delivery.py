"""How events reach the application: by callback, or by a bounded queue behind `async for`."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import AsyncIterator, Callable

from realtime_core.audio import pcm_ms
from realtime_core.events import AssistantAudio, Event, SessionClose
from realtime_core.log import SessionLog

__all__ = ["QUEUE_LIMIT_MS", "CallbackDelivery", "QueueDelivery"]

QUEUE_LIMIT_MS = 600_000.0
"""Audio the queue holds: ten minutes, since replies come faster than real time."""
_QUEUE_LIMIT_EVENTS = 100_000
_SLOW_CALLBACK_S = 0.05


class CallbackDelivery:
    """Calls the application there and then; nothing is ever waiting."""

    dropped: int = 0
    """Nothing is ever dropped here."""

    def __init__(self, on_event: Callable[[Event], None], log: SessionLog) -> None:
        self._on_event = on_event
        self._log = log
        self._warned_slow = False

    def put(self, event: Event) -> bool:
        """Call the application; what it raises is logged and ends nothing."""
        began = time.perf_counter()
        try:
            answer: object = self._on_event(event)
        # A cancelled future's result raises CancelledError; it is no more than any other fault.
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the call goes on
            self._log.exception("on_event raised on %s; the session goes on", event.type)
            return True
        if answer is not None and inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            self._log.error(
                "on_event returned an awaitable on %s, which is never awaited; "
                "use a plain function, or `async for event in agent`",
                event.type,
            )
        took = time.perf_counter() - began
        if took > _SLOW_CALLBACK_S and not self._warned_slow:
            self._warned_slow = True
            self._log.warning(
                "on_event took %.0f ms on %s; it holds up this session, keep it short",
                took * 1000,
                event.type,
            )
        return True

    def cut(self) -> None:
        """Nothing waits, so nothing is stale."""

    def finish(self) -> None:
        """Nothing waits."""


class QueueDelivery:
    """Keeps events until the application fetches them; never makes the reader of the socket wait."""

    def __init__(self, output_rate_hz: int) -> None:
        self.dropped: int = 0
        self._rate_hz = output_rate_hz
        self._events: deque[Event] = deque()
        self._audio_ms = 0.0
        self._wakeup = asyncio.Event()
        self._finished = False

    def put(self, event: Event) -> bool:
        """
        Keep an event.

        Returns:
            Whether there was room; the session ends with an `overflow` error when there was none.
        """
        held_ms = self._ms(event)
        is_last = isinstance(event, SessionClose)
        full = self._audio_ms + held_ms > QUEUE_LIMIT_MS or len(self._events) >= _QUEUE_LIMIT_EVENTS
        if full and held_ms:
            self.dropped += 1
            return False
        if len(self._events) >= _QUEUE_LIMIT_EVENTS + 100 and not is_last:
            self.dropped += 1
            return False
        self._events.append(event)
        self._audio_ms += held_ms
        self._wakeup.set()
        return True

    def cut(self) -> None:
        """Drop audio that was not fetched yet: its reply was interrupted."""
        self._events = deque(e for e in self._events if not isinstance(e, AssistantAudio))
        self._audio_ms = 0.0

    def drop_undelivered(self) -> None:
        """Drop everything that was not fetched yet, at close by the application."""
        self.dropped += len(self._events)
        self._events.clear()
        self._audio_ms = 0.0

    def finish(self) -> None:
        """Nothing more will come: iteration ends behind what is still kept."""
        self._finished = True
        self._wakeup.set()

    async def events(self) -> AsyncIterator[Event]:
        """Give the events in order, ending after the last."""
        while True:
            while self._events:
                event = self._events.popleft()
                self._audio_ms -= self._ms(event)
                yield event
            if self._finished:
                return
            self._wakeup.clear()
            await self._wakeup.wait()

    def _ms(self, event: Event) -> float:
        if isinstance(event, AssistantAudio):
            return pcm_ms(len(event.audio), self._rate_hz)
        return 0.0
