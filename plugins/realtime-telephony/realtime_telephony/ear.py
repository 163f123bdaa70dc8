"""The input side of a call: what the caller says to the agent, and silence where nothing comes."""

from __future__ import annotations

from typing import final

from realtime_core.agent import Agent
from realtime_core.audio import BYTES_PER_SAMPLE, pcm_ms
from realtime_core.clock import Clock

__all__ = ["GAP_MS", "STALL_MS", "Ear"]

GAP_MS = 100
"""So long may nothing come before silence stands in for it: a held key makes gaps of 200 ms, a phone that
suppresses silence sends nothing at all, and vendors measure time by the audio they receive."""

STALL_MS = 50
"""A look so long after the last one says that our own loop stood still: what came meanwhile has still to be read."""

_MOST_AT_ONCE_MS = 500
_CATCH_UP_S = 0.03


@final
class Ear:
    """
    Passes the caller's audio on as it comes, while the agent takes any.

    Args:
        agent: Who listens.
        rate_hz: Of the leg.
        clock: Monotonic.
    """

    def __init__(self, agent: Agent, rate_hz: int, clock: Clock) -> None:
        self.is_open = False
        """Whether the agent takes audio; time is kept all the same."""
        self.silence_filled_ms: int = 0
        self._agent = agent
        self._rate_hz = rate_hz
        self._clock = clock
        self._heard_until = self._looked_at = clock.now()
        self._look_again_at = 0.0

    async def hear(self, pcm: bytes) -> None:
        """Pass on a piece of the caller's audio: PCM16LE mono at the leg's rate."""
        self._heard_until = self._clock.now()
        if self.is_open:
            await self._agent.push_audio(pcm)

    def gap_ms(self) -> int:
        """
        Say how much silence has to stand in for audio that did not come, in whole 20 ms; 0 when none.

        To be asked at every tick: a gap after a standstill of ours is none until there was time to read.
        """
        now = self._clock.now()
        if (now - self._looked_at) * 1000 > STALL_MS:
            self._look_again_at = now + _CATCH_UP_S
        self._looked_at = now
        missing_ms = (now - self._heard_until) * 1000
        if missing_ms < GAP_MS or now < self._look_again_at:
            return 0
        return min(int(missing_ms) // 20 * 20, _MOST_AT_ONCE_MS)

    def silence(self, gap_ms: int) -> bytes:
        """Give the silence that stands in for audio that did not come; it counts as heard from now on."""
        self._heard_until += gap_ms / 1000
        return bytes(self._rate_hz * gap_ms // 1000 * BYTES_PER_SAMPLE)

    async def fill(self, silence: bytes) -> None:
        """Pass such silence on."""
        if self.is_open:
            self.silence_filled_ms += round(pcm_ms(len(silence), self._rate_hz))
            await self._agent.push_audio(silence)
