"""What a script says: values only. `script_reading` makes them of a TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from realtime_local.script_phrases import Node

__all__ = [
    "BUILTINS",
    "DigitsSlot",
    "Form",
    "Intent",
    "ListSlot",
    "Script",
    "Slot",
    "SlotValue",
    "ToolUse",
]

BUILTINS = ("time", "weekday", "date", "last")
"""Values every answer may be filled in with: time of day, weekday, date, and what was said last."""


@frozen
class SlotValue:
    """What a slot came to hold."""

    value: str | int
    """For a tool: a digit string, a number, the value of a list."""
    spoken: str
    """For an answer: in words."""


@frozen
class Form:
    """One way to say a value of a list."""

    words: tuple[str, ...]
    """As the caller says it."""
    value: SlotValue
    """What it means."""


@frozen(kw_only=True)
class DigitsSlot:
    """Digits, spoken one by one."""

    name: str
    """What phrases and answers call it."""
    shortest: int
    """Fewest digits."""
    longest: int
    """Most digits."""
    answers: tuple[Node, ...]
    """How the caller may answer the question for it."""


@frozen(kw_only=True)
class ListSlot:
    """A value of a list, or a small number."""

    name: str
    """What phrases and answers call it."""
    forms: tuple[Form, ...]
    """What may be said."""
    answers: tuple[Node, ...]
    """How the caller may answer the question for it."""


Slot = DigitsSlot | ListSlot
"""A part of a sentence which differs from call to call."""


@frozen(kw_only=True)
class ToolUse:
    """A tool an intent calls."""

    name: str
    """Of the tool."""
    arguments: Mapping[str, Any]
    """Constants of any kind, and texts to fill in; a text that is one slot alone takes the slot's value."""
    after: tuple[str, ...]
    """Said with its result; empty: nothing."""
    failed: tuple[str, ...]
    """Said when it failed or its result lacks a field."""
    missing: tuple[str, ...] | None
    """Said when the application does not offer it; `None`: the intent's own answer."""


@frozen(kw_only=True)
class Intent:
    """Something the caller may want."""

    name: str
    """For logs and tests."""
    phrases: tuple[Node, ...]
    """How it is said."""
    answers: tuple[str, ...]
    """What is said to it, used in turn; with a tool before it is called."""
    needs: tuple[str, ...]
    """Slots that must be known before it is answered, in the order they are asked for."""
    asks: Mapping[str, tuple[str, ...]]
    """The question for a slot that was not said."""
    tool: ToolUse | None = None
    """What it calls."""


@frozen(kw_only=True)
class Script:
    """A whole script."""

    source: str
    """File it was read from, for errors."""
    greeting: tuple[str, ...]
    """Said first, used in turn."""
    fallback: tuple[str, ...]
    """Said to what was not understood, used in turn."""
    apology: str
    """Said when a reply fails."""
    slots: Mapping[str, Slot] = field(repr=False)
    """By name."""
    intents: tuple[Intent, ...] = field(repr=False)
    """In the order of the file; the first that matches wins."""
    pronunciations: Mapping[str, str] = field(factory=dict, repr=False)
    """ARPAbet phones of words that a dictionary may not have, such as names."""
