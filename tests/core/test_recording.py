"""The stereo recording: alignment, bounded memory, and files that are whole whatever happens."""

from __future__ import annotations

import wave
from array import array
from pathlib import Path

import pytest

from realtime_core import ConfigError
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.recording import StereoRecording

RATE_HZ = 8000


def ramp(first: int, count: int) -> bytes:
    return array("h", [n % 30000 + 1 for n in range(first, first + count)]).tobytes()


def sides(path: Path) -> tuple[list[int], list[int]]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        both = array("h", file.readframes(file.getnframes()))
    return list(both[0::2]), list(both[1::2])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "call.wav"


def test_the_caller_is_left_and_what_was_heard_is_right(path: Path) -> None:
    recording = StereoRecording(path, RATE_HZ)
    for at in range(0, 16000, 160):
        recording.caller(ramp(at, 160))
        recording.heard(ramp(at + 7, 160))
    assert recording.duration_s == 2
    recording.close()
    recording.close()
    recording.caller(ramp(0, 160))  # ignored
    left, right = sides(path)
    assert array("h", left).tobytes() == ramp(0, 16000)
    assert array("h", right).tobytes() == ramp(7, 16000)
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE_HZ


def test_the_shorter_side_is_silent_at_the_end(path: Path) -> None:
    recording = StereoRecording(path, RATE_HZ)
    recording.caller(ramp(0, 10))
    recording.close()
    assert sides(path) == ([*range(1, 11)], [0] * 10)


def test_a_call_without_audio_is_a_file_without_audio(path: Path) -> None:
    StereoRecording(path, RATE_HZ).close()
    assert sides(path) == ([], [])


def test_a_gap_is_filled_with_silence_and_jitter_is_not(path: Path) -> None:
    recording = StereoRecording(path, RATE_HZ)
    recording.caller(ramp(0, 160), 0)
    recording.caller(ramp(0, 160), 60)  # late by 40 ms: clocks jitter
    recording.caller(ramp(0, 160), 1000)
    recording.heard(ramp(0, 160), 3500)
    recording.close()
    left, right = sides(path)
    assert left[:320] == [*range(1, 161)] * 2
    assert set(left[320:8000]) == {0}
    assert left[8000:8160] == [*range(1, 161)]
    assert set(right[:28000]) == {0}
    assert right[28000:] == [*range(1, 161)]


def test_memory_is_bounded_when_a_side_says_nothing(path: Path) -> None:
    recording = StereoRecording(path, RATE_HZ)
    for at in range(0, 80000, 160):
        recording.caller(ramp(at, 160))
        assert len(recording._caller.waiting) <= 2 * 2 * RATE_HZ + 320
    recording.heard(ramp(0, 160))  # it is back, and right behind the silence
    recording.close()
    left, right = sides(path)
    assert array("h", left).tobytes() == ramp(0, 80000)
    at = right.index(1)
    assert RATE_HZ * 8 < at < RATE_HZ * 10
    assert right[at : at + 160] == [*range(1, 161)]


@pytest.mark.parametrize("caller_hz", [8000, 16000, 48000])
def test_sides_of_other_rates_stay_aligned(caller_hz: int, path: Path) -> None:
    recording = StereoRecording(
        path, 24000, caller_rate_hz=caller_hz, heard_rate_hz=24000, resampler=SoxrResampler
    )
    for beat in range(150):  # a beep in the last of three seconds
        level = 8000 if beat >= 100 else 0
        recording.caller(array("h", [level] * (caller_hz // 50)).tobytes())
        recording.heard(array("h", [level] * 480).tobytes())
    recording.close()
    left, right = sides(path)
    assert len(left) == len(right) == pytest.approx(72000, abs=2)
    assert right.index(8000) == 48000
    first = next(n for n, sample in enumerate(left) if sample > 4000)
    assert first == pytest.approx(48000, abs=3)


def test_a_side_that_was_silent_for_long_is_still_aligned(path: Path) -> None:
    recording = StereoRecording(path, RATE_HZ, caller_rate_hz=11025, resampler=SoxrResampler)
    silent, at = 120 * RATE_HZ, 0
    while at < silent:
        count = min(137, silent - at)  # no whole number of samples of the caller's
        recording.heard(bytes(2 * count), at * 1000 / RATE_HZ)
        at += count
    loud = array("h", [20000] * 8000).tobytes()
    recording.caller(loud, silent * 1000 / RATE_HZ)
    recording.heard(loud, silent * 1000 / RATE_HZ)
    recording.close()
    begins = [next(n for n, s in enumerate(side) if s > 10000) for side in sides(path)]
    assert begins[1] == silent
    assert abs(begins[0] - begins[1]) <= 2  # a quarter of a millisecond


def test_a_process_that_dies_leaves_a_whole_file(path: Path) -> None:
    recording = StereoRecording(path, RATE_HZ)
    for at in range(0, 20000, 160):
        recording.caller(ramp(at, 160))
        recording.heard(ramp(at, 160))
    left, _ = sides(path)  # not closed
    assert RATE_HZ <= len(left) < 20000
    assert array("h", left).tobytes() == ramp(0, len(left))
    assert path.stat().st_size == 44 + 4 * len(left)
    recording.close()


def test_a_wav_ends_where_its_header_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_core.recording._MOST_BYTES", 4 * 10000)
    recording = StereoRecording(path, RATE_HZ)
    recording.caller(ramp(0, 16000))
    recording.heard(ramp(0, 16000))
    recording.close()
    assert len(sides(path)[0]) == 10000
    assert recording.dropped_s == 0.75
    assert recording.duration_s == 1.25


def test_wrong_use_says_what_was_expected(path: Path) -> None:
    with pytest.raises(ConfigError, match="give a resampler"):
        StereoRecording(path, 24000, caller_rate_hz=8000)
    with pytest.raises(ConfigError, match="expected sample rates above 0"):
        StereoRecording(path, 0)
    assert not path.exists()
    recording = StereoRecording(path, RATE_HZ)
    with pytest.raises(ConfigError, match="heard: expected whole PCM16 samples"):
        recording.heard(b"\0")
    recording.close()
    with pytest.raises(FileNotFoundError):
        StereoRecording(path.parent / "nowhere" / "call.wav", RATE_HZ)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_at_once() -> None:
    with pytest.raises(OSError, match="No space left"):
        StereoRecording("/dev/full", RATE_HZ)
