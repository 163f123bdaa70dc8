"""
What the two halves of the model tell each other: `LocalWire`, which keeps the rules, and `EngineRoom`, which does the work.

A session moves bytes, so both directions are bytes: audio behind one letter, everything else a JSON object with a
`type`. Nothing of it ever leaves the process.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from realtime_local.engines import CallTool, Message

__all__ = [
    "caller_audio",
    "from_json",
    "messages_from",
    "messages_to",
    "spoken",
    "spoken_parts",
    "to_json",
]

CALLER_AUDIO = b"a"
"""First byte of a frame of the caller's audio."""
SPOKEN = b"s"
"""First byte of a frame of the reply's audio."""
_SPOKEN_HEAD = struct.Struct(">cI")


def caller_audio(pcm: bytes | bytearray | memoryview) -> bytes:
    """Write a frame of the caller's audio."""
    return b"".join((CALLER_AUDIO, pcm))


def spoken(reply: int, pcm: bytes) -> bytes:
    """Write a frame of a reply's audio."""
    return _SPOKEN_HEAD.pack(SPOKEN, reply) + pcm


def spoken_parts(frame: bytes) -> tuple[int, bytes]:
    """Give number and audio of a frame written by `spoken`."""
    _, reply = _SPOKEN_HEAD.unpack_from(frame)
    return reply, frame[_SPOKEN_HEAD.size :]


def to_json(kind: str, **fields: Any) -> bytes:
    """Write a frame that is no audio."""
    return json.dumps({"type": kind, **fields}, separators=(",", ":")).encode()


def from_json(frame: bytes) -> dict[str, Any]:
    """Read a frame written by `to_json`."""
    read: dict[str, Any] = json.loads(frame)
    return read


def messages_to(history: Sequence[Message]) -> list[dict[str, Any]]:
    """Write a conversation as plain values."""
    return [
        {
            "role": message.role,
            "text": message.text,
            "call_id": message.call_id,
            "calls": [
                {"call_id": call.call_id, "name": call.name, "arguments": dict(call.arguments)}
                for call in message.calls
            ],
        }
        for message in history
    ]


def messages_from(values: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Read a conversation written by `messages_to`."""
    return tuple(
        Message(
            role=value["role"],
            text=value["text"],
            call_id=value["call_id"],
            calls=tuple(CallTool(**call) for call in value["calls"]),
        )
        for value in values
    )
