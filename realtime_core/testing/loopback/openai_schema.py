"""What OpenAI accepts: the GA session, the beta session, responses and items, as checks."""

from __future__ import annotations

from typing import Any

from .refusal import Refusal
from .schema import (
    Check,
    any_of,
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

__all__ = ["BETA_RESPONSE", "BETA_SESSION", "GA_RESPONSE", "GA_SESSION", "ITEM", "REFERENCE"]


def _one_modality(value: Any, path: str) -> None:
    # OpenAI API reference: ["audio"] or ["text"], never both.
    listing(one_of("audio", "text"))(value, path)
    if len(value) != 1:
        raise Refusal(
            "invalid_value",
            f"Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio'].",
            param=path,
            rule="both-modalities",
        )


def _beta_modalities(value: Any, path: str) -> None:
    # Azure's beta text: ["audio"] alone is refused; audio comes with text.
    listing(one_of("audio", "text"))(value, path)
    if sorted(value) not in (["text"], ["audio", "text"]):
        raise Refusal(
            "invalid_value",
            f"Invalid modalities: {value}. Supported: ['text'] and ['audio', 'text'].",
            param=path,
            rule="wrong-modalities",
        )


def _flat_tool(value: Any, path: str) -> None:
    if isinstance(value, dict) and value.get("type") == "function" and "function" in value:
        raise Refusal(
            "missing_required_parameter",
            f"Missing required parameter: '{path}.name'.",
            param=f"{path}.name",
            rule="nested-tool",
            expected="flat tools: type, name, description, parameters",
        )
    _TOOL(value, path)


_FUNCTION = obj(
    {
        "type": one_of("function"),
        "name": text,
        "description": text,
        "parameters": anything,
    },
    required=("name",),
)
_MCP = obj(
    {
        "type": one_of("mcp"),
        "server_label": text,
        "server_url": text,
        "connector_id": text,
        "tunnel_id": text,
        "authorization": text,
        "headers": anything,
        "allowed_tools": anything,
        "require_approval": anything,
        "server_description": text,
        "defer_loading": boolean,
        "allowed_callers": listing(text),
    },
    required=("server_label",),
)
_TOOL = tagged("type", {"function": _FUNCTION, "mcp": _MCP})

_TOOL_CHOICE = any_of(
    one_of("auto", "none", "required"),
    tagged(
        "type",
        {
            "function": obj({"type": anything, "name": text}, required=("name",)),
            "mcp": obj({"type": anything, "server_label": text, "name": nullable(text)}),
        },
    ),
)
_FORMAT = tagged(
    "type",
    {
        # 24000 Hz is the only PCM rate; rates above it are a guess, refused likewise.
        "audio/pcm": obj({"type": anything, "rate": integer(24000, 24000)}),
        "audio/pcmu": obj({"type": anything}),
        "audio/pcma": obj({"type": anything}),
    },
)
_SERVER_VAD: dict[str, Check] = {
    "type": anything,
    "threshold": number(0.0, 1.0),
    "prefix_padding_ms": integer(0),
    "silence_duration_ms": integer(0),
    "create_response": boolean,
    "interrupt_response": boolean,
}
_SEMANTIC_VAD = obj(
    {
        "type": anything,
        "eagerness": one_of("low", "medium", "high", "auto"),
        "create_response": boolean,
        "interrupt_response": boolean,
    }
)
_IDLE = nullable(integer(5000, 30000))
_GA_TURNS = tagged(
    "type",
    {
        "server_vad": obj(_SERVER_VAD | {"idle_timeout_ms": _IDLE}),
        "semantic_vad": _SEMANTIC_VAD,
    },
)
_BETA_TURNS = tagged("type", {"server_vad": obj(_SERVER_VAD), "semantic_vad": _SEMANTIC_VAD})
_TRANSCRIPTION = obj(
    {
        "model": text,
        "language": text,
        "languages": listing(text),
        "keywords": listing(text),
        "prompt": text,
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
_NOISE = obj({"type": one_of("near_field", "far_field"), "strength": number(0.0)})
_VOICE = any_of(obj({"id": text}, required=("id",)), text)
_MAX_TOKENS = any_of(one_of("inf"), integer(1))
_REASONING = obj({"effort": one_of("minimal", "low", "medium", "high", "xhigh")})
_TOOLS = listing(_flat_tool)

GA_SESSION: Check = obj(
    {
        "type": one_of("realtime"),
        "model": text,
        "output_modalities": _one_modality,
        "instructions": text,
        "audio": obj(
            {
                "input": obj(
                    {
                        "format": _FORMAT,
                        "transcription": nullable(_TRANSCRIPTION),
                        "noise_reduction": nullable(_NOISE),
                        "turn_detection": nullable(_GA_TURNS),
                    }
                ),
                "output": obj({"format": _FORMAT, "voice": _VOICE, "speed": number(0.25, 1.5)}),
            }
        ),
        "tools": _TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "reasoning": _REASONING,
        "max_output_tokens": _MAX_TOKENS,
        "truncation": anything,
        "tracing": anything,
        "prompt": anything,
        "include": nullable(listing(one_of("item.input_audio_transcription.logprobs"))),
    },
    required=("type",),
)
"""The `session` of a GA `session.update`; OpenAI API reference, session.update."""

_BETA_FORMAT = one_of("pcm16", "g711_ulaw", "g711_alaw")

BETA_SESSION: Check = obj(
    {
        "model": text,
        "modalities": _beta_modalities,
        "instructions": text,
        "voice": text,
        "speed": number(0.25, 1.5),
        "input_audio_format": _BETA_FORMAT,
        "output_audio_format": _BETA_FORMAT,
        "input_audio_transcription": nullable(
            obj({"model": text, "language": text, "prompt": text})
        ),
        "input_audio_noise_reduction": nullable(obj({"type": one_of("near_field", "far_field")})),
        "turn_detection": nullable(_BETA_TURNS),
        "tools": _TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "temperature": number(0.6, 1.2),
        "max_response_output_tokens": _MAX_TOKENS,
        "tracing": anything,
    }
)
"""The `session` of a beta `session.update`; `type` is unknown to it."""

_TEXT_PART = obj({"type": anything, "text": text}, required=("text",))
_USER_PARTS = tagged(
    "type",
    {
        "input_text": _TEXT_PART,
        "input_audio": obj({"type": anything, "audio": text, "transcript": nullable(text)}),
        "input_image": obj({"type": anything, "image_url": text, "detail": text}),
    },
)
_MESSAGE = {"type": anything, "id": text, "object": text, "status": text, "role": anything}
_ANY_MESSAGE = tagged(
    "role",
    {
        "system": obj(
            _MESSAGE | {"content": listing(tagged("type", {"input_text": _TEXT_PART}))},
            required=("content",),
        ),
        "user": obj(_MESSAGE | {"content": listing(_USER_PARTS)}, required=("content",)),
        # OpenAI API reference: output_audio cannot be created; the beta says `text`.
        "assistant": obj(
            _MESSAGE
            | {"content": listing(tagged("type", {"output_text": _TEXT_PART, "text": _TEXT_PART}))},
            required=("content",),
        ),
    },
)
_PLAIN = {"type": anything, "id": text, "object": text, "status": text}

ITEM: Check = tagged(
    "type",
    {
        "message": _ANY_MESSAGE,
        "function_call": obj(
            _PLAIN | {"call_id": text, "name": text, "arguments": text},
            required=("name", "arguments"),
        ),
        "function_call_output": obj(
            _PLAIN | {"call_id": text, "output": text}, required=("call_id", "output")
        ),
        "mcp_approval_response": obj(
            _PLAIN | {"approval_request_id": text, "approve": boolean, "reason": nullable(text)},
            required=("approval_request_id", "approve"),
        ),
    },
)
"""The `item` of `conversation.item.create`; the server checks more than this."""

REFERENCE: Check = tagged(
    "type", {"item_reference": obj({"type": anything, "id": text}, required=("id",))}
)
_INPUT = listing(any_of(REFERENCE, ITEM))
_METADATA = nullable(anything)

GA_RESPONSE: Check = obj(
    {
        "conversation": one_of("auto", "none"),
        "input": _INPUT,
        "instructions": text,
        "output_modalities": _one_modality,
        "audio": obj({"output": obj({"format": _FORMAT, "voice": _VOICE})}),
        "tools": _TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "reasoning": _REASONING,
        "max_output_tokens": _MAX_TOKENS,
        "metadata": _METADATA,
        "prompt": anything,
    }
)
"""The `response` of a GA `response.create`."""

BETA_RESPONSE: Check = obj(
    {
        "conversation": one_of("auto", "none"),
        "input": _INPUT,
        "instructions": text,
        "modalities": _beta_modalities,
        "voice": text,
        "output_audio_format": _BETA_FORMAT,
        "tools": _TOOLS,
        "tool_choice": _TOOL_CHOICE,
        "temperature": number(0.6, 1.2),
        "max_response_output_tokens": _MAX_TOKENS,
        "metadata": _METADATA,
    }
)
"""The `response` of a beta `response.create`."""
