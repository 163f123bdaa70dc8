"""
G.711: µ-law and A-law, the telephone's 8 kHz codecs, by table look-up (ITU-T G.711).

One byte a sample on the wire, PCM16LE here. Standard library only.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cache
from sys import byteorder
from typing import Literal

from realtime_core.errors import ConfigError

__all__ = [
    "SAMPLE_RATE_HZ",
    "Companding",
    "alaw_decode",
    "alaw_encode",
    "ulaw_decode",
    "ulaw_encode",
]

SAMPLE_RATE_HZ = 8000
"""The only rate of G.711."""

Companding = Literal["ulaw", "alaw"]
"""Which law: µ-law in North America and Japan, A-law elsewhere."""

_ULAW_BIAS = 33  # on 14 bits
_ULAW_CLIP = 8159 - _ULAW_BIAS


def _ulaw_sample(code: int) -> int:
    code = ~code & 0xFF
    magnitude = ((((code & 0x0F) << 1) + _ULAW_BIAS) << ((code & 0x70) >> 4)) - _ULAW_BIAS
    return -4 * magnitude if code & 0x80 else 4 * magnitude


def _alaw_sample(code: int) -> int:
    code ^= 0x55
    magnitude = (code & 0x0F) << 4
    segment = (code & 0x70) >> 4
    magnitude = magnitude + 8 if segment == 0 else magnitude + 0x108 << segment - 1
    return magnitude if code & 0x80 else -magnitude


def _ulaw_code(sample: int) -> int:
    # The law is defined on 14 bits; the shift rounds down, as in the reference coder.
    sample >>= 2
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _ULAW_CLIP) + _ULAW_BIAS
    exponent = magnitude.bit_length() - 6
    return ~(sign | exponent << 4 | magnitude >> exponent + 1 & 0x0F) & 0xFF


def _alaw_code(sample: int) -> int:
    # Defined on 13 bits; negative samples count from -1, which falls into the first step.
    sample >>= 3
    sign, magnitude = (0x80, sample) if sample >= 0 else (0, -sample - 1)
    exponent = max(magnitude.bit_length() - 5, 0)
    mantissa = magnitude >> max(exponent, 1) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


@cache
def _decode_tables(law: Companding) -> tuple[bytes, bytes]:
    """Low and high byte of the sample of every code, for `bytes.translate`."""
    sample_of = _ulaw_sample if law == "ulaw" else _alaw_sample
    samples = [sample_of(code) & 0xFFFF for code in range(256)]
    return bytes(s & 0xFF for s in samples), bytes(s >> 8 for s in samples)


@cache
def _encode_look_up(law: Companding) -> Callable[[int], int]:
    """Code of every sample, taken as unsigned."""
    code_of = _ulaw_code if law == "ulaw" else _alaw_code
    return bytes(code_of(s - 0x10000 if s >= 0x8000 else s) for s in range(0x10000)).__getitem__


def _decode(codes: bytes | bytearray | memoryview, law: Companding) -> bytes:
    low, high = _decode_tables(law)
    codes = bytes(codes)
    pcm = bytearray(2 * len(codes))
    pcm[0::2] = codes.translate(low)
    pcm[1::2] = codes.translate(high)
    return bytes(pcm)


def _encode(pcm: bytes | bytearray | memoryview, law: Companding) -> bytes:
    samples = array("H")
    try:
        samples.frombytes(pcm)
    except ValueError:
        raise ConfigError(
            f"G.711: expected whole PCM16 samples (an even number of bytes), got {len(pcm)} bytes"
        ) from None
    if byteorder == "big":
        samples.byteswap()
    return bytes(map(_encode_look_up(law), samples))


def ulaw_decode(codes: bytes | bytearray | memoryview) -> bytes:
    """Expand µ-law, one byte a sample, to PCM16LE."""
    return _decode(codes, "ulaw")


def ulaw_encode(pcm: bytes | bytearray | memoryview) -> bytes:
    """
    Compress PCM16LE to µ-law, one byte a sample.

    Raises:
        ConfigError: An odd number of bytes.
    """
    return _encode(pcm, "ulaw")


def alaw_decode(codes: bytes | bytearray | memoryview) -> bytes:
    """Expand A-law, one byte a sample, to PCM16LE."""
    return _decode(codes, "alaw")


def alaw_encode(pcm: bytes | bytearray | memoryview) -> bytes:
    """
    Compress PCM16LE to A-law, one byte a sample.

    Raises:
        ConfigError: An odd number of bytes.
    """
    return _encode(pcm, "alaw")
