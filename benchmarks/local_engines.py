"""The engines of the model in the box with a stopwatch around each, handed over by `Options.vendor`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from time import monotonic
from typing import final

from attrs import define, fields

from realtime_local.engines import (
    CallTool,
    Heard,
    Recogniser,
    Replier,
    Say,
    Synthesiser,
    TurnRequest,
)
from realtime_local.recogniser import SphinxRecogniser

__all__ = ["Marks", "TimedRecogniser", "TimedReplier", "TimedSynthesiser"]


@define
class Marks:
    """When things happened last, in seconds of the monotonic clock; cleared before each turn."""

    silent: float | None = None
    """The caller's last word was pushed."""
    ended: float | None = None
    """The session said that the caller has finished."""
    recognised: float | None = None
    """The words were known."""
    asked: float | None = None
    """The replier was asked."""
    said: float | None = None
    """Its first words were there."""
    synthesis: float | None = None
    """The voice was asked for them."""
    spoken: float | None = None
    """The voice gave its first chunk."""
    delivered: float | None = None
    """The application got audio."""
    audible: float | None = None
    """A frame with sound in it left the playout."""

    def clear(self) -> None:
        """Forget them all."""
        for mark in fields(Marks):
            setattr(self, mark.name, None)


@final
class TimedRecogniser(Recogniser):
    """Notes when the words are known."""

    def __init__(self, grammar: str | None, marks: Marks) -> None:
        self._recogniser = SphinxRecogniser(grammar)
        self._marks = marks

    def recognise(self, pcm: bytes) -> Heard:
        """Recognise, and note the end."""
        heard = self._recogniser.recognise(pcm)
        self._marks.recognised = monotonic()
        return heard


@final
class TimedReplier(Replier):
    """Notes when the replier is asked and when it begins to answer."""

    def __init__(self, replier: Replier, marks: Marks) -> None:
        self.apology = replier.apology
        self._replier = replier
        self._marks = marks

    async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
        """Answer, and note the first words."""
        self._marks.asked, first = monotonic(), True
        async with aclosing(self._replier.reply(request)) as pieces:
            async for piece in pieces:
                if first and isinstance(piece, Say):
                    self._marks.said, first = monotonic(), False
                yield piece

    def phrases(self) -> str | None:
        """Give the replier's grammar."""
        return self._replier.phrases()

    async def close(self) -> None:
        """Close the replier."""
        await self._replier.close()


@final
class TimedSynthesiser(Synthesiser):
    """Notes when the voice is asked and when it begins to speak, for the first words of a turn."""

    def __init__(self, synthesiser: Synthesiser, marks: Marks) -> None:
        self.name = synthesiser.name
        self.sample_rate_hz = synthesiser.sample_rate_hz
        self._synthesiser = synthesiser
        self._marks = marks

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        """Speak, and note the first chunk."""
        marks = self._marks
        marks.synthesis = marks.synthesis or monotonic()
        chunks = self._synthesiser.speak(text, voice)
        with closing(chunks):  # type: ignore[type-var]  # all of ours are generators
            for chunk in chunks:
                marks.spoken = marks.spoken or monotonic()
                yield chunk
