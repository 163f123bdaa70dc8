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
        """Say the caller's last words; what a tool answered is not for a parrot."""
        last = request.history[-1] if request.history else None
        if request.is_greeting:
            yield Say(text=self._greeting)
        elif last is not None and last.role == "user":
            yield Say(text=last.text.strip() or self._not_heard)

    def phrases(self) -> str | None:
        """Take free speech."""
        return None

    async def close(self) -> None:
        """Hold nothing."""
