"""A telephone line without a telephone: 20 ms in and 20 ms out, every 20 ms on an absolute schedule."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, final

import numpy as np
import numpy.typing as npt
from attrs import frozen

from realtime_core.agent import Agent
from realtime_core.playout import Playout
from realtime_local.vad import level_of

__all__ = ["FRAME_MS", "RATE_HZ", "Line", "Utterance"]

RATE_HZ: Final = 16000
"""Of both directions."""
FRAME_MS: Final = 20
"""Length of a frame."""
_FRAME_BYTES: Final = RATE_HZ * FRAME_MS // 1000 * 2
_BLOCK: Final = RATE_HZ // 200
_AUDIBLE: Final = 100.0
"""What is fainter than that (-50 dB of full scale) is silence."""
_HISS: Final = 12.0
"""Standard deviation of the noise of the line, of 32768."""


@frozen(kw_only=True)
class Utterance:
    """Something to say into the line, and where in it speech is."""

    pcm: bytes
    onset_ms: int
    """Where it begins to be audible."""
    end_ms: int
    """Where it ends to be audible."""

    @classmethod
    def of(cls, pcm: bytes) -> Utterance:
        """Find the speech in 16 kHz audio, to 5 ms."""
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
        blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        loud: npt.NDArray[np.intp] = np.flatnonzero(np.sqrt((blocks**2).mean(axis=1)) > _AUDIBLE)
        return cls(pcm=pcm, onset_ms=int(loud[0]) * 5, end_ms=(int(loud[-1]) + 1) * 5)


@final
class Line:
    """
    Pushes what is said, hiss in between, and reads what is played; run `run` as a task.

    A position in the caller's audio is taken to have been spoken so long before its frame was pushed as it lies before
    the frame's end: a real line cannot push a frame earlier.

    Args:
        agent: What is talked to.
        playout: What is listened to.
        heard: Called with the time of every frame that is read, and whether it is audible.
    """

    def __init__(
        self, agent: Agent, playout: Playout, heard: Callable[[float, bool], None]
    ) -> None:
        self._agent = agent
        self._playout = playout
        self._heard = heard
        self._waiting: deque[bytes] = deque()
        self._spoken: asyncio.Future[tuple[float, float]] | None = None
        self._utterance: Utterance | None = None
        self._at_ms = 0
        self._marks: list[float] = []
        self._hiss = self.hiss(1.0)

    @staticmethod
    def hiss(seconds: float) -> bytes:
        """Make the noise of a line that nobody speaks into."""
        noise = np.random.default_rng(1).normal(0.0, _HISS, round(RATE_HZ * seconds))
        return np.round(noise).astype("<i2").tobytes()

    async def say(self, utterance: Utterance) -> tuple[float, float]:
        """Say something; returns when its last sound was pushed: the times of onset and end."""
        self._spoken = asyncio.get_running_loop().create_future()
        self._utterance, self._at_ms, self._marks = utterance, 0, []
        pcm = utterance.pcm
        whole = -(-len(pcm) // _FRAME_BYTES) * _FRAME_BYTES
        padded = pcm.ljust(whole, b"\0")
        self._waiting.extend(padded[at : at + _FRAME_BYTES] for at in range(0, whole, _FRAME_BYTES))
        return await self._spoken

    async def run(self) -> None:
        """Keep the line open until it is cancelled."""
        begun, count = monotonic(), 0
        while True:
            await self._beat(count)
            count += 1
            await asyncio.sleep(max(0.0, begun + count * FRAME_MS / 1000 - monotonic()))

    async def _beat(self, count: int) -> None:
        at = count * _FRAME_BYTES % len(self._hiss)
        hiss = self._hiss[at : at + _FRAME_BYTES]
        speaks = bool(self._waiting)
        frame = self._waiting.popleft() if speaks else hiss
        now = monotonic()
        await self._agent.push_audio(frame)
        if speaks:
            self._pushed(now)
        self._heard(monotonic(), level_of(self._playout.read()) > _AUDIBLE)

    def _pushed(self, now: float) -> None:
        utterance, self._at_ms = self._utterance, self._at_ms + FRAME_MS
        if utterance is None or self._spoken is None:
            return
        for position in (utterance.onset_ms, utterance.end_ms):
            if self._at_ms - FRAME_MS < position <= self._at_ms:
                self._marks.append(now - (self._at_ms - position) / 1000)
        if len(self._marks) == 2 and not self._spoken.done():
            self._spoken.set_result((self._marks[0], self._marks[1]))
