"""The outline of a stream of audio."""

from __future__ import annotations

from array import array

import pytest

from realtime_core.peaks import Peaks

RATE_HZ = 8000
STEP = RATE_HZ // 50


def tone(ms: int, level: int) -> bytes:
    return array("h", [level, -level] * (ms * RATE_HZ // 2000)).tobytes()


def test_each_step_has_its_lowest_and_highest_sample() -> None:
    peaks = Peaks(RATE_HZ)
    peaks.add(array("h", [0] * STEP + [7, -3] + [0] * (STEP - 2)).tobytes())
    assert peaks.between(0, 20) == (0, 0)
    assert peaks.between(20, 40) == (-3, 7)
    assert peaks.between(0, 40) == (-3, 7)
    assert peaks.loudest(0, 40) == 7
    assert peaks.between(40, 9000) == (0, 0)
    assert peaks.end_ms == 40


@pytest.mark.parametrize("size", [1, 50, STEP, 333, 4000])
def test_how_the_audio_is_cut_makes_no_difference(size: int) -> None:
    pcm = array("h", [(n * 37) % 2000 - 1000 for n in range(4000)]).tobytes()
    whole, cut = Peaks(RATE_HZ), Peaks(RATE_HZ)
    whole.add(pcm)
    for at in range(0, len(pcm), size * 2):
        cut.add(pcm[at : at + size * 2])
    steps = range(0, 500, 20)
    assert [cut.between(t, t + 20) for t in steps] == [whole.between(t, t + 20) for t in steps]


def test_jitter_moves_nothing_and_a_gap_does() -> None:
    peaks = Peaks(RATE_HZ)
    assert peaks.add(tone(20, 500), 0) == 0
    assert peaks.add(tone(20, 500), 90) == 20
    assert peaks.add(tone(20, 500), 400) == 400
    assert peaks.between(40, 400) == (0, 0)
    assert peaks.add(tone(20, 900), 10) == 10  # what overlaps is joined
    assert peaks.loudest(0, 20) == 900


def test_half_a_sample_and_nothing_are_ignored() -> None:
    peaks = Peaks(RATE_HZ)
    assert peaks.add(b"\x01") == 0
    assert peaks.end_ms == 0


def test_a_long_stream_is_kept_coarser_and_in_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_core.peaks._MOST_STEPS", 9)
    peaks = Peaks(RATE_HZ)
    peaks.add(tone(20, 900))
    peaks.add(tone(300, 10))
    peaks.add(tone(20, 500), 2000)
    assert len(peaks._lows) <= 9
    assert peaks.end_ms == 2020
    assert peaks.loudest(0, 20) == 900
    assert peaks.loudest(1990, 2020) == 500
    assert peaks.loudest(900, 1500) == 0


def test_the_edges_of_sound_are_found() -> None:
    peaks = Peaks(RATE_HZ)
    peaks.add(tone(200, 10))
    peaks.add(tone(300, 8000))
    peaks.add(tone(100, 0))
    peaks.add(tone(100, 8000))
    peaks.add(tone(300, 10))
    assert peaks.onset_before(690, since_ms=0, share=0.1, gap_ms=200) == 200
    assert peaks.onset_before(690, since_ms=0, share=0.1, gap_ms=50) == 600
    assert peaks.sound_before(1000, since_ms=0, share=0.1) == 700
    assert peaks.sound_before(1000, since_ms=800, share=0.1) is None
    assert peaks.onset_before(100, since_ms=0, share=0.1, gap_ms=200) == 100  # all of it is noise
