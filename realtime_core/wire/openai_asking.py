"""Asking for replies and cancelling them on the OpenAI wire; the arbiter says when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

from attrs import define, field

from realtime_core.arbiter import Arbiter, ReplyRequest
from realtime_core.errors import VendorError
from realtime_core.wire.dialect import ServerFrame
from realtime_core.wire.openai_frames import object_at, text_at

__all__ = ["Asking", "SendEvent"]

# "A reply is running already", in the code of OpenAI and in the words of DashScope and older servers.
_RUNNING_CODE = "conversation_already_has_active_response"
_RUNNING_TEXT = ("already has an active response", "another response is in progress")
# DashScope refuses a request during the caller's speech (reported by the vendor's own agents).
_SPEAKING_TEXT = "while user is speaking"
# DashScope's VAD wanted to answer while a reply of ours ran: its turn is still to be answered.
_UNANSWERED_TEXT = "vad turn committed but no response"
_METADATA_KEY = "request"


class SendEvent(Protocol):
    """Writes a client event and gives the id it went out with."""

    def __call__(self, kind: str, *, event_id: str | None = None, **fields: Any) -> str:
        """Write the event of this kind with these fields; without an id it gets a new one."""
        ...


@define
class Asking:
    """
    Sends `response.create` when the arbiter lets it, and `response.cancel`.

    Args:
        send: Writes client events.
        new_event_id: Makes their ids.
        instructions: Gives the session's instructions as they stand.
        cancels_by_id: Whether `response.cancel` names its reply.
        correlates: Whether a reply carries the metadata of its request.
    """

    send: SendEvent
    new_event_id: Callable[[], str]
    instructions: Callable[[], str]
    cancels_by_id: bool
    correlates: bool
    asked_at: float | None = None
    """When the request on its way was sent; `None` when there is none."""
    _arbiter: Arbiter = field(factory=Arbiter)
    _unwanted: Literal["cancelled", "cut"] | None = None
    _unnamed_reply: bool = False
    """A reply without metadata began while a request was open: it may be the answer."""

    def ask(
        self,
        now: float,
        instructions: str | None = None,
        *,
        cause: Literal["application", "tools"] = "application",
    ) -> bool:
        """
        Ask for a reply, now or when the running one has ended and the caller is silent.

        Returns:
            Whether the wish was taken; `False` when too many wait.
        """
        taken = self._arbiter.request(ReplyRequest(instructions, cause))
        self.send_next(now)
        return taken

    def cancel(self, response_id: str | None) -> None:
        """Cancel a running reply."""
        if response_id is not None and self.cancels_by_id:
            self.send("response.cancel", response_id=response_id)
        else:
            self.send("response.cancel")

    def cancelled(self) -> None:
        """Drop the wishes that wait; the one on its way is not wanted any more."""
        self._arbiter.forget()
        self._unwanted = "cancelled" if self._arbiter.asked is not None else None

    def cut(self) -> None:
        """The caller speaks: a reply on its way must not begin now, but the wish for it stays."""
        if self._arbiter.asked is not None and self._unwanted is None:
            self._unwanted = "cut"

    def started(self, response: ServerFrame) -> bool:
        """
        Note that a reply began, asked for or not.

        Returns:
            Whether it was given up in the meantime and is not wanted any more.
        """
        asked = self._arbiter.asked
        ours = asked is not None
        if asked is not None and self.correlates:
            named = text_at(object_at(response, "metadata"), _METADATA_KEY)
            ours = named == asked.event_id
            self._unnamed_reply = named is None
        self._arbiter.started(asked_for=ours)
        if not ours:
            return False
        self.asked_at = None
        unwanted, self._unwanted = self._unwanted, None
        return unwanted is not None

    def ended(self, now: float) -> None:
        """Note that the running reply ended; the next wish goes out."""
        self._arbiter.ended()
        if self._unnamed_reply:  # a request still not refused by now was answered by it
            self._arbiter.assume_answered()
            self._unnamed_reply, self._unwanted = False, None
        if self._arbiter.asked is None:
            self.asked_at = None
        self.send_next(now)

    def caller_started(self) -> None:
        """The caller speaks: wishes wait."""
        self._arbiter.caller_started()

    def caller_stopped(self, now: float, *, answered_by_vendor: bool) -> None:
        """The caller ended; the vendor's own reply to them comes first."""
        self._arbiter.caller_stopped(now, answered_by_vendor=answered_by_vendor)
        self.send_next(now)

    @property
    def hold_until(self) -> float | None:
        """When `send_next` is due although nothing came."""
        return self._arbiter.hold_until

    def is_refusal(self, error: VendorError, now: float) -> bool:
        """
        Take note of an error, should it answer the request on its way.

        Returns:
            Whether it only says that the time was bad: the wish is kept, nobody needs to know.
        """
        text = str(error).lower()
        running = error.code == _RUNNING_CODE or any(words in text for words in _RUNNING_TEXT)
        speaking = _SPEAKING_TEXT in text
        asked = self._arbiter.asked
        if _UNANSWERED_TEXT in text:
            self._arbiter.not_answered()
            self.ask(now)
            return True
        # A wire that names no event leaves only the oldest open request to blame.
        blamed = running or speaking or error.event_id is None
        guessed = self._arbiter.answered
        if guessed is not None and (running or speaking):
            named = error.event_id == guessed.event_id
            by_order = error.event_id is None and asked is None and not self.correlates
            if named or (by_order and running and self._arbiter.is_answering):
                # A reply was taken for ours; this says that it was the vendor's own.
                other = running and asked is None
                if other and not self._arbiter.running:
                    self.asked_at = now  # it must show itself, or the wish would wait for ever
                self._arbiter.unanswered(running=other)
                if speaking:
                    self._arbiter.caller_started()
                self.send_next(now)
                return True
        if asked is not None and (blamed or error.event_id == asked.event_id):
            keep = (running or speaking) and self._unwanted != "cancelled"
            if speaking:
                self._arbiter.caller_started()
            self._arbiter.refused(keep=keep, running=keep and running)
            # The reply said to run must show itself, or the wish would wait for ever.
            self.asked_at, self._unwanted = (now if keep and running else None), None
            self._unnamed_reply = False
            self.send_next(now)
        return running or speaking

    def send_next(self, now: float) -> None:
        """Send the next wish, if it may go out now."""
        request = self._arbiter.next(now)
        if request is None:
            return
        self.asked_at = now
        response: dict[str, Any] = {}
        if request.instructions:
            # A reply's own instructions take the place of the session's on these wires, so both are sent.
            parts = (self.instructions(), request.instructions)
            response["instructions"] = "\n\n".join(part for part in parts if part)
        event_id = self.new_event_id()
        if self.correlates:  # so that the reply, late or not, can be told from the vendor's own
            response["metadata"] = {_METADATA_KEY: event_id}
        self._arbiter.sent_as(event_id)
        fields = {"response": response} if response else {}
        self.send("response.create", event_id=event_id, **fields)
