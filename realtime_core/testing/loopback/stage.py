"""What a response needs to know to be performed, and the steps a performance is made of."""

from __future__ import annotations

from enum import Enum, auto

from attrs import frozen

from .conversation import Conversation
from .dialects import DialectFacts
from .frames import Event, Ids
from .settings import Settings
from .usage import Meter

__all__ = ["Pause", "Stage", "Step", "Wait"]


class Wait(Enum):
    """A performance stands still."""

    RELEASE = auto()
    """Until it is released or cancelled."""


@frozen
class Pause:
    """
    A performance rests, to keep its pace.

    Attributes:
        seconds: How long.
    """

    seconds: float


Step = Event | Pause | Wait
"""One step: an event without `event_id`, or a rest."""


@frozen(kw_only=True)
class Stage:
    """
    The session as one response sees it.

    Attributes:
        facts: The dialect.
        ids: Where identifiers come from.
        conversation: Where items go.
        meter: Token counts.
        settings: Settings in force for this response.
        config: The session object in force.
        speed: Times faster than real time; None sends in one burst.
        in_conversation: False for an out-of-band response (`conversation: "none"`).
    """

    facts: DialectFacts
    ids: Ids
    conversation: Conversation
    meter: Meter
    settings: Settings
    config: Event
    speed: float | None
    in_conversation: bool = True
