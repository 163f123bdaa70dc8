"""Audio formats of the wires: PCM16 at several rates and G.711, decoded and encoded by table."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import numpy.typing as npt
import soxr
from attrs import frozen

__all__ = ["Samples", "WireFormat", "convert"]

Samples = npt.NDArray[np.int16]


@frozen
class WireFormat:
    """
    One direction's audio format.

    Attributes:
        coding: `pcm` is signed 16-bit little-endian; the others are G.711, one byte a sample.
        rate_hz: Samples per second; mono always.
    """

    coding: Literal["pcm", "ulaw", "alaw"] = "pcm"
    rate_hz: int = 24000

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self.coding == "pcm" else 1

    @property
    def bytes_per_ms(self) -> int:
        """Bytes of one millisecond."""
        return self.rate_hz * self.sample_bytes // 1000

    def decode(self, audio: bytes | bytearray | memoryview) -> Samples:
        """Return *audio* (whole samples) as 16-bit samples."""
        if self.coding == "pcm":
            return np.frombuffer(audio, dtype="<i2")
        table = _ulaw_table() if self.coding == "ulaw" else _alaw_table()
        return table[np.frombuffer(audio, dtype=np.uint8)]

    def encode(self, samples: Samples) -> bytes:
        """Return 16-bit *samples* as bytes of this format."""
        if self.coding == "pcm":
            return samples.astype("<i2").tobytes()
        table = _ulaw_table() if self.coding == "ulaw" else _alaw_table()
        return _nearest(table)[samples.astype(np.int32) + 32768].tobytes()


def convert(audio: bytes, source: WireFormat, target: WireFormat) -> bytes:
    """
    Return *audio* in another format; unchanged, byte for byte, when the formats are equal.

    Args:
        audio: Whole samples in *source*.
        source: The format of *audio*.
        target: The format wanted. Unequal rates are resampled as one whole signal.
    """
    if source == target:
        return audio
    samples = source.decode(audio)
    if source.rate_hz != target.rate_hz:
        samples = soxr.resample(samples, source.rate_hz, target.rate_hz)
    return target.encode(samples)


@functools.cache
def _ulaw_table() -> Samples:
    # ITU-T G.711, table 2a: inverted bits, biased by 33 (132 at 16-bit scale).
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((codes & 0x0F) << 3) + 0x84 << ((codes & 0x70) >> 4)) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


@functools.cache
def _alaw_table() -> Samples:
    # ITU-T G.711, table 1a: even bits inverted (0x55), sign bit set means positive.
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (codes & 0x70) >> 4
    mantissa = (codes & 0x0F) << 4
    magnitude = np.where(
        segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0)
    )
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


_NEAREST: dict[int, npt.NDArray[np.uint8]] = {}


def _nearest(table: Samples) -> npt.NDArray[np.uint8]:
    """Return, for each 16-bit value from -32768, the code whose level is nearest."""
    known = _NEAREST.get(id(table))
    if known is None:
        order = np.argsort(table, kind="stable")
        levels = table[order].astype(np.int32)
        middles = (levels[1:] + levels[:-1]) / 2
        values = np.arange(-32768, 32768)
        known = order[np.searchsorted(middles, values)].astype(np.uint8)
        _NEAREST[id(table)] = known
    return known
