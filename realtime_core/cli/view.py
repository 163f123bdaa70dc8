"""What a person sees while a conversation runs."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

import click

from realtime_core.cli.narration import Line, Narrator
from realtime_core.events import Event, SessionOpen

__all__ = ["PlainView", "View", "say"]


def say(text: str, *, err: bool = False) -> bool:
    """
    Print a line. Where nobody can read it (`| head`, a full disk) it is left out: the call goes on, for its files.

    Args:
        text: The line.
        err: To standard error.

    Returns:
        Whether it was printed.
    """
    with suppress(OSError):
        click.echo(text, err=err)
        return True
    return False


class View(Protocol):
    """Shows a running conversation; entered before the session starts, left behind its end."""

    def event(self, t_ms: float, event: Event) -> None:
        """Show an event, `t_ms` after the session opened."""

    def caller(self, pcm: bytes, sent_s: float) -> None:
        """Show what was just sent, and how much was sent in all, in seconds."""

    def heard(self, pcm: bytes) -> None:
        """Show what the caller just heard; silence too."""

    def tell(self, line: Line) -> None:
        """Show something that is no event."""

    def note(self, text: str) -> None:
        """Show a warning."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen in order."""


class PlainView:
    """
    Lines, for a pipe or a log.

    Args:
        rate_hz: Of the assistant's audio.
    """

    def __init__(self, rate_hz: int) -> None:
        self._narrator = Narrator(rate_hz)
        self._is_read = True

    def __enter__(self) -> Self:
        """Print nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left open."""

    def event(self, t_ms: float, event: Event) -> None:
        """Print a line."""
        if isinstance(event, SessionOpen):
            self._print(f"\n{'ms':>8}  event")
        line = self._narrator.line(t_ms, event)
        if line is not None:
            self._print(str(line))

    def _print(self, line: str) -> None:
        self._is_read = self._is_read and say(line)

    def caller(self, pcm: bytes, sent_s: float) -> None:
        """Lines have no meters."""

    def heard(self, pcm: bytes) -> None:
        """Lines have no meters."""

    def tell(self, line: Line) -> None:
        """Print it among the events."""
        self._print(str(line))

    def note(self, text: str) -> None:
        """Print it apart from the events."""
        say(f"warning: {text}", err=True)
