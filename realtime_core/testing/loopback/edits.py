"""Changes of outgoing events, for `Scenario.rewrite`: small, and to be joined by `chain`."""

from __future__ import annotations

from collections.abc import Callable

from .frames import Event, Rewrite

__all__ = ["before", "chain", "change", "drop", "nth", "repeat"]


def drop(kind: str) -> Rewrite:
    """Swallow every event of a type."""
    return lambda event, _: [] if event["type"] == kind else [event]


def repeat(kind: str, times: int = 2) -> Rewrite:
    """Send every event of a type several times, `event_id` and all."""
    return lambda event, _: [event] * times if event["type"] == kind else [event]


def before(kind: str, *extra: Event) -> Rewrite:
    """Send other events before the first of a type."""

    def run(event: Event, count: int) -> list[Event]:
        if event["type"] != kind or count:
            return [event]
        return [*(dict(other) for other in extra), event]

    return run


def change(kind: str, edit: Callable[[Event], Event]) -> Rewrite:
    """Send what *edit* makes of every event of a type; *edit* returns a new event."""
    return lambda event, _: [edit(event)] if event["type"] == kind else [event]


def nth(number: int, rewrite: Rewrite) -> Rewrite:
    """Apply *rewrite* only to the event with this number, from 0, among those of its type."""
    return lambda event, count: rewrite(event, count) if count == number else [event]


def chain(*rewrites: Rewrite) -> Rewrite:
    """Apply one after the other; each sees what the one before it returned."""

    def run(event: Event, count: int) -> list[Event]:
        events = [event]
        for rewrite in rewrites:
            events = [made for each in events for made in rewrite(each, count)]
        return events

    return run
