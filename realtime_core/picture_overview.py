"""The strip above a long picture: the whole call at a glance."""

from __future__ import annotations

from realtime_core.picture_scale import GUTTER, RIGHT, WIDTH, seconds
from realtime_core.svg import number, tag, text
from realtime_core.timeline import Timeline

__all__ = ["overview"]

_LANE, _GAP = 11.0, 4.0


def overview(timeline: Timeline, top: float) -> tuple[str, float]:
    """
    Draw when each side was heard, above each other, with a line where a reply was cut or the call failed.

    Args:
        timeline: Of the call.
        top: Where it begins.

    Returns:
        Its elements and its height.
    """
    per_ms = (WIDTH - GUTTER - RIGHT) / max(timeline.duration_ms, 1.0)
    bottom = top + 2 * _LANE + _GAP
    parts = [
        text(24, top + _LANE - 1, "whole call", "small"),
        text(24, bottom, seconds(timeline.duration_ms), "small"),
    ]
    lanes = (
        (timeline.caller_spans, top, "oc"),
        (timeline.assistant_spans, top + _LANE + _GAP, "oa"),
    )
    for spans, y, class_ in lanes:
        axis = f"M{number(GUTTER)} {number(y + _LANE / 2)}H{number(WIDTH - RIGHT)}"
        parts.append(tag("path", d=axis, class_="axis"))
        for span in spans:
            width = max(1.5, (span.end_ms - span.start_ms) * per_ms)
            x = GUTTER + span.start_ms * per_ms
            parts.append(tag("rect", x=x, y=y, width=width, height=_LANE, rx=1.5, class_=class_))
    moments = [
        *((cut.t_ms, "lc") for cut in timeline.barge_ins),
        *((bad.t_ms, "lb") for bad in timeline.failures),
    ]
    for t_ms, class_ in moments:
        x = GUTTER + t_ms * per_ms
        line = f"M{number(x)} {number(top - 3)}V{number(bottom + 3)}"
        parts.append(tag("path", d=line, class_=class_))
    return "".join(parts), bottom - top
