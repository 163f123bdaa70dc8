"""Sounds at 16 kHz, and the engines that may be absent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from realtime_core.backends.soxr import SoxrResampler
from realtime_local.engines import MODEL_RATE_HZ, Synthesiser
from realtime_local.espeak import EspeakLibrarySynthesiser
from realtime_local.flite import FliteSynthesiser

needs_flite = pytest.mark.skipif(which("flite") is None, reason="flite is not on PATH")
needs_espeak_library = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


def silence(ms: int) -> bytes:
    """Give digital silence."""
    return bytes(MODEL_RATE_HZ * 2 * ms // 1000)


def noise(ms: int, level: float, seed: int = 3) -> bytes:
    """Give white noise of a root mean square."""
    samples = np.random.default_rng(seed).normal(0.0, level, MODEL_RATE_HZ * ms // 1000)
    return np.clip(np.round(samples), -32768, 32767).astype("<i2").tobytes()


def mixed(one: bytes, other: bytes) -> bytes:
    """Add two sounds as long as each other."""
    total = np.frombuffer(one, "<i2").astype(np.int32) + np.frombuffer(other, "<i2")
    pcm: bytes = np.clip(total, -32768, 32767).astype("<i2").tobytes()
    return pcm


def narrow(pcm: bytes) -> bytes:
    """Take a sound to 8 kHz and back, as a telephone does."""
    down, up = SoxrResampler(16000, 8000), SoxrResampler(8000, 16000)
    return up.process(down.process(pcm) + down.flush()) + up.flush()


def any_synthesiser() -> Synthesiser:
    """Give one of the real engines, or skip the test."""
    if which("flite"):
        return FliteSynthesiser()
    if find_spec("espeakng_loader"):
        return EspeakLibrarySynthesiser()
    pytest.skip("neither flite nor espeakng-loader is there")


def spoken(text: str) -> bytes:
    """Give a sentence at 16 kHz."""
    engine = any_synthesiser()
    pcm = b"".join(engine.speak(text, None))
    if engine.sample_rate_hz == MODEL_RATE_HZ:
        return pcm
    resampler = SoxrResampler(engine.sample_rate_hz, MODEL_RATE_HZ)
    return resampler.process(pcm) + resampler.flush()


def children_of(parent: int) -> Iterator[int]:
    """Give the processes that a process started and that live, or died and were not waited for."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                yield int(stat.parent.name)


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def until(reached: Callable[[], bool]) -> bool:
    """Wait for what a thread or a process brings about, 30 s long."""
    for _ in range(3000):
        if reached():
            return True
        time.sleep(0.01)
    return False
