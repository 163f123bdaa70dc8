"""The input audio buffer: what was heard, where turns begin and end, what was not taken yet."""

from __future__ import annotations

from attrs import frozen

from .settings import TurnDetection
from .vad import EnergyVad
from .wireformat import WireFormat

__all__ = ["Ear", "Heard"]

_KEEP_MS = 15 * 60 * 1000  # the longest utterance kept; older audio is forgotten
_MARGIN_MS = 1000  # kept before speech besides the prefix padding


@frozen
class Heard:
    """
    Speech began or ended.

    Attributes:
        began: True at the onset, False at the end.
        at_ms: The vendor's `audio_start_ms` or `audio_end_ms`, on the clock of audio received.
        audio: With the end: the utterance from its prefix to its last loud window, wire format.
        speech_ms: With the end: its length without the prefix padding.
    """

    began: bool
    at_ms: int
    audio: bytes = b""
    speech_ms: int = 0


class Ear:
    """
    Holds received audio and finds speech in it.

    Args:
        audio_format: Format of what is fed.
        level_dbfs: Level below which nothing is speech; None never hears any.
    """

    def __init__(self, audio_format: WireFormat, level_dbfs: float | None) -> None:
        self._format = audio_format
        self._level_dbfs = level_dbfs
        self._vad = EnergyVad(audio_format.rate_hz, level_dbfs or 0.0)
        self._buffer = bytearray()
        self._base = 0  # stream position of the buffer's first byte
        self._vad_base = 0  # stream position the detector counts from
        self._start = 0  # where the utterance in progress begins
        self._onset = 0

    @property
    def speaking(self) -> bool:
        """True between the onset and the end of speech."""
        return self._vad.speaking

    @property
    def pending_ms(self) -> int:
        """Milliseconds heard and not committed yet."""
        return len(self._buffer) // self._format.bytes_per_ms

    def reformat(self, audio_format: WireFormat) -> None:
        """Change the format; nothing may have been heard before."""
        self.__init__(audio_format, self._level_dbfs)  # type: ignore[misc]

    def feed(self, audio: bytes, turns: TurnDetection | None) -> list[Heard]:
        """
        Take more audio.

        Args:
            audio: Whole samples.
            turns: Turn detection in force; None only collects.

        Returns:
            What was detected, in order.
        """
        self._buffer += audio
        if turns is None or self._level_dbfs is None:
            self._forget(_KEEP_MS)
            return []
        found: list[Heard] = []
        size, per_ms = self._format.sample_bytes, self._format.bytes_per_ms
        samples = self._format.decode(audio)
        for began, edge, now in self._vad.feed(samples, turns.silence_ms):
            edge_at = self._vad_base + edge * size
            if began:
                self._onset = edge_at
                self._start = max(self._base, edge_at - turns.prefix_ms * per_ms)
                # OpenAI API reference: audio_start_ms includes the prefix padding.
                found.append(Heard(True, self._start // per_ms))
            else:
                now_at = self._vad_base + now * size
                spoken = bytes(self._buffer[self._start - self._base : edge_at - self._base])
                # OpenAI API reference: audio_end_ms includes the silence waited for.
                found.append(
                    Heard(False, now_at // per_ms, spoken, (edge_at - self._onset) // per_ms)
                )
                self._drop_to(now_at)
        self._forget(_KEEP_MS if self._vad.speaking else turns.prefix_ms + _MARGIN_MS)
        return found

    def begin_listening(self) -> None:
        """Look for speech from here on, after turn detection was switched on or off."""
        self._vad.reset()
        self._vad_base = self._base + len(self._buffer)

    def take(self) -> bytes:
        """Return and forget everything not committed yet; speech in progress ends unseen."""
        begin = self._start - self._base if self._vad.speaking else 0
        audio = bytes(self._buffer[begin:])
        self.clear()
        return audio

    def clear(self) -> None:
        """Forget everything not committed yet."""
        self._drop_to(self._base + len(self._buffer))
        self.begin_listening()

    def _drop_to(self, position: int) -> None:
        del self._buffer[: position - self._base]
        self._base = position

    def _forget(self, keep_ms: int) -> None:
        spare = len(self._buffer) - keep_ms * self._format.bytes_per_ms
        # Deleting from the front moves the rest: do it once a second, not for every append.
        if spare > _MARGIN_MS * self._format.bytes_per_ms:
            self._drop_to(self._base + spare)
