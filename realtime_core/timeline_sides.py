"""How a `Timeline` understands each side of a call: where its speech begins and ends, and what was said in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, final

from attrs import define, evolve, field

from realtime_core.audio import pcm_ms
from realtime_core.events import AssistantAudio, AssistantText, UserTranscript
from realtime_core.peaks import Peaks
from realtime_core.timeline_marks import LOST_STEP_MS, Span, Words

__all__ = ["MOST_MARKS", "AssistantSide", "CallerSide", "Marks"]

MOST_MARKS = 2000
"""Of each kind of mark so many are kept, the first ones; `Timeline.dropped` counts the others."""

_AUDIBLE = 200
_PAUSE_MS = 600.0
_ANSWER_GAP_MS = 60.0
_ONSET_LOOKBACK_MS = 1500.0
_ONSET_GAP_MS = 200.0
_SOUND_SHARE = 1 / 16
_RECENT_ITEMS = 8
_JITTER_MS = 100.0
_MOST_LOST_STEPS = 1500

_T = TypeVar("_T")


@final
class Marks(list[_T]):
    """A list that keeps its first `MOST_MARKS` and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: int = 0

    def keep(self, mark: _T) -> None:
        """Append it, or count it."""
        if len(self) < MOST_MARKS:
            self.append(mark)
        else:
            self.dropped += 1


@define
class _Utterance:
    """Of either side, while it is still growing."""

    item_id: str | None
    start_ms: float
    end_ms: float | None = None
    is_spoken: bool = True
    """It has a place of its own on the clock: sound, or a signal of the vendor's."""
    text: str = ""
    is_final: bool = False
    received_ms: float = 0.0
    heard_share: float = 1.0

    def words(self, until_ms: float) -> Words:
        end_ms = until_ms if self.end_ms is None else self.end_ms
        return Words(self.text, self.start_ms, max(end_ms, self.start_ms), self.heard_share)


@final
@define
class CallerSide:
    """The caller: signals of the vendor, with the edges of the sound around them."""

    peaks: Peaks
    """Outline of the voice."""
    utterances: Marks[_Utterance] = field(factory=Marks)
    """In order."""

    def started(self, item_id: str | None, t_ms: float) -> None:
        """Speech was noticed; it began before."""
        since_ms = max(t_ms - _ONSET_LOOKBACK_MS, 0.0)
        if self.utterances:
            last = self.utterances[-1]
            last.end_ms = t_ms if last.end_ms is None else last.end_ms
            since_ms = max(since_ms, last.end_ms)
        start_ms = self.peaks.onset_before(
            t_ms, since_ms=since_ms, share=_SOUND_SHARE, gap_ms=_ONSET_GAP_MS
        )
        self.utterances.keep(_Utterance(item_id, start_ms))

    def ended(self, t_ms: float) -> float:
        """Take note that the end of speech was noticed, and give when it was."""
        if not self.utterances or self.utterances[-1].end_ms is not None:
            return t_ms
        last = self.utterances[-1]
        sound = self.peaks.sound_before(t_ms, since_ms=last.start_ms, share=_SOUND_SHARE)
        last.end_ms = t_ms if sound is None else sound
        return last.end_ms

    def transcript(self, event: UserTranscript, t_ms: float) -> None:
        """Put a transcript to its utterance; one that has none stands where it came."""
        named = [u for u in self.utterances if u.item_id == event.item_id is not None]
        unnamed = [u for u in self.utterances[-1:] if None in (event.item_id, u.item_id)]
        found = (named or unnamed)[-1:]
        if not found:
            found = [_Utterance(event.item_id, t_ms, t_ms, is_spoken=False)]
            self.utterances.keep(found[0])
        found[0].text = event.text

    def spans(self, until_ms: float) -> Sequence[Span]:
        """Give when the caller spoke; who still speaks does so until then."""
        return [
            Span(each.start_ms, until_ms if each.end_ms is None else each.end_ms)
            for each in self.utterances
            if each.is_spoken
        ]


@define
class _Sound:
    start_ms: float
    end_ms: float
    is_over: bool = False


