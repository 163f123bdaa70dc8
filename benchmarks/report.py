"""The figures as plain tables, which are Markdown too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from benchmarks.barge_in import BargeIn
from benchmarks.resamplers import Mode
from benchmarks.rounds import Comparison
from benchmarks.stopwatch import Timing

__all__ = [
    "barge_in_table",
    "imports_table",
    "modes_table",
    "sessions_table",
    "sockets_table",
    "table",
    "timings_table",
    "understood_table",
]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, figures to the right, names to the left."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(heads))]
    # Figures to the right, names to the left.
    rule = ["-" * width if n == 0 else "-" * (width - 1) + ":" for n, width in enumerate(widths)]

    def shown(line: Sequence[str]) -> str:
        cells = (
            cell.ljust(width) if n == 0 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    return "\n".join([shown(lines[0]), shown(rule), *(shown(line) for line in lines[1:])])


def sessions_table(comparisons: Iterable[Comparison]) -> str:
    """Show the SDK against the floor."""
    return table(
        (
            "scenario", "sessions", "floor CPU ms", "SDK CPU ms", "ratio", "(rounds)",
            "floor p50 ms", "SDK p50 ms", "floor p99 ms", "SDK p99 ms", "added p99 ms",
            "SDK core", "vendor core", "push late p99 ms",
        ),
        (
            (
                row.scenario,
                f"{row.sessions}",
                f"{row.floor_cpu_ms:.2f}",
                f"{row.cpu_ms:.2f}",
                f"{row.ratio:.2f}",
                f"{row.ratio_least:.2f}-{row.ratio_most:.2f}",
                f"{row.floor_p50_ms:.2f}",
                f"{row.p50_ms:.2f}",
                f"{row.floor_p99_ms:.2f}",
                f"{row.p99_ms:.2f}",
                f"{row.added_p99_ms:+.2f}",
                f"{row.busy:.0%}",
                f"{row.vendor_busy:.0%}",
                f"{row.push_late_p99_ms:.1f}",
            )
            for row in comparisons
        ),
    )  # fmt: skip


def barge_in_table(rows: Iterable[BargeIn]) -> str:
    """Show what a barge-in takes, and whether anything stale was played."""
    return table(
        ("client", "trials", "p50 µs", "p99 µs", "stale frames"),
        (
            (
                row.client,
                f"{row.trials}",
                f"{row.p50_us:.0f}",
                f"{row.p99_us:.0f}",
                "-" if row.stale_frames is None else f"{row.stale_frames}",
            )
            for row in rows
        ),
    )


def sockets_table(comparisons: Iterable[Comparison]) -> str:
    """Show floors on other WebSocket libraries against the one on aiohttp."""
    return table(
        ("floor on", "sessions", "CPU ms", "ratio to aiohttp", "p50 ms", "p99 ms"),
        (
            (
                row.client,
                f"{row.sessions}",
                f"{row.cpu_ms:.2f}",
                f"{row.ratio:.2f}",
                f"{row.p50_ms:.2f}",
                f"{row.p99_ms:.2f}",
            )
            for row in comparisons
        ),
    )


def imports_table(least_ms: dict[str, float]) -> str:
    """Show what imports take."""
    return table(
        ("program", "ms"),
        [
            ("bare interpreter", f"{least_ms['bare']:.1f}"),
            ("import attrs, beyond that", f"{least_ms['attrs']:+.1f}"),
            ("import realtime_core, beyond that", f"{least_ms['realtime_core']:+.1f}"),
        ],
    )


def timings_table(timings: Iterable[Timing]) -> str:
    """Show micro-measurements."""
    return table(
        ("task", "way", "median ns", "least ns"),
        (
            (timing.task, timing.way, f"{timing.median_ns:,.0f}", f"{timing.least_ns:,.0f}")
            for timing in timings
        ),
    )


def modes_table(modes: Iterable[Mode]) -> str:
    """Show the resampler's modes."""
    return table(
        ("rates", "soxr", "median us", "held back ms", "empty chunks"),
        (
            (
                f"{mode.from_hz // 1000}k to {mode.to_hz // 1000}k",
                mode.quality,
                f"{mode.median_us:.1f}",
                f"{mode.held_least_ms:.1f}-{mode.held_most_ms:.1f}",
                f"{mode.empty_share:.0%}",
            )
            for mode in modes
        ),
    )


class _Understood(Protocol):
    """As `benchmarks.local_recognition.Understood`, whose module needs realtime-local."""

    @property
    def voice(self) -> str: ...
    @property
    def line(self) -> str: ...
    @property
    def right(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def scores_right(self) -> list[float]: ...
    @property
    def scores_forced(self) -> list[float]: ...
    @property
    def ms(self) -> float: ...


def understood_table(rows: Iterable[_Understood]) -> str:
    """Show how the model in the box understood each voice."""

    def span(scores: list[float]) -> str:
        return f"{scores[0]:.2f}-{scores[-1]:.2f}" if scores else "none"

    return table(
        ("voice", "line", "right of 10", "rejected of 10", "scores right", "scores forced", "ms"),
        (
            (
                row.voice,
                row.line,
                str(row.right),
                str(row.rejected),
                span(row.scores_right),
                span(row.scores_forced),
                f"{row.ms:.0f}",
            )
            for row in rows
        ),
    )
