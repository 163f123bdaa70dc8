"""How a call went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from realtime_core.stats import SessionStats

__all__ = ["CallReport", "EndedBy"]

EndedBy = Literal["caller", "agent", "transfer", "failure", "network", "us"]
"""
Who ended a call: the caller; the model by its tool, by hanging up or by `transfer`; a failure of the agent or of a transfer,
after the fallback was played; the network or the peer; or whoever cancelled `attach`.
"""


@frozen(kw_only=True)
class CallReport:
    """How a call went."""

    ended_by: EndedBy
    """Who ended it."""
    detail: str
    """More, for the log."""
    duration_s: float
    """From `attach` to the end, in seconds."""
    stats: SessionStats
    """The agent's figures."""
    digits: str
    """What the caller pressed, in order."""
    error: str | None = None
    """Why the agent failed, or the transfer, if it did."""
    barge_ins: int = 0
    """How often the caller, or a cancel, cut a reply that was being heard."""
    silence_filled_ms: int = 0
    """Silence given to the agent where nothing came from the caller."""
    stalls: int = 0
    """How often our own pace was lost for more than 60 ms; the phone heard a gap."""
    latest_ms: float = 0.0
    """The latest we ever were with a frame, in ms."""
    leg_counters: Mapping[str, int] = field(factory=dict)
    """What went missing between us and the caller or had no effect, by reason, as in `CallLeg.counters`; `unsaid_ms` is audio of
    the agent's that was too far ahead to be kept."""
