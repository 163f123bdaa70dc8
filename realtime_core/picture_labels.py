"""The texts of a row in the picture of a call: what was said, and what happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from realtime_core.lettering import Block, block, in_lanes, text_width, word_end
from realtime_core.picture_scale import GUTTER, Mark, Stretch
from realtime_core.svg import clean, element, escaped, number, tag, text
from realtime_core.timeline import Timeline
from realtime_core.timeline_marks import BargeIn, Failure, ToolUse, Words

__all__ = ["Label", "happenings", "marks", "placed", "spoken", "written"]

_SIZE, _LINE, _LANE_GAP = 14.0, 18.0, 6.0
_NARROWEST, _WIDEST = 120.0, 440.0
_SHIFTED = 300.0
_MARK_NARROWEST, _MARK_WIDEST = 260.0, 480.0
_MOST_LINES, _MOST_MARK_LINES = 7, 3
_GAP, _MARK_GAP = 14.0, 10.0


@frozen
class Label:
    """A text that belongs to a moment."""

    at: float
    """Where the moment is."""
    x: float
    """Where the text begins."""
    block: Block
    """The text."""
    class_: str
    """Of the style sheet."""
    is_mark: bool = False
    """Whether it has a mark at its moment."""
    ends_at: float | None = None
    """Where its lines end, when it is left of its mark."""
    gone_from: int | None = None
    """Letters from here on were not heard."""
    offset: float = 0.0
    """How far from where its kind begins."""

    @property
    def height(self) -> float:
        """Of all its lines."""
        return len(self.block.lines) * _LINE


def spoken(stretch: Stretch, words: Sequence[Words], class_: str) -> Sequence[Label]:
    """Give what one side said in this row, each up to where the next begins."""
    here = sorted((w for w in words if stretch.has(w.start_ms)), key=lambda w: w.start_ms)
    labels: list[Label] = []
    for index, said in enumerate(here):
        x = at = stretch.x(said.start_ms)
        is_last = index == len(here) - 1
        room = (stretch.edge if is_last else stretch.x(here[index + 1].start_ms) - _GAP) - at
        if is_last and room < _SHIFTED:  # to the left, as far as it needs and nothing else is there
            wanted = min(text_width(clean(said.text), _SIZE), _SHIFTED) + 1
            free = labels[-1].x + labels[-1].block.width + _GAP if labels else GUTTER
            x = min(at, max(stretch.edge - wanted, free))
            room = stretch.edge - x
        x = min(x, stretch.edge - _NARROWEST)
        width = min(max(room, _NARROWEST), _WIDEST)
        lines = block(said.text, width=width, size=_SIZE, most_lines=_MOST_LINES)
        gone = _heard_up_to(clean(said.text), said.heard_share) if said.heard_share < 1 else None
        labels.append(Label(at, x, lines, class_, gone_from=gone))
    return labels


def marks(timeline: Timeline) -> Sequence[Mark]:
    """Give calls of tools, barge-ins and errors, in order."""
    return sorted(
        [
            *(Mark(tool.t_ms, "tool", _called(tool)) for tool in timeline.tools),
            *(Mark(cut.t_ms, "cut", _cut(cut)) for cut in timeline.barge_ins),
            *(Mark(bad.t_ms, "bad", _failure(bad)) for bad in timeline.failures),
        ]
    )


def happenings(stretch: Stretch) -> Sequence[Label]:
    """Give calls of tools, barge-ins and errors in this row, in order."""
    labels: list[Label] = []
    for mark in stretch.sheet.marks:
        if not stretch.has(mark.t_ms):
            continue
        at = stretch.x(mark.t_ms)
        after, before = stretch.edge - at - _MARK_GAP, at - _MARK_GAP - GUTTER
        whole = min(text_width(clean(mark.words), _SIZE) + 1, _MARK_WIDEST)
        is_left = min(whole, _MARK_NARROWEST) > after and before > after
        width = min(before if is_left else after, whole)
        lines = block(mark.words, width=width, size=_SIZE, most_lines=_MOST_MARK_LINES)
        ends_at = at - _MARK_GAP if is_left else None
        x = at + _MARK_GAP if ends_at is None else ends_at - lines.width
        labels.append(Label(at, x, lines, mark.class_, is_mark=True, ends_at=ends_at))
    return sorted(labels, key=lambda label: label.x)


def placed(labels: Sequence[Label]) -> tuple[Sequence[Label], float]:
    """Put labels into lanes, so that none touches another; give them and the height of all."""
    spans = [
        (min(label.x, label.at - 4), max(label.x + label.block.width, label.at + 4))
        if label.is_mark
        else (label.x, label.x + label.block.width)
        for label in labels
    ]
    lanes = in_lanes(spans, gap=12)
    heights = [0.0] * (max(lanes, default=-1) + 1)
    for lane, label in zip(lanes, labels, strict=True):
        heights[lane] = max(heights[lane], label.height + _LANE_GAP)
    offsets = [sum(heights[:lane]) for lane in range(len(heights))]
    pairs = zip(labels, lanes, strict=True)
    return [evolve(label, offset=offsets[lane]) for label, lane in pairs], sum(heights)


def written(labels: Sequence[Label], begin: float, *, upwards: bool = False) -> Iterator[str]:
    """
    Write labels.

    Args:
        labels: In their lanes.
        begin: Where their kind begins.
        upwards: Lanes and lines end there instead.
    """
    for label in labels:
        top = begin - label.offset - label.height if upwards else begin + label.offset
        if label.is_mark:
            x, y = number(label.at), number(top + _LINE / 2 - 5)
            yield tag("path", d=f"M{x} {y}l5 5l-5 5l-5 -5z", class_=label.class_)
        for index, (at, line) in enumerate(label.block.lines):
            yield from _line(label, at, line, top + index * _LINE + _SIZE)


def _line(label: Label, at: int, line: str, y: float) -> Iterator[str]:
    heard = len(line) if label.gone_from is None else min(max(label.gone_from - at, 0), len(line))
    if label.ends_at is not None:
        yield text(label.ends_at, y, line, label.class_, anchor="end")
        return
    if heard in (0, len(line)):
        yield text(label.x, y, line, label.class_ if heard else "gone")
        return
    # One text in two colours: only the viewer knows how wide the first part is.
    gone = element("tspan", [escaped(line[heard:])], class_="gone")
    yield element("text", [escaped(line[:heard]), gone], x=label.x, y=y, class_=label.class_)


def _heard_up_to(words: str, share: float) -> int:
    """Give the letter up to which a share of a text goes, at the end of a word."""
    return word_end(words, round(len(words) * share)) if share > 0 else 0


def _called(tool: ToolUse) -> str:
    arguments = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in tool.arguments.items()
    )
    call = f"tool {tool.name}({arguments})"
    return call if tool.answer is None else f"{call} \u2192 {tool.answer}"


def _cut(cut: BargeIn) -> str:
    return f"interrupted: heard {cut.heard_ms / 1000:.1f} s, cut {cut.cut_ms / 1000:.1f} s"


def _failure(bad: Failure) -> str:
    return f"{'the end' if bad.fatal else 'error'}: {bad.message}"
