"""The silence that a voice begins with: up to a quarter of a second, in which a caller waits for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

__all__ = ["LONGEST_LEAD_MS", "without_lead"]

LONGEST_LEAD_MS: Final = 400
"""So much silence is taken off at most; who begins with more means it."""

_SILENT: Final = 100
"""Samples up to this, of 32768, are silence."""
_KEPT_MS: Final = 30
"""So much of it stays, lest a soft consonant be cut."""


def without_lead(chunks: Iterable[bytes], sample_rate_hz: int) -> Iterator[bytes]:
    """
    Take the silence off the beginning.

    Args:
        chunks: PCM16LE mono.
        sample_rate_hz: Its rate.

    Yields:
        The rest, from 30 ms before the first sound on. Chunks are passed on as they come.
    """
    most = LONGEST_LEAD_MS * sample_rate_hz // 1000 * 2
    kept = _KEPT_MS * sample_rate_hz // 1000 * 2
    lead, dropped, begun = b"", 0, False
    for chunk in chunks:
        if begun:
            yield chunk
            continue
        lead += chunk
        begins = _first_sound(lead)
        begun = begins is not None or dropped + len(lead) >= most + kept
        silent = len(lead) if begins is None else begins
        start = max(0, min(silent - kept, most - dropped)) // 2 * 2
        lead, dropped = lead[start:], dropped + start
        if begun:
            yield lead
    if not begun and lead:  # nothing but silence, and short
        yield lead


def _first_sound(pcm: bytes) -> int | None:
    samples = np.abs(np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2").astype(np.int32))
    loud = samples > _SILENT
    return int(loud.argmax()) * 2 if loud.any() else None
