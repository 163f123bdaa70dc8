"""
Draws a call: both voices on one time line, with what was said, called, cut and waited for.

The picture explains itself and needs nothing but a viewer of SVG: no script, no font, no other file.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from realtime_core.lettering import block, text_width
from realtime_core.picture_labels import marks
from realtime_core.picture_overview import overview
from realtime_core.picture_row import draw_row
from realtime_core.picture_scale import GUTTER, RIGHT, WIDTH, Sheet, Stretch, seconds, wait
from realtime_core.svg import clean, element, escaped, tag, text
from realtime_core.timeline import Timeline
from realtime_core.timeline_marks import Span

__all__ = ["draw"]

_SHORTEST_SCALE_S = 8.0
_SHORTEST_ROW_S, _ROW_S, _LONGEST_ROW_S = 5.0, 12.0, 18.0
_STUB_S = 2.5
_MANY_ROWS = 3
_ROW_GAP = 22.0
_QUIET_MS = 200.0
_TITLE = 22.0  # broken a little early: it is bold
_WIDEST_PILL = 330.0
_STYLE = """
text{font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif;font-size:14px;fill:#1f2328}
.title{font-size:20px;font-weight:600}.small{font-size:12px;fill:#59636e}.sub{fill:#59636e}.pill{fill:#fff;font-weight:600}
.caller{fill:#0550ae}.assistant{fill:#6639ba}.side{font-weight:600}.tool{fill:#7d4e00}.cut{fill:#bc4c00}.bad{fill:#cf222e}
.gone{fill:#6e7781;text-decoration:line-through}.wait{fill:#1a7f37;font-weight:600}.wait.slow{fill:#cf222e}
text.tool,text.cut,text.bad,text.wait{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}.dash{stroke-dasharray:3 4}
.wc{stroke:#0969da;stroke-width:2;stroke-linecap:round}.wa{stroke:#8250df;stroke-width:2;stroke-linecap:round}
.wg{stroke:#e0823d;stroke-width:2;stroke-linecap:round;opacity:.55}.grid{stroke:#eaeef2}.axis{stroke:#d0d7de}
.sc{fill:#ddf4ff}.sa{fill:#f3ebff}.lw{stroke:#1a7f37;stroke-width:1.5;fill:none}.lw.slow{stroke:#cf222e}.oc{fill:#0969da}.oa{fill:#8250df}.sg{fill:url(#cut);opacity:.45}.lc{stroke:#bc4c00;stroke-width:1.5}
.lb{stroke:#cf222e;stroke-width:1.5}
""".replace("\n", "")


def draw(timeline: Timeline) -> str:
    """
    Draw a call as SVG.

    Above is the caller, below what the caller heard of the assistant, on one time line; tinted where speech was
    found. Between them: how long each answer took, calls of tools, where the assistant was cut, and errors. What
    was cut is hatched and its text struck out; how much of the text that is follows from the share of the audio.
    A long call is broken into rows where nobody speaks, below a strip of the whole. A wait of two seconds and more
    is red.

    Args:
        timeline: Of the call; it may still be running.

    Returns:
        A whole document, 1000 units wide, on a background of its own.
    """
    rows = _rows(timeline)
    longest_s = max((row.end_ms - row.start_ms) / 1000 for row in rows)
    sheet = Sheet(
        timeline=timeline,
        said=timeline.caller_words,
        replied=timeline.assistant_words,
        caller_spans=timeline.caller_spans,
        assistant_spans=timeline.assistant_spans,
        latencies=timeline.latencies,
        barge_ins=timeline.barge_ins,
        failures=timeline.failures,
        marks=marks(timeline),
        px_per_s=(WIDTH - GUTTER - RIGHT) / max(longest_s, _SHORTEST_SCALE_S),
        loudest=max(3000, timeline.caller_peaks.loudest(0, timeline.duration_ms)),
        loudest_heard=max(3000, timeline.heard_peaks.loudest(0, timeline.duration_ms)),
    )
    head, y = _head(timeline)
    parts: list[str] = []
    if len(rows) >= _MANY_ROWS:
        drawn, height = overview(timeline, y)
        parts.append(drawn)
        y += height + 1.5 * _ROW_GAP
    for row in rows:
        drawn, height = draw_row(Stretch(sheet, row, row is rows[-1]), y)
        parts.append(drawn)
        y += height + _ROW_GAP
    height = y - _ROW_GAP + 16
    hatch = element(
        "pattern",
        [tag("path", d="M0 0V7", stroke="#f0b37e", stroke_width=2)],
        id="cut",
        width=7,
        height=7,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    body = [
        element("title", [escaped(_title(timeline))]),
        element("desc", [escaped(_description(sheet))]),
        element("style", [_STYLE]),
        element("defs", [hatch]),
        tag(
            "rect",
            x=0.5,
            y=0.5,
            width=WIDTH - 1,
            height=height - 1,
            rx=8,
            fill="#fff",
            stroke="#d0d7de",
        ),
        head,
        *parts,
    ]
    return (
        element(
            "svg",
            body,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
            width=WIDTH,
            height=round(height),
            role="img",
        )
        + "\n"
    )


def _title(timeline: Timeline) -> str:
    return f"Call with {timeline.provider}" if timeline.provider else "Call"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _facts(timeline: Timeline) -> list[str]:
    facts = [seconds(timeline.duration_ms)] if timeline.duration_ms >= 50 else []
    if timeline.caller_spans:
        facts.append(_count(len(timeline.caller_spans), "caller turn"))
    waits = [latency.ms for latency in timeline.latencies]
    if len(waits) == 1:
        facts.append(f"answered after {wait(waits[0])}")
    elif waits:
        facts.append(f"answered after {wait(median(waits))} (median), {wait(max(waits))} at most")
    for kind, what in ((timeline.tools, "tool call"), (timeline.barge_ins, "barge-in")):
        if kind:
            facts.append(_count(len(kind), what))
    if timeline.failures:
        facts.append(_count(len(timeline.failures), "error"))
    if timeline.dropped:
        facts.append(f"{timeline.dropped} marks not shown")
    return facts


def _description(sheet: Sheet) -> str:
    timeline = sheet.timeline
    told = sorted(
        [(w.start_ms, f"the caller: {w.text}") for w in sheet.said]
        + [(w.start_ms, f"the assistant: {w.text}") for w in sheet.replied]
        + [(mark.t_ms, f"{mark.words}.") for mark in sheet.marks]
    )
    spoken = " ".join(f"At {t_ms / 1000:.1f} s {words}" for t_ms, words in told[:80])
    return f"{', '.join(_facts(timeline))}. {timeline.verdict}. {spoken}"


def _head(timeline: Timeline) -> tuple[str, float]:
    """Draw title, figures and verdict; give them and where they end."""
    verdict = clean(timeline.verdict)
    pill = "failed" if timeline.failed else verdict
    width = text_width(pill, 14) + 30
    if not pill or width >= _WIDEST_PILL:  # a sentence has its place under the title
        pill, width = "", 0.0
    room = WIDTH - 48 - width - 16
    titles = block(_title(timeline), width=room, size=_TITLE, most_lines=2).lines
    parts: list[str] = []
    y = 14.0
    for _, line in titles:
        y += 24
        parts.append(text(24, y, line, "title"))
    y += 22
    parts.append(text(24, y, " \u00b7 ".join(_facts(timeline)), "sub"))
    if pill:
        colour = "#cf222e" if timeline.failed else "#1a7f37"
        parts += [
            tag("rect", x=WIDTH - 24 - width, y=20, width=width, height=25, rx=12.5, fill=colour),
            text(WIDTH - 24 - width / 2, 37, pill, "pill", anchor="middle"),
        ]
    if verdict and verdict != pill:
        class_ = "bad" if timeline.failed else "sub"
        for _, line in block(verdict, width=WIDTH - 48, size=14, most_lines=4).lines:
            y += 19
            parts.append(text(24, y, line, class_))
    return "".join(parts), y + 20


def _rows(timeline: Timeline) -> Sequence[Span]:
    """Break the call where nobody speaks and, if it can be, nobody waits, as near to a row's length as can be."""
    duration_ms = max(timeline.duration_ms, 1.0)
    spans = [*timeline.caller_spans, *timeline.assistant_spans]
    voices = [(span.start_ms, span.end_ms) for span in spans]
    busy = voices + [(latency.ended_ms, latency.answered_ms) for latency in timeline.latencies]
    rows: list[Span] = []
    start_ms = 0.0
    while duration_ms - start_ms > _ROW_S * 1000 * 1.1:
        first_ms, row_ms = start_ms + _SHORTEST_ROW_S * 1000, start_ms + _ROW_S * 1000
        last_ms = min(start_ms + _LONGEST_ROW_S * 1000, duration_ms)
        end_ms = (
            _quiet(busy, first_ms, row_ms)
            or _quiet(busy, row_ms, last_ms)
            or _quiet(voices, first_ms, last_ms)
            or last_ms
        )
        if end_ms == duration_ms:
            break
        rows.append(Span(start_ms, end_ms))
        start_ms = end_ms
    if rows and duration_ms - start_ms < _STUB_S * 1000:  # an end too short for a row of its own
        start_ms = rows.pop().start_ms
    return [*rows, Span(start_ms, duration_ms)]


def _quiet(busy: Sequence[tuple[float, float]], first_ms: float, last_ms: float) -> float | None:
    """Give the middle of the last stretch of at least 200 ms in which nothing happens."""
    found_ms, free_ms = None, first_ms
    near = sorted((s, e) for s, e in busy if e > first_ms and s < last_ms)
    for start_ms, end_ms in [*near, (last_ms, last_ms)]:
        if start_ms - free_ms >= _QUIET_MS:
            found_ms = (free_ms + start_ms) / 2
        free_ms = max(free_ms, end_ms)
    return found_ms
