"""What the model remembers of a conversation, with cut replies cut to what was heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import define, field

from realtime_local.engines import CallTool, Message

__all__ = ["Memory"]

_MOST_LINES = 400
_ROUNDING_MS = 5.0
_MS_A_WORD = 350
"""What is left of a sentence whose audio is still coming is reckoned by: some 170 words a minute."""


@define
class _Piece:
    """A sentence as it was spoken."""

    text: str
    spoken_ms: float = 0.0
    is_whole: bool = False
    """All of its audio has come."""

    @property
    def whole_ms(self) -> float:
        """How long it takes to say, as far as is known."""
        return (
            self.spoken_ms
            if self.is_whole
            else max(self.spoken_ms, _MS_A_WORD * len(self.text.split()))
        )


@define
class _Line:
    role: Literal["user", "assistant", "tool"]
    text: str = ""
    item_id: str | None = None
    call_id: str | None = None
    pieces: list[_Piece] = field(factory=list)
    calls: list[CallTool] = field(factory=list)

    def message(self) -> Message:
        text = " ".join(piece.text for piece in self.pieces) if self.pieces else self.text
        return Message(role=self.role, text=text, calls=tuple(self.calls), call_id=self.call_id)


@define
class Memory:
    """
    The conversation, oldest first; beyond 400 lines the oldest are forgotten.

    A reply has one item. Its text is kept with how long each sentence took to say, so that what was heard of it can be
    told from what was not.
    """

    _lines: list[_Line] = field(factory=list)

    def messages(self) -> tuple[Message, ...]:
        """Give the conversation for a replier; lines of which nothing is left are not among it."""
        lines = (line.message() for line in self._lines)
        return tuple(m for m in lines if m.role != "assistant" or m.text or m.calls)

    def text_of(self, item_id: str) -> str:
        """Give what is remembered of an assistant's item."""
        line = self._find(item_id)
        return "" if line is None else line.message().text

    def caller_said(self, text: str) -> None:
        """Add an utterance, or what the caller wrote."""
        self._add(_Line("user", text))

    def tool_answered(self, call_id: str, output: str) -> None:
        """Add the answer to a call."""
        self._add(_Line("tool", output, call_id=call_id))

    def reply_began(self, item_id: str) -> None:
        """Add an assistant's item; what comes from now on comes behind it, for it is no answer to that."""
        self._item(item_id)

    def began_saying(self, item_id: str, text: str) -> None:
        """Add a sentence to an assistant's item."""
        self._item(item_id).pieces.append(_Piece(text))

    def spoke(self, item_id: str, ms: float) -> None:
        """Note so much audio of the sentence begun last."""
        line = self._find(item_id)
        if line is not None and line.pieces:
            line.pieces[-1].spoken_ms += ms

    def said(self, item_id: str) -> None:
        """Note that the sentence begun last has all of its audio."""
        line = self._find(item_id)
        if line is not None and line.pieces:
            line.pieces[-1].is_whole = True

    def called(self, item_id: str, call_id: str, name: str, arguments: Mapping[str, Any]) -> None:
        """Add a call to an assistant's item."""
        self._item(item_id).calls.append(
            CallTool(call_id=call_id, name=name, arguments=dict(arguments))
        )

    def cut(self, item_id: str, heard_ms: float) -> None:
        """
        Forget what was not heard of an item.

        Args:
            item_id: The assistant's item.
            heard_ms: How much of its audio was heard; the words of a sentence heard in part are kept in proportion.
        """
        line = self._find(item_id)
        if line is None:
            return
        kept: list[_Piece] = []
        left_ms = heard_ms
        for piece in line.pieces:
            if left_ms <= 0:
                break
            if piece.whole_ms > left_ms + _ROUNDING_MS:
                words = piece.text.split()
                share = left_ms / piece.whole_ms
                text = " ".join(words[: int(len(words) * share)])
                if text:
                    kept.append(_Piece(f"{text} ...", left_ms))
                break
            kept.append(piece)
            left_ms -= piece.spoken_ms
        line.pieces, line.text = kept, ""

    def _item(self, item_id: str) -> _Line:
        line = self._find(item_id)
        if line is None:
            line = _Line("assistant", item_id=item_id)
            self._add(line)
        return line

    def _find(self, item_id: str) -> _Line | None:
        return next((line for line in reversed(self._lines) if line.item_id == item_id), None)

    def _add(self, line: _Line) -> None:
        self._lines.append(line)
        del self._lines[:-_MOST_LINES]
