"""What is written down of a call: one line, without a word that was said and without a secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import median
from typing import Literal, final

from attrs import field, frozen

from realtime_core.agent import Agent
from realtime_core.events import AssistantAudio, Event, Interrupted
from realtime_telephony.call_report import CallReport, EndedBy
from realtime_telephony.leg import CallInfo, CallLeg, DigitPressed
from realtime_telephony.peer_text import one_word

__all__ = ["CallRecord", "Figures", "Refusal", "RefusedCall", "record_of", "record_of_cut"]

Refusal = Literal["busy", "draining", "no_route"]
"""Why a call was not taken: no place, the server stops, or no route and no default."""

_LONGEST_TEXT = 200


def _quoted(text: str) -> str:
    return json.dumps(text[:_LONGEST_TEXT])


@frozen(kw_only=True)
class RefusedCall:
    """A call that was not taken."""

    call: CallInfo
    """Which."""
    why: Refusal
    """Why."""

    def line(self) -> str:
        """Give the line of the log."""
        return f"refused leg={one_word(self.call.leg)} id={self.call.logged_id} why={self.why}"


@frozen(kw_only=True)
class CallRecord:
    """A call that is over."""

    call: CallInfo
    """Which."""
    route: str
    """Name of its route."""
    provider: str
    """Slug."""
    duration_s: float
    """From its start to its end, in seconds."""
    ended_by: EndedBy
    """Who ended it."""
    detail: str = ""
    """More."""
    error: str | None = None
    """Why the agent failed, or what went wrong on our side."""
    turns: int = 0
    """Replies ended."""
    barge_ins: int = 0
    """Replies cut by the caller."""
    latency_ms: float | None = None
    """
    Median over the answers: from the end of the caller's speech to the first audio of the answer, as sent to the caller;
    `None` without any.
    """
    drops: Mapping[str, int] = field(factory=dict)
    """What was thrown away, by cause, as in `SessionStats.drops`; with `leg_` before it, as in `CallReport.leg_counters`."""
    stalls: int | None = 0
    """How often our pace was lost; the phone heard a gap. `None` of a call that was cut: nobody counted to the end."""

    def line(self) -> str:
        """Give the line of the log: words of the form `name=value`."""
        latency = "-" if self.latency_ms is None else f"{self.latency_ms:.0f}"
        stalls = "-" if self.stalls is None else str(self.stalls)
        drops = ",".join(f"{cause}:{count}" for cause, count in self.drops.items() if count)
        words = [
            f"call leg={one_word(self.call.leg)}",
            f"id={self.call.logged_id}",
            f"route={one_word(self.route)}",
            f"provider={one_word(self.provider)}",
            f"duration_s={self.duration_s:.1f}",
            f"ended_by={self.ended_by}",
            f"turns={self.turns}",
            f"barge_ins={self.barge_ins}",
            f"latency_ms={latency}",
            f"drops={drops or '0'}",
            f"stalls={stalls}",
        ]
        if self.ended_by == "network" and self.detail:
            words.append(f"detail={_quoted(self.detail)}")
        if self.error:
            words.append(f"error={_quoted(self.error)}")
        return " ".join(words)


@final
class Figures:
    """
    Collects while a call is up what nobody else keeps: how long each answer took, of which the agent's figures hold the last
    one only, and the barge-ins, for a call that is cut and has no report.

    Args:
        agent: Whose.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._last: float | None = None
        self._all: list[float] = []
        self.barge_ins: int = 0
        """Replies cut so far."""

    def take(self, event: Event | DigitPressed) -> None:
        """Look after an event; for `attach`."""
        self.barge_ins += isinstance(event, Interrupted)
        if not isinstance(event, AssistantAudio):  # they are many, and the figures cost a copy
            self._look()

    def median_ms(self) -> float | None:
        """Give the median, in ms."""
        self._look()
        return median(self._all) if self._all else None

    def _look(self) -> None:
        now = self._agent.stats.last_playout_latency_ms
        if now is not None and now != self._last:
            self._all.append(now)
        self._last = now


def record_of(
    call: CallInfo, route: str, provider: str, report: CallReport, figures: Figures
) -> CallRecord:
    """Write down a call that `attach` reported."""
    return CallRecord(
        call=call,
        route=route,
        provider=provider,
        duration_s=report.duration_s,
        ended_by=report.ended_by,
        detail=report.detail,
        error=report.error,
        turns=report.stats.turns,
        barge_ins=report.barge_ins,
        latency_ms=figures.median_ms(),
        drops=_drops(report.stats.drops, report.leg_counters),
        stalls=report.stalls,
    )


def record_of_cut(
    leg: CallLeg, route: str, provider: str, duration_s: float, agent: Agent, figures: Figures
) -> CallRecord:
    """Write down a call that was cancelled, as far as it is known."""
    stats = agent.stats
    return CallRecord(
        call=leg.info,
        route=route,
        provider=provider,
        duration_s=duration_s,
        ended_by="us",
        detail="cancelled",
        turns=stats.turns,
        barge_ins=figures.barge_ins,
        latency_ms=figures.median_ms(),
        drops=_drops(stats.drops, leg.counters),
        stalls=None,
    )


def _drops(agent: Mapping[str, int], leg: Mapping[str, int]) -> dict[str, int]:
    return {**agent, **{f"leg_{reason}": count for reason, count in leg.items()}}
