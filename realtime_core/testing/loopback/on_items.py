"""Client events about conversation items."""

from __future__ import annotations

from . import dashscope_schema, openai_schema
from .conversation import Item
from .frames import Event
from .mind import Mind
from .refusal import Refusal

__all__ = ["create", "delete", "retrieve", "truncate"]

_MAX_ID_CHARS = 32
_TEXT_MODELS = ("qwen3.5", "qwen3.8", "qwen-audio")


def create(mind: Mind, event: Event) -> None:
    """Add an item to the conversation."""
    facts, conversation = mind.facts, mind.conversation
    wanted = event.get("item")
    schema = openai_schema.ITEM if facts.openai else dashscope_schema.ITEM
    schema(wanted, "item")
    assert isinstance(wanted, dict)
    _check_supported(mind, wanted)
    item_id = _item_id(mind, wanted)
    after = event.get("previous_item_id")
    if after is not None and after != "root" and after not in conversation:
        # Guess: the vendors say that nothing is added, not which code the error has.
        raise Refusal(
            "invalid_value",
            f"Previous item with id '{after}' not found.",
            param="previous_item_id",
            rule="unknown-item",
        )
    call_id = str(wanted.get("call_id"))
    if wanted["type"] == "function_call_output" and not conversation.knows_call(call_id):
        raise Refusal(
            "invalid_tool_call_id",
            f"Tool call ID '{call_id}' not found in conversation.",
            param="item.call_id",
            rule="unknown-call-id",
        )
    known = ("id", "type", "role", "content", "status", "object")
    fields = {key: value for key, value in wanted.items() if key not in known}
    item = Item(
        id=item_id,
        type=wanted["type"],
        role=wanted.get("role"),
        content=list(wanted.get("content", [])),
        fields=fields,
    )
    previous = conversation.add(item, after)
    mind.extend(conversation.announced(item, previous))
    mind.extend(conversation.finished(item, previous))
    _remember(mind, item)


def _check_supported(mind: Mind, wanted: Event) -> None:
    if (
        not mind.facts.openai
        and wanted["type"] == "message"
        and not mind.config["model"].startswith(_TEXT_MODELS)
    ):
        raise Refusal(
            "invalid_value",
            f"item type message is not supported by {mind.config['model']}",
            param="item.type",
            rule="text-items-unsupported",
        )


def _item_id(mind: Mind, wanted: Event) -> str:
    chosen = wanted.get("id")
    if chosen is None or not mind.facts.keeps_item_ids:
        return mind.ids.new("item")  # Omni replaces the client's id
    if len(chosen) > _MAX_ID_CHARS:
        raise Refusal(
            "string_above_max_length",
            f"Invalid 'item.id': string too long. Expected at most {_MAX_ID_CHARS} characters.",
            param="item.id",
            rule="item-id-too-long",
        )
    if chosen in mind.conversation:
        raise Refusal(
            "invalid_value",
            f"An item with id '{chosen}' already exists.",
            param="item.id",
            rule="duplicate-item-id",
        )
    return str(chosen)


def _remember(mind: Mind, item: Item) -> None:
    if item.type == "function_call_output":
        mind.pending.outputs.append(item.fields["output"])
        mind.meter.read(item.fields["output"])
        return
    words = " ".join(part["text"] for part in item.content if "text" in part)
    mind.meter.read(words)
    if item.role == "user" and words:
        mind.pending.texts.append(words)


def _found(mind: Mind, event: Event, code: str) -> Item:
    item_id = event.get("item_id")
    item = mind.conversation.get(item_id) if isinstance(item_id, str) else None
    if item is None:
        raise Refusal(
            code, f"Item with item_id '{item_id}' not found.", param="item_id", rule="unknown-item"
        )
    return item


def retrieve(mind: Mind, event: Event) -> None:
    """Send one item back; its audio is left out."""
    item = _found(mind, event, "item_retrieve_invalid_item_id")
    mind.emit("conversation.item.retrieved", item=item.wire())


def delete(mind: Mind, event: Event) -> None:
    """Remove an item."""
    item = _found(mind, event, "item_delete_invalid_item_id")
    mind.conversation.remove(item.id)
    mind.emit("conversation.item.deleted", item_id=item.id)


def truncate(mind: Mind, event: Event) -> None:
    """Cut assistant audio at what was heard of it."""
    item = _found(mind, event, "item_truncate_invalid_item_id")
    end_ms = event.get("audio_end_ms")
    if not isinstance(end_ms, int) or isinstance(end_ms, bool) or end_ms < 0:
        raise Refusal(
            "invalid_type",
            "Invalid type for 'audio_end_ms': expected an integer.",
            param="audio_end_ms",
            rule="wrong-type",
        )
    if not item.speaks or not item.audio_ms:
        raise Refusal(
            "unsupported_content_type",
            "Only model output audio messages can be truncated",
            param="item_id",
            rule="truncate-without-audio",
        )
    if event.get("content_index") != 0:
        raise Refusal(
            "invalid_value",
            "Invalid 'content_index': only 0 has audio.",
            param="content_index",
            rule="wrong-value",
        )
    if end_ms > item.audio_ms:
        raise Refusal(
            "invalid_value",
            f"Audio content of {int(item.audio_ms)}ms is already shorter than {end_ms}ms",
            param="audio_end_ms",
            rule="truncate-too-long",
        )
    item.audio_ms = end_ms
    for part in item.content:
        # OpenAI API reference: the transcript goes too, it would tell what was not heard.
        part.pop("transcript", None)
    mind.emit("conversation.item.truncated", item_id=item.id, content_index=0, audio_end_ms=end_ms)
