"""The application's ear for a call: called there and then, and whatever it does, the call goes on."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from typing import Final, final

from realtime_core.events import Event
from realtime_telephony.leg import DigitPressed

__all__ = ["SLOW_S", "Listener"]

SLOW_S: Final = 0.05
"""A callback that takes longer is warned about, once a call: meanwhile all calls of the loop stand still."""

_log = logging.getLogger("realtime_telephony.call")


@final
class Listener:
    """
    Calls `on_event`; faults are logged.

    Args:
        on_event: A plain function, or nobody.
        call_id: For the log.
    """

    def __init__(
        self, on_event: Callable[[Event | DigitPressed], object] | None, call_id: str
    ) -> None:
        self._on_event = on_event
        self._call_id = call_id
        self._warned = False

    def tell(self, event: Event | DigitPressed) -> None:
        """Tell of an event."""
        if self._on_event is None:
            return
        began = time.perf_counter()
        try:
            answer = self._on_event(event)
        # A cancelled future's result raises CancelledError; it is no more than any other fault.
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the call goes on
            _log.exception("call %s: on_event raised; the call goes on", self._call_id)
            return
        took_s = time.perf_counter() - began
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            self._warn(
                "on_event returned an awaitable, which is never awaited; use a plain function"
            )
        elif took_s > SLOW_S:
            self._warn(f"on_event took {took_s * 1000:.0f} ms; it holds up every call of the loop")

    def _warn(self, fault: str) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("call %s: %s", self._call_id, fault)
