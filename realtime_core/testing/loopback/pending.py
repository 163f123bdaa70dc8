"""What came since the last response and waits to be answered."""

from __future__ import annotations

from attrs import define, field

from .reply import Turn
from .transcription import UserTranscript
from .wireformat import WireFormat

__all__ = ["Pending"]


@define
class Pending:
    """
    The unanswered part of the conversation.

    Attributes:
        item_id: The newest audio item.
        audio: Its audio as received.
        speech_ms: Length of its speech.
        texts: Text messages.
        outputs: Function call outputs.
        owed: The transcript of the newest audio item, not sent yet.
    """

    item_id: str | None = None
    audio: bytes = b""
    speech_ms: int = 0
    texts: list[str] = field(factory=list)
    outputs: list[str] = field(factory=list)
    owed: UserTranscript | None = None

    def collect(self, heard: WireFormat, spoken: WireFormat) -> tuple[Turn, UserTranscript | None]:
        """Return it all as one turn, with the transcript owed, and begin anew."""
        turn = Turn(
            heard=heard,
            spoken=spoken,
            item_id=self.item_id,
            audio=self.audio,
            speech_ms=self.speech_ms,
            text=" ".join(self.texts),
            tool_outputs=tuple(self.outputs),
        )
        owed, self.owed = self.owed, None
        self.item_id, self.audio, self.speech_ms = None, b"", 0
        self.texts, self.outputs = [], []
        return turn, owed
