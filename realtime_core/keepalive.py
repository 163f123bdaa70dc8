"""Noticing a peer that is gone without a word."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

from realtime_core.clock import Clock, Timer
from realtime_core.transport import Transport

__all__ = ["PING_EVERY_S", "Keepalive"]

PING_EVERY_S = 20.0
"""How often a ping goes out; when nothing at all came by the next one, the peer is dead."""


@define
class Keepalive:
    """
    Pings the peer and reports its death once.

    Args:
        transport: The connection.
        clock: Where the time comes from.
        on_dead: Called when nothing came for a whole interval after a ping.
    """

    transport: Transport
    clock: Clock
    on_dead: Callable[[], object]
    _timer: Timer | None = None

    def start(self) -> None:
        """Begin, once connected."""
        self.transport.heard = True
        self._arm()

    def stop(self) -> None:
        """End; harmless at any time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self.clock.call_at(self.clock.now() + PING_EVERY_S, self._tick)

    def _tick(self) -> None:
        if not self.transport.heard:
            self.on_dead()
            return
        self.transport.heard = False
        self.transport.ping()
        self._arm()
