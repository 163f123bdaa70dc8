"""
Where speech begins and ends, of the verdicts of a detector: no clock, no thread, no detector inside.

Time is counted in received audio. The caller cuts what arrives into frames, has them judged wherever it likes,
and gives frame and verdict back in order:

    for frame in endpointing.cut(pcm):
        match endpointing.judge(frame, detector.is_speech(frame)):
            case SpeechBegan(at_ms=at_ms): ...
            case SpeechEnded(pcm=pcm): ...
"""

from __future__ import annotations

from collections import deque
from typing import final

from attrs import field, frozen

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.errors import ConfigError

from .engines import MODEL_RATE_HZ

__all__ = [
    "MAX_TURN_MS",
    "MAX_UTTERANCE_MS",
    "Endpointing",
    "ManualTurn",
    "SpeechBegan",
    "SpeechEnded",
    "SpeechPaused",
]

MAX_UTTERANCE_MS = 30_000
"""Longest utterance; who goes on speaking begins another."""
MAX_TURN_MS = 60_000
"""Longest turn ended by hand; of more the latest is kept."""

_BYTES_A_MS = MODEL_RATE_HZ * BYTES_PER_SAMPLE // 1000


@frozen(kw_only=True)
class SpeechBegan:
    """Somebody began to speak."""

    at_ms: int
    """Where the utterance's audio begins, in ms of received audio: `prefix_padding_ms` before the onset."""
    onset_ms: int
    """The first frame taken for speech, in ms of received audio."""


@frozen(kw_only=True)
class SpeechPaused:
    """They are silent; perhaps that is the end, of which `SpeechEnded` then tells with the same `silent_since_ms`."""

    silent_since_ms: int
    """The end of the last frame taken for speech, in ms of received audio."""
    pcm: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    """The utterance so far: PCM16LE mono at `MODEL_RATE_HZ`."""


@frozen(kw_only=True)
class SpeechEnded:
    """They stopped, or spoke for as long as an utterance may be."""

    at_ms: int
    """Where the utterance's audio ends, in ms of received audio: with the silence that ended it."""
    silent_since_ms: int
    """The end of the last frame taken for speech, in ms of received audio."""
    pcm: bytes = field(repr=lambda pcm: f"<{len(pcm)} bytes>")
    """The utterance, from `SpeechBegan.at_ms` to `at_ms`: PCM16LE mono at `MODEL_RATE_HZ`."""


