"""
What the model in the box understands: ten sentences of the shipped script and ten of none, by every voice there is.

Each is spoken by a synthesiser, cut out by detector and endpointing as in a session, and recognised; once at 16 kHz,
once through a telephone's band and mu-law steps at 8 kHz. Two of the voices set the recogniser's threshold, with
other sentences (`benchmarks.local_threshold`); the rest have had no part in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from realtime_core.backends.soxr import SoxrResampler
from realtime_core.errors import ConfigError
from realtime_local._listener import PAUSE_MS
from realtime_local.endpointing import Endpointing, SpeechEnded, SpeechPaused
from realtime_local.engines import MODEL_RATE_HZ, Recogniser, Synthesiser
from realtime_local.espeak import EspeakLibrarySynthesiser
from realtime_local.flite import FliteSynthesiser
from realtime_local.recogniser import SCORE_THRESHOLD, SphinxRecogniser
from realtime_local.script_grammar import grammar_of
from realtime_local.script_matching import Matcher
from realtime_local.script_reading import demo_script
from realtime_local.vad import WebrtcDetector
from tests.local.phrases import OFF_SCRIPT, ON_SCRIPT

__all__ = [
    "TUNING_VOICES",
    "Attempt",
    "Understood",
    "attempts",
    "heard_by_endpointing",
    "script_recogniser",
    "understood",
    "voices",
]

TUNING_VOICES: Final = ("slt", "en-us")
"""Whose scores set the threshold: one of flite, one of espeak-ng."""
_LINES: Final = ("16 kHz", "telephone")
_EDGE: Final = bytes(MODEL_RATE_HZ * 2 * 6 // 10)
"""Digital silence before and after, 600 ms."""


@frozen(kw_only=True)
class Attempt:
    """One sentence, said once."""

    said: str
    heard: str
    """Empty when no sentence of the grammar was found."""
    score: float
    is_right: bool
    """Whether what was heard means what was said: the same intent, the same values."""
    ms: float
    """From a whole utterance to its text."""


@frozen(kw_only=True)
class Understood:
    """How one voice was understood over one line."""

    voice: str
    line: str
    right: int
    """Of the ten sentences of the script."""
    rejected: int
    """Of the ten others."""
    scores_right: list[float]
    """Of those heard rightly, accepted or not, least first."""
    scores_forced: list[float]
    """Of the others that a sentence of the grammar was found for, greatest last."""
    ms: float
    """Median of recognition."""


def telephone(pcm: bytes) -> bytes:
    """Take a sound at 16 kHz through 300 to 3400 Hz, 8 kHz and 8 bits of mu-law steps."""
    down, up = SoxrResampler(16000, 8000), SoxrResampler(8000, 16000)
    samples = np.frombuffer(down.process(pcm) + down.flush(), dtype="<i2") / 32768
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / 8000)
    spectrum[(hz < 300) | (hz > 3400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(samples)), -1, 1)
    steps = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log1p(255) * 127) / 127
    heard: npt.NDArray[np.float64] = np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(255)) / 255
    coarse = np.clip(np.round(heard * 32768), -32768, 32767).astype("<i2").tobytes()
    return up.process(coarse) + up.flush()


def heard_by_endpointing(pcm: bytes) -> bytes:
    """Cut the utterances out of a recording as a session gives them to be recognised, and join them."""
    detector = WebrtcDetector()
    endpointing = Endpointing(
        frame_ms=detector.frame_ms, frames_to_start=detector.frames_to_start, pause_ms=PAUSE_MS
    )
    utterances, paused = [], b""
    for frame in endpointing.cut(pcm):
        match endpointing.judge(frame, detector.is_speech(frame)):
            case SpeechPaused(pcm=so_far):
                paused = so_far
            case SpeechEnded():
                utterances.append(paused)
            case _:
                pass
    return b"".join(utterances)


def voices() -> Iterator[tuple[Synthesiser, str]]:
    """Give every voice of every engine that is there; says which engine is not."""
    try:
        flite = FliteSynthesiser()
        yield from ((flite, voice) for voice in ("slt", "rms", "awb", "kal"))
    except ConfigError as error:
        print(f"flite left out: {error}")
    try:
        yield EspeakLibrarySynthesiser(), "en-us"
    except ConfigError as error:
        print(f"espeak-ng left out: {error}")


def script_recogniser() -> Recogniser:
    """Give the recogniser of the shipped script that rejects nothing for its score."""
    return SphinxRecogniser(grammar_of(demo_script()), score_threshold=0.0)


def attempts(
    recogniser: Recogniser, synthesiser: Synthesiser, voice: str, line: str, said: Sequence[str]
) -> Iterator[Attempt]:
    """
    Say sentences and have them recognised.

    Args:
        recogniser: Of the shipped script.
        synthesiser: Who speaks.
        voice: In which of its voices.
        line: `16 kHz` or `telephone`.
        said: The sentences.
    """
    script = demo_script()
    matcher = Matcher(script)

    def meaning(text: str) -> object:
        if match := matcher.match(text):
            return match.intent.name, match.slots
        return next(filter(None, (matcher.match_answer(text, slot) for slot in script.slots)), None)

    for sentence in said:
        pcm = _spoken(synthesiser, voice, sentence)
        utterance = heard_by_endpointing(telephone(pcm) if line == "telephone" else pcm)
        began = perf_counter()
        heard = recogniser.recognise(utterance)
        ms = (perf_counter() - began) * 1000
        yield Attempt(
            said=sentence,
            heard=heard.text,
            score=heard.score or 0.0,
            is_right=bool(heard.text) and meaning(heard.text) == meaning(sentence),
            ms=ms,
        )


def _spoken(synthesiser: Synthesiser, voice: str, text: str) -> bytes:
    pcm = b"".join(synthesiser.speak(text, voice))
    if synthesiser.sample_rate_hz != MODEL_RATE_HZ:
        resampler = SoxrResampler(synthesiser.sample_rate_hz, MODEL_RATE_HZ)
        pcm = resampler.process(pcm) + resampler.flush()
    return _EDGE + pcm + _EDGE


def understood(threshold: float = SCORE_THRESHOLD) -> list[Understood]:
    """
    Measure every voice over both lines.

    Args:
        threshold: Least score.
    """
    recogniser = script_recogniser()
    rows = []
    for synthesiser, voice in voices():
        for line in _LINES:
            on = list(attempts(recogniser, synthesiser, voice, line, ON_SCRIPT))
            off = list(attempts(recogniser, synthesiser, voice, line, OFF_SCRIPT))
            rows.append(
                _row(
                    f"{voice} (tuning)" if voice in TUNING_VOICES else voice,
                    line,
                    threshold,
                    on,
                    off,
                )
            )
    return rows


def _row(
    voice: str, line: str, threshold: float, on: Sequence[Attempt], off: Sequence[Attempt]
) -> Understood:
    scores_right = sorted(each.score for each in on if each.is_right)
    scores_forced = sorted(each.score for each in off if each.heard)
    return Understood(
        voice=voice,
        line=line,
        right=sum(score >= threshold for score in scores_right),
        rejected=len(off) - sum(score >= threshold for score in scores_forced),
        scores_right=[round(score, 2) for score in scores_right],
        scores_forced=[round(score, 2) for score in scores_forced],
        ms=round(float(np.median([each.ms for each in (*on, *off)])), 1),
    )
