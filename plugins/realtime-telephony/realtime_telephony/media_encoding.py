"""Encodings a media stream carries, by the vendors' names for them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Final, Literal

from attrs import evolve, field, frozen

from realtime_core.errors import ConfigError
from realtime_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode

__all__ = [
    "ALAW",
    "L16_BIG",
    "L16_LITTLE",
    "L16_RATES_HZ",
    "ULAW",
    "WireEncoding",
    "resolve_encoding",
]

L16_RATES_HZ: Final = (8000, 16000)


@frozen(kw_only=True)
class WireEncoding:
    """How audio stands on the wire."""

    codec: Literal["pcm", "g711_ulaw", "g711_alaw"]
    """As a leg names it."""
    sample_bytes: int
    """Bytes of one sample on the wire."""
    rates_hz: tuple[int, ...]
    """Rates it may have."""
    decode: Callable[[bytes], bytes] = field(repr=False)
    """Wire to PCM16LE; whole samples only."""
    encode: Callable[[bytes], bytes] = field(repr=False)
    """PCM16LE to wire."""
    name: str = ""
    """What the vendor calls it."""
    sample_rate_hz: int = 8000
    """Of this stream."""


def _swapped(pcm: bytes) -> bytes:
    samples = array("H", pcm)
    samples.byteswap()
    return samples.tobytes()


def _same(pcm: bytes) -> bytes:
    return pcm


ULAW: Final = WireEncoding(
    codec="g711_ulaw", sample_bytes=1, rates_hz=(8000,), decode=ulaw_decode, encode=ulaw_encode
)
"""G.711 µ-law, 8 kHz."""
ALAW: Final = WireEncoding(
    codec="g711_alaw", sample_bytes=1, rates_hz=(8000,), decode=alaw_decode, encode=alaw_encode
)
"""G.711 A-law, 8 kHz."""
L16_LITTLE: Final = WireEncoding(
    codec="pcm", sample_bytes=2, rates_hz=L16_RATES_HZ, decode=_same, encode=_same
)
"""PCM16, little-endian."""
L16_BIG: Final = WireEncoding(
    codec="pcm", sample_bytes=2, rates_hz=L16_RATES_HZ, decode=_swapped, encode=_swapped
)
"""PCM16 in network byte order, as RFC 3551 has it."""


def resolve_encoding(
    encodings: Mapping[str, WireEncoding], name: str, sample_rate_hz: int, advice: str
) -> WireEncoding:
    """
    Find the encoding a vendor named.

    Args:
        encodings: What the dialect can carry, by the vendor's names.
        name: The vendor's name for it, any case.
        sample_rate_hz: As the vendor announced it.
        advice: Which setting at the vendor to change, for the error.

    Raises:
        ConfigError: We cannot carry it.
    """
    known = next((key for key in encodings if key.lower() == name.lower()), None)
    if known is None:
        raise ConfigError(
            f"media stream: expected one of {', '.join(encodings)}, got {name[:40]!r}; {advice}"
        )
    encoding = encodings[known]
    if sample_rate_hz not in encoding.rates_hz:
        rates = " or ".join(f"{rate} Hz" for rate in encoding.rates_hz)
        raise ConfigError(
            f"media stream: expected {known} at {rates}, got {sample_rate_hz} Hz; {advice}"
        )
    return evolve(encoding, name=known, sample_rate_hz=sample_rate_hz)
