"""
Where the recogniser's threshold comes from: two voices, thirty sentences of the shipped script and thirty of none.

The threshold is the one with which most of the sentences come out right at 16 kHz: those of the script understood, the
others rejected. Mostly a whole span of thresholds is equally good; then it is the middle of the span. The ten sentences
and the voices by which the model in the box is judged have no part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from benchmarks.local_recognition import (
    TUNING_VOICES,
    Attempt,
    attempts,
    script_recogniser,
    voices,
)
from tests.local.phrases import TUNING_OFF_SCRIPT, TUNING_ON_SCRIPT

__all__ = ["Tuning", "tuned"]

_STEPS: Final = [step / 1000 for step in range(500, 1000)]


@frozen(kw_only=True)
class Tuning:
    """What the tuning voices say of the threshold."""

    threshold: float
    """The best, of two digits."""
    least: float
    """With which as many come out right."""
    greatest: float
    """With which as many come out right."""
    right: int
    """How many sentences come out right with it."""
    of: int
    """How many there are."""


def tuned() -> Tuning:
    """
    Find the threshold.

    Raises:
        LookupError: A voice is not there.
    """
    recogniser = script_recogniser()
    on: list[Attempt] = []
    off: list[Attempt] = []
    missing = set(TUNING_VOICES)
    for synthesiser, voice in voices():
        if voice in TUNING_VOICES:
            missing.discard(voice)
            on += attempts(recogniser, synthesiser, voice, "16 kHz", TUNING_ON_SCRIPT)
            off += attempts(recogniser, synthesiser, voice, "16 kHz", TUNING_OFF_SCRIPT)
    if missing:
        raise LookupError(f"the threshold needs the voices {', '.join(sorted(missing))}")
    right = [_right(on, off, threshold) for threshold in _STEPS]
    best = [step for step, count in zip(_STEPS, right, strict=True) if count == max(right)]
    return Tuning(
        threshold=round((best[0] + best[-1]) / 2, 2),
        least=best[0],
        greatest=best[-1],
        right=max(right),
        of=len(on) + len(off),
    )


def _right(on: Sequence[Attempt], off: Sequence[Attempt], threshold: float) -> int:
    understood = sum(each.is_right and each.score >= threshold for each in on)
    rejected = sum(not each.heard or each.score < threshold for each in off)
    return understood + rejected
