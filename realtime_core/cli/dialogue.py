"""Several recordings as one side of a conversation: what the caller says next, and when. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.cli.wav import Recording

__all__ = ["FRAME_MS", "PATIENCE_MS", "PAUSE_MS", "Dialogue", "Ear"]

FRAME_MS = 20
"""Length of the pieces sent, in ms."""
PAUSE_MS = 600.0
"""How long a person waits before answering, in ms."""
PATIENCE_MS = 15_000.0
"""After how much silence of the other side a person goes on without an answer, in ms."""


@frozen(kw_only=True)
class Ear:
    """What the caller knows of the other side; times are those of the call."""

    t_ms: float
    """Now."""
    answer_ms: float | None = None
    """When the first audio of the answer to the recording said last was heard."""
    is_answered: bool = False
    """That answer is complete and was heard to its end."""
    is_idle: bool = False
    """Nothing goes on: no speech is being heard, no reply made or played."""


class Dialogue:
    """
    Says one recording after the other.

    The first begins at once. The next begins `pause_ms` after the answer to the one before was heard to its end; or,
    where it is to interrupt, so many ms after the first audio of that answer was heard (as usual when the answer is
    shorter). Without an answer it begins after `patience_ms` in which nothing went on.

    Args:
        recordings: At least one; all at the same rate.
        pause_ms: Between the end of an answer and the next recording.
        interrupts: By the number of a recording, from 0: how long the answer before it is listened to, in ms.
        patience_ms: How long nothing may go on.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        pause_ms: float = PAUSE_MS,
        interrupts: Mapping[int, float] | None = None,
        patience_ms: float = PATIENCE_MS,
    ) -> None:
        self._recordings = recordings
        self._pause_ms = pause_ms
        self._interrupts = interrupts or {}
        self._patience_ms = patience_ms
        self._rate_hz = recordings[0].rate_hz
        self._frames = 0
        self._current = 0
        self._at = self._said_bytes = 0
        self._answered_since: float | None = None
        self._idle_since: float | None = None

    @property
    def current(self) -> int:
        """Number of the recording that is said, or was said last, from 0."""
        return self._current

    @property
    def said_s(self) -> float:
        """How much of the recordings was said, in seconds."""
        return self._said_bytes / BYTES_PER_SAMPLE / self._rate_hz

    @property
    def is_speaking(self) -> bool:
        """Whether a recording is being said."""
        return self._at < len(self._recordings[self._current].pcm)

    @property
    def is_done(self) -> bool:
        """Whether all was said."""
        return self._current == len(self._recordings) - 1 and not self.is_speaking

    def frame(self, ear: Ear) -> bytes:
        """Give the next `FRAME_MS` of the caller: speech or silence; exactly as long on average at any rate."""
        if not self.is_speaking and not self.is_done and self._goes_on(ear):
            self._current += 1
            self._at = 0
            self._answered_since = self._idle_since = None
        before = self._frames * self._rate_hz * FRAME_MS // 1000
        self._frames += 1
        samples = self._frames * self._rate_hz * FRAME_MS // 1000 - before
        size = samples * BYTES_PER_SAMPLE
        pcm = self._recordings[self._current].pcm[self._at : self._at + size]
        self._at += len(pcm)
        self._said_bytes += len(pcm)
        return pcm.ljust(size, b"\0")

    def _goes_on(self, ear: Ear) -> bool:
        if not ear.is_answered:
            self._answered_since = None
        elif self._answered_since is None:
            self._answered_since = ear.t_ms
        if not ear.is_idle:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = ear.t_ms
        listens_ms = self._interrupts.get(self._current + 1)
        return (
            _is_past(ear.answer_ms, listens_ms, ear.t_ms)
            or _is_past(self._answered_since, self._pause_ms, ear.t_ms)
            or _is_past(self._idle_since, self._patience_ms, ear.t_ms)
        )


def _is_past(since_ms: float | None, ms: float | None, now_ms: float) -> bool:
    return since_ms is not None and ms is not None and now_ms - since_ms >= ms
