"""
Who may start a reply: one at a time, in order of asking.

Vendors of turn-based models run one reply at a time and refuse a request made while another runs, or while the
caller speaks. Whoever wants a reply (greeting, commit, text, tool results) asks here; the vendor's own turn detection
starts replies without asking, which is told to the arbiter when it happens.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from attrs import define, evolve, field, frozen

__all__ = ["VAD_REPLY_LIMIT_S", "Arbiter", "ReplyRequest"]

VAD_REPLY_LIMIT_S = 3.0
"""How long the vendor's own reply to the caller's turn is awaited before requests that wait go out."""
_MOST_WAITING = 32


@frozen
class ReplyRequest:
    """A wish for a reply."""

    instructions: str | None = None
    """For this reply only."""
    cause: Literal["application", "tools"] = "application"
    """Tool results are answered by any reply that begins after them; an application's wish is not."""
    event_id: str | None = None
    """Id of the client event that asked, so that a refusal or a reply can be matched."""


@define
class Arbiter:
    """Holds wishes back while a reply runs or is on its way, and while the caller speaks."""

    _waiting: deque[ReplyRequest] = field(factory=deque)
    _asked: ReplyRequest | None = None
    _answered: ReplyRequest | None = None
    """What was last taken to be answered; a refusal, however late, may show that it was not."""
    _answering: bool = False
    _running: bool = False
    _caller_speaks: bool = False
    _hold_until: float | None = None

    @property
    def asked(self) -> ReplyRequest | None:
        """The request that was sent and not yet answered."""
        return self._asked

    @property
    def answered(self) -> ReplyRequest | None:
        """The request last taken to be answered."""
        return self._answered

    @property
    def running(self) -> bool:
        """Whether a reply is under way, as far as is known."""
        return self._running

    @property
    def is_answering(self) -> bool:
        """Whether the running reply is the one taken to answer it."""
        return self._running and self._answering

    @property
    def hold_until(self) -> float | None:
        """When waiting requests go out although the vendor's own reply has not come; `None` without one."""
        blocked = self._running or self._caller_speaks or self._asked is not None
        return None if blocked or not self._waiting else self._hold_until

    def request(self, request: ReplyRequest) -> bool:
        """
        Ask for a reply. Two plain wishes waiting at once are one: one reply answers both.

        Returns:
            Whether it was taken; `False` when too many wait.
        """
        if request.instructions is None:
            for index, waiting in enumerate(self._waiting):
                if waiting.instructions is None:
                    if request.cause == "application":
                        self._waiting[index] = evolve(waiting, cause="application")
                    return True
        if len(self._waiting) >= _MOST_WAITING:
            return False
        self._waiting.append(request)
        return True

    def next(self, now: float) -> ReplyRequest | None:
        """Take the request that may be sent now, if any; it counts as sent."""
        held = self._caller_speaks or (self._hold_until is not None and now < self._hold_until)
        if self._running or self._asked is not None or held or not self._waiting:
            return None
        self._hold_until = None
        self._asked = self._waiting.popleft()
        return self._asked

    def sent_as(self, event_id: str) -> None:
        """Remember under which id the request just taken was sent."""
        if self._asked is not None:
            self._asked = evolve(self._asked, event_id=event_id)

    def started(self, *, asked_for: bool) -> None:
        """
        Note that a reply began.

        Args:
            asked_for: It answers the request that was sent; otherwise the vendor began it by itself, and it
                answers the tool results given before it.
        """
        self._running, self._hold_until, self._answering = True, None, asked_for
        if asked_for:
            self._answered, self._asked = self._asked, None
        else:
            self._caller_speaks = False  # the vendor would not answer before they ended
            kept = [request for request in self._waiting if request.cause != "tools"]
            self._waiting = deque(kept)

    def ended(self) -> None:
        """Note that the running reply ended."""
        self._running = False

    def refused(self, *, keep: bool, running: bool = False) -> None:
        """
        Note that the vendor refused the request that was sent.

        Args:
            keep: The wish is good and only came at a bad time.
            running: Because another reply is under way.
        """
        if self._asked is not None and keep:
            self._waiting.appendleft(evolve(self._asked, event_id=None))
        self._asked = None
        self._running = self._running or running

    def assume_answered(self) -> None:
        """Note that the request that was sent must have been answered by the reply that ended."""
        self._answered, self._asked = self._asked, None

    def unanswered(self, *, running: bool) -> None:
        """
        Note that the request taken to be answered was not: the vendor has refused it.

        Args:
            running: Because another reply is under way.
        """
        if self._answered is not None:
            self._waiting.appendleft(evolve(self._answered, event_id=None))
        self._answered = None
        self._running = self._running or running

    def caller_started(self) -> None:
        """Note that the caller speaks: nobody talks over them."""
        self._caller_speaks = True

    def caller_stopped(self, now: float, *, answered_by_vendor: bool) -> None:
        """
        Note that the caller ended.

        Args:
            now: When.
            answered_by_vendor: The vendor will begin a reply by itself; requests wait a little for it.
        """
        self._caller_speaks = False
        self._hold_until = now + VAD_REPLY_LIMIT_S if answered_by_vendor else None

    def not_answered(self) -> None:
        """Note that the vendor will not reply to the caller's turn by itself."""
        self._hold_until = None

    def forget(self) -> None:
        """Drop all wishes that wait, and do not take up again what was refused."""
        self._waiting.clear()
        self._answered = None
