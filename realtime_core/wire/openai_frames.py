"""Single frames of the OpenAI-wire family: lenient reading, plain writing. No state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from realtime_core.events import TurnStatus
from realtime_core.usage import Usage
from realtime_core.wire.dialect import ServerFrame

__all__ = [
    "BETA_NAMES",
    "NEEDS_NOTHING",
    "arguments_of",
    "client_frame",
    "items_of",
    "number_at",
    "object_at",
    "status_of",
    "text_at",
    "text_of_item",
    "usage_of",
]

# OpenAI's beta names, spoken by compatible servers and DashScope, by the GA names the code uses. Both are
# accepted on every dialect: several servers mix them.
BETA_NAMES: Mapping[str, str] = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
    # DashScope's speech-recognition sibling, accepted on the other models too (Model Studio, Server events).
    "conversation.item.input_audio_transcription.text": (
        "conversation.item.input_audio_transcription.delta"
    ),
}


NEEDS_NOTHING = frozenset(
    {
        "conversation.item.done",
        "conversation.item.truncated",
        "conversation.item.deleted",
        "conversation.item.retrieved",
        "conversation.item.input_audio_transcription.segment",
        "input_audio_buffer.committed",
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "rate_limits.updated",
        "session.finished",
    }
)
"""Documented events that ask nothing of a client."""


def client_frame(kind: str, event_id: str | None, **fields: Any) -> bytes:
    """
    Write a client event; the id lets the vendor's refusal name it.

    Half a surrogate pair, as a cut text may hold, becomes a question mark: it has no UTF-8, and a text frame that is
    no UTF-8 ends the connection.
    """
    event: dict[str, Any] = {"type": kind}
    if event_id is not None:
        event["event_id"] = event_id
    event.update(fields)
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def text_at(frame: Mapping[str, Any], key: str) -> str | None:
    """Give a non-empty string, or `None` for anything else."""
    value = frame.get(key)
    return value if isinstance(value, str) and value else None


def number_at(frame: Mapping[str, Any], key: str) -> int | None:
    """Give a whole number, or `None` for anything else."""
    value = frame.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if abs(value) < 2**53 else None


def object_at(frame: Mapping[str, Any], key: str) -> ServerFrame:
    """Give an object, or an empty one for anything else."""
    value = frame.get(key)
    return value if isinstance(value, dict) else {}


def items_of(frame: Mapping[str, Any], key: str) -> list[ServerFrame]:
    """Give the objects of a list, or none."""
    value = frame.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_of_item(item: Mapping[str, Any]) -> str:
    """
    Join the text of a message item's content parts.

    OpenAI and DashScope name it `transcript` or `text`, depending on the event it comes in.
    """
    parts = items_of(item, "content")
    return "".join(text_at(part, "transcript") or text_at(part, "text") or "" for part in parts)


def arguments_of(text: Any) -> dict[str, Any]:
    """
    Parse a call's arguments; anything but a JSON object is an empty one.

    DashScope may put a space in front and sends an empty string for a call without arguments.
    """
    if isinstance(text, dict):
        return text
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def status_of(response: Mapping[str, Any]) -> TurnStatus:
    """Say how a reply ended; an unknown word counts as completed."""
    match response.get("status"):
        case "cancelled":
            return "cancelled"
        case "failed":
            return "failed"
        case "incomplete":
            return "incomplete"
        case _:
            return "completed"


def usage_of(value: Any) -> Usage | None:
    """Read the usage of a reply; OpenAI writes `token_details`, DashScope `tokens_details`."""
    if not isinstance(value, dict):
        return None
    into = object_at(value, "input_token_details") or object_at(value, "input_tokens_details")
    out = object_at(value, "output_token_details") or object_at(value, "output_tokens_details")
    return Usage(
        input_tokens=number_at(value, "input_tokens"),
        output_tokens=number_at(value, "output_tokens"),
        input_text_tokens=number_at(into, "text_tokens"),
        input_audio_tokens=number_at(into, "audio_tokens"),
        input_image_tokens=number_at(into, "image_tokens"),
        input_cached_tokens=number_at(into, "cached_tokens"),
        output_text_tokens=number_at(out, "text_tokens"),
        output_audio_tokens=number_at(out, "audio_tokens"),
    )
