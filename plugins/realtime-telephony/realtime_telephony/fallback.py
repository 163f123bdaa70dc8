"""What the caller hears when the agent fails."""

from __future__ import annotations

import wave
from importlib.resources import files
from pathlib import Path

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.errors import ConfigError

__all__ = ["fallback_audio"]

_LONGEST_S = 60
_RATES_HZ = range(4_000, 192_001)
# `wave` has errors of its own, and lets RuntimeError through for a chunk that ends too soon.
_UNREADABLE = (OSError, EOFError, wave.Error, RuntimeError)


def fallback_audio(path: Path | None, sample_rate_hz: int) -> bytes:
    """
    Read the fallback, at the rate of the leg.

    Args:
        path: WAV, 16-bit PCM, mono, any rate; `None` is a short apology in English.
        sample_rate_hz: Of the leg.

    Returns:
        PCM16LE mono.

    Raises:
        ConfigError: The file cannot be read, or is something else.
    """
    name = "the shipped apology" if path is None else str(path)
    source = files("realtime_telephony") / "audio" / "apology.wav" if path is None else path
    try:
        with source.open("rb") as raw, wave.open(raw) as file:
            rate_hz, pcm = _read(file, name)
    except _UNREADABLE as error:
        what = str(error) or type(error).__name__
        raise ConfigError(f"fallback: {name} cannot be read: {what}") from error
    if rate_hz == sample_rate_hz:
        return pcm
    from realtime_core.backends.soxr import SoxrResampler

    resampler = SoxrResampler(rate_hz, sample_rate_hz)
    return resampler.process(pcm) + resampler.flush()


def _read(file: wave.Wave_read, name: str) -> tuple[int, bytes]:
    kind = (file.getnchannels(), file.getsampwidth())
    if kind != (1, 2):
        raise ConfigError(
            f"fallback: expected 16-bit PCM in mono, got {kind[0]} channels of {kind[1] * 8} bits in {name}"
        )
    rate_hz = file.getframerate()
    if rate_hz not in _RATES_HZ:
        raise ConfigError(
            f"fallback: expected a rate of {_RATES_HZ[0]} to {_RATES_HZ[-1]} Hz, got {rate_hz} in {name}"
        )
    if file.getnframes() > rate_hz * _LONGEST_S:
        raise ConfigError(f"fallback: {name} is longer than {_LONGEST_S} s")
    pcm = file.readframes(file.getnframes())
    if len(pcm) < BYTES_PER_SAMPLE:
        raise ConfigError(f"fallback: there is no audio in {name}")
    return rate_hz, pcm[: len(pcm) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE]  # a file may be cut off
