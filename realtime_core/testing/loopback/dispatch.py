"""From a frame of the client to the function that handles it."""

from __future__ import annotations

import json
from collections.abc import Callable

from . import on_audio, on_items, on_response, on_session
from .dialects import DialectFacts
from .frames import Event
from .mind import Mind
from .refusal import Refusal

__all__ = ["receive_binary", "receive_text"]

_Handler = Callable[[Mind, Event], int | None]

_BOTH: dict[str, _Handler] = {
    "session.update": on_session.update,
    "input_audio_buffer.append": on_audio.append,
    "input_audio_buffer.commit": on_audio.commit,
    "input_audio_buffer.clear": on_audio.clear,
    "conversation.item.create": on_items.create,
    "response.create": on_response.create,
    "response.cancel": on_response.cancel,
}
_ITEMS: dict[str, _Handler] = {
    "conversation.item.retrieve": on_items.retrieve,
    "conversation.item.delete": on_items.delete,
}
_OPENAI = _BOTH | _ITEMS | {"conversation.item.truncate": on_items.truncate}
# Model Studio, Client events: no truncate; retrieve and delete belong to Qwen-Audio alone,
# images and session.finish to Omni.
_OMNI = _BOTH | {
    "input_image_buffer.append": on_audio.append_image,
    "session.finish": on_session.finish,
}
_QWEN_AUDIO = _BOTH | _ITEMS

_FIELDS: dict[str, frozenset[str]] = {
    "session.update": frozenset({"session"}),
    "input_audio_buffer.append": frozenset({"audio"}),
    "conversation.item.create": frozenset({"item", "previous_item_id"}),
    "conversation.item.retrieve": frozenset({"item_id"}),
    "conversation.item.delete": frozenset({"item_id"}),
    "conversation.item.truncate": frozenset({"item_id", "content_index", "audio_end_ms"}),
    "response.create": frozenset({"response"}),
    "response.cancel": frozenset({"response_id"}),
    "input_image_buffer.append": frozenset({"image"}),
}


def _handlers(facts: DialectFacts) -> dict[str, _Handler]:
    if facts.openai:
        return _OPENAI
    return _OMNI if facts.finishes else _QWEN_AUDIO


def receive_text(mind: Mind, text: str) -> Event:
    """
    Handle one text frame.

    Returns:
        The event as it is to be recorded: audio and images replaced by their byte counts.
    """
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        record: Event = {"type": "(no JSON object)", "text": text[:200]}
        code = "invalid_json" if event is None else "invalid_event"
        mind.refuse(Refusal(code, "The event is not a JSON object.", rule="not-json"), record)
        return record
    size: int | None = None
    try:
        size = _handle(mind, event)
    except Refusal as refusal:
        mind.refuse(refusal, event)
    for key in ("audio", "image"):
        if isinstance(event.get(key), str) and event.get("type") in _FIELDS:
            return event | {key: size if size is not None else len(event[key])}
    return event


def _handle(mind: Mind, event: Event) -> int | None:
    kind = event.get("type")
    if not isinstance(kind, str):
        raise Refusal(
            "invalid_event", "The event has no type.", param="type", rule="missing-parameter"
        )
    handlers = _handlers(mind.facts)
    if kind not in handlers:
        listed = ", ".join(f"'{name}'" for name in handlers)
        raise Refusal(
            "invalid_value",
            f"Invalid value: '{kind}'. Supported values are: {listed}.",
            param="type",
            rule="unknown-event",
        )
    if mind.finishing:
        # Model Studio, Client events: send nothing more after session.finish.
        mind.record("after-finish", "nothing after session.finish", event)
        return None
    unknown = event.keys() - _FIELDS.get(kind, frozenset()) - {"type", "event_id"}
    if unknown and mind.facts.openai:
        name = min(unknown)
        raise Refusal(
            "unknown_parameter",
            f"Unknown parameter: '{name}'.",
            param=name,
            rule="unknown-parameter",
        )
    return handlers[kind](mind, event)


def receive_binary(mind: Mind, size: int) -> Event:
    """Refuse a binary frame of *size* bytes; returns what is to be recorded."""
    record: Event = {"type": "(binary frame)", "size": size}
    mind.refuse(
        Refusal("invalid_event", "Binary frames are not supported.", rule="binary-frame"), record
    )
    return record
