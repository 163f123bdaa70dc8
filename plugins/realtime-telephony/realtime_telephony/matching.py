"""Which calls a route takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from realtime_core.toml_file import Table
from realtime_telephony.leg import CallInfo

__all__ = ["LEG_KINDS", "MATCH_KEYS", "Match", "read_match"]

LEG_KINDS: Final = ("asterisk", "audiosocket", "plivo", "telnyx", "twilio")
"""The kinds of legs there are."""
MATCH_KEYS: Final = ("leg", "dialled", "caller", "uuid", "parameters")
"""The conditions a route may have."""


def _fits(patterns: tuple[str, ...], value: str | None) -> bool:
    """Whether one of the patterns fits; none at all means no condition, and `*` takes a value that is missing."""
    if not patterns:
        return True
    return any(_fits_one(pattern, value) for pattern in patterns)


def _fits_one(pattern: str, value: str | None) -> bool:
    if pattern == "*":
        return True
    if value is None:
        return False
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern


def _covers(patterns: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Whether every value that fits the others fits the patterns, too."""
    if not patterns or "*" in patterns:
        return True
    return bool(others) and all(_fits(patterns, other) for other in others)


@frozen(kw_only=True)
class Match:
    """
    Conditions, all of which a call has to meet; of a condition's patterns one is enough.

    A pattern is a whole value, a beginning with `*` behind it, or `*` for any.
    """

    leg: tuple[str, ...] = ()
    """Kinds of legs."""
    dialled: tuple[str, ...] = ()
    """Patterns of the extension or number that was called."""
    caller: tuple[str, ...] = ()
    """Patterns of the caller's number."""
    uuid: tuple[str, ...] = ()
    """Patterns of AudioSocket's UUID, in small letters; other legs have none."""
    parameters: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """Patterns by the parameter's name; a parameter that is missing fits nothing."""

    def fits(self, call: CallInfo) -> bool:
        """Whether a call meets all conditions."""
        return (
            (not self.leg or call.leg in self.leg)
            and _fits(self.dialled, call.dialled)
            and _fits(self.caller, call.caller)
            and (not self.uuid or call.leg == "audiosocket")
            and _fits(self.uuid, call.call_id.lower())
            and all(
                name in call.parameters and _fits(patterns, call.parameters[name])
                for name, patterns in self.parameters.items()
            )
        )

    @property
    def possible_legs(self) -> tuple[str, ...]:
        """The kinds of legs its calls can be on."""
        return ("audiosocket",) if self.uuid else self.leg or LEG_KINDS

    def hides(self, later: Match) -> bool:
        """Whether a later route plainly never gets a call: whatever fits it fits this one."""
        return (
            set(later.possible_legs) <= set(self.possible_legs)
            and _covers(self.dialled, later.dialled)
            and _covers(self.caller, later.caller)
            and _covers(self.uuid, later.uuid)
            and all(
                name in later.parameters and _covers(patterns, later.parameters[name])
                for name, patterns in self.parameters.items()
            )
        )

    def describe(self) -> str:
        """Say the conditions in a line."""
        conditions = {
            "leg": self.leg,
            "dialled": self.dialled,
            "caller": self.caller,
            "uuid": self.uuid,
            **self.parameters,
        }
        said = [f"{name} {'|'.join(patterns)}" for name, patterns in conditions.items() if patterns]
        return ", ".join(said)


def _patterns(table: Table, key: str) -> tuple[str, ...]:
    patterns = table.texts(key)
    for pattern in patterns:
        if "*" in pattern[:-1]:
            raise table.error(f"expected * only at the end, got {pattern!r}", key)
    return patterns


def read_match(table: Table) -> Match:
    """
    Read the conditions of a route.

    Raises:
        ConfigError: None at all, or a wrong one.
    """
    legs = table.texts("leg")
    for leg in legs:
        if leg not in LEG_KINDS:
            raise table.error(f"expected {', '.join(LEG_KINDS)}, got {leg!r}", "leg")
    parameters = table.table("parameters")
    match = Match(
        leg=legs,
        dialled=_patterns(table, "dialled"),
        caller=_patterns(table, "caller"),
        uuid=tuple(pattern.lower() for pattern in _patterns(table, "uuid")),
        parameters={name: _patterns(parameters, name) for name in parameters.values()},
    )
    if match == Match():
        raise table.error(
            f'expected a condition, one of {", ".join(MATCH_KEYS)}; `dialled = "*"` takes every call',
            "dialled",
        )
    if match.uuid and match.leg and "audiosocket" not in match.leg:
        raise table.error("only calls on audiosocket have one", "uuid")
    return match
