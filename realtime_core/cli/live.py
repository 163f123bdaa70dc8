"""The live view: level meters, what is said, and the last events, on a terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.cli.levels import SILENT_DBFS, level_dbfs
from realtime_core.cli.narration import Line, Narrator, one_line
from realtime_core.events import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    Event,
    Interrupted,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)

__all__ = ["LiveView", "Meter"]

_REFRESH_S = 0.08
_FEWEST_CELLS, _MOST_CELLS, _OTHER_COLUMNS = 6, 32, 68
_METER_FLOOR_DBFS = -60.0
_FIGURE = 10
_SPEAKS_S = 0.3
_FALL_DB_PER_S = 60.0
_SHADES = ((0.6, "green"), (0.85, "yellow"), (1.0, "red"))
_EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
_FEWEST_EVENTS, _MOST_EVENTS, _OTHER_ROWS = 4, 16, 14
_STYLES = {
    "session": "dim",
    "user": "cyan",
    "caller": "cyan",
    "assistant": "magenta",
    "tool": "yellow",
    "error": "bold red",
}


@final
class Meter:
    """A level that rises at once and falls slowly, as a bar."""

    def __init__(self) -> None:
        self._dbfs = SILENT_DBFS
        self._at = 0.0

    def rise(self, dbfs: float, now: float) -> None:
        """Hear a level."""
        self._dbfs = max(dbfs, self.level(now))
        self._at = now

    def level(self, now: float) -> float:
        """Give what is left of it, in dB of full scale."""
        return max(SILENT_DBFS, self._dbfs - _FALL_DB_PER_S * (now - self._at))

    def bar(self, now: float, cells: int) -> Text:
        """Draw it, so many cells wide."""
        level = self.level(now)
        eighths = round(max(0.0, 1 - level / _METER_FLOOR_DBFS) * cells * 8)
        bar = Text()
        for cell in range(cells):
            shade = next(style for share, style in _SHADES if (cell + 1) / cells <= share)
            bar.append(_EIGHTHS[min(8, max(0, eighths - 8 * cell))], style=f"{shade} on grey15")
        figure = f"{level:5.0f}" if level > _METER_FLOOR_DBFS else "    -"
        figure = f"{figure} dBFS".ljust(_FIGURE)
        return bar.append(figure, style="default on default")


class LiveView:
    """
    A view that redraws itself in place. It does so when it gets the caller's audio, every 20 ms at most: a session
    waits for who takes its events, and not for this.

    Args:
        console: A terminal.
        title: Whom the caller talks to.
        recording_s: Length of all recordings, in seconds; `None` with a microphone.
        rate_hz: Of the assistant's audio.
        clock: Where the time comes from.
    """

    def __init__(
        self,
        console: Console,
        *,
        title: str,
        recording_s: float | None,
        rate_hz: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._title = title
        self._recording_s = recording_s
        self._rate_hz = rate_hz
        self._clock = clock
        self._narrator = Narrator(rate_hz)
        self._lines: deque[Line] = deque(maxlen=_MOST_EVENTS)
        self._caller, self._assistant = Meter(), Meter()
        self._sent_s = 0.0
        self._received_bytes = self._heard_bytes = 0
        self._cut_s = 0.0
        self._speaking = self._replying = False
        self._heard_at = -_SPEAKS_S
        self._transcript = self._reply = ""
        self._live = Live(console=console, auto_refresh=False, get_renderable=self.__rich__)
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        """Take the screen."""
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Draw once more and give the screen back."""
        self._live.refresh()
        self._live.stop()

    def event(self, t_ms: float, event: Event) -> None:
        """Take an event in."""
        line = self._narrator.line(t_ms, event)
        if line is not None:
            self._lines.append(line)
        match event:
            case UserSpeechStarted():
                self._speaking = True
            case UserSpeechEnded():
                self._speaking = False
            case UserTranscript():
                self._transcript = event.text
            case AssistantText():
                self._reply = self._text_after(event)
                self._replying = True
            case AssistantAudio():
                self._replying = True
                self._received_bytes += len(event.audio)
            case AssistantTurnEnd():
                self._replying = False
            case Interrupted():
                self._cut_s += event.cut_ms / 1000
                self._heard_at = -_SPEAKS_S
            case _:
                pass

    def _text_after(self, event: AssistantText) -> str:
        if event.final:
            return event.text
        return (self._reply if self._replying else "") + event.text

    def caller(self, pcm: bytes, sent_s: float) -> None:
        """Take in what was sent."""
        self._sent_s = sent_s
        self._caller.rise(level_dbfs(pcm), self._clock())
        self._redraw()

    def heard(self, pcm: bytes) -> None:
        """Take in what the caller heard."""
        if any(pcm):
            self._heard_at = self._clock()
            self._heard_bytes += len(pcm)
            self._assistant.rise(level_dbfs(pcm), self._heard_at)

    def tell(self, line: Line) -> None:
        """Put it among the events."""
        self._lines.append(line)

    def note(self, text: str) -> None:
        """Print it above the view."""
        self._console.print(Text(f"warning: {text}", style="yellow"))

    def _redraw(self) -> None:
        now = self._clock()
        if now - self._drawn_at >= _REFRESH_S:
            self._drawn_at = now
            self._live.refresh()

    # Drawing

    def __rich__(self) -> RenderableType:
        """Draw all of it."""
        now = self._clock()
        return Group(
            Rule(Text(self._title, style="bold"), align="left", style="dim"),
            self._meters(now),
            Padding(self._words(), (1, 0)),
            self._events(),
        )

    def _meters(self, now: float) -> Table:
        cells = max(_FEWEST_CELLS, min(_MOST_CELLS, self._console.width - _OTHER_COLUMNS))
        grid = Table.grid(padding=(0, 2))
        # A narrow terminal cuts the figures off, never who speaks.
        grid.add_column(no_wrap=True, min_width=9)
        grid.add_column(no_wrap=True, min_width=cells + _FIGURE)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        caller = f"{self._sent_s:.1f} s sent"
        if self._recording_s is not None:
            sent = min(self._sent_s, self._recording_s)
            caller = f"{sent:.1f} of {self._recording_s:.1f} s sent"
            if self._sent_s >= self._recording_s:
                caller += ", now silence"
        received_s, heard_s = (
            size / BYTES_PER_SAMPLE / self._rate_hz
            for size in (self._received_bytes, self._heard_bytes)
        )
        assistant = f"{heard_s:.1f} of {max(heard_s, received_s - self._cut_s):.1f} s heard"
        if self._cut_s:
            assistant += f", {self._cut_s:.1f} s cut"
        grid.add_row(
            Text("caller", style="cyan"),
            self._caller.bar(now, cells),
            self._state(caller, "speaks" if self._speaking else ""),
        )
        grid.add_row(
            Text("assistant", style="magenta"),
            self._assistant.bar(now, cells),
            self._state(assistant, self._assistant_does(now)),
        )
        return grid

    def _assistant_does(self, now: float) -> str:
        if now - self._heard_at < _SPEAKS_S:
            return "speaks"
        return "prepares" if self._replying else ""

    @staticmethod
    def _state(text: str, does: str) -> Text:
        """Say who is speaking, in front of the figures."""
        light = "\u25cf" if does else " "
        return Text.assemble((f"{light} {does:<9}", "green"), text)

    def _words(self) -> Table:
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(width=9)
        grid.add_column(ratio=1)
        for who, style, said in (
            ("caller", "cyan", self._transcript),
            ("assistant", "magenta", self._reply),
        ):
            # The newest words of a long text; two lines each keep the view's height.
            shown = _newest(one_line(said), 2 * (self._console.width - 20))
            grid.add_row(Text(who, style=style), Text(shown) if shown else Text("-", style="dim"))
        return grid

    def _events(self) -> Table:
        rows = max(_FEWEST_EVENTS, min(_MOST_EVENTS, self._console.height - _OTHER_ROWS))
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(justify="right", width=7)
        table.add_column(width=21)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_row(Text("ms", style="dim"), Text("event", style="dim"), "")
        for line in list(self._lines)[-rows:]:
            style = _STYLES[line.type.partition(".")[0]]
            table.add_row(
                Text(f"{line.t_ms:.0f}", style="dim"),
                Text(line.type, style=style),
                Text(line.detail),
            )
        return table


def _newest(words: str, room: int) -> str:
    """Give the end of a text that fits into so many columns; a Chinese letter takes two."""
    if cell_len(words) <= room:
        return words
    at = len(words)
    while at and cell_len(words[at - 1 :]) <= room - 3:
        at -= 1
    return "..." + words[at:]
