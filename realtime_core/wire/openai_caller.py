"""The caller's side of the OpenAI wire: speech and transcripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from attrs import define, field

from realtime_core.events import UserSpeechEnded, UserSpeechStarted, UserTranscript
from realtime_core.usage import Transcription
from realtime_core.wire.dialect import ServerFrame
from realtime_core.wire.effects import Effect
from realtime_core.wire.openai_frames import number_at, object_at, text_at

__all__ = ["CallerSide"]

_MOST_OPEN_TRANSCRIPTS = 64


@define
class CallerSide:
    """
    Follows what the vendor says of the caller.

    Transcripts come from a recogniser of their own, beside the reply: before, during or after it, and out of
    order between utterances.
    """

    vendor: str
    emit: Callable[[Effect], None]
    partials: Literal["append", "replace"]
    transcription: Transcription = field(factory=Transcription)
    """What transcribing cost so far."""
    speaking: bool = False
    """Whether the vendor hears the caller just now."""
    _last_started: str | None = None
    _hypotheses: dict[str | None, str] = field(factory=dict)

    def is_repeated(self, frame: ServerFrame) -> bool:
        """
        Say whether this start of speech was reported before.

        DashScope may repeat it while it is not sure yet (Model Studio, Server events).
        """
        item_id = text_at(frame, "item_id")
        return self.speaking and item_id is not None and item_id == self._last_started

    def started(self, frame: ServerFrame, *, interrupts: bool) -> None:
        """The caller began to speak."""
        self.speaking = True
        self._last_started = text_at(frame, "item_id")
        self.emit(
            UserSpeechStarted(
                vendor=self.vendor,
                item_id=self._last_started,
                at_ms=number_at(frame, "audio_start_ms"),
                interrupts=interrupts,
            )
        )

    def stopped(self, frame: ServerFrame, now: float) -> None:
        """The caller ended, for good or for a breath."""
        self.speaking = False
        self.emit(
            UserSpeechEnded(
                vendor=self.vendor,
                item_id=text_at(frame, "item_id"),
                at_ms=number_at(frame, "audio_end_ms"),
            )
        )

    def partial(self, frame: ServerFrame, now: float) -> None:
        """Take a partial transcript: fragments on OpenAI, settled text and draft on DashScope."""
        item_id = text_at(frame, "item_id")
        if self.partials == "replace" or "stash" in frame:
            text = (text_at(frame, "text") or "") + (text_at(frame, "stash") or "")
        else:
            text = self._hypotheses.get(item_id, "") + (text_at(frame, "delta") or "")
        if not text:
            return
        while item_id not in self._hypotheses and len(self._hypotheses) >= _MOST_OPEN_TRANSCRIPTS:
            self._hypotheses.pop(next(iter(self._hypotheses)))
        self._hypotheses[item_id] = text
        self._transcript(item_id, text, final=False)

    def final(self, frame: ServerFrame, now: float) -> None:
        """Take a final transcript; an empty one only closes a partial."""
        item_id = text_at(frame, "item_id")
        had_partial = self._hypotheses.pop(item_id, None) is not None
        text = text_at(frame, "transcript") or ""
        self._bill(object_at(frame, "usage"))
        if text or had_partial:
            self._transcript(item_id, text, final=True)

    def failed(self, frame: ServerFrame, now: float) -> None:
        """The recogniser failed: what was heard so far is all there will be."""
        item_id = text_at(frame, "item_id")
        text = self._hypotheses.pop(item_id, None)
        if text is not None:
            self._transcript(item_id, text, final=True)

    def _bill(self, usage: ServerFrame) -> None:
        """Add a bill by tokens (`total_tokens`) or by time (`seconds`); DashScope sends none."""
        value = usage.get("seconds")
        seconds = float(value) if isinstance(value, (int, float)) and 0 <= value < 1e6 else 0.0
        so_far = self.transcription
        self.transcription = Transcription(
            tokens=so_far.tokens + (number_at(usage, "total_tokens") or 0),
            seconds=so_far.seconds + seconds,
        )

    def _transcript(self, item_id: str | None, text: str, *, final: bool) -> None:
        self.emit(UserTranscript(vendor=self.vendor, text=text, final=final, item_id=item_id))
