"""The ear of a session: a detector and what it finds, or nothing but a buffer where the application ends the turns."""

from __future__ import annotations

from typing import Final, final

from realtime_local.endpointing import (
    Endpointing,
    ManualTurn,
    SpeechBegan,
    SpeechEnded,
    SpeechPaused,
)
from realtime_local.engines import SpeechDetector

__all__ = ["PAUSE_MS", "Listener"]

PAUSE_MS: Final = 200
"""After so much silence recognition begins, so that the words are known when the utterance is over."""


@final
class Listener:
    """
    Takes the caller's audio and finds utterances.

    Args:
        detector: Judges frames; `None` with manual turns.
        silence_ms: How long nobody speaks before an utterance is over: most of what a caller waits for an answer, and
            the longest pause in mid-sentence that is not taken for the end.
        prefix_padding_ms: How much before the onset belongs to it.
    """

    def __init__(
        self,
        detector: SpeechDetector | None,
        *,
        silence_ms: int = 450,
        prefix_padding_ms: int = 300,
    ) -> None:
        self._detector = detector
        self._turn = ManualTurn()
        self._endpointing = (
            None
            if detector is None
            else Endpointing(
                frame_ms=detector.frame_ms,
                frames_to_start=detector.frames_to_start,
                silence_ms=silence_ms,
                prefix_padding_ms=prefix_padding_ms,
                pause_ms=PAUSE_MS,
            )
        )

    @property
    def is_slow(self) -> bool:
        """Whether `feed` must not run on the event loop."""
        return self._detector is not None and self._detector.is_slow

    def feed(self, pcm: bytes) -> list[SpeechBegan | SpeechPaused | SpeechEnded]:
        """Take audio at the model's rate, and tell what it brought about."""
        if self._endpointing is None or self._detector is None:
            self._turn.push(pcm)
            return []
        found: list[SpeechBegan | SpeechPaused | SpeechEnded] = []
        for frame in self._endpointing.cut(pcm):
            event = self._endpointing.judge(frame, self._detector.is_speech(frame))
            if event is not None:
                found.append(event)
        return found

    def take(self) -> bytes:
        """Give the audio of a manual turn."""
        return self._turn.take()

    def clear(self) -> bool:
        """Forget what is no utterance yet; whether one was under way, which is forgotten too."""
        self._turn.clear()
        if self._endpointing is None:
            return False
        was_speaking = self._endpointing.is_speaking
        self._endpointing.clear()
        return was_speaking
