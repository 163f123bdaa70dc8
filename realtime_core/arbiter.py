"""
Who may start a reply: one at a time, in order of asking.

Vendors of turn-based models run one reply at a time and refuse a request made while another runs. Whoever
wants a reply (greeting, commit, text, tool results) asks here; the vendor's own turn detection starts
replies without asking, which is told to the arbiter when it happens.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field, frozen

__all__ = ["Arbiter", "ReplyRequest"]

_MOST_WAITING = 32


@frozen
class ReplyRequest:
    """A wish for a reply."""

    instructions: str | None = None
    """For this reply only."""
    event_id: str | None = None
    """Id of the client event that asked, so that a refusal can be matched."""


@define
class Arbiter:
    """Holds wishes back while a reply runs or is on its way."""

    _waiting: deque[ReplyRequest] = field(factory=deque)
    _asked: ReplyRequest | None = None
    _running: bool = False

    @property
    def idle(self) -> bool:
        """Whether no reply runs or is on its way."""
        return not self._running and self._asked is None

    @property
    def asked(self) -> ReplyRequest | None:
        """The request that was sent and not yet answered."""
        return self._asked

    def request(self, request: ReplyRequest) -> bool:
        """
        Ask for a reply. Two plain wishes waiting at once are one: one reply answers both.

        Returns:
            Whether it was taken; `False` when too many wait.
        """
        if request.instructions is None and any(w.instructions is None for w in self._waiting):
            return True
        if len(self._waiting) >= _MOST_WAITING:
            return False
        self._waiting.append(request)
        return True

    def next(self) -> ReplyRequest | None:
        """Take the request that may be sent now, if any; it counts as sent."""
        if not self.idle or not self._waiting:
            return None
        self._asked = self._waiting.popleft()
        return self._asked

    def sent_as(self, event_id: str) -> None:
        """Remember under which id the request just taken was sent."""
        if self._asked is not None:
            self._asked = ReplyRequest(self._asked.instructions, event_id)

    def started(self) -> None:
        """Note that a reply began, asked for or not."""
        self._running, self._asked = True, None

    def ended(self) -> None:
        """Note that the running reply ended."""
        self._running = False

    def refused(self, *, because_running: bool) -> None:
        """
        Note that the vendor refused the request that was sent.

        Args:
            because_running: Another reply was under way; the wish is kept for when that one has ended.
        """
        if self._asked is not None and because_running:
            self._waiting.appendleft(ReplyRequest(self._asked.instructions))
            self._running = True
        self._asked = None

    def forget(self) -> None:
        """Drop all wishes that wait."""
        self._waiting.clear()
