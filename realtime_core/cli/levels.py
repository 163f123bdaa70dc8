"""How loud audio is."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["SILENT_DBFS", "level_dbfs", "loudest_dbfs"]

SILENT_DBFS = -90.0
"""What digital silence is shown as."""
_WINDOW_S = 0.02


def level_dbfs(pcm: bytes) -> float:
    """Give the RMS level of PCM16LE in dB of full scale, `SILENT_DBFS` at least."""
    samples = np.frombuffer(pcm, dtype="<i2")
    return (
        _dbfs(float(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else SILENT_DBFS
    )


def loudest_dbfs(pcm: bytes, rate_hz: int) -> float:
    """Give the RMS level of the loudest 20 ms of PCM16LE mono, in dB of full scale."""
    samples = np.frombuffer(pcm, dtype="<i2")
    window = int(rate_hz * _WINDOW_S)
    whole = samples[: samples.size // window * window].reshape(-1, window)
    if not whole.size:
        return level_dbfs(pcm)
    return _dbfs(float(np.square(whole, dtype=np.float32).mean(axis=1).max()))


def _dbfs(power: float) -> float:
    return max(SILENT_DBFS, 10 * math.log10(power / 2**30)) if power > 0 else SILENT_DBFS
