"""What soxr's streaming modes cost and hold back, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import soxr
from attrs import frozen

from benchmarks.stopwatch import time_each
from benchmarks.workload import CHUNK_MS, tone

__all__ = ["Mode", "resampler_modes"]

_PAIRS: Final = ((16000, 24000), (24000, 16000), (8000, 24000), (24000, 8000))
_MODES: Final = (("QQ", False), ("LQ", False), ("HQ", False), ("VHQ", False), ("HQ", True))
_CHUNKS: Final = 250
_WARM_CHUNKS: Final = 25


@frozen
class Mode:
    """One way of resampling a live stream in chunks of 20 ms."""

    from_hz: int
    to_hz: int
    quality: str
    median_us: float
    """CPU a chunk."""
    held_least_ms: float
    """Audio still inside after a chunk; the difference to the most is jitter."""
    held_most_ms: float
    empty_share: float
    """Chunks that gave nothing at all."""


def _stream(from_hz: int, to_hz: int, quality: str, variable: bool) -> Any:
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality=quality, vr=variable)


def _held_ms(stream: Any, samples: Any, from_hz: int, to_hz: int) -> tuple[list[float], int]:
    held: list[float] = []
    empty = given = 0
    for n in range(_CHUNKS):
        out = len(stream.resample_chunk(samples))
        given += out
        if n >= _WARM_CHUNKS:
            held.append(((n + 1) * len(samples) / from_hz - given / to_hz) * 1000)
            empty += not out
    return held, empty


def _chunk(stream: Any, pcm: bytes) -> Callable[[], bytes]:
    def call() -> bytes:
        out: bytes = stream.resample_chunk(np.frombuffer(pcm, dtype="<i2")).tobytes()
        return out

    return call


def resampler_modes() -> list[Mode]:
    """Measure every mode at every pair of rates."""
    modes: list[Mode] = []
    for from_hz, to_hz in _PAIRS:
        pcm = tone(from_hz, CHUNK_MS)
        names = {
            f"{quality}{', variable rate' if variable else ''}": (quality, variable)
            for quality, variable in _MODES
        }
        timings = time_each(
            f"{from_hz}->{to_hz}",
            {name: _chunk(_stream(from_hz, to_hz, *mode), pcm) for name, mode in names.items()},
            batches=15,
        )
        for timing in timings:
            stream = _stream(from_hz, to_hz, *names[timing.way])
            held, empty = _held_ms(stream, np.frombuffer(pcm, dtype="<i2"), from_hz, to_hz)
            modes.append(
                Mode(
                    from_hz,
                    to_hz,
                    timing.way,
                    timing.median_ns / 1000,
                    min(held),
                    max(held),
                    empty / len(held),
                )
            )
    return modes
