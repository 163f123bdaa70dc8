"""Synthetic speech: loud and quiet, voiced and noisy, the same on every run."""

from __future__ import annotations

import numpy as np


def utterance(
    rate_hz: int = 24000, *, ms: int = 1200, lead_ms: int = 500, tail_ms: int = 1200
) -> bytes:
    """PCM16: *ms* of a voice-like signal with quiet line noise before and after it."""
    noise = np.random.default_rng(7)
    moments = np.arange(rate_hz * ms // 1000) / rate_hz
    loudness = 0.7 + 0.3 * np.sin(2 * np.pi * 4 * moments)
    voice = 7000 * np.sin(2 * np.pi * 190 * moments) + 900 * noise.standard_normal(moments.size)
    line = 8 * noise.standard_normal(rate_hz * (lead_ms + tail_ms) // 1000)
    lead, tail = np.split(line, [rate_hz * lead_ms // 1000])
    return np.concatenate((lead, voice * loudness, tail)).astype("<i2").tobytes()


def silence(rate_hz: int = 24000, *, ms: int) -> bytes:
    """PCM16 zeros."""
    return bytes(rate_hz * ms // 1000 * 2)
