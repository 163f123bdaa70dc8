"""
Our books of Asterisk's play queue: what it has, what it has played, and what may be sent now. No socket, no clock.

Asterisk plays a frame a tick, to the tick; marks in its queue say exactly when a point is reached, and between them the clock is
as good. Only whole frames are sent, so that a count of frames is a position; remainders wait here.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from attrs import define

__all__ = ["GRACE_S", "MARK_EVERY_MS", "MAX_AHEAD_MS", "MAX_HELD_MS", "PlayQueue"]

MARK_EVERY_MS: Final = 200
"""How far marks are apart."""
MAX_AHEAD_MS: Final = 10_000
"""Most audio at Asterisk: it says stop at 18 s and throws away what comes after 20 s."""
MAX_HELD_MS: Final = 600_000
"""Most audio that waits here; more is dropped and counted."""
GRACE_S: Final = 1.0
"""How late a mark may be before it is given up: audio that waits for a lost one would wait for ever."""


@define
class _Flush:
    """A flush whose answer is awaited."""

    base: int
    sent: int
    pads: list[tuple[int, int]]
    provisional: int
    abandoned: bool = False


@final
class PlayQueue:
    """
    Positions are in samples; "stream" ones since the last flush and with the silence that fills up a last frame.

    Args:
        sample_rate_hz: Of the audio.
        frame_samples: What Asterisk plays at a tick.
        max_message_frames: Most frames in one piece.
    """

    def __init__(
        self, *, sample_rate_hz: int, frame_samples: int, max_message_frames: int = 1_000
    ) -> None:
        self._rate = sample_rate_hz
        self._frame = frame_samples
        frame_ms = frame_samples * 1000 / sample_rate_hz
        self._mark_every = max(1, min(round(MARK_EVERY_MS / frame_ms), max_message_frames))
        self._rest = bytearray()
        self._waiting: deque[bytes | int] = deque()
        self._marks: dict[int, int] = {}
        self._last_mark = 0
        self._flushes: deque[_Flush] = deque()
        self._base = 0
        self._reported = 0
        self.stopped = False
        """Asterisk said stop: its queue is nearly full."""
        self.dropped_samples: int = 0
        """What was given beyond `MAX_HELD_MS`."""
        self.lost_marks: int = 0
        """Marks that were given up."""
        self._reset()

    def _reset(self) -> None:
        """Begin to count at an empty queue."""
        self._rest.clear()
        self._waiting.clear()
        self._marks.clear()
        self._pads: list[tuple[int, int]] = []
        self._end = 0
        self._sent = 0
        self._marked = 0
        self._passed = 0
        self._anchor = (0.0, 0)

    # what comes from the application

    def give(self, pcm: bytes) -> None:
        """Take audio, PCM16LE; `outgoing` says what of it is to be sent."""
        if (self._end - self._sent) * 1000 > MAX_HELD_MS * self._rate:
            self.dropped_samples += len(pcm) // 2
            return
        self._rest += pcm
        size = 2 * self._frame
        while len(self._rest) >= size:
            room = self._mark_every - (self._end - self._marked) // self._frame
            frames = min(len(self._rest) // size, room)
            self._waiting.append(bytes(self._rest[: frames * size]))
            del self._rest[: frames * size]
            self._end += frames * self._frame
            if frames == room:
                self._place_mark()

    def fill_up(self) -> None:
        """Fill the last frame up with silence, because nothing follows."""
        if self._rest:
            missing = self._frame - len(self._rest) // 2
            end = self._end + self._frame
            self.give(bytes(2 * missing))
            self._pads.append((end - missing, missing))

    def end_mark(self) -> int | None:
        """Place a mark at the end of what was given and give its number; `None` when all of it is known to be played."""
        self.fill_up()
        if self._passed == self._end:
            return None
        if self._marked != self._end:
            self._place_mark()
        return self._last_mark

    def _place_mark(self) -> None:
        self._last_mark += 1
        self._marked = self._end
        self._marks[self._last_mark] = self._end
        self._waiting.append(self._last_mark)

    # what goes to Asterisk

    def outgoing(self, now_s: float) -> list[bytes | int]:
        """Give what is to be sent now, in order: audio in whole frames, and numbers of marks."""
        items: list[bytes | int] = []
        played = self._played_stream(now_s)
        while self._waiting and not self.stopped:
            item = self._waiting[0]
            if isinstance(item, bytes):
                if (self._sent - played) * 1000 >= MAX_AHEAD_MS * self._rate:
                    break
                if played == self._sent:
                    # An empty queue begins to play at the next tick, up to a frame from now.
                    self._anchor = (now_s + self._frame / self._rate, self._sent)
                    played = -1  # not empty any more
                self._sent += len(item) // 2
            items.append(self._waiting.popleft())
        return items

    @property
    def has_rest(self) -> bool:
        """Whether part of a frame waits for more audio."""
        return bool(self._rest)

    def ahead_s(self, now_s: float) -> float:
        """Say how long Asterisk can play before it has nothing."""
        return (self._sent - self._played_stream(now_s)) / self._rate

    # what comes from Asterisk

    def mark_played(self, number: int, now_s: float) -> None:
        """Asterisk has played everything before a mark."""
        at = self._marks.get(number)
        if at is not None:
            self._anchor = (now_s, at)
            self._pass(at)

    def _pass(self, at: int) -> None:
        """Go past all marks up to a point, answered or not."""
        self._passed = at
        for number in [number for number, mark in self._marks.items() if mark <= at]:
            del self._marks[number]
        while self._pads and sum(self._pads[0]) <= at:  # a call without a cut has one a reply
            self._base -= self._pads.pop(0)[1]

    # positions

    def played(self, now_s: float) -> int:
        """Estimate how many of the samples given were played; never falls."""
        self._reported = max(self._reported, self._played_samples(now_s))
        return self._reported

    def flush(self, now_s: float) -> None:
        """Forget everything that was not played yet; `settle` says later how much that was."""
        played = self._played_samples(now_s)
        self._flushes.append(_Flush(self._base, self._sent, self._pads, played))
        self._base = played
        self._reset()

    def settle(self, queue_length: int) -> None:
        """Take Asterisk's answer on how many frames it had at the oldest flush that has none."""
        if not self._flushes:
            return
        flush = self._flushes.popleft()
        if flush.abandoned:
            return
        stream = max(flush.sent - queue_length * self._frame, 0)
        shift = flush.base + self._without_pads(stream, flush.pads) - flush.provisional
        # What was told is not taken back: what comes next counts on from there.
        shift = max(shift, min(self._reported - self._base, 0))
        self._base += shift
        for later in self._flushes:
            later.base += shift
            later.provisional += shift

    def abandon(self) -> None:
        """Give up on the answers that are awaited: the estimates stay."""
        for flush in self._flushes:
            flush.abandoned = True

    def _played_samples(self, now_s: float) -> int:
        stream = self._played_stream(now_s)  # first: it may go past marks, and silence before them
        return self._base + self._without_pads(stream, self._pads)

    def _played_stream(self, now_s: float) -> int:
        since, at = self._anchor
        estimate = at + max(round((now_s - since) * self._rate), 0)
        while self._marks:
            # A mark that was not reported was not reached; one that is overdue was lost, and the clock is believed.
            mark = next(iter(self._marks.values()))
            if mark > self._sent or estimate < mark + GRACE_S * self._rate:
                return min(estimate, mark, self._sent)
            self.lost_marks += 1
            self._pass(mark)
        return min(estimate, self._sent)

    @staticmethod
    def _without_pads(stream: int, pads: list[tuple[int, int]]) -> int:
        return stream - sum(min(max(stream - at, 0), length) for at, length in pads)