@final
class Endpointing:
    """
    Finds utterances in a stream of judged frames.

    Args:
        frame_ms: Length of a frame, as the detector wants it.
        frames_to_start: How many of the last `frames_to_start + 1` frames must be speech for a beginning.
        silence_ms: How long nobody speaks before it is an end.
        prefix_padding_ms: How much before the onset belongs to the utterance.
        max_utterance_ms: The utterance ends here at the latest; who goes on speaking begins another.
        pause_ms: After so much silence a pause is told, so that somebody can begin to work on what may be the whole
            utterance; `None` tells of none.

    Raises:
        ConfigError: One of them is not positive (the padding: negative), or the utterance shorter than its parts.
    """

    def __init__(
        self,
        *,
        frame_ms: int,
        frames_to_start: int,
        silence_ms: int = 450,
        prefix_padding_ms: int = 300,
        max_utterance_ms: int = MAX_UTTERANCE_MS,
        pause_ms: int | None = None,
    ) -> None:
        _expect_at_least(1, frame_ms=frame_ms, frames_to_start=frames_to_start)
        _expect_at_least(frame_ms, silence_ms=silence_ms)
        _expect_at_least(0, prefix_padding_ms=prefix_padding_ms)
        _expect_at_least(
            prefix_padding_ms + silence_ms + (frames_to_start + 1) * frame_ms,
            max_utterance_ms=max_utterance_ms,
        )
        self._frame_ms = frame_ms
        self._frames_to_start = frames_to_start
        self._silent_frames = -(-silence_ms // frame_ms)
        self._pause_frames = 0 if pause_ms is None else -(-pause_ms // frame_ms)
        self._padding_frames = -(-prefix_padding_ms // frame_ms)
        self._max_frames = max_utterance_ms // frame_ms
        self._uncut = bytearray()
        self._verdicts: deque[bool] = deque(maxlen=frames_to_start + 1)
        self._recent: deque[bytes] = deque(maxlen=self._padding_frames + frames_to_start + 1)
        self._utterance: list[bytes] = []
        self._judged = 0
        self._silence = 0

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance is under way."""
        return bool(self._utterance)

    @property
    def received_ms(self) -> int:
        """How much audio was judged, in ms."""
        return self._judged * self._frame_ms

    def cut(self, pcm: bytes | bytearray | memoryview) -> list[bytes]:
        """
        Cut what arrived into frames.

        Args:
            pcm: PCM16LE mono at `MODEL_RATE_HZ`, any length; copied.

        Returns:
            The whole frames there are, to be judged in this order; the rest waits for the next chunk.
        """
        self._uncut += pcm
        size = self._frame_ms * _BYTES_A_MS
        whole = len(self._uncut) // size * size
        frames = [bytes(self._uncut[at : at + size]) for at in range(0, whole, size)]
        del self._uncut[:whole]
        return frames

    def judge(
        self, frame: bytes, is_speech: bool
    ) -> SpeechBegan | SpeechPaused | SpeechEnded | None:
        """
        Take the next frame of `cut` and what the detector says of it.

        Returns:
            What it brought about, at most one thing.
        """
        self._judged += 1
        if self._utterance:
            return self._go_on(frame, is_speech)
        self._recent.append(frame)
        self._verdicts.append(is_speech)
        if sum(self._verdicts) < self._frames_to_start:
            return None
        return self._begin()

    def take(self) -> bytes:
        """Cut a running utterance short and give what there is of it; empty when nobody speaks."""
        pcm = b"".join(self._utterance)
        self._forget()
        return pcm

    def clear(self) -> None:
        """Forget a running utterance, the padding and what is not cut yet; positions go on."""
        self._forget()
        self._uncut.clear()

    def _begin(self) -> SpeechBegan:
        since_onset = len(self._verdicts) - list(self._verdicts).index(True)
        self._utterance = list(self._recent)[-(since_onset + self._padding_frames) :]
        self._silence = 0
        onset = self._judged - since_onset
        start = self._judged - len(self._utterance)
        self._recent.clear()
        self._verdicts.clear()
        return SpeechBegan(at_ms=start * self._frame_ms, onset_ms=onset * self._frame_ms)

    def _go_on(self, frame: bytes, is_speech: bool) -> SpeechPaused | SpeechEnded | None:
        self._utterance.append(frame)
        self._silence = 0 if is_speech else self._silence + 1
        since_ms = (self._judged - self._silence) * self._frame_ms
        if self._silence >= self._silent_frames or len(self._utterance) >= self._max_frames:
            return SpeechEnded(at_ms=self.received_ms, silent_since_ms=since_ms, pcm=self.take())
        if self._silence and self._silence == self._pause_frames:
            return SpeechPaused(silent_since_ms=since_ms, pcm=b"".join(self._utterance))
        return None

    def _forget(self) -> None:
        self._utterance = []
        self._recent.clear()
        self._verdicts.clear()
        self._silence = 0


@final
class ManualTurn:
    """
    The audio of a turn whose end somebody else says: without detection, bounded.

    Args:
        max_ms: How much is kept; of more, the latest.

    Raises:
        ConfigError: Less than 1 ms.
    """

    def __init__(self, max_ms: int = MAX_TURN_MS) -> None:
        _expect_at_least(1, max_ms=max_ms)
        self._max_bytes = max_ms * _BYTES_A_MS
        self._pcm = bytearray()
        self.dropped_bytes: int = 0
        """How much was too old to be kept, of all turns."""

    @property
    def duration_ms(self) -> int:
        """How much there is, in whole ms."""
        return len(self._pcm) // _BYTES_A_MS

    def push(self, pcm: bytes | bytearray | memoryview) -> None:
        """Add PCM16LE mono at `MODEL_RATE_HZ`, whole samples; copied."""
        self._pcm += pcm
        if (excess := len(self._pcm) - self._max_bytes) > 0:
            del self._pcm[:excess]
            self.dropped_bytes += excess

    def take(self) -> bytes:
        """Give everything since the last time."""
        pcm = bytes(self._pcm)
        self._pcm.clear()
        return pcm

    def clear(self) -> None:
        """Forget everything since the last time."""
        self._pcm.clear()


def _expect_at_least(least: int, **arguments: int) -> None:
    for name, value in arguments.items():
        if value < least:
            raise ConfigError(f"{name}: expected at least {least}, got {value}")
