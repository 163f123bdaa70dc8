"""
How much of what we sent was played, by a peer that plays at its own pace and answers marks.

A mark that was answered is the truth as of then. From it the clock runs, at the speed of speech, up to the next mark that was
not answered yet. A peer that leaves a mark unanswered for `GRACE_S` beyond its time does not answer marks, or lost it: from
there the clock is believed. All of it in samples given by the caller; silence we add ourselves does not count.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field

__all__ = ["GRACE_S", "PlayedPosition"]

GRACE_S = 1.0
"""How late an answer to a mark may be before the clock is believed."""


@define
class _Mark:
    name: str
    samples: int


@define
class PlayedPosition:
    """
    Where the caller's ear is.

    Args:
        sample_rate_hz: Of the samples counted.
    """

    sample_rate_hz: int
    given: int = field(default=0, init=False)
    """Samples sent, flushed ones taken off."""
    unanswered: int = field(default=0, init=False)
    """Marks that were given up."""
    _floor: int = field(default=0, init=False)
    """What was told already; never falls."""
    _base: int = field(default=0, init=False)
    _base_time: float = field(default=0.0, init=False)
    _marks: deque[_Mark] = field(factory=deque, init=False)
    _count: int = field(default=0, init=False)
    _dropped: dict[str, int] = field(factory=dict, init=False)
    """Marks of before the last flush."""
    played_at_flush: int = field(default=0, init=False)
    """What the last flush told, corrected since."""
    _marked: int = field(default=0, init=False)
    """Where the last mark stands that is not in the queue any more."""

    def sent(self, samples: int, now: float) -> None:
        """Count samples that went out."""
        if self.played(now) >= self.given:
            self._base, self._base_time = self.given, now
        self.given += samples

    def next_mark(self) -> str:
        """Name a mark that stands behind all that went out."""
        self._count += 1
        name = str(self._count)
        self._marks.append(_Mark(name, self.given))
        return name

    @property
    def unmarked(self) -> int:
        """Samples that went out behind the last mark, answered or not."""
        return self.given - (self._marks[-1].samples if self._marks else self._marked)

    def answered(self, name: str, now: float) -> None:
        """Take the answer to a mark; those before it count as answered, unknown ones are ignored."""
        if not any(mark.name == name for mark in self._marks):
            return
        while True:
            mark = self._marks.popleft()
            if mark.name == name:
                break
        self._reach(mark, now)

    def _reach(self, mark: _Mark, now: float) -> None:
        self._base, self._base_time = mark.samples, now
        self._marked = mark.samples
        self._floor = max(self._floor, mark.samples)

    def played(self, now: float) -> int:
        """Estimate the samples played."""
        while True:
            by_clock = self._base + int((now - self._base_time) * self.sample_rate_hz + 1e-6)
            if not self._marks:
                break
            mark = self._marks[0]
            due = self._due(mark)
            if now < due + GRACE_S:
                by_clock = min(by_clock, mark.samples)
                break
            self._marks.popleft()
            self.unanswered += 1
            self._reach(mark, due)
        self._floor = max(self._floor, min(by_clock, self.given))
        return self._floor

    def _due(self, mark: _Mark) -> float:
        return self._base_time + (mark.samples - self._base) / self.sample_rate_hz

    def confirmed(self, now: float) -> int:
        """Give the samples whose mark was answered, or given up as overdue."""
        self.played(now)
        return self._marked

    def overdue_at(self) -> float:
        """Say when, without any answer, the first mark is given up."""
        if not self._marks:
            return self._base_time
        return self._due(self._marks[0]) + GRACE_S

    def ahead_s(self, now: float) -> float:
        """How much waits at the peer, in seconds."""
        return (self.given - self.played(now)) / self.sample_rate_hz

    def flush(self, now: float) -> int:
        """Take off all that was not played; marks that stand are dropped. Returns what was played."""
        played = self.played(now)
        self._dropped = {mark.name: mark.samples for mark in self._marks}
        self._marks.clear()
        self.given = self._base = self._marked = self.played_at_flush = played
        self._base_time = now
        return played

    def played_before_clear(self, name: str) -> None:
        """Take the answer to a mark of before the flush from a peer that answers only those it played."""
        samples = self._dropped.pop(name, None)
        if samples is None or samples <= self.played_at_flush:
            return
        more = samples - self.played_at_flush
        self.played_at_flush = samples
        self.given += more
        self._base += more
        self._marked += more
        self._floor += more
        for mark in self._marks:
            mark.samples += more
