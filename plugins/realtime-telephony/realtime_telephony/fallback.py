"""What the caller hears when the agent fails."""

from __future__ import annotations

import wave
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from realtime_core.errors import ConfigError

__all__ = ["fallback_audio"]

_LONGEST_S = 60


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
    try:
        if path is None:
            data = (files("realtime_telephony") / "audio" / "apology.wav").read_bytes()
        else:
            data = path.read_bytes()
        with wave.open(BytesIO(data)) as file:
            rate_hz, pcm = _read(file, name)
    except (OSError, EOFError, wave.Error) as error:
        raise ConfigError(f"fallback: {name} cannot be read: {error}") from error
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
    if file.getnframes() > rate_hz * _LONGEST_S:
        raise ConfigError(f"fallback: {name} is longer than {_LONGEST_S} s")
    return rate_hz, file.readframes(file.getnframes())
