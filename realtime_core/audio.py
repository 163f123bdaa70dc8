"""PCM16LE mono in bytes, samples and milliseconds, and the seam of the resampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from realtime_core.errors import ConfigError

__all__ = [
    "BYTES_PER_SAMPLE",
    "PCM_FORMATS",
    "Resampler",
    "ResamplerFactory",
    "pcm_ms",
    "whole_samples",
]

BYTES_PER_SAMPLE = 2
"""Bytes of one PCM16 sample."""
PCM_FORMATS = frozenset({"B", "b", "c", "h", "@h", "=h", "<h"})
"""Formats of a `memoryview` of PCM16LE: bytes, or 16-bit samples as the wire has them."""


class Resampler(Protocol):
    """
    A stream of PCM16LE mono from one rate to another, with memory between chunks.

    One object a direction and session. Cutting the input into other chunks gives the same output.
    """

    def process(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """
        Resample the next chunk.

        Args:
            pcm: Whole samples at the input rate, any length.

        Returns:
            What is ready, at the output rate; some ms stay inside.
        """
        ...

    def flush(self) -> bytes:
        """Give what is still inside, and start anew."""
        ...

    def clear(self) -> None:
        """Forget what is still inside, and start anew."""


ResamplerFactory = Callable[[int, int], Resampler]
"""Makes a resampler from input and output rate in Hz."""


def pcm_ms(byte_count: int, sample_rate_hz: int) -> float:
    """Give the duration in ms of so many bytes of PCM16 mono."""
    return byte_count * 1000 / (BYTES_PER_SAMPLE * sample_rate_hz)


def whole_samples(pcm: bytes | bytearray | memoryview) -> int:
    """
    Count the bytes of a chunk of PCM16, refusing half a sample.

    Raises:
        ConfigError: An odd number of bytes.
        TypeError: Not bytes, bytearray or memoryview, a view of something else than bytes and 16-bit samples, or one with
            gaps.
    """
    if isinstance(pcm, memoryview):
        if pcm.format not in PCM_FORMATS:
            raise TypeError(
                f"push_audio: expected a memoryview of bytes or of 16-bit samples, got format {pcm.format!r}"
            )
        if not pcm.c_contiguous:
            raise TypeError("push_audio: expected a contiguous memoryview, got one with gaps")
        size = pcm.nbytes
    elif isinstance(pcm, (bytes, bytearray)):
        size = len(pcm)
    else:
        raise TypeError(
            f"push_audio: expected bytes, bytearray or memoryview, got {type(pcm).__name__}"
        )
    if size % BYTES_PER_SAMPLE:
        raise ConfigError(
            f"push_audio: expected whole PCM16 samples (an even number of bytes), got {size} bytes"
        )
    return size
