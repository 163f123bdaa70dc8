"""
The resampler: libsoxr in its variable-rate mode.

The fixed-ratio stream works in blocks and delivers in bursts, 12 to 115 ms late; the variable-rate mode holds a
constant 5 to 30 ms and gives exact totals (the figures are in the documentation's audio page).
"""

from __future__ import annotations

from typing import final

import numpy as np
import soxr

__all__ = ["SoxrResampler"]


@final
class SoxrResampler:
    """
    A `Resampler` over `soxr.ResampleStream`.

    Args:
        from_hz: Input rate.
        to_hz: Output rate.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="HQ", vr=True)
        self._fresh = True

    def process(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Resample the next chunk."""
        self._fresh = False
        samples = np.frombuffer(pcm, dtype="<i2")
        out: bytes = self._stream.resample_chunk(samples).tobytes()
        return out

    def flush(self) -> bytes:
        """Give the rest; libsoxr must be cleared after a last chunk before it takes anything again."""
        if self._fresh:
            return b""
        tail: bytes = self._stream.resample_chunk(np.empty(0, dtype=np.int16), last=True).tobytes()
        self.clear()
        return tail

    def clear(self) -> None:
        """Forget the rest."""
        self._stream.clear()
        self._fresh = True
