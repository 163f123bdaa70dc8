"""
The mean of an utterance's cepstra, by which recognition levels out microphone and line.

pocketsphinx decodes best when it knows the mean beforehand, which it does of an utterance given in one piece; but
then it holds Python's lock until it is done, 50 to 100 ms in which no event loop runs. Given in small pieces it
lets go, but follows a running mean, and half of the sentences are lost. So the pieces go through twice: first to
learn the mean, with next to nothing to search for, then to decode. The mean that the decoder tells then still
contains what it began with; that part is taken out here.
"""

from __future__ import annotations

from typing import Final

__all__ = ["START", "mean_of"]

START: Final = "40,3,-1,0,0,0,0,0,0,0,0,0,0"
"""The mean to begin the first pass with: the decoder's own."""

_WINDOW: Final = 500
"""What `START` counts for, in frames; CMN_WIN of pocketsphinx."""
_HIGH_WATER: Final = 800
"""With more frames than that all weights shrink so that their sum is the window's; CMN_WIN_HWM."""


def mean_of(told: str, frames: int) -> str:
    """
    Take the start out of the mean told after the first pass.

    Args:
        told: What `Decoder.get_cmn(True)` gave.
        frames: How many frames went through, at least one.

    Returns:
        For `Decoder.set_cmn`.
    """
    total, of_start = float(_WINDOW), float(_WINDOW)
    for _ in range(frames):
        total += 1
        if total > _HIGH_WATER:
            of_start *= _WINDOW / total
            total = float(_WINDOW)
    pairs = zip(told.split(","), START.split(","), strict=True)
    means = [
        (float(mean) * total - float(start) * of_start) / (total - of_start)
        for mean, start in pairs
    ]
    return ",".join(f"{mean:.4f}" for mean in means)
