"""Where in the picture of a call a moment is."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from realtime_core.timeline import Timeline
from realtime_core.timeline_marks import BargeIn, Failure, Latency, Span, Words

__all__ = ["GUTTER", "RIGHT", "WIDTH", "Mark", "Sheet", "Stretch", "seconds", "wait"]

WIDTH = 1000.0
"""Of the picture: on a page or in a README its letters are still large enough to read."""
GUTTER = 118.0
"""Room left of the time line."""
RIGHT = 24.0
"""Room right of it."""


def seconds(ms: float) -> str:
    """Write a duration for a person."""
    if ms < 59_950:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(round(ms / 1000), 60)
    return f"{minutes} min {rest} s"


def wait(ms: float) -> str:
    """Write how long somebody waited."""
    return f"{ms:.0f} ms" if ms < 999.5 else f"{ms / 1000:.1f} s"


@frozen(order=True)
class Mark:
    """Something that happened at a moment."""

    t_ms: float
    """The moment."""
    class_: str
    """Of the style sheet."""
    words: str
    """What it was."""


@frozen(kw_only=True)
class Sheet:
    """What is common to all rows; of the call it holds what would be costly to ask for in each."""

    timeline: Timeline
    """What is drawn."""
    said: Sequence[Words]
    """By the caller."""
    replied: Sequence[Words]
    """By the assistant."""
    caller_spans: Sequence[Span]
    """When the caller spoke."""
    assistant_spans: Sequence[Span]
    """When the assistant was heard."""
    latencies: Sequence[Latency]
    """How long answers took."""
    barge_ins: Sequence[BargeIn]
    """Replies that were cut."""
    failures: Sequence[Failure]
    """Errors."""
    marks: Sequence[Mark]
    """What happened, in words."""
    px_per_s: float
    """How wide a second is."""
    loudest: int
    """Sample of the caller's that fills the height."""
    loudest_heard: int
    """The same of the assistant's."""


@frozen
class Stretch:
    """A row's stretch of the time line."""

    sheet: Sheet
    """What is common to all rows."""
    span: Span
    """From when to when."""
    is_last: bool
    """Whether what happens at its very end belongs to it."""

    @property
    def right(self) -> float:
        """Where its time ends."""
        return self.x(self.span.end_ms)

    @property
    def edge(self) -> float:
        """How far right texts may go."""
        return WIDTH - RIGHT

    def x(self, t_ms: float) -> float:
        """Give the place of a moment; what is outside is at the border."""
        inside = min(max(t_ms, self.span.start_ms), self.span.end_ms)
        return GUTTER + (inside - self.span.start_ms) / 1000 * self.sheet.px_per_s

    def has(self, t_ms: float) -> bool:
        """Say whether a moment belongs to this row."""
        is_before_end = t_ms < self.span.end_ms or self.is_last
        return self.span.start_ms <= t_ms and is_before_end

    def touches(self, start_ms: float, end_ms: float) -> bool:
        """Say whether some of a stretch of time is in this row."""
        return end_ms > self.span.start_ms and start_ms < self.span.end_ms
