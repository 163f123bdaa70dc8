"""Time for the legs that have none of their own: one tick per frame, on an absolute schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from realtime_core.clock import Clock, LoopClock, Timer

__all__ = ["LATE_MS", "MAX_BACK_TO_BACK", "Pacer"]

LATE_MS: Final = 60
"""Later than this, the schedule begins anew instead of catching up."""
MAX_BACK_TO_BACK: Final = 3
"""Most ticks at one wake-up."""


@final
class Pacer:
    """
    Calls `tick` once a frame, at t0 + n * `frame_ms`, so that no error adds up.

    A wake-up that comes late is caught up with, at most `MAX_BACK_TO_BACK` ticks back to back; one that is more than `LATE_MS`
    late begins a new schedule: what the phone missed is missed, a burst would only overflow its jitter buffer.

    Args:
        tick: Sends one frame; a plain function which must not block. What it raises stops the pacer and goes to the loop.
        frame_ms: Length of a frame.
        ahead_ms: Lead over real time: so much goes out at once at the start of a schedule.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        tick: Callable[[], object],
        *,
        frame_ms: int = 20,
        ahead_ms: int = 20,
        clock: Clock | None = None,
    ) -> None:
        self._tick = tick
        self._frame_s = frame_ms / 1000
        self._ahead_s = ahead_ms / 1000
        self._clock = clock or LoopClock()
        self._timer: Timer | None = None
        self._due_s = 0.0
        self._running = False
        self.ticks: int = 0
        """How many frames were due and sent."""
        self.reanchored: int = 0
        """How many times the schedule began anew, after a stall."""
        self.late_max_ms: float = 0.0
        """Latest wake-up so far."""

    @property
    def running(self) -> bool:
        """Whether it ticks."""
        return self._running

    def start(self) -> None:
        """Begin the schedule; the first ticks are made before this returns. Nothing happens when it runs."""
        if not self._running:
            self._running = True
            self._anchor()
            self._wake()

    def stop(self) -> None:
        """Tick no more, also from within a tick; idempotent."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _anchor(self) -> None:
        # Counted from t0 rather than added up: a minute is 3,000 frames, and floats would drift.
        self._t0_s = self._clock.now() - self._ahead_s
        self._count = 0
        self._due_s = self._t0_s

    def _wake(self) -> None:
        self._timer = None
        late_s = self._clock.now() - self._due_s
        # At the start of a schedule the first frames are late by the lead, on purpose.
        if self._count * self._frame_s > self._ahead_s:
            self.late_max_ms = max(self.late_max_ms, late_s * 1000)
            if late_s * 1000 > LATE_MS:
                self.reanchored += 1
                self._anchor()
        made = 0
        while self._running and made < MAX_BACK_TO_BACK and self._due_s <= self._clock.now():
            self._count += 1
            self._due_s = self._t0_s + self._count * self._frame_s
            self.ticks += 1
            made += 1
            self._tick_once()
        if self._running:
            when = self._due_s
            if made == MAX_BACK_TO_BACK:  # the rest of the backlog is not part of this burst
                when = max(when, self._clock.now() + self._frame_s / 2)
            self._timer = self._clock.call_at(when, self._wake)

    def _tick_once(self) -> None:
        try:
            self._tick()
        except BaseException:
            self.stop()
            raise
