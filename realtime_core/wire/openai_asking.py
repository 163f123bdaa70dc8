"""Asking for replies and cancelling them on the OpenAI wire; the arbiter says when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Protocol

from attrs import define, field

from realtime_core.arbiter import Arbiter, ReplyRequest
from realtime_core.errors import VendorError
from realtime_core.wire.dialect import ServerFrame
from realtime_core.wire.openai_frames import object_at, text_at

__all__ = ["DOUBT_LIMIT_S", "Asking", "SendEvent"]

DOUBT_LIMIT_S = 5.0
"""How long the answer to a request is awaited after an error that may have refused it, and names no event."""

# "A reply is running already", in the code of OpenAI and in the words of DashScope and older servers.
_RUNNING_CODE = "conversation_already_has_active_response"
_RUNNING_TEXT = ("already has an active response", "another response is in progress")
# DashScope refuses a request during the caller's speech (reported by the vendor's own agents).
_SPEAKING_TEXT = "while user is speaking"
# DashScope's VAD wanted to answer while a reply of ours ran: its turn is still to be answered.
_UNANSWERED_TEXT = "vad turn committed but no response"
_METADATA_KEY = "request"
_GIVEN_UP_REMEMBERED = 16
_OUTPUTS_REMEMBERED = 64


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
    _given_up: deque[str] = field(factory=lambda: deque[str](maxlen=_GIVEN_UP_REMEMBERED))
    """Ids of requests whose replies, should they still begin, nobody wants."""
    _doubted_until: float | None = None
    """When a request that an error may have refused, which named none, is given up."""
    _echoes: bool = True
    """Whether this server sends a request's metadata back, as far as is known."""
    _unnamed_reply: bool = False
    """A reply without metadata began while a request was open: it may be the answer."""
    _outputs: dict[str, None] = field(factory=dict)
    """Calls whose answers the vendor has not taken over yet, as far as is known."""

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
        self._given_up.extend(self._arbiter.forget())
        self._unwanted = "cancelled" if self._arbiter.asked is not None else None

    def cut(self) -> None:
        """The caller speaks: a reply on its way must not begin now, but the wish for it stays."""
        if self._arbiter.asked is not None and self._unwanted is None:
            self._unwanted = "cut"

    def result_sent(self, call_id: str) -> None:
        """Note that a call's answer is on its way."""
        while len(self._outputs) >= _OUTPUTS_REMEMBERED:
            del self._outputs[next(iter(self._outputs))]
        self._outputs[call_id] = None

    def result_taken(self, call_id: str | None) -> None:
        """Note that the vendor has put a call's answer into the conversation; some give it another id."""
        if call_id not in self._outputs:
            call_id = next(iter(self._outputs), None)
        if call_id is not None:
            del self._outputs[call_id]

    def started(self, response: ServerFrame) -> bool:
        """
        Note that a reply began, asked for or not.

        Returns:
            Whether it was given up in the meantime and is not wanted any more.
        """
        arbiter, asked = self._arbiter, self._arbiter.asked
        metadata = object_at(response, "metadata") if self.correlates else {}
        named = text_at(metadata, _METADATA_KEY)
        self._echoes = self._echoes or named is not None
        if named in self._given_up:
            arbiter.started(asked_for=False)
            return True
        if asked is not None and named is None:
            # Where metadata comes back, a reply without it is the vendor's own, if one may come.
            guessed = not (self.correlates and self._echoes and arbiter.vendor_is_due)
            if guessed and response:
                self._echoes = False
            ours, self._unnamed_reply = guessed, not guessed
        else:
            ours, guessed = asked is not None and named == asked.event_id, False
        arbiter.started(asked_for=ours, guessed=guessed)
        if not ours:
            if named is None:
                arbiter.is_vendors(knows_results=not self._outputs)
            return False
        self._outputs.clear()
        unwanted = self._unwanted is not None
        self._settled()
        return unwanted

    def ended(self, now: float) -> None:
        """Note that the running reply ended; the next wish goes out."""
        self._arbiter.ended()
        if self._unnamed_reply:  # a request still not refused by now was answered by it
            self._arbiter.assume_answered()
            self._settled()
        elif self.asked_at is not None:
            self.asked_at = now  # its answer comes behind the reply that ended
        self.send_next(now)

    def caller_started(self, now: float) -> None:
        """The caller speaks: wishes wait."""
        self._arbiter.caller_started(now)

    def caller_speaks_on(self, now: float) -> None:
        """The caller, should they be speaking, still does."""
        self._arbiter.caller_speaks_on(now)

    def caller_stopped(self, now: float, *, answered_by_vendor: bool) -> None:
        """The caller ended; the vendor's own reply to them comes first."""
        self._arbiter.caller_stopped(now, answered_by_vendor=answered_by_vendor)
        self.send_next(now)

    @property
    def deadline(self) -> float | None:
        """When `on_timer` is due although nothing came."""
        return self._doubted_until or self._arbiter.hold_until

    def on_timer(self, now: float) -> None:
        """Send what was held back long enough, and give up a request that was refused to all appearance."""
        if self._doubted_until is not None and now >= self._doubted_until:
            self._refused()
        self.send_next(now)

    def is_refusal(self, error: VendorError, now: float) -> bool:
        """
        Take note of an error, should it answer a request for a reply.

        Returns:
            Whether it only says that the time was bad: the wish is kept, nobody needs to know.
        """
        text = str(error).lower()
        running = error.code == _RUNNING_CODE or any(words in text for words in _RUNNING_TEXT)
        speaking = _SPEAKING_TEXT in text
        asked = self._arbiter.asked
        if _UNANSWERED_TEXT in text:
            self._answer_turn(now)
            return True
        if running or speaking:
            return self._came_at_a_bad_time(error.event_id, now, speaking=speaking)
        if asked is None:
            return False
        # A wire that names no event leaves only the oldest open request to blame. One that does may name none on an
        # error of its own (livekit/agents#6244): the answer is awaited, but not for as long.
        if error.event_id == asked.event_id or (error.event_id is None and not self.correlates):
            self._refused()
            self.send_next(now)
        elif error.event_id is None and self._doubted_until is None:
            self._doubted_until = now + DOUBT_LIMIT_S
        return False

    def _came_at_a_bad_time(self, event_id: str | None, now: float, *, speaking: bool) -> bool:
        """Keep the wish that was refused; false when it was refused too often."""
        arbiter, asked = self._arbiter, self._arbiter.asked
        if event_id in self._given_up:
            return True
        # A reply was taken for the answer; this says that it was the vendor's own.
        by_order = asked is None and not speaking
        refused = arbiter.answered(event_id) if event_id is not None or by_order else None
        kept = True
        if refused is not None:
            kept = arbiter.postponed(refused, now, speaking=speaking)
        elif asked is not None:
            if self._unwanted == "cancelled":
                self._refused()
            else:
                kept = arbiter.postponed(asked, now, speaking=speaking)
                self._settled()
        elif event_id is None and arbiter.running and arbiter.vendor_is_due:
            self._answer_turn(now)  # the vendor's turn detection wanted to reply
        self.send_next(now)
        return kept

    def _answer_turn(self, now: float) -> None:
        """The vendor did not reply to the caller's turn: ask for it."""
        self._arbiter.not_answered()
        self.ask(now)

    def _refused(self) -> None:
        """The request on its way gets no reply; should one come all the same, it is wanted or not."""
        asked = self._arbiter.asked
        if asked is not None and asked.event_id is not None and self._unwanted is not None:
            self._given_up.append(asked.event_id)
        self._arbiter.refused()
        self._settled()

    def _settled(self) -> None:
        """No request is on its way any more."""
        self.asked_at = self._unwanted = self._doubted_until = None
        self._unnamed_reply = False

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
