"""Tones, and what is left of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATES = (8000, 16000, 24000, 48000)
LOUD = 8000
"""Peak of a tone, a quarter of full scale."""
DITHER = 2
"""What soxr's dither may change, and make of silence, in steps of 16 bits."""


def tone(rate_hz: int, seconds: float, hz: float = 440.0) -> bytes:
    """Give a tone as PCM16LE mono."""
    moments = np.arange(int(rate_hz * seconds)) / rate_hz
    return (LOUD * np.sin(2 * np.pi * hz * moments)).astype("<i2").tobytes()


def noise(samples: int, seed: int = 7) -> bytes:
    """Give full-scale noise as PCM16LE mono."""
    levels = np.random.default_rng(seed).integers(-32768, 32768, samples)
    return levels.astype("<i2").tobytes()


def samples_of(pcm: bytes | bytearray) -> Samples:
    """Read PCM16LE mono."""
    return np.frombuffer(bytes(pcm), dtype="<i2")


def peak(pcm: bytes) -> int:
    """Give the largest step away from silence."""
    return int(np.abs(samples_of(pcm).astype(np.int32)).max(initial=0))


def same_sound(one: bytes, other: bytes) -> bool:
    """Compare as long as each other, and alike but for dither."""
    if len(one) != len(other):
        return False
    difference = samples_of(one).astype(np.int32) - samples_of(other).astype(np.int32)
    return int(np.abs(difference).max(initial=0)) <= DITHER


def chunks_of(pcm: bytes, rate_hz: int, chunk_ms: int = 20) -> list[bytes]:
    """Cut PCM16LE mono."""
    size = rate_hz * chunk_ms // 1000 * 2
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


def middle_of(pcm: bytes | bytearray, rate_hz: int, edge_s: float = 0.1) -> Samples:
    """Leave out the edges, where a filter rings."""
    edge = int(rate_hz * edge_s)
    return samples_of(pcm)[edge:-edge]


def loudest_hz(pcm: bytes | bytearray, rate_hz: int) -> float:
    """Give the frequency of the strongest part, to a tenth of a Hz."""
    window = np.hanning(len(samples_of(pcm)))
    spectrum = np.abs(np.fft.rfft(samples_of(pcm) * window, n=rate_hz * 10))
    return float(np.argmax(spectrum)) / 10


def level_and_rest_db(pcm: bytes | bytearray, rate_hz: int, hz: float) -> tuple[float, float]:
    """Fit a tone to the middle; give its peak, and what is not the tone, in dB below it."""
    heard = middle_of(pcm, rate_hz).astype(np.float64)
    angle = 2 * np.pi * hz * np.arange(len(heard)) / rate_hz
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, heard, rcond=None)
    rest = heard - basis @ fit
    peak = float(np.hypot(*fit))
    return peak, float(20 * np.log10(np.sqrt(np.mean(rest**2)) * np.sqrt(2) / peak))