@final
@define
class AssistantSide:
    """The assistant: what came, and what of it was heard."""

    rate_hz: int
    """Of its audio."""
    peaks: Peaks
    """Outline of what was heard."""
    utterances: Marks[_Utterance] = field(factory=Marks)
    """Message items, in order."""
    sounds: Marks[_Sound] = field(factory=Marks)
    """Stretches of sound, in order."""
    _received: Peaks = field(init=False)
    """Outline of what came and may not have been heard yet."""
    _free_ms: float = 0.0
    """When all that came has been heard."""

    def __attrs_post_init__(self) -> None:
        self._received = Peaks(self.rate_hz)

    def _utterance(self, item_id: str | None, t_ms: float) -> _Utterance:
        for each in reversed(self.utterances[-_RECENT_ITEMS:]):
            if each.item_id == item_id and not (item_id is None and each.is_final):
                return each
        new = _Utterance(item_id, max(t_ms, self._free_ms), is_spoken=False)
        self.utterances.keep(new)
        return new

    def text(self, event: AssistantText, t_ms: float) -> None:
        """Put a text to its item."""
        utterance = self._utterance(event.item_id, t_ms)
        utterance.text = event.text if event.final else utterance.text + event.text
        utterance.is_final = utterance.is_final or event.final

    def audio(self, event: AssistantAudio, t_ms: float) -> None:
        """Queue audio behind what is still to be heard."""
        if t_ms >= self._free_ms:
            self._received = Peaks(self.rate_hz)
        self._received.add(event.audio)
        utterance = self._utterance(event.item_id, t_ms)
        if not utterance.is_spoken:
            utterance.is_spoken, utterance.start_ms = True, max(t_ms, self._free_ms)
        ms = pcm_ms(len(event.audio), self.rate_hz)
        utterance.received_ms += ms
        self._free_ms = max(self._free_ms, t_ms) + ms
        utterance.end_ms = self._free_ms

    def heard(self, pcm: bytes, t_ms: float, *, answers: bool) -> float | None:
        """
        Take a frame of what was heard.

        Args:
            pcm: PCM16LE mono.
            t_ms: When it began.
            answers: Whether an answer is awaited; then a short silence ends what was heard before.

        Returns:
            Where a new stretch of sound begins with it, in ms.
        """
        start_ms = self.peaks.add(pcm, t_ms)
        end_ms = self.peaks.end_ms
        if not any(pcm) or self.peaks.loudest(start_ms, end_ms) < _AUDIBLE:
            return None
        gap_ms = _ANSWER_GAP_MS if answers else _PAUSE_MS
        last = self.sounds[-1] if self.sounds else None
        if last is not None and not last.is_over and start_ms - last.end_ms <= gap_ms:
            last.end_ms = end_ms
            return None
        self.sounds.keep(_Sound(start_ms, end_ms))
        return start_ms

    def cut(self, t_ms: float) -> None:
        """Take note that everything still to be heard will not be."""
        if self.sounds:
            self.sounds[-1].is_over = True
        for each in reversed(self.utterances):
            if not each.is_spoken:
                continue
            if each.end_ms is None or each.end_ms <= t_ms:
                break
            heard_ms = max(0.0, t_ms - each.start_ms)
            each.heard_share = min(1.0, heard_ms / each.received_ms) if each.received_ms else 0.0
            each.start_ms, each.end_ms = min(each.start_ms, t_ms), t_ms
        self._free_ms = min(self._free_ms, t_ms)

    def lost(self, cut_ms: int) -> Sequence[tuple[int, int]]:
        """Give the outline of the last so many ms that came: what was cut."""
        end_ms = self._received.end_ms
        steps = range(round(max(0.0, end_ms - cut_ms)), round(end_ms), LOST_STEP_MS)
        outline = (self._received.between(at, at + LOST_STEP_MS) for at in steps)
        return [peak for peak, _ in zip(outline, range(_MOST_LOST_STEPS), strict=False)]

    def words(self, until_ms: float) -> Sequence[Words]:
        """Give what the assistant said; what would have been heard after the end of the call was not."""
        is_listened_to = self.peaks.end_ms > 0  # otherwise nobody knows
        said: list[Words] = []
        for each in self.utterances:
            if not each.text:
                continue
            words = each.words(each.start_ms)
            if is_listened_to and each.received_ms and words.end_ms - until_ms > _JITTER_MS:
                heard_ms = max(0.0, until_ms - words.start_ms)
                share = min(words.heard_share, heard_ms / each.received_ms)
                start_ms = min(words.start_ms, until_ms)
                words = evolve(words, start_ms=start_ms, end_ms=until_ms, heard_share=share)
            said.append(words)
        return said

    def spans(self) -> Sequence[Span]:
        """Give when the assistant was heard."""
        return [Span(each.start_ms, each.end_ms) for each in self.sounds]
