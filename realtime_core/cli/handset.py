"""The caller's end of the line: recordings at the pace of speech, or a person at a microphone."""

from __future__ import annotations

from typing import Protocol, final

from realtime_core.cli.dialogue import FRAME_MS, Dialogue, Ear
from realtime_core.cli.pace import Schedule

__all__ = ["Handset", "HandsetError", "Player"]


class HandsetError(Exception):
    """The device failed; says what to do."""


class Handset(Protocol):
    """Gives the caller's audio, one frame at a time at the pace of the call, and takes what is to be heard."""

    @property
    def current(self) -> int:
        """Number of the recording that is said, from 0."""
        ...

    @property
    def said_s(self) -> float:
        """How much the caller has said, in seconds; the pauses between recordings do not count."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether the caller has said everything; a person never has."""
        ...

    async def frame(self, ear: Ear) -> bytes:
        """
        Wait for the next 20 ms of the caller.

        Raises:
            HandsetError: The device failed.
        """
        ...

    def play(self, frame: bytes) -> None:
        """Let the caller hear a frame."""

    def hush(self) -> None:
        """Drop what was not heard yet."""

    async def drain(self) -> None:
        """Wait until what was played is heard."""


@final
class Player:
    """
    Recordings as a handset; nobody listens to it.

    Args:
        dialogue: What is said.
        pace: Times real time.
    """

    def __init__(self, dialogue: Dialogue, pace: float) -> None:
        self._dialogue = dialogue
        self._schedule = Schedule(FRAME_MS / 1000 / pace)

    @property
    def current(self) -> int:
        """Number of the recording that is said."""
        return self._dialogue.current

    @property
    def said_s(self) -> float:
        """How much of the recordings was said."""
        return self._dialogue.said_s

    @property
    def is_done(self) -> bool:
        """Whether all recordings were said."""
        return self._dialogue.is_done

    async def frame(self, ear: Ear) -> bytes:
        """Give the next frame at its time."""
        await self._schedule.beat()
        return self._dialogue.frame(ear)

    def play(self, frame: bytes) -> None:
        """Nobody listens."""

    def hush(self) -> None:
        """Nothing waits."""

    async def drain(self) -> None:
        """Nothing waits."""
