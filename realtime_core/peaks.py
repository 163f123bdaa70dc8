"""The outline of a stream of audio: its lowest and highest sample of every few ms, in bounded memory."""

from __future__ import annotations

import sys
from array import array
from typing import final

from realtime_core.audio import BYTES_PER_SAMPLE

__all__ = ["Peaks"]

_STEP_MS = 20
_MOST_STEPS = 36_000
_JITTER_MS = 80.0


@final
class Peaks:
    """
    Lowest and highest sample of each step of a stream that is placed on a clock.

    A step is 20 ms. After 36,000 of them (12 minutes) steps are joined in pairs and are twice as long from then
    on, and so forth: the outline of any call takes less than 150 kB.

    Args:
        rate_hz: Sample rate.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._step_ms = _STEP_MS
        self._lows, self._highs = array("h"), array("h")
        self._next = 0

    @property
    def end_ms(self) -> float:
        """Where the newest piece ends, in ms."""
        return self._next * 1000 / self._rate_hz

    def add(self, pcm: bytes, t_ms: float | None = None) -> float:
        """
        Take the next piece.

        Args:
            pcm: PCM16LE mono; half a sample at the end is ignored.
            t_ms: When it began. A piece that comes within 80 ms of the end of the one before is right behind it:
                clocks jitter, samples do not. `None` is right behind in any case. What overlaps is joined.

        Returns:
            Where it was placed, in ms.
        """
        if t_ms is not None and abs(t_ms - self.end_ms) > _JITTER_MS:
            self._next = max(0, round(t_ms * self._rate_hz / 1000))
        placed_ms = self.end_ms
        samples = array("h", pcm[: len(pcm) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE])
        if sys.byteorder == "big":  # pragma: no cover - where we test it is little
            samples.byteswap()
        at = 0
        while at < len(samples):
            step = self._next * 1000 // (self._rate_hz * self._step_ms)
            if step >= _MOST_STEPS:
                self._coarsen(step)
                continue
            ends = -(
                -(step + 1) * self._step_ms * self._rate_hz // 1000
            )  # the step's first sample beyond
            part = samples[at : at + max(1, ends - self._next)]
            self._join(step, min(part), max(part))
            at += len(part)
            self._next += len(part)
        return placed_ms

    def _join(self, step: int, low: int, high: int) -> None:
        missing = step + 1 - len(self._lows)
        if missing > 0:
            self._lows.extend([0] * missing)
            self._highs.extend([0] * missing)
        self._lows[step] = min(self._lows[step], low)
        self._highs[step] = max(self._highs[step], high)

    def _coarsen(self, step: int) -> None:
        while step >= _MOST_STEPS:
            for _ in range(len(self._lows) % 2):
                self._join(len(self._lows), 0, 0)
            self._lows = array("h", map(min, self._lows[0::2], self._lows[1::2]))
            self._highs = array("h", map(max, self._highs[0::2], self._highs[1::2]))
            self._step_ms *= 2
            step //= 2

    def between(self, start_ms: float, end_ms: float) -> tuple[int, int]:
        """Give the lowest and the highest sample of a stretch, at most 0 and at least 0."""
        first = max(0, int(start_ms // self._step_ms))
        behind = max(first + 1, int(-(-end_ms // self._step_ms)))
        lows, highs = self._lows[first:behind], self._highs[first:behind]
        return (min(lows, default=0), max(highs, default=0))

    def loudest(self, start_ms: float, end_ms: float) -> int:
        """Give the largest distance from 0 in a stretch."""
        low, high = self.between(start_ms, end_ms)
        return max(-low, high)

    def sound_before(self, t_ms: float, *, since_ms: float, share: float) -> float | None:
        """
        Find the end of the last sound before a moment.

        Args:
            t_ms: The moment.
            since_ms: How far to look back.
            share: What is sound, as a share of the loudest of that stretch.

        Returns:
            In ms; `None` when it was silent.
        """
        least = max(_FAINT, int(self.loudest(since_ms, t_ms) * share))
        step = self._step_ms
        at = int(t_ms // step)
        while at >= 0 and at * step >= since_ms - step:
            if self.loudest(at * step, (at + 1) * step) >= least:
                return float(min(t_ms, (at + 1) * step))
            at -= 1
        return None

    def onset_before(self, t_ms: float, *, since_ms: float, share: float, gap_ms: float) -> float:
        """
        Find the begin of the sound that goes on at a moment.

        Args:
            t_ms: The moment; also the answer where it was silent.
            since_ms: How far to look back.
            share: What is sound, as a share of the loudest of that stretch.
            gap_ms: How long a silence belongs to it.
        """
        least = max(_FAINT, int(self.loudest(since_ms, t_ms) * share))
        step = self._step_ms
        begin, at = t_ms, int(t_ms // step)
        while at >= 0 and at * step >= since_ms - step and begin - (at + 1) * step <= gap_ms:
            if self.loudest(at * step, (at + 1) * step) >= least:
                begin = min(begin, float(at * step))
            at -= 1
        return begin


_FAINT = 200
"""Below this a sample is no sound, whatever it is compared with (-44 dB of full scale)."""
