"""The silence before the first word."""

from __future__ import annotations

import pytest

from realtime_core.testing.speech import silence
from realtime_local.lead import LONGEST_LEAD_MS, without_lead

RATE_HZ = 16000
SOUND = b"\x00\x10" * (RATE_HZ // 10)


def cut(pcm: bytes, size: int) -> bytes:
    chunks = (pcm[at : at + size] for at in range(0, len(pcm), size))
    return b"".join(without_lead(chunks, RATE_HZ))


@pytest.mark.parametrize("size", [2, 640, 4096, 100_000, 333])
@pytest.mark.parametrize(
    ("lead_ms", "left_ms"), [(0, 0), (10, 10), (30, 30), (31, 30), (240, 30), (400, 30), (700, 300)]
)
def test_what_is_silent_before_the_first_sound_is_left_out(
    size: int, lead_ms: int, left_ms: int
) -> None:
    assert cut(silence(lead_ms, RATE_HZ) + SOUND, size) == silence(left_ms, RATE_HZ) + SOUND


@pytest.mark.parametrize("size", [640, 4096, 100_000])
def test_silence_alone_stays_bounded(size: int) -> None:
    assert cut(b"", size) == b""
    assert cut(silence(20, RATE_HZ), size) == silence(20, RATE_HZ)
    assert cut(silence(2000, RATE_HZ), size) == silence(2000 - LONGEST_LEAD_MS, RATE_HZ)


def test_silence_later_on_is_speech_too() -> None:
    pcm = SOUND + silence(500, RATE_HZ) + SOUND
    assert cut(pcm, 640) == pcm


def test_what_follows_the_first_sound_is_passed_on_as_it_comes() -> None:
    given = iter([silence(100, RATE_HZ), SOUND, b"\1\0", b"\2\0"])
    passed = without_lead(given, RATE_HZ)
    assert next(passed).endswith(SOUND)
    assert next(passed) == b"\1\0"
    assert next(given) == b"\2\0"
