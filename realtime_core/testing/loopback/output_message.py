"""A message item of a response, event by event: audio with transcript, or text."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator

from .conversation import Item
from .frames import Event
from .reply import Speech, Text
from .stage import Pause, Stage, Step, Wait
from .voice import tone_audio

__all__ = ["MessageOutput"]

# OpenAI Realtime guide: deltas have variable length and come faster than real time.
_DELTA_MS = (40, 120, 60, 200, 80, 160, 100)


class MessageOutput:
    """
    One message item being generated.

    Args:
        stage: The session.
        response_id: The response it belongs to.
        index: Its `output_index`.
        part: What to say.
    """

    def __init__(self, stage: Stage, response_id: str, index: int, part: Speech | Text) -> None:
        self._stage = stage
        self._part = part
        self._speaks = isinstance(part, Speech) and stage.settings.speaks
        self._words = part.text if isinstance(part, Text) else (part.transcript or "La la la.")
        self._said = ""
        self._sent_bytes = 0
        self._audio = b""
        if isinstance(part, Speech) and self._speaks:
            spoken = stage.settings.spoken
            self._audio = tone_audio(spoken, part.ms or 1000) if part.audio is None else part.audio
        self.item: Item = Item(
            id=stage.ids.new("item"),
            type="message",
            role="assistant",
            status="in_progress",
            speaks=self._speaks,
        )
        self._ids: Event = {
            "response_id": response_id,
            "item_id": self.item.id,
            "output_index": index,
            "content_index": 0,
        }
        self._place = {"response_id": response_id, "output_index": index}
        self._previous: str | None = None

    @property
    def said(self) -> str:
        """Text or transcript produced so far."""
        return self._said

    def play(self) -> Iterator[Step]:
        """Yield everything up to, but not including, the done events."""
        facts, conversation = self._stage.facts, self._stage.conversation
        if self._stage.in_conversation:  # first, for whoever hears of it may delete it
            self._previous = conversation.add(self.item)
        yield {"type": "response.output_item.added", **self._place, "item": self.item.wire()}
        if self._stage.in_conversation:
            yield from conversation.announced(self.item, self._previous)
        blank = {"type": "audio", "transcript": ""} if self._speaks else {"type": "text"}
        if not (self._speaks and facts.openai):
            blank["text"] = ""
        yield {"type": "response.content_part.added", **self._ids, "part": blank}
        words = self._word_deltas()
        # Transcript deltas run ahead of the audio on both families.
        yield from itertools.islice(words, 2)
        hold = self._part.hold_after_ms if isinstance(self._part, Speech) else None
        held = hold is None
        for ms, delta in self._audio_deltas():
            yield delta
            yield from itertools.islice(words, 2)
            if not held and hold is not None and self.item.audio_ms >= hold:
                held = True
                yield Wait.RELEASE
            if self._stage.speed is not None:
                yield Pause(ms / 1000 / self._stage.speed)
        yield from words
        if not held:
            yield Wait.RELEASE

    def stray(self, count: int) -> Iterator[Event]:
        """Yield a few more audio deltas, as generation that was not stopped at once."""
        if self._speaks:
            extra = tone_audio(self._stage.settings.spoken, 40)
            for _ in range(count):
                yield self._audio_delta(extra)

    def close(self, status: str) -> Iterator[Event]:
        """Yield the done events, with what was produced so far."""
        facts, conversation = self._stage.facts, self._stage.conversation
        self.item.status = status
        kind = "audio" if self._speaks else "text"
        key = "transcript" if self._speaks else "text"
        shown = f"output_{kind}" if facts.ga_events else kind
        self.item.content = [{"type": shown, key: self._said}]
        if self._speaks:
            done = [
                {"type": facts.output("audio.done"), **self._ids},
                {
                    "type": facts.output("audio_transcript.done"),
                    **self._ids,
                    "transcript": self._said,
                },
            ]
            # Model Studio, Server events, puts the transcript first.
            yield from done if facts.openai else reversed(done)
        else:
            yield {"type": facts.output("text.done"), **self._ids, "text": self._said}
        # Model Studio: content under `text` here, under `transcript` in response.done.
        part_key = key if facts.openai else "text"
        part = {"type": kind, part_key: self._said}
        yield {"type": "response.content_part.done", **self._ids, "part": part}
        if self._stage.in_conversation:
            yield from conversation.finished(self.item, self._previous)
        item = self.item.wire()
        if not facts.openai:
            item["content"] = [dict(part)]
        yield {"type": "response.output_item.done", **self._place, "item": item}

    def _word_deltas(self) -> Iterator[Event]:
        tail = "audio_transcript.delta" if self._speaks else "text.delta"
        kind = self._stage.facts.output(tail)
        for number, word in enumerate(self._words.split(" ")):
            delta = word if number == 0 else f" {word}"
            self._said += delta
            yield {"type": kind, **self._ids, "delta": delta}

    def _audio_deltas(self) -> Iterator[tuple[int, Event]]:
        lengths = itertools.cycle(_DELTA_MS)
        per_ms = self._stage.settings.spoken.bytes_per_ms
        at = 0
        while at < len(self._audio):
            ms = next(lengths)
            piece = self._audio[at : at + ms * per_ms]
            at += len(piece)
            yield ms, self._audio_delta(piece)

    def _audio_delta(self, piece: bytes) -> Event:
        self._sent_bytes += len(piece)
        self.item.audio_ms = self._sent_bytes / self._stage.settings.spoken.bytes_per_ms
        encoded = base64.b64encode(piece).decode("ascii")
        return {"type": self._stage.facts.output("audio.delta"), **self._ids, "delta": encoded}
