"""One row of the picture of a call: a stretch of its time line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from realtime_core.lettering import text_width
from realtime_core.peaks import Peaks
from realtime_core.picture_labels import happenings, placed, spoken, written
from realtime_core.picture_scale import GUTTER, Stretch, wait
from realtime_core.svg import number, tag, text
from realtime_core.timeline_marks import LOST_STEP_MS, Span

__all__ = ["draw_row"]

_VOICE = 48.0
_WAIT = 30.0
_BAR = 3.0
_EMPHASIS = 0.7
_AXIS = 18.0
_SEEN_MS = 40.0
_SLOW_MS = 2000.0


def draw_row(stretch: Stretch, top: float) -> tuple[str, float]:
    """
    Draw a row.

    Args:
        stretch: Its time.
        top: Where it begins.

    Returns:
        Its elements and its height.
    """
    sheet, timeline = stretch.sheet, stretch.sheet.timeline
    said, said_height = placed(spoken(stretch, sheet.said, "caller"))
    replied, replied_height = placed(spoken(stretch, sheet.replied, "assistant"))
    marks, marks_height = placed(happenings(stretch))
    caller_top = top + _AXIS + said_height
    wait_top = caller_top + _VOICE
    marks_top = wait_top + _WAIT
    assistant_top = marks_top + marks_height
    bottom = assistant_top + _VOICE
    parts = (
        *_grid(stretch, top, bottom),
        *_names(stretch, caller_top, wait_top, assistant_top),
        *_spans(stretch, sheet.caller_spans, caller_top, "sc"),
        *_spans(stretch, sheet.assistant_spans, assistant_top, "sa"),
        *_ghosts(stretch, assistant_top),
        _voice(stretch, timeline.caller_peaks, sheet.loudest, caller_top, "wc"),
        _voice(stretch, timeline.heard_peaks, sheet.loudest_heard, assistant_top, "wa"),
        *_lines(stretch, caller_top, bottom),
        *_waits(stretch, wait_top),
        *written(said, caller_top - 6, upwards=True),
        *written(marks, marks_top),
        *written(replied, bottom + 6),
    )
    return "".join(parts), bottom + 6 + replied_height - top


def _grid(stretch: Stretch, top: float, bottom: float) -> Iterator[str]:
    is_long = stretch.sheet.timeline.duration_ms >= 60_000
    first = -(-int(stretch.span.start_ms) // 1000)
    for second in range(first, int(stretch.span.end_ms // 1000) + 1):
        x = stretch.x(second * 1000)
        yield tag("path", d=f"M{number(x)} {number(top + 14)}V{number(bottom)}", class_="grid")
        minutes, rest = divmod(second, 60)
        when = f"{minutes}:{rest:02}" if is_long else f"{second} s"
        yield text(x, top + 9, when, "small", anchor="middle")


def _names(
    stretch: Stretch, caller_top: float, wait_top: float, assistant_top: float
) -> Iterator[str]:
    waits = stretch.sheet.latencies
    yield text(24, caller_top + _VOICE / 2 + 4, "caller", "caller side")
    if any(stretch.touches(each.ended_ms, each.answered_ms) for each in waits):
        yield text(24, wait_top + _WAIT / 2 + 4, "answered after", "small")
    yield text(24, assistant_top + _VOICE / 2 - 1, "assistant", "assistant side")
    yield text(24, assistant_top + _VOICE / 2 + 14, "as heard", "small")
    for top in (caller_top, assistant_top):
        line = f"M{number(GUTTER)} {number(top + _VOICE / 2)}H{number(stretch.right)}"
        yield tag("path", d=line, class_="axis")


def _spans(stretch: Stretch, spans: Sequence[Span], top: float, class_: str) -> Iterator[str]:
    for span in spans:
        if stretch.touches(span.start_ms, span.end_ms):
            x = stretch.x(span.start_ms)
            width = max(2.0, stretch.x(span.end_ms) - x)
            yield tag("rect", x=x, y=top, width=width, height=_VOICE, rx=4, class_=class_)


def _voice(stretch: Stretch, peaks: Peaks, loudest: int, top: float, class_: str) -> str:
    ms = _BAR / stretch.sheet.px_per_s * 1000
    count = int((stretch.span.end_ms - stretch.span.start_ms) / ms)
    starts = (stretch.span.start_ms + n * ms for n in range(count))
    return _bars((peaks.between(at, at + ms) for at in starts), GUTTER, loudest, top, class_)


def _ghosts(stretch: Stretch, top: float) -> Iterator[str]:
    """Draw what was cut, up to the next thing heard."""
    sheet = stretch.sheet
    spans = sheet.assistant_spans
    for cut in sheet.barge_ins:
        later = [span.start_ms for span in spans if span.start_ms > cut.t_ms]
        end_ms = min([cut.t_ms + cut.cut_ms, *later])
        if not stretch.touches(cut.t_ms, end_ms) or end_ms - cut.t_ms < _SEEN_MS:
            continue
        x, width = stretch.x(cut.t_ms), stretch.x(end_ms) - stretch.x(cut.t_ms)
        yield tag("rect", x=x, y=top, width=width, height=_VOICE, rx=4, class_="sg")
        skipped_ms = max(0.0, stretch.span.start_ms - cut.t_ms)
        ms = _BAR / sheet.px_per_s * 1000
        steps = (int((skipped_ms + n * ms) / LOST_STEP_MS) for n in range(int(width / _BAR)))
        peaks = (cut.lost[step] for step in steps if step < len(cut.lost))
        yield _bars(peaks, x, sheet.loudest_heard, top, "wg")


def _lines(stretch: Stretch, top: float, bottom: float) -> Iterator[str]:
    """Draw the moments that cut a call, or a reply, in two."""
    sheet = stretch.sheet
    moments = [
        *((cut.t_ms, "lc") for cut in sheet.barge_ins),
        *((bad.t_ms, "lb" if bad.fatal else "lb dash") for bad in sheet.failures),
    ]
    for t_ms, class_ in moments:
        if stretch.has(t_ms):
            x = number(stretch.x(t_ms))
            yield tag("path", d=f"M{x} {number(top)}V{number(bottom)}", class_=class_)


def _waits(stretch: Stretch, top: float) -> Iterator[str]:
    for latency in stretch.sheet.latencies:
        if stretch.touches(latency.ended_ms, latency.answered_ms):
            x1, x2 = stretch.x(latency.ended_ms), stretch.x(latency.answered_ms)
            y = top + _WAIT - 9
            slow = " slow" if latency.ms >= _SLOW_MS else ""
            ends = f"V{number(y)}H{number(x2)}V{number(top + _WAIT - 2)}"
            yield tag("path", d=f"M{number(x1)} {number(top + 3)}{ends}", class_="lw" + slow)
            words = wait(latency.ms)
            x = min(x1 + 6, stretch.edge - text_width(words, 14))
            yield text(x, y - 5, words, "wait" + slow)


def _bars(peaks: Iterable[tuple[int, int]], x: float, loudest: int, top: float, class_: str) -> str:
    def height(peak: int) -> float:
        return math.pow(min(peak, loudest) / loudest, _EMPHASIS) * (_VOICE / 2 - 3)

    middle = top + _VOICE / 2
    drawn = [
        f"M{number(x + n * _BAR + 1)} {number(middle - height(high))}V{number(middle + height(-low))}"
        for n, (low, high) in enumerate(peaks)
        if high - low > loudest / 100
    ]
    return tag("path", d="".join(drawn), class_=class_) if drawn else ""
