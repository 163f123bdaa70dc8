"""Audio in any portions, cut into pieces of the length vendors like."""

from __future__ import annotations

from attrs import define, field

__all__ = ["MAX_MS", "MIN_MS", "Pieces"]

MIN_MS = 20
"""Shortest audio of a message: Telnyx takes no less, and very small ones were heard to jitter at Twilio."""
MAX_MS = 100
"""Longest audio of a message."""


@define
class Pieces:
    """
    Gathers PCM16 and cuts it.

    Args:
        sample_rate_hz: Of the audio.
    """

    sample_rate_hz: int
    _waiting: bytearray = field(factory=bytearray, init=False)

    def _bytes(self, ms: int) -> int:
        return self.sample_rate_hz * ms // 1000 * 2

    @property
    def waiting_ms(self) -> float:
        """How much waits."""
        return len(self._waiting) / self._bytes(1)

    def add(self, pcm: bytes) -> None:
        """Take audio, whole samples."""
        self._waiting += pcm

    def clear(self) -> None:
        """Drop what waits."""
        self._waiting.clear()

    def take(self) -> list[bytes]:
        """Cut what waits into even pieces; less than `MIN_MS` keeps waiting."""
        size, longest = len(self._waiting), self._bytes(MAX_MS)
        if size < self._bytes(MIN_MS):
            return []
        count = -(-size // longest)
        samples, more = divmod(size // 2, count)
        pieces: list[bytes] = []
        start = 0
        for index in range(count):
            end = start + 2 * (samples + (index < more))
            pieces.append(bytes(self._waiting[start:end]))
            start = end
        self._waiting.clear()
        return pieces

    def take_rest(self) -> tuple[list[bytes], int]:
        """
        Cut all that waits; a piece too short is filled up with silence.

        Returns:
            The pieces, and how many samples of silence the last one has.
        """
        missing = self._bytes(MIN_MS) - len(self._waiting)
        if not self._waiting or missing <= 0:
            return self.take(), 0
        self._waiting += bytes(missing)
        return self.take(), missing // 2
