"""A replier that says back what it heard: for the first call, and to listen to recognition and synthesis."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import final

from realtime_local.engines import CallTool, Say, TurnRequest

__all__ = ["ParrotReplier"]


@final
class ParrotReplier:
    """
    Says back what the caller said; its recogniser takes free speech.

    Args:
        greeting: Said first.
        not_heard: Said when nothing was understood.
    """

    apology = "Sorry, something went wrong."
    """Said when a reply fails."""

    def __init__(
        self,
        *,
        greeting: str = "Hello. I say back what you say.",
        not_heard: str = "Sorry, I did not understand that.",
    ) -> None:
        self._greeting = greeting
        self._not_heard = not_heard

    async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
        """Say what the caller said since the last reply; what a tool answered is not for a parrot."""
        if request.is_greeting:
            yield Say(text=self._greeting)
            return
        said: list[str] = []
        for message in reversed(request.history):
            if message.role != "user":
                break
            said.insert(0, message.text.strip())
        if said:
            yield Say(text=" ".join(filter(None, said)) or self._not_heard)

    def phrases(self) -> str | None:
        """Take free speech."""
        return None

    async def close(self) -> None:
        """Hold nothing."""
