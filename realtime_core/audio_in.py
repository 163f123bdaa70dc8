"""The caller's audio on its way to the vendor: resampled, framed, queued when the connection is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import define, field

from realtime_core.audio import BYTES_PER_SAMPLE, Resampler, pcm_ms
from realtime_core.errors import AgentClosedError
from realtime_core.uplink import Uplink
from realtime_core.wire import WireProtocol

__all__ = ["AudioIn"]

_LONGEST_FRAME_MS = 200
_SPLIT_FRAME_MS = 100


@define
class AudioIn:
    """
    Turns chunks of any length into frames of the wire.

    Args:
        rate_hz: Rate of the caller's audio.
        wire: Writes the frames.
        uplink: Sends them.
        resampler: One stream for the direction, or `None` where the rates are equal.
        waits: Whether a full queue makes the caller wait; otherwise its oldest audio is dropped.
        on_queued: Called when frames wait for the connection; the flag says that audio was dropped.
    """

    rate_hz: int
    wire: WireProtocol
    uplink: Uplink
    resampler: Resampler | None
    waits: bool
    on_queued: Callable[[bool], None]
    pushed_bytes: int = 0
    longest_bytes: int = field(init=False)
    """A longer chunk is cut into several frames."""

    def __attrs_post_init__(self) -> None:
        """Work the limit out once, not at every chunk."""
        self.longest_bytes = _LONGEST_FRAME_MS * self.rate_hz // 1000 * BYTES_PER_SAMPLE

    async def push(self, pcm: bytes | bytearray | memoryview, size: int) -> None:
        """
        Take a chunk. All is done before the first await, and there is one only when the queue is full: until there is room,
        or, where audio is dropped, for a turn of the loop, which who pushes without a pause would not let work.

        Args:
            pcm: PCM16LE mono, whole samples.
            size: Its bytes.
        """
        self.pushed_bytes += size
        if size <= self.longest_bytes:
            if self.waits:
                await self._room(size)
            if self._send(pcm, size):
                await asyncio.sleep(0)
            return
        step = _SPLIT_FRAME_MS * self.rate_hz // 1000 * BYTES_PER_SAMPLE
        view = memoryview(pcm)
        for at in range(0, size, step):
            piece = view[at : at + step]
            if self.waits:
                await self._room(piece.nbytes)
            if self._send(piece, piece.nbytes):
                await asyncio.sleep(0)

    def flush(self) -> None:
        """Send what the resampler still holds: the turn ends here."""
        if self.resampler is not None:
            tail = self.resampler.flush()
            if tail:
                self.uplink.send(self.wire.audio_frame(tail))

    def clear(self) -> None:
        """Forget what was not sent yet, here and in the resampler; a turn that was committed stays whole."""
        self.uplink.drop_newest()
        if self.resampler is not None:
            self.resampler.clear()

    def _send(self, pcm: bytes | bytearray | memoryview, size: int) -> bool:
        """Send or queue a piece, and say whether audio had to be dropped for it."""
        if self.resampler is not None:
            pcm = self.resampler.process(pcm)
            if not pcm:
                return False
        frame = self.wire.audio_frame(pcm)
        if self.uplink.send_at_once(frame):
            return False
        dropped = self.uplink.send(frame, pcm_ms(size, self.rate_hz))
        self.on_queued(dropped)
        return dropped

    async def _room(self, size: int) -> None:
        await self.uplink.room(pcm_ms(size, self.rate_hz))
        if self.uplink.ended:
            raise AgentClosedError("push_audio: the session ended while waiting for room")
