"""Recognition with pocketsphinx: sentences of a grammar, or, much less well, free speech."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, final

import numpy as np
import pocketsphinx

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.errors import ConfigError

from .cepstral_mean import START, mean_of
from .engines import MODEL_RATE_HZ, Heard, Recogniser
from .vocabulary import check_grammar, dictionary_of, grammar_words

__all__ = ["NOISE_FLOOR", "SCORE_THRESHOLD", "SphinxRecogniser"]

SCORE_THRESHOLD: Final = 0.73
"""
Least score of a sentence of the grammar.

Right sentences score 0.72 to 0.88 at 16 kHz, forced ones 0.60 to 0.75; through a telephone's band 0.63 to 0.84 and up to 0.76,
so that more is lost there. Set by `python -m benchmarks local_threshold`, with two voices and sentences that nothing is
judged by; what other voices get is measured by `python -m benchmarks local_recognition`.
"""
NOISE_FLOOR: Final = 60.0
"""Standard deviation of the noise added, of 32768."""

_SEED: Final = 20240229
_PIECE_BYTES: Final = MODEL_RATE_HZ * BYTES_PER_SAMPLE // 20
"""What is decoded at once, 50 ms: 1 to 3 ms of work under Python's lock."""
_LEAST_BYTES: Final = MODEL_RATE_HZ * BYTES_PER_SAMPLE // 10
"""Of less than 100 ms nothing is recognised."""
_GRAMMAR: Final = "grammar"
_FREE: Final = "_default"
_LEARN: Final = "learn"


@final
class SphinxRecogniser(Recogniser):
    """
    Recognises US English.

    With a grammar: 20 ms to make (80 ms for a grammar not seen before), 20 to 60 ms a second of speech. Free speech
    shares one decoder between all sessions, which takes 0.5 s to load and 150 MB, and, at the end of an utterance,
    holds Python's lock for up to half a second. Make it, too, in a worker thread.

    Args:
        grammar: JSGF; `None` for free speech, which gets every second sentence wrong.
        score_threshold: Sentences of the grammar with a lesser score are not recognised, 0 to 1; a grammar has no
            way of its own to say "none of these". The score is the likelihood of a second of the utterance, so long
            sentences have no lesser one than short ones. Free speech has no score.
        noise_floor: Standard deviation of the noise added, of 32768: exact silence, as muted lines and synthesis
            make it, spoils recognition. Always the same noise, so the same audio gives the same text.
        pronunciations: ARPAbet phones of words that the dictionary does not have.

    Raises:
        ConfigError: The grammar is not JSGF, has no public rule or has words the dictionary does not have.
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
        self._has_grammar = grammar is not None
        if grammar is None:
            self._decoder, self._lock = _free_decoder()
        else:
            self._decoder, self._lock = _grammar_decoder(grammar, pronunciations or {}), Lock()

    def recognise(self, pcm: bytes) -> Heard:
        """Recognise a whole utterance, from any thread."""
        if len(pcm) < _LEAST_BYTES:
            return Heard(text="")
        noisy = self._with_noise(pcm)
        with self._lock:
            self._decode(noisy, _LEARN, START)
            frames = self._decoder.n_frames()
            mean = mean_of(self._decoder.get_cmn(True), frames) if frames else START
            self._decode(noisy, _GRAMMAR if self._has_grammar else _FREE, mean)
            best = self._decoder.hyp()
        if best is None:
            return Heard(text="")
        text = str(best.hypstr)
        if not self._has_grammar:
            return Heard(text=text.lower())
        score = _a_second(float(best.best_score), len(pcm))
        is_one = score >= self._threshold and self._is_sentence(text)
        return Heard(text=text.lower() if is_one else "", score=score)

    def _is_sentence(self, text: str) -> bool:
        """Tell a sentence of the grammar from one that broke off in the middle."""
        return bool(self._decoder.get_fsg(_GRAMMAR).accept(text))

    def _with_noise(self, pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
        noise = np.random.default_rng(_SEED).normal(0.0, self._noise_floor, len(samples))
        return np.clip(np.round(samples + noise), -32768, 32767).astype("<i2").tobytes()

    def _decode(self, pcm: bytes, search: str, mean: str) -> None:
        self._decoder.activate_search(search)
        self._decoder.reinit_feat()  # set_cmn sets the mean, but not for how many frames it counts
        self._decoder.set_cmn(mean)
        self._decoder.start_utt()
        for at in range(0, len(pcm), _PIECE_BYTES):
            self._decoder.process_raw(pcm[at : at + _PIECE_BYTES])
            time.sleep(0)  # lets go of Python's lock
        self._decoder.end_utt()


def _a_second(likelihood: float, size: int) -> float:
    """Level out the length: every frame makes a sentence less likely, a right one too."""
    score: float = max(0.0, likelihood) ** (MODEL_RATE_HZ * BYTES_PER_SAMPLE / size)
    return score


def _grammar_decoder(grammar: str, pronunciations: Mapping[str, str]) -> Any:
    check_grammar(grammar)
    words = grammar_words(grammar)
    with tempfile.TemporaryDirectory(prefix="realtime-local-") as folder:
        path = Path(folder, "words.dict")
        path.write_text(dictionary_of(words, pronunciations), encoding="utf-8")
        # The search for a better path through what was found costs more than all the rest, in one go and with Python's
        # lock held, and finds nothing better in a grammar.
        decoder = _decoder(lm=None, dict=str(path), bestpath=False)
    try:
        decoder.add_jsgf_string(_GRAMMAR, grammar)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            "grammar: expected JSGF with a public rule that ends somewhere"
        ) from error
    return _prepared(decoder, min(words))


@lru_cache(maxsize=1)
def _free_decoder() -> tuple[Any, Lock]:
    decoder = _decoder(
        lm=pocketsphinx.get_model_path("en-us/en-us.lm.bin"),
        dict=pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"),
        maxhmmpf=3000,
    )
    return _prepared(decoder, "hello"), Lock()


def _decoder(**settings: Any) -> Any:
    return pocketsphinx.Decoder(
        hmm=pocketsphinx.get_model_path("en-us/en-us"), loglevel="FATAL", **settings
    )


def _prepared(decoder: Any, word: str) -> Any:
    """Add a search which is as good as none, to learn the mean with."""
    decoder.add_jsgf_string(_LEARN, f"#JSGF V1.0; grammar learn; public <learn> = {word};")
    return decoder
