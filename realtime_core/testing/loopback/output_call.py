"""A function call item of a response, event by event."""

from __future__ import annotations

from collections.abc import Iterator

from .conversation import Item
from .frames import Event
from .reply import Call
from .stage import Stage, Step, Wait

__all__ = ["CallOutput"]

_DELTA_CHARS = 12


class CallOutput:
    """
    One function call being generated.

    Args:
        stage: The session.
        response_id: The response it belongs to.
        index: Its `output_index`.
        call: The call.
    """

    def __init__(self, stage: Stage, response_id: str, index: int, call: Call) -> None:
        self._stage = stage
        self._call = call
        self._sent = ""
        self.said = ""
        call_id = call.call_id or stage.ids.new("call")
        self.item: Item = Item(
            id=stage.ids.new("item"),
            type="function_call",
            status="in_progress",
            fields={"call_id": call_id, "name": call.name, "arguments": ""},
        )
        self._place = {"response_id": response_id, "output_index": index}
        self._ids: Event = {**self._place, "item_id": self.item.id, "call_id": call_id}
        self._previous: str | None = None

    def play(self) -> Iterator[Step]:
        """Yield everything up to, but not including, the done events."""
        yield {"type": "response.output_item.added", **self._place, "item": self.item.wire()}
        if self._stage.in_conversation:
            self._previous = self._stage.conversation.add(self.item)
            yield from self._stage.conversation.announced(self.item, self._previous)
        arguments = self._call.arguments
        stop = len(arguments)
        if self._call.hold or self._call.status == "incomplete":
            stop //= 2
        yield from self._deltas(arguments[:stop])
        if self._call.hold:
            yield Wait.RELEASE
        if self._call.status == "completed":
            yield from self._deltas(arguments[stop:])

    def stray(self, count: int) -> Iterator[Event]:
        """Yield nothing: a call has no audio."""
        del count
        yield from ()

    def close(self, status: str) -> Iterator[Event]:
        """Yield the done events, with the arguments produced so far."""
        if self._call.status == "incomplete":
            status = "incomplete"
        self.item.status = status
        self.item.fields["arguments"] = self._sent
        done: Event = {
            "type": "response.function_call_arguments.done",
            **self._ids,
            "arguments": self._sent,
        }
        # The beta event lacks the name; OpenAI GA and Model Studio have it.
        if self._stage.facts.ga_events or not self._stage.facts.openai:
            done["name"] = self._call.name
        yield done
        if self._stage.in_conversation:
            yield from self._stage.conversation.finished(self.item, self._previous)
        yield {"type": "response.output_item.done", **self._place, "item": self.item.wire()}

    def _deltas(self, text: str) -> Iterator[Event]:
        for at in range(0, len(text), _DELTA_CHARS):
            delta = text[at : at + _DELTA_CHARS]
            self._sent += delta
            yield {"type": "response.function_call_arguments.delta", **self._ids, "delta": delta}
