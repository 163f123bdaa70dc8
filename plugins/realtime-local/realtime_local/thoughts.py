"""Reasoning that a model writes in front of its answer, between `<think>` and `</think>`: not to be spoken."""

from __future__ import annotations

from typing import Final, final

__all__ = ["ThoughtFilter"]

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


@final
class ThoughtFilter:
    """Leaves the thoughts at the head of a streamed text out; such marks later on are text."""

    def __init__(self) -> None:
        self._held: str | None = ""  # None once the answer has begun
        self._is_thinking = False

    def feed(self, text: str) -> str:
        """Take more of the text; give what is answer."""
        if self._held is None:
            return text
        self._held += text
        if not self._is_thinking:
            begun = self._held.lstrip()
            if begun.startswith(_OPEN):
                self._is_thinking, self._held = True, begun.removeprefix(_OPEN)
            elif _OPEN.startswith(begun):
                return ""  # may become the mark
            else:
                return self.finish()
        _, mark, answer = self._held.partition(_CLOSE)
        if mark:
            self._held = None
            return answer.lstrip()
        self._held = self._held[-len(_CLOSE) :]
        return ""

    def finish(self) -> str:
        """Give what was held back in case it became a mark."""
        held, self._held = self._held, None
        return "" if self._is_thinking or held is None else held
