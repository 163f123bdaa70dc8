"""What a `Timeline` keeps of a call: plain values, times in ms since its begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

__all__ = ["LOST_STEP_MS", "BargeIn", "Failure", "Latency", "Span", "ToolUse", "Words"]

LOST_STEP_MS = 40
"""Length of a step of `BargeIn.lost`, in ms."""


@frozen
class Span:
    """A stretch of time."""

    start_ms: float
    """From here."""
    end_ms: float
    """To here."""


@frozen
class Words:
    """What was said, and when."""

    text: str
    """Of one utterance or message item, whole as far as it is known."""
    start_ms: float
    """Of the speech."""
    end_ms: float
    """Of the speech, or of what was heard of it."""
    heard_share: float = 1.0
    """How much of its audio was heard, 0 to 1; below 1 where it was cut."""


@frozen
class ToolUse:
    """A call of a tool."""

    call_id: str
    """The model's."""
    name: str
    """Of the tool."""
    arguments: Mapping[str, Any]
    """Parsed."""
    t_ms: float
    """When the model called."""
    answer: str | None = None
    """What the model was told, once it is known."""
    answered_ms: float | None = None
    """When it was told."""


@frozen
class BargeIn:
    """A reply that was cut."""

    t_ms: float
    """When the line fell silent."""
    heard_ms: int
    """How much of the reply was heard."""
    cut_ms: int
    """How much that was there already was not heard."""
    truncated: bool
    """Whether the model knows."""
    lost: Sequence[tuple[int, int]] = field(factory=list, repr=False)
    """Outline of what was not heard: lowest and highest sample of each `LOST_STEP_MS`; the first minute."""


@frozen
class Failure:
    """An error."""

    message: str
    """For a person."""
    t_ms: float
    """When it came."""
    fatal: bool
    """Whether it ended the call."""


@frozen
class Latency:
    """How long a caller waited for an answer."""

    ended_ms: float
    """When the caller fell silent."""
    answered_ms: float
    """When the answer was first heard."""

    @property
    def ms(self) -> float:
        """The time between."""
        return self.answered_ms - self.ended_ms
