"""What one server remembers: its sessions, what their clients did wrong, what went wrong here."""

from __future__ import annotations

import asyncio

from .refusal import Violation
from .session import LoopbackSession

__all__ = ["Books"]

_MAX_SESSIONS = 1000
_MAX_VIOLATIONS = 10_000


class Books:
    """The records of one `LoopbackVendor`; every list is bounded and keeps the newest."""

    def __init__(self) -> None:
        self.sessions: list[LoopbackSession] = []
        self.violations: list[Violation] = []
        self.benign: list[Violation] = []
        self.errors: list[Exception] = []
        self.opened = 0
        self._arrived = asyncio.Condition()

    async def enter(self, session: LoopbackSession) -> None:
        """Record a new session and tell whoever waits for it."""
        self.sessions.append(session)
        del self.sessions[:-_MAX_SESSIONS]
        async with self._arrived:
            self._arrived.notify_all()

    async def arrived(self, number: int) -> LoopbackSession:
        """Wait for the session at a place in `sessions`."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.sessions) > number)
        return self.sessions[number]

    def report(
        self, violation: Violation, *, session: LoopbackSession | None = None, benign: bool = False
    ) -> None:
        """Record a violation, or an innocent race."""
        lists = [self.benign if benign else self.violations]
        if session is not None:
            lists.append(session.benign if benign else session.violations)
        for each in lists:
            each.append(violation)
            del each[:-_MAX_VIOLATIONS]
