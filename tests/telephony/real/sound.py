"""Sounds that can be found again in a recording, and the finding."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Found", "Sound", "chirp", "find", "read_wav", "silence", "write_wav"]

Sound = NDArray[np.int16]
"""PCM16 mono, at the rate the context says."""

_HEADER_BYTES: Final = 44


@frozen(kw_only=True)
class Found:
    """Where a sound is in another, and how sure that is."""

    at_s: float
    score: float
    """Normalised correlation, 1 for the same sound."""


def chirp(seconds: float, rate_hz: int, *, low_hz: float = 400, high_hz: float = 3000) -> Sound:
    """Make a tone that rises through the telephone band: one place in it looks like no other."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * (low_hz * t + (high_hz - low_hz) * t**2 / (2 * seconds))
    return np.asarray(8000 * np.sin(phase), dtype=np.int16)


def silence(seconds: float, rate_hz: int) -> Sound:
    """Make nothing."""
    return np.zeros(round(seconds * rate_hz), dtype=np.int16)


def write_wav(path: Path, sound: Sound, rate_hz: int = 8000) -> Path:
    """Write a mono file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(sound.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Sound:
    """Read a mono file, also one whose writer did not live to fill in the length."""
    data = path.read_bytes()[_HEADER_BYTES:]
    return np.frombuffer(data[: len(data) & ~1], dtype="<i2").astype(np.int16)


def find(needle: Sound, haystack: Sound, rate_hz: int = 8000) -> Found:
    """Find where one sound is most alike a stretch of another, at one rate."""
    if not len(needle) or len(haystack) < len(needle):
        return Found(at_s=0.0, score=0.0)
    wanted = needle.astype(np.float64)
    given = haystack.astype(np.float64)
    size = 1 << (len(wanted) + len(given)).bit_length()
    products = np.fft.irfft(np.fft.rfft(given, size) * np.conj(np.fft.rfft(wanted, size)), size)
    products = products[: len(given) - len(wanted) + 1]
    energy = np.concatenate([[0.0], np.cumsum(given**2)])
    norms = np.sqrt((energy[len(wanted) :] - energy[: -len(wanted)]) * np.sum(wanted**2))
    scores = products / np.maximum(norms, 1.0)
    at = int(np.argmax(scores))
    return Found(at_s=at / rate_hz, score=float(scores[at]))
