"""Recognition with pocketsphinx: sentences of a grammar, or, much less well, free speech."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, final

import numpy as np

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.errors import ConfigError

from .engines import MODEL_RATE_HZ, Heard, Recogniser
from .sphinx_worker import FREE_SPEECH, GRAMMARS
from .vocabulary import check_grammar, dictionary_of, grammar_words

__all__ = ["LEAST_SHARE", "NOISE_FLOOR", "SCORE_THRESHOLD", "SphinxRecogniser"]

SCORE_THRESHOLD: Final = 0.73
"""
Least score of a sentence of the grammar.

Right sentences score 0.72 to 0.88 at 16 kHz, forced ones 0.60 to 0.75; through a telephone's band 0.63 to 0.84 and up to 0.76,
so that more is lost there. Set by `python -m benchmarks local_threshold`, with two voices and sentences that nothing is
judged by; what other voices get is measured by `python -m benchmarks local_recognition`.
"""
LEAST_SHARE: Final = 2 / 3
"""
How much of an utterance's energy must lie in the words of the sentence.

A grammar finds a few of its words in long talk, and in silence too, and takes all else for noise, which costs next to no score.
Right sentences have a share over 0.99; of 33 understood in noise of 6 to 20 dB one had less than this. What is found in three
sentences of talk has 0.2 to 0.6.
"""
NOISE_FLOOR: Final = 60.0
"""Standard deviation of the noise added, of 32768."""

_SEED: Final = 20240229
_FRAME_BYTES: Final = MODEL_RATE_HZ * BYTES_PER_SAMPLE // 100
"""Of the recogniser's frames."""
_LEAST_BYTES: Final = MODEL_RATE_HZ * BYTES_PER_SAMPLE // 10
"""Of less than 100 ms nothing is recognised."""


@final
class SphinxRecogniser(Recogniser):
    """
    Recognises US English.

    pocketsphinx runs in a process of its own, since it holds Python's lock while it works: one for the grammars of all
    sessions, and one for free speech, where that is asked for. Each starts with the first recogniser that needs it, ends
    with the application, and serves one utterance at a time. It is started again when it has died, also of us: after 5 s and
    the length of the utterance, at most 15 s, it counts as stuck. Without an interpreter in `sys.executable`, as in a frozen
    application, there is none.

    The first takes some 80 ms to make, another grammar 20 ms (80 ms with words not looked up before), a grammar that is
    known nothing; recognition takes 20 to 40 ms a second of speech, and the process 28 MB, and 13 MB for each further grammar.
    Free speech takes 0.4 s to load, ten times as long to recognise, and 100 MB. Make it, too, in a worker thread.

    Args:
        grammar: JSGF; `None` for free speech, which gets every second sentence wrong.
        score_threshold: Sentences of the grammar with a lesser score are not recognised, 0 to 1; a grammar has no
            way of its own to say "none of these". The score is the likelihood of a second of the utterance, so long
            sentences have no lesser one than short ones. A sentence which has less than `LEAST_SHARE` of the utterance's
            energy is not recognised whatever its score. Free speech has no score.
        noise_floor: Standard deviation of the noise added, of 32768: exact silence, as muted lines and synthesis
            make it, spoils recognition. Always the same noise, so the same audio gives the same text.
        pronunciations: ARPAbet phones of words that the dictionary does not have.

    Raises:
        ConfigError: The grammar is not JSGF, has no public rule or has words the dictionary does not have, or the process
            cannot be started.
        RealtimeError: The process died, others kept it busy for 10 s, or it did not have models and grammar ready within 10 s.
    """

    def __init__(
        self,
        grammar: str | None,
        *,
        score_threshold: float = SCORE_THRESHOLD,
        noise_floor: float = NOISE_FLOOR,
        pronunciations: Mapping[str, str] | None = None,
    ) -> None:
        if not 0 <= score_threshold <= 1:
            raise ConfigError(f"score_threshold: expected 0 to 1, got {score_threshold!r}")
        if not 0 <= noise_floor <= 1000:
            raise ConfigError(f"noise_floor: expected 0 to 1000, got {noise_floor!r}")
        self._threshold = score_threshold
        self._noise_floor = noise_floor
        self._worker = FREE_SPEECH if grammar is None else GRAMMARS
        self._request: dict[str, Any] = {"grammar": grammar}
        if grammar is not None:
            check_grammar(grammar)
            self._worker.start()  # while the dictionary is read
            words = grammar_words(grammar)
            self._request["dictionary"] = dictionary_of(words, pronunciations or {})
            self._request["word"] = min(words)
        self._worker.ask(self._request)

    def recognise(self, pcm: bytes) -> Heard:
        """
        Recognise a whole utterance, from any thread.

        Raises:
            RealtimeError: The process died, was stuck, or was kept busy by others for 10 s.
        """
        if len(pcm) < _LEAST_BYTES:
            return Heard(text="")
        found = self._worker.ask(self._request, self._with_noise(pcm))
        if found["text"] is None:
            return Heard(text="")
        text: str = found["text"].lower()
        if self._request["grammar"] is None:
            return Heard(text=text)
        score = _a_second(found["likelihood"], len(pcm))
        is_one = (
            score >= self._threshold
            and found["is_sentence"]
            and _share(pcm, found["words"]) >= LEAST_SHARE
        )
        return Heard(text=text if is_one else "", score=score)

    def _with_noise(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
        noise = np.random.default_rng(_SEED).normal(0.0, self._noise_floor, len(samples))
        return np.clip(np.round(samples + noise), -32768, 32767).astype("<i2").tobytes()


def _a_second(likelihood: float, size: int) -> float:
    """Level out the length: every frame makes a sentence less likely, a right one too."""
    score: float = max(0.0, likelihood) ** (MODEL_RATE_HZ * BYTES_PER_SAMPLE / size)
    return score


def _share(pcm: bytes, words: Sequence[tuple[int, int]]) -> float:
    """Give how much of the energy lies in some spans of frames, 0 to 1."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    samples -= np.mean(samples)  # what is constant, as cheap sound cards add it, is no sound
    per_frame = _FRAME_BYTES // BYTES_PER_SAMPLE
    within = sum(
        float(np.sum(np.square(samples[first * per_frame : (last + 1) * per_frame])))
        for first, last in words
    )
    return within / max(1.0, float(np.sum(np.square(samples))))
