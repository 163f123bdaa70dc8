"""The table at the end of a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from realtime_core.cli.conversation import Outcome
from realtime_core.timeline_marks import BargeIn
from realtime_core.usage import Usage

__all__ = ["summary_rows", "summary_table"]


def summary_rows(
    outcome: Outcome,
    *,
    partner: str,
    files: Sequence[Path],
    barge_ins: Sequence[BargeIn] = (),
    waits_ms: Sequence[float] = (),
) -> dict[str, str]:
    """
    Give the figures of a conversation by name.

    Args:
        outcome: Of the conversation.
        partner: Provider and model.
        files: Written.
        barge_ins: Replies that were cut.
        waits_ms: How long the caller waited for each answer, in ms.
    """
    stats, close = outcome.stats, outcome.progress.close
    statuses = outcome.progress.statuses
    rows = {
        "provider": partner,
        "time to session": _ms(stats.time_to_session_ms),
        "answered after, as heard": ", ".join(map(_ms, waits_ms)) or "-",
        "end of speech to first audio": ", ".join(map(_ms, outcome.latencies_ms)) or "-",
        "audio in, out": f"{stats.audio_in_ms / 1000:.2f} s, {stats.audio_out_ms / 1000:.2f} s",
        "turns": ", ".join(f"{statuses.count(s)} {s}" for s in dict.fromkeys(statuses)) or "none",
        **_barge_ins(barge_ins),
        "tokens in, out": _tokens(stats.usage),
        "drops": ", ".join(f"{cause} {n}" for cause, n in stats.drops.items()) or "none",
        "events": str(stats.events),
    }
    if close is not None:
        code = "no code" if close.code is None else f"code {close.code}"
        rows["session close"] = f"by the {close.initiator}, {code}"
    if files:
        rows["files written"] = ", ".join(map(str, files))
    return rows


def summary_table(rows: dict[str, str]) -> Table:
    """Draw the figures."""
    table = Table(box=SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, Text(value))
    return table


def _barge_ins(barge_ins: Sequence[BargeIn]) -> dict[str, str]:
    told = ", ".join(
        f"heard {cut.heard_ms / 1000:.1f} s and cut {cut.cut_ms / 1000:.1f} s" for cut in barge_ins
    )
    return {"barge-ins": told} if told else {}


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _tokens(usage: Usage) -> str:
    if usage.input_tokens is None and usage.output_tokens is None:
        return "not reported"
    told = ["?" if n is None else str(n) for n in (usage.input_tokens, usage.output_tokens)]
    return ", ".join(told)
