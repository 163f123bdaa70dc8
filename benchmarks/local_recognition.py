"""
What the model in the box understands: ten sentences of a grammar and ten of none, by every voice there is.

Each is spoken by a synthesiser, cut out by detector and endpointing as in a session, and recognised; once at 16 kHz,
once through a telephone's band and A-law-like steps at 8 kHz. The threshold was last moved with
all of these voices in view, so none of them is an independent test of it.
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
from realtime_local.engines import MODEL_RATE_HZ, Synthesiser
from realtime_local.espeak import EspeakLibrarySynthesiser
from realtime_local.flite import FliteSynthesiser
from realtime_local.recogniser import SCORE_THRESHOLD, SphinxRecogniser
from realtime_local.vad import WebrtcDetector
from tests.local.phrases import OFF_SCRIPT, ON_SCRIPT

__all__ = ["GRAMMAR", "Understood", "heard_by_endpointing", "understood"]

GRAMMAR: Final = """#JSGF V1.0;
grammar desk;
<number> = one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve;
<digit> = zero | oh | one | two | three | four | five | six | seven | eight | nine;
<day> = today | tomorrow | tonight | monday | tuesday | wednesday | thursday | friday | saturday | sunday;
public <sentence> = what time is it
 | [please] book a table for <number> [<day>]
 | (i would like | i want) a table for <number>
 | [please] transfer me to (a human | the manager | the kitchen)
 | what is the weather [<day>]
 | i want to (cancel | change) my (order | booking | reservation)
 | (can | could) you (repeat | say) that [again] [please]
 | my (account | phone | order) number is <digit>+
 | [please] stop [talking]
 | how much (does it cost | is it)
 | when do you (open | close)
 | good bye | thank you [very much] | yes [please] | no [thank you] | hello;
"""

_EDGE: Final = bytes(MODEL_RATE_HZ * 2 * 6 // 10)
"""Digital silence before and after, 600 ms."""


@frozen(kw_only=True)
class Understood:
    """How one voice was understood over one line."""

    voice: str
    line: str
    right: int
    """Of the ten sentences of the grammar."""
    rejected: int
    """Of the ten others."""
    scores_right: list[float]
    """Of those decoded right, accepted or not, least first."""
    scores_forced: list[float]
    """Of the others that a sentence of the grammar was found for, greatest last."""
    ms: float
    """Median of recognition, from a whole utterance to its text."""


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


def _spoken(synthesiser: Synthesiser, voice: str, text: str) -> bytes:
    pcm = b"".join(synthesiser.speak(text, voice))
    if synthesiser.sample_rate_hz != MODEL_RATE_HZ:
        resampler = SoxrResampler(synthesiser.sample_rate_hz, MODEL_RATE_HZ)
        pcm = resampler.process(pcm) + resampler.flush()
    return _EDGE + pcm + _EDGE


def _voices() -> Iterator[tuple[Synthesiser, str]]:
    try:
        flite = FliteSynthesiser()
        yield from ((flite, voice) for voice in ("slt", "rms", "awb", "kal"))
    except ConfigError as error:
        print(f"flite left out: {error}")
    try:
        yield EspeakLibrarySynthesiser(), "en-us"
    except ConfigError as error:
        print(f"espeak-ng left out: {error}")


def understood(grammar: str = GRAMMAR, threshold: float = SCORE_THRESHOLD) -> list[Understood]:
    """
    Measure every voice over both lines.

    Args:
        grammar: JSGF that has all of `ON_SCRIPT` and none of `OFF_SCRIPT`.
        threshold: Least score.
    """
    recogniser = SphinxRecogniser(grammar, score_threshold=0.0)
    return [
        _measure(recogniser, threshold, synthesiser, voice, line)
        for synthesiser, voice in _voices()
        for line in ("16 kHz", "telephone")
    ]


def _measure(
    recogniser: SphinxRecogniser, threshold: float, synthesiser: Synthesiser, voice: str, line: str
) -> Understood:
    times: list[float] = []

    def recognise(sentences: Sequence[str]) -> Iterator[tuple[str, str, float]]:
        for sentence in sentences:
            pcm = _spoken(synthesiser, voice, sentence)
            utterance = heard_by_endpointing(telephone(pcm) if line == "telephone" else pcm)
            began = perf_counter()
            heard = recogniser.recognise(utterance)
            times.append((perf_counter() - began) * 1000)
            yield sentence, heard.text, heard.score or 0.0

    on, off = list(recognise(ON_SCRIPT)), list(recognise(OFF_SCRIPT))
    scores_right = sorted(score for said, text, score in on if said == text)
    scores_forced = sorted(score for _, text, score in off if text)
    return Understood(
        voice=voice,
        line=line,
        right=sum(score >= threshold for score in scores_right),
        rejected=len(off) - sum(score >= threshold for score in scores_forced),
        scores_right=[round(score, 2) for score in scores_right],
        scores_forced=[round(score, 2) for score in scores_forced],
        ms=round(float(np.median(times)), 1),
    )
