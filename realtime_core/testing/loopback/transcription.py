"""The transcript of the user's speech: partial, final and failed, in each family's words."""

from __future__ import annotations

from .dialects import DialectFacts
from .frames import Event

__all__ = ["UserTranscript"]

_PREFIX = "conversation.item.input_audio_transcription"


class UserTranscript:
    """
    The transcript of one audio item. No recogniser: it says how long the speech was.

    Args:
        facts: The dialect.
        item_id: The user's audio item.
        speech_ms: Length of the speech.
        model: The transcription model asked for.
    """

    def __init__(
        self, facts: DialectFacts, item_id: str, speech_ms: int, model: str | None
    ) -> None:
        self._facts = facts
        self._ids = {"item_id": item_id, "content_index": 0}
        self._speech_ms = speech_ms
        self._model = model or ""
        self.text: str = f"Speech of {speech_ms / 1000:.1f} seconds."

    def partial(self) -> list[Event]:
        """Return the partial events Model Studio sends while the user still speaks."""
        words = self.text.split(" ")
        events = []
        for settled in (0, 2):
            # Model Studio, Server events: text is settled, stash may still change.
            text, stash = " ".join(words[:settled]), " ".join(words[settled : settled + 2])
            joint = " " if text and stash else ""
            events.append(
                {
                    "type": f"{_PREFIX}.delta",
                    **self._ids,
                    "text": text,
                    "stash": joint + stash,
                    "language": "en",
                    "emotion": "neutral",
                }
            )
        return events

    def completed(self) -> list[Event]:
        """Return the final transcript, on OpenAI after its deltas."""
        final: Event = {"type": f"{_PREFIX}.completed", **self._ids, "transcript": self.text}
        if not self._facts.openai:
            return [final]
        final["usage"] = self._usage()
        # whisper-1 sends the whole text as one delta; the others send it word by word.
        pieces = [self.text] if self._model == "whisper-1" else self._pieces()
        deltas = [{"type": f"{_PREFIX}.delta", **self._ids, "delta": piece} for piece in pieces]
        return [*deltas, final]

    def failed(self) -> list[Event]:
        """Return the event of a failed transcription."""
        error = {"code": "audio_unintelligible", "message": "The audio could not be transcribed."}
        if self._facts.openai:
            error["type"] = "transcription_error"
        return [{"type": f"{_PREFIX}.failed", **self._ids, "error": {**error, "param": None}}]

    def _pieces(self) -> list[str]:
        words = self.text.split(" ")
        return words[:1] + [f" {word}" for word in words[1:]]

    def _usage(self) -> Event:
        if self._model == "whisper-1":
            return {"type": "duration", "seconds": self._speech_ms / 1000}
        audio, text = self._speech_ms // 100, len(self.text) // 4
        return {
            "type": "tokens",
            "input_tokens": audio,
            "output_tokens": text,
            "total_tokens": audio + text,
            "input_token_details": {"audio_tokens": audio, "text_tokens": 0},
        }
