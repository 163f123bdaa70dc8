"""Asking for replies and cancelling them on the OpenAI wire; the arbiter says when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field

from realtime_core.arbiter import Arbiter, ReplyRequest
from realtime_core.errors import VendorError

__all__ = ["Asking", "SendEvent"]

# "A reply is running already", in the code of OpenAI and in the words of DashScope and older servers.
_RUNNING_CODE = "conversation_already_has_active_response"
_RUNNING_TEXT = ("already has an active response", "another response is in progress")


class SendEvent(Protocol):
    """Writes a client event and gives the id it went out with."""

    def __call__(self, kind: str, **fields: Any) -> str:
        """Write the event of this kind with these fields."""
        ...


@define
class Asking:
    """
    Sends `response.create` when the arbiter lets it, and `response.cancel`.

    Args:
        send: Writes client events.
        instructions: Gives the session's instructions as they stand.
        cancels_by_id: Whether `response.cancel` names its reply.
    """

    send: SendEvent
    instructions: Callable[[], str]
    cancels_by_id: bool
    asked_at: float | None = None
    """When the request on its way was sent; `None` when there is none."""
    _arbiter: Arbiter = field(factory=Arbiter)
    _unwanted: bool = False

    def ask(self, now: float, instructions: str | None = None) -> bool:
        """
        Ask for a reply, now or when the running one has ended.

        Returns:
            Whether the wish was taken; `False` when too many wait.
        """
        taken = self._arbiter.request(ReplyRequest(instructions))
        self._send_next(now)
        return taken

    def cancel(self, response_id: str | None) -> None:
        """Cancel a running reply."""
        if response_id is not None and self.cancels_by_id:
            self.send("response.cancel", response_id=response_id)
        else:
            self.send("response.cancel")

    def give_up(self) -> None:
        """Drop the wishes that wait; the one on its way is cancelled when its reply begins."""
        self._arbiter.forget()
        self._unwanted = self._arbiter.asked is not None

    def started(self) -> bool:
        """
        Note that a reply began, asked for or not.

        Returns:
            Whether it was given up in the meantime and is not wanted any more.
        """
        self._arbiter.started()
        self.asked_at = None
        unwanted, self._unwanted = self._unwanted, False
        return unwanted

    def ended(self, now: float) -> None:
        """Note that the running reply ended; the next wish goes out."""
        self._arbiter.ended()
        if self._arbiter.asked is None:
            self.asked_at = None
        self._send_next(now)

    def is_refusal(self, error: VendorError, now: float) -> bool:
        """
        Take note of an error, should it answer the request on its way.

        Returns:
            Whether it only says that another reply is running: the wish is kept, nobody needs to know.
        """
        text = str(error).lower()
        running = error.code == _RUNNING_CODE or any(words in text for words in _RUNNING_TEXT)
        asked = self._arbiter.asked
        # A wire that names no event leaves only the oldest open request to blame.
        if asked is not None and (running or error.event_id in (None, asked.event_id)):
            kept = running and not self._unwanted
            self._arbiter.refused(because_running=kept)
            # The reply said to run must show itself, or the wish would wait for ever.
            self.asked_at, self._unwanted = (now if kept else None), False
            self._send_next(now)
        return running

    def _send_next(self, now: float) -> None:
        request = self._arbiter.next()
        if request is None:
            return
        self.asked_at = now
        fields: dict[str, Any] = {}
        if request.instructions:
            # A reply's own instructions take the place of the session's on these wires, so both are sent.
            parts = (self.instructions(), request.instructions)
            fields["response"] = {"instructions": "\n\n".join(part for part in parts if part)}
        self._arbiter.sent_as(self.send("response.create", **fields))
