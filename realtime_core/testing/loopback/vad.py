"""An energy detector: decides by level alone where speech begins and ends."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["EnergyVad"]

_WINDOW_MS = 10
_ONSET_WINDOWS = 3  # 30 ms above the threshold: a click is not speech
_FLOOR_FACTOR = 3.0


class EnergyVad:
    """
    Find speech in a stream, 10 ms at a time, by its RMS level.

    The threshold follows the session's own noise: three times the running level of what was
    not speech, and never below *level_dbfs*. The same samples always give the same answer,
    however they are cut into pieces.

    Args:
        rate_hz: Sample rate of the stream.
        level_dbfs: RMS level below which nothing is speech, in dB of full scale (negative).
    """

    def __init__(self, rate_hz: int, level_dbfs: float = -42.0) -> None:
        self._window = rate_hz * _WINDOW_MS // 1000
        self._least = 32768.0 * math.pow(10.0, level_dbfs / 20.0)
        self._tail = np.zeros(0, dtype=np.int16)
        self._floor = 0.0
        self._seen = 0  # windows heard
        self._loud_run = 0
        self._last_loud = 0  # index after the last loud window
        self.speaking: bool = False

    def feed(self, samples: npt.NDArray[np.int16], silence_ms: int) -> list[tuple[bool, int, int]]:
        """
        Listen to more of the stream.

        Args:
            samples: The next samples, any number.
            silence_ms: How much quiet ends speech.

        Returns:
            What happened, in order: `(True, onset, now)` when speech was confirmed and
            `(False, end, now)` when it ended; sample positions counted from the last `reset`.
        """
        stream = np.concatenate((self._tail, samples)) if self._tail.size else samples
        count = stream.size // self._window
        self._tail = stream[count * self._window :]
        if not count:
            return []
        windows = stream[: count * self._window].reshape(count, self._window)
        levels = np.sqrt(np.mean(np.square(windows, dtype=np.float32), axis=1))
        quiet_windows = max(1, silence_ms // _WINDOW_MS)
        changes: list[tuple[bool, int, int]] = []
        for level in levels.tolist():
            self._seen += 1
            if self._hears(level):
                self._loud_run += 1
                if self.speaking or self._loud_run >= _ONSET_WINDOWS:
                    self._last_loud = self._seen
                    if not self.speaking:
                        self.speaking = True
                        onset = self._seen - self._loud_run
                        changes.append((True, onset * self._window, self._seen * self._window))
            else:
                self._loud_run = 0
                if self.speaking and self._seen - self._last_loud >= quiet_windows:
                    self.speaking = False
                    end, now = self._last_loud * self._window, self._seen * self._window
                    changes.append((False, end, now))
        return changes

    def _hears(self, level: float) -> bool:
        if level > max(self._least, _FLOOR_FACTOR * self._floor):
            return True
        if not self.speaking:
            self._floor += 0.05 * (level - self._floor)
        return False

    def reset(self) -> None:
        """Forget the stream; what was learnt about its noise stays."""
        self._tail = self._tail[:0]
        self._seen = self._loud_run = self._last_loud = 0
        self.speaking = False
