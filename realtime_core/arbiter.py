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

__all__ = ["RETRY_AFTER_S", "SPEECH_LIMIT_S", "VAD_REPLY_LIMIT_S", "Arbiter", "ReplyRequest"]

VAD_REPLY_LIMIT_S = 3.0
"""How long the vendor's own reply to the caller's turn is awaited before requests that wait go out."""
SPEECH_LIMIT_S = 30.0
"""How long after the last sign of the caller's speech requests wait for its end."""
RETRY_AFTER_S = 1.0
"""When a request is made again that was refused because of a reply or of speech that does not show."""
_MOST_TRIES = 10
_MOST_WAITING = 32
_ANSWERED_REMEMBERED = 8


@frozen
class ReplyRequest:
    """A wish for a reply."""

    instructions: str | None = None
    """For this reply only."""
    cause: Literal["application", "tools"] = "application"
    """Tool results are answered by any reply that begins after them; an application's wish is not."""
    event_id: str | None = None
    """Id of the client event that asked, so that a refusal or a reply can be matched."""
    tries: int = 0
    """How often it was refused and nobody knows why."""


@define
class Arbiter:
    """Holds wishes back while a reply runs or is on its way, and while the caller speaks."""

    _waiting: deque[ReplyRequest] = field(factory=deque)
    _asked: ReplyRequest | None = None
    _answered: deque[ReplyRequest] = field(
        factory=lambda: deque[ReplyRequest](maxlen=_ANSWERED_REMEMBERED)
    )
    """What was last taken to be answered; a refusal, however late, may show that it was not."""
    _guessed: ReplyRequest | None = None
    """What the running reply is taken to answer, without a proof."""
    _running: bool = False
    _speaks_until: float | None = None
    """While the caller speaks: when that is not believed any more."""
    _hold_until: float | None = None
    _retry_at: float | None = None

    @property
    def asked(self) -> ReplyRequest | None:
        """The request that was sent and not yet answered."""
        return self._asked

    @property
    def running(self) -> bool:
        """Whether a reply is under way, as far as is known."""
        return self._running

    @property
    def vendor_is_due(self) -> bool:
        """Whether the vendor's own reply to a turn of the caller may come."""
        return self._hold_until is not None

    @property
    def hold_until(self) -> float | None:
        """When waiting requests go out although nothing came of what they wait for; `None` without one."""
        if self._running or self._asked is not None or not self._waiting:
            return None
        return self._held_until()

    def _held_until(self) -> float | None:
        waits = (self._speaks_until, self._hold_until, self._retry_at)
        return max((wait for wait in waits if wait is not None), default=None)

    def answered(self, event_id: str | None) -> ReplyRequest | None:
        """
        Find a request that was taken to be answered.

        Args:
            event_id: Its id; `None` for the one the running reply is taken to answer without a proof.
        """
        if event_id is None:
            return self._guessed if self._running else None
        return next((each for each in self._answered if each.event_id == event_id), None)

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
        if self._running or self._asked is not None or not self._waiting:
            return None
        held_until = self._held_until()
        if held_until is not None and now < held_until:
            return None
        self._hold_until = self._retry_at = None
        self._asked = self._waiting.popleft()
        return self._asked

    def sent_as(self, event_id: str) -> None:
        """Remember under which id the request just taken was sent."""
        if self._asked is not None:
            self._asked = evolve(self._asked, event_id=event_id)

    def started(self, *, asked_for: bool, guessed: bool = False) -> None:
        """
        Note that a reply began.

        Args:
            asked_for: It answers the request that was sent.
            guessed: That it answers the request is not proven.
        """
        self._running, self._guessed = True, self._asked if guessed else None
        self._hold_until = self._retry_at = None
        if guessed:
            self.assume_answered()
        elif asked_for:
            self._asked = None

    def is_vendors(self, *, knows_results: bool) -> None:
        """
        Note that the reply that began is the vendor's answer to the caller.

        Args:
            knows_results: It began behind the tools' results, so nobody needs to ask for a reply to them.
        """
        self._speaks_until = None  # the vendor would not answer before they ended
        if knows_results:
            kept = [request for request in self._waiting if request.cause != "tools"]
            self._waiting = deque(kept)

    def ended(self) -> None:
        """Note that the running reply ended."""
        self._running, self._guessed, self._retry_at = False, None, None

    def refused(self) -> None:
        """Note that the request that was sent gets no reply."""
        self._asked = None

    def assume_answered(self) -> None:
        """Note that the request that was sent must have been answered."""
        if self._asked is not None:
            self._answered.append(self._asked)
        self._asked = None

    def postponed(self, request: ReplyRequest, now: float, *, speaking: bool) -> bool:
        """
        Note that the vendor refused a request only because the time was bad; the wish is kept, in front.

        Args:
            request: The one that was sent, or one that was taken to be answered.
            now: When.
            speaking: Because the caller speaks; otherwise because a reply is under way.

        Returns:
            Whether it is kept; `False` when it was refused too often and nothing showed why.
        """
        if request is self._asked:
            self._asked = None
        else:
            self._answered.remove(request)
        if self._guessed is request:
            self._guessed = None
        tries = request.tries
        if (
            not self._running
        ):  # what is in its way must show itself, or the wish would wait for ever
            tries += 1
            if tries > _MOST_TRIES:
                return False
            if speaking and self._speaks_until is not None:
                self._speaks_until = now + SPEECH_LIMIT_S
            else:
                self._retry_at = now + RETRY_AFTER_S
        self._waiting.appendleft(evolve(request, event_id=None, tries=tries))
        return True

    def caller_started(self, now: float) -> None:
        """Note that the caller speaks: nobody talks over them."""
        self._speaks_until = now + SPEECH_LIMIT_S

    def caller_speaks_on(self, now: float) -> None:
        """Note another sign of speech, should the caller be speaking."""
        if self._speaks_until is not None:
            self._speaks_until = now + SPEECH_LIMIT_S

    def caller_stopped(self, now: float, *, answered_by_vendor: bool) -> None:
        """
        Note that the caller ended.

        Args:
            now: When.
            answered_by_vendor: The vendor will begin a reply by itself; requests wait a little for it.
        """
        self._speaks_until = None
        self._hold_until = now + VAD_REPLY_LIMIT_S if answered_by_vendor else None

    def not_answered(self) -> None:
        """Note that the vendor will not reply to the caller's turn by itself."""
        self._hold_until = None

    def forget(self) -> list[str]:
        """
        Drop all wishes that wait, and do not take up again what was refused.

        Returns:
            Ids of requests that may still be answered, or refused, although they were taken to be answered.
        """
        given_up = [each.event_id for each in self._answered if each.event_id is not None]
        self._waiting.clear()
        self._answered.clear()
        self._retry_at = self._guessed = None
        return given_up
