"""Draws gaps between packets as shares over a logarithmic scale: how many were longer than so much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tests.telephony.soak.runs import Overnight

__all__ = ["draw_gaps"]

_WIDTH, _HEIGHT = 720, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 30, 46, 50
_COLOURS: Final = ("#0b6fb8", "#c2410c", "#666666")
_MOST_MS: Final = 160.0
_LEAST_SHARE: Final = 1e-5
_STEP_MS: Final = 0.25
_SHARES: Final = ("all", "1 in 10", "1 in 100", "1 in 1,000", "1 in 10,000", "1 in 100,000")


def _x(ms: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(ms, _MOST_MS) / _MOST_MS


def _y(share: float) -> float:
    at = np.log10(max(share, _LEAST_SHARE)) / np.log10(_LEAST_SHARE)
    return float(_TOP + (_HEIGHT - _TOP - _BOTTOM) * at)


def _path(gaps_ms: Sequence[float]) -> str:
    """Draw the share of gaps longer than each length, as steps where it changes."""
    gaps = np.sort(np.asarray(gaps_ms))
    points: list[str] = []
    before = -1.0
    for ms in np.arange(0, _MOST_MS, _STEP_MS):
        share = 1 - np.searchsorted(gaps, ms, side="right") / len(gaps)
        if share != before:
            points.append(f"{_x(float(ms)):.1f},{_y(float(share)):.1f}")
        before = float(share)
        if not share:
            break
    else:
        points.append(f"{_x(_MOST_MS):.1f},{_y(before):.1f}")
    return "M" + "L".join(points)


def draw_gaps(run: Overnight) -> str:
    """Draw the long run: one line a leg, and one for the file that Asterisk played beside them."""
    lines = [(call.extension, call.stretches.gaps_ms) for call in run.calls]
    lines.append(("Asterisk plays a file", run.reference_stretches.gaps_ms))
    title = f"Gaps between packets to the phone while speech plays, a call of {run.seconds:.0f} s"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="18" font-size="14">{title}</text>',
    ]
    parts += [
        f'<path d="M{_x(ms):.1f},{_TOP}V{_HEIGHT - _BOTTOM}" stroke="#dddddd"/>'
        f'<text x="{_x(ms):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{ms} ms</text>'
        for ms in range(0, int(_MOST_MS) + 1, 20)
    ]
    for exponent, name in enumerate(_SHARES):
        y = _y(10.0**-exponent)
        parts.append(
            f'<path d="M{_LEFT},{y:.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{name}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">so many of the gaps are longer than this</text>'
    )
    for number, (name, gaps) in enumerate(lines):
        colour = _COLOURS[number % len(_COLOURS)] if number < len(lines) - 1 else _COLOURS[-1]
        parts.append(f'<path d="{_path(gaps)}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(
            f'<text x="{_WIDTH - _RIGHT - 8}" y="{_TOP + 18 + 18 * number}" text-anchor="end" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
