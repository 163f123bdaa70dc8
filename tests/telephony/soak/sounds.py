"""What the callers of the soak say."""

from __future__ import annotations

import numpy as np

from realtime_core.testing.speech import speech_like
from tests.telephony.real.sound import Sound, silence

__all__ = ["LOOP_S", "caller_loop", "caller_of"]

RATE_HZ = 8000
LOOP_S = 16.0
"""A caller says something, cuts the answer short after some seconds, hears the next answer out, and begins again."""
_SPEAKS_AT_S = (1.0, 5.5)
_UTTERANCE_S = 1.0


def caller_loop() -> Sound:
    """Give one round of it."""
    utterance = np.frombuffer(speech_like(round(_UTTERANCE_S * 1000), RATE_HZ), dtype="<i2")
    loop = silence(LOOP_S, RATE_HZ)
    for at_s in _SPEAKS_AT_S:
        start = round(at_s * RATE_HZ)
        loop[start : start + len(utterance)] = utterance
    return loop


def caller_of(seconds: float, *, tail_s: float) -> Sound:
    """Give rounds of it for a whole call, then silence: a phone that plays a file hangs up at its end."""
    rounds = np.tile(caller_loop(), int(seconds // LOOP_S) + 1)[: round(seconds * RATE_HZ)]
    return np.concatenate([rounds, silence(tail_s, RATE_HZ)])
