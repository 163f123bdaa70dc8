"""What is measured of the turns of the model in the box, as plain values and as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles

from attrs import frozen

from benchmarks.report import table

__all__ = [
    "BargeInTimes",
    "LocalCpu",
    "TurnTimes",
    "Turns",
    "cpu_table",
    "cuts_table",
    "turns_table",
]


@frozen(kw_only=True)
class TurnTimes:
    """From the caller's last sound to the model's first, in ms."""

    hang_over_ms: float
    """Until the session says that the caller has finished."""
    recognition_ms: float
    """From there until the words are known."""
    reply_ms: float
    """From the request to the first words of the answer."""
    synthesis_ms: float
    """From the first words to the first chunk of the voice."""
    delivered_ms: float
    """All of it: until the application gets the first audio."""
    audible_ms: float
    """Until a frame with sound in it leaves the playout."""

    @property
    def rest_ms(self) -> float:
        """What none of the parts explains."""
        parts = self.hang_over_ms + self.recognition_ms + self.reply_ms + self.synthesis_ms
        return self.delivered_ms - parts


@frozen(kw_only=True)
class BargeInTimes:
    """From the caller's first sound into an answer, in ms."""

    told_ms: float
    """Until `UserSpeechStarted` is dispatched."""
    cut_ms: float
    """Until what waits to be played is dropped."""
    silent_ms: float
    """Until the last audible frame out of the playout has been played."""


@frozen(kw_only=True)
class Turns:
    """One round."""

    turns: list[TurnTimes]
    cuts: list[BargeInTimes]


@frozen(kw_only=True)
class LocalCpu:
    """CPU of one kind of session against a loop that only asks webrtcvad."""

    kind: str
    bare_ms: float
    """Of the bare loop, ms a second."""
    session_ms: float
    """Of the session and the processes it starts, ms a second."""

    @property
    def ratio(self) -> float:
        """How many bare loops the session costs."""
        return self.session_ms / self.bare_ms


def _row(name: str, values: Sequence[float]) -> tuple[str, ...]:
    ninetieth = quantiles(values, n=10, method="inclusive")[-1]
    return (name, *(f"{value:.0f}" for value in (median(values), ninetieth, max(values))))


_HEADS = ("median ms", "p90 ms", "most ms")


def turns_table(rounds: Sequence[Turns]) -> str:
    """Show where the time goes."""
    parts: tuple[tuple[str, Callable[[TurnTimes], float]], ...] = (
        ("hang-over", lambda turn: turn.hang_over_ms),
        ("recognition, beyond it", lambda turn: turn.recognition_ms),
        ("reply, first words", lambda turn: turn.reply_ms),
        ("synthesis, first chunk", lambda turn: turn.synthesis_ms),
        ("rest", lambda turn: turn.rest_ms),
        ("end of speech to first audio", lambda turn: turn.delivered_ms),
        ("end of speech to first sound", lambda turn: turn.audible_ms),
    )
    turns = [turn for each in rounds for turn in each.turns]
    return table(
        (f"of {len(turns)} turns", *_HEADS),
        [_row(name, [part(turn) for turn in turns]) for name, part in parts],
    )


def cuts_table(rounds: Sequence[Turns]) -> str:
    """Show what a barge-in takes."""
    parts: tuple[tuple[str, Callable[[BargeInTimes], float]], ...] = (
        ("onset to UserSpeechStarted", lambda cut: cut.told_ms),
        ("onset to the cut", lambda cut: cut.cut_ms),
        ("onset to silence", lambda cut: cut.silent_ms),
    )
    cuts = [cut for each in rounds for cut in each.cuts]
    return table(
        (f"of {len(cuts)} barge-ins", *_HEADS),
        [_row(name, [part(cut) for cut in cuts]) for name, part in parts],
    )


def cpu_table(rows: Sequence[LocalCpu]) -> str:
    """Show CPU per session-second."""
    return table(
        ("session", "bare VAD loop CPU ms", "session CPU ms", "ratio"),
        [
            (row.kind, f"{row.bare_ms:.1f}", f"{row.session_ms:.1f}", f"{row.ratio:.1f}")
            for row in rows
        ],
    )
