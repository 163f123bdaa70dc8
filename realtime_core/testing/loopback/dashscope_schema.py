"""What Model Studio accepts from Qwen-Omni and Qwen-Audio clients, as checks."""

from __future__ import annotations

from typing import Any

from .dialects import DialectFacts
from .frames import Event
from .refusal import Refusal
from .schema import (
    Check,
    anything,
    boolean,
    integer,
    listing,
    nullable,
    number,
    obj,
    one_of,
    tagged,
    text,
)

__all__ = ["ITEM", "RESPONSE", "check_session"]

_TURNS_COMMON: dict[str, Check] = {
    "type": anything,
    # Model Studio, Client events: [-1, 1], unlike OpenAI's [0, 1].
    "threshold": number(-1.0, 1.0),
    "silence_duration_ms": integer(200, 6000),
    "prefix_padding_ms": integer(0),
    "create_response": boolean,
    "interrupt_response": boolean,
}
_SERVER_VAD = obj(_TURNS_COMMON | {"idle_timeout_ms": nullable(integer(5000, 30000))})
_TURNS_OMNI = tagged("type", {"server_vad": _SERVER_VAD, "semantic_vad": obj(_TURNS_COMMON)})
_TURNS_AUDIO = tagged(
    "type",
    {
        "server_vad": _SERVER_VAD,
        "smart_turn": obj(_TURNS_COMMON | {"voiceprint_audio_urls": listing(text)}),
    },
)


def _modalities(value: Any, path: str) -> None:
    listing(one_of("text", "audio"))(value, path)
    if sorted(value) not in (["text"], ["audio", "text"]):
        raise Refusal(
            "invalid_value",
            f"invalid modalities {value}: use ['text'] or ['text', 'audio']",
            param=path,
            rule="wrong-modalities",
        )


def _nested_tool(value: Any, path: str) -> None:
    if isinstance(value, dict) and value.get("type") == "function" and "function" not in value:
        # Model Studio documents the nested form alone; that the flat one is refused is a guess.
        raise Refusal(
            "invalid_value",
            f"{path}.function is required",
            param=path,
            rule="flat-tool",
            expected='nested tools: {"type": "function", "function": {...}}',
        )
    _TOOL(value, path)


_FUNCTION = obj({"name": text, "description": text, "parameters": anything}, required=("name",))
_TOOL = tagged(
    "type",
    {
        "function": obj({"type": anything, "function": _FUNCTION}, required=("function",)),
        "mcp": obj(
            {
                "type": anything,
                "server_label": text,
                "server_url": text,
                "authorization": text,
                "headers": anything,
                "allowed_tools": anything,
                "require_approval": one_of("always", "never"),
            },
            required=("server_label", "server_url"),
        ),
    },
)
# The loopback vendor hears mono PCM only; WAV and microphone arrays are refused.
_FORMAT = obj(
    {
        "type": one_of("pcm"),
        "sample_rate": one_of(8000, 16000, 24000, 48000),
        "sample_format": one_of("s16le"),
        "channels": one_of(1),
        "packing": one_of("interleaved"),
        "channel_layout": one_of("mono"),
    }
)
_SIDE: dict[str, Check] = {"format": _FORMAT}
_TRANSCRIPTION = nullable(obj({"model": nullable(text), "language": text, "corpus": anything}))

_SESSION: dict[str, Check] = {
    "model": text,
    "modalities": _modalities,
    "instructions": text,
    "voice": nullable(text),  # the vendor's own 1.x client sends null
    "input_audio_format": one_of("pcm", "pcm16"),
    "output_audio_format": one_of("pcm", "pcm16", "pcm24"),
    "input_audio_transcription": _TRANSCRIPTION,
    "turn_detection": nullable(_TURNS_OMNI),
    "tools": listing(_nested_tool),
    "tool_choice": anything,  # doubtful: echoed by the server, documented nowhere
    "temperature": number(0.0, 2.0),
    "top_p": number(0.0, 1.0),
    "top_k": nullable(integer(0)),
    "max_tokens": integer(1),
    "repetition_penalty": number(0.0),
    "presence_penalty": number(-2.0, 2.0),
    "seed": integer(-1, 2**31 - 1),
}
_OMNI_EXTRAS: dict[str, Check] = {
    "audio": obj({"input": obj(_SIDE), "output": obj(_SIDE)}),
    "enable_search": boolean,
    "search_options": obj({"enable_source": boolean}),
    "video": anything,
    "smooth_output": nullable(boolean),
}
_OMNI = obj(_SESSION | _OMNI_EXTRAS)
_OMNI_38 = obj(
    _SESSION
    | _OMNI_EXTRAS
    | {"audio": obj({"input": obj(_SIDE), "output": obj(_SIDE | {"voice": text})})}
)
_QWEN_AUDIO = obj(
    _SESSION
    | {
        "turn_detection": nullable(_TURNS_AUDIO),
        "enable_speech_emotion": boolean,
        "max_history_turns": integer(1, 50),
    }
)


def check_session(update: Event, facts: DialectFacts) -> None:
    """Raise `Refusal` unless *update* is a `session` Model Studio accepts."""
    shape = _OMNI_38 if facts.nested_audio else (_QWEN_AUDIO if facts.qwen_audio else _OMNI)
    shape(update, "session")
    legacy = [key for key in ("input_audio_format", "output_audio_format") if key in update]
    if legacy and "audio" in update:
        # Model Studio, Client events: never both in one request.
        raise Refusal(
            "invalid_value",
            "input_audio_format/output_audio_format cannot be used together with audio",
            param="session.audio",
            rule="mixed-audio-shapes",
        )
    if update.get("tools") and update.get("enable_search"):
        raise Refusal(
            "invalid_value",
            "tools and enable_search are mutually exclusive",
            param="session.tools",
            rule="tools-with-search",
        )


_TEXT = obj({"type": anything, "text": text}, required=("text",))
_PLAIN: dict[str, Check] = {"type": anything, "id": text, "object": text, "status": text}
ITEM: Check = tagged(
    "type",
    {
        "function_call_output": obj(
            _PLAIN | {"call_id": text, "output": text}, required=("call_id", "output")
        ),
        "mcp_approval_response": obj(
            _PLAIN | {"approval_request_id": text, "approve": boolean, "reason": nullable(text)}
        ),
        "message": obj(
            _PLAIN
            | {
                "role": one_of("user", "assistant", "system"),
                "content": listing(
                    tagged("type", {"input_text": _TEXT, "text": _TEXT, "output_text": _TEXT})
                ),
            },
            required=("role", "content"),
        ),
    },
)
"""The `item` of `conversation.item.create`."""

RESPONSE: Check = obj(
    {
        "instructions": nullable(text),
        "modalities": _modalities,
        "conversation": one_of("auto", "none"),
        "tool_choice": anything,
        "voice": text,
        "temperature": number(0.0, 2.0),
    }
)
"""The `response` of `response.create`; the vendor's own client merges further sampling keys."""
