"""Outgoing frames when the connection is slower than the caller: a bounded queue in front of it."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice

from realtime_core.errors import ErrorKind, RealtimeError
from realtime_core.transport import Transport

__all__ = ["Uplink"]


class Uplink:
    """
    Sends at once while the connection takes everything, and queues while it does not.

    While held (before the session is open) audio is only queued. Commands keep their place among the audio and
    are never dropped, but for urgent ones, which wait for nothing; audio is dropped from the front when more than `limit_ms` waits.

    Args:
        transport: The connection.
        limit_ms: Bound of the queued audio, in ms.
    """

    def __init__(self, transport: Transport, limit_ms: float) -> None:
        self.held: bool = True
        self.dropped_ms: float = 0.0
        self.frames_sent: int = 0
        self._transport = transport
        self._limit_ms = limit_ms
        self._queue: deque[tuple[bytes, float]] = deque()
        self._queued_ms = 0.0
        self._room = asyncio.Event()
        self.ended: bool = False

    def has_room_for(self, audio_ms: float) -> bool:
        """Say whether so much audio can be queued without dropping any; a single frame always fits."""
        return not self._queued_ms or self._queued_ms + audio_ms <= self._limit_ms

    @property
    def needs_pump(self) -> bool:
        """Whether frames wait that only `pump` will send."""
        return bool(self._queue) and not self.held

    def send_at_once(self, frame: bytes) -> bool:
        """Send a frame if nothing is in its way, and say whether it was sent; the way of nearly every frame."""
        if self.held or self._queue or self._transport.backlog():
            return False
        self._transport.send(frame)
        self.frames_sent += 1
        return True

    def send(self, frame: bytes, audio_ms: float = 0.0) -> bool:
        """
        Send or queue a frame.

        Args:
            frame: Ready for the wire.
            audio_ms: What it holds; 0 for a command.

        Returns:
            Whether audio had to be dropped.
        """
        if self.send_at_once(frame):
            return False
        self._queue.append((frame, audio_ms))
        self._queued_ms += audio_ms
        return audio_ms > 0 and self._drop_oldest()

    def send_now(self, frame: bytes) -> None:
        """Send a frame past all that waits: one of the start, or an urgent one."""
        self._transport.send(frame)
        self.frames_sent += 1

    async def pump(self) -> None:
        """Send what is queued as the connection takes it; returns when the queue is empty."""
        while self._queue and not self.ended:
            if self._transport.backlog():
                await self._transport.drained()
                if self.ended:
                    return
            frame, audio_ms = self._queue.popleft()
            self._queued_ms -= audio_ms
            self._transport.send(frame)
            self.frames_sent += 1
            self._room.set()

    def drop_newest(self) -> None:
        """Forget the audio behind the last command that waits: it is wanted no more, and not counted as dropped."""
        while self._queue and self._queue[-1][1]:
            self._queued_ms -= self._queue.pop()[1]
        self._room.set()

    def too_slow(self) -> RealtimeError:
        """Make the error that tells of dropped audio."""
        return RealtimeError(
            f"audio beyond {self._limit_ms:g} ms (Options.max_buffered_ms) was dropped, oldest first: the "
            "connection is slower than the caller; see stats.drops",
            kind=ErrorKind.OVERFLOW,
            retryable=True,
        )

    async def room(self, audio_ms: float) -> None:
        """Wait until so much audio fits, or the session has ended."""
        while not self.has_room_for(audio_ms) and not self.ended:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """Forget everything and let the waiting go."""
        self.ended = True
        self._queue.clear()
        self._queued_ms = 0.0
        self._room.set()

    def _drop_oldest(self) -> bool:
        dropped = False
        while self._queued_ms > self._limit_ms:
            # The newest stays, even when it alone is longer than the bound.
            for index, (_, audio_ms) in enumerate(islice(self._queue, len(self._queue) - 1)):
                if audio_ms:
                    del self._queue[index]
                    self._queued_ms -= audio_ms
                    self.dropped_ms += audio_ms
                    dropped = True
                    break
            else:
                break
        return dropped
