"""The conversation: its items in order, and how each dialect writes them."""

from __future__ import annotations

from attrs import define, field

from .dialects import DialectFacts
from .frames import Event

__all__ = ["Conversation", "Item"]


@define(kw_only=True)
class Item:
    """
    One item.

    Attributes:
        id: The server's identifier.
        type: `message`, `function_call` or `function_call_output`.
        role: Of a message.
        content: The message's content parts, as the wire shows them.
        fields: Other fields (`call_id`, `name`, `arguments`, `output`).
        status: `in_progress`, `completed` or `incomplete`.
        audio_ms: Assistant audio generated so far; shrinks by truncation.
        speaks: It is an audio item of the assistant.
    """

    id: str
    type: str
    role: str | None = None
    content: list[Event] = field(factory=list)
    fields: Event = field(factory=dict)
    status: str = "completed"
    audio_ms: float = 0.0
    speaks: bool = False

    def wire(self) -> Event:
        """Return the item as an event shows it."""
        shown: Event = {
            "id": self.id,
            "object": "realtime.item",
            "type": self.type,
            "status": self.status,
        }
        if self.role is not None:
            shown["role"] = self.role
            shown["content"] = [dict(part) for part in self.content]
        return shown | self.fields


class Conversation:
    """
    The default conversation of a session.

    Args:
        facts: The dialect.
        conversation_id: Its identifier.
    """

    def __init__(self, facts: DialectFacts, conversation_id: str) -> None:
        self._facts = facts
        self._items: dict[str, Item] = {}
        self.id = conversation_id

    def __contains__(self, item_id: object) -> bool:
        """Return whether the item exists."""
        return isinstance(item_id, str) and item_id in self._items

    def get(self, item_id: str) -> Item | None:
        """Return an item, None when there is none of that id."""
        return self._items.get(item_id)

    def last_id(self) -> str | None:
        """Return the id of the newest item."""
        return next(reversed(self._items), None)

    def knows_call(self, call_id: str) -> bool:
        """Return whether a function call of that id was made."""
        return any(
            item.type == "function_call" and item.fields.get("call_id") == call_id
            for item in self._items.values()
        )

    def add(self, item: Item, after: str | None = None) -> str | None:
        """
        Put *item* behind *after* (`"root"` is the front, None the end).

        Returns:
            The id of the item before it, None at the front.
        """
        previous = self.last_id() if after is None else (None if after == "root" else after)
        rest: dict[str, Item] = {}
        if after is not None:
            keys = list(self._items)
            cut = 0 if after == "root" else keys.index(after) + 1
            rest = {key: self._items.pop(key) for key in keys[cut:]}
        self._items[item.id] = item
        self._items |= rest
        return previous

    def remove(self, item_id: str) -> None:
        """Forget an item."""
        del self._items[item_id]

    def announced(self, item: Item, previous: str | None) -> list[Event]:
        """Return the events by which a new item appears, without `event_id`."""
        # OpenAI GA: added and done; beta and Model Studio: one `created`.
        kind = "added" if self._facts.ga_events else "created"
        event: Event = {"type": f"conversation.item.{kind}", "item": item.wire()}
        # Model Studio, Server events: only Qwen-Audio shows previous_item_id.
        if self._facts.keeps_item_ids:
            event["previous_item_id"] = previous
        return [event]

    def finished(self, item: Item, previous: str | None) -> list[Event]:
        """Return the events by which an item is complete; OpenAI GA alone has one."""
        if not self._facts.ga_events:
            return []
        return [
            {"type": "conversation.item.done", "item": item.wire(), "previous_item_id": previous}
        ]
