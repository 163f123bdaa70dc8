"""
How OpenAI's servers, Azure's, and compatible ones differ from each other, as data.

GA is the shape of OpenAI's "Realtime API reference"; beta is the shape that OpenAI switched off in May 2026 and
that Azure's preview path and most compatible servers still speak.
"""

from __future__ import annotations

from attrs import evolve

from realtime_core.capabilities import Capabilities
from realtime_core.errors import ErrorKind
from realtime_core.g711 import SAMPLE_RATE_HZ, Companding
from realtime_core.wire import Dialect, ErrorTable, VadRules

__all__ = ["AZURE_GA", "OPENAI_BETA", "OPENAI_GA", "with_g711"]

_K = ErrorKind

_ERRORS = ErrorTable(
    kinds={
        "invalid_api_key": _K.AUTH,
        "authentication_error": _K.AUTH,
        "insufficient_quota": _K.QUOTA,
        "account_deactivated": _K.QUOTA,
        "billing_hard_limit_reached": _K.QUOTA,
        "session_expired": _K.EXPIRED,
        "beta_api_shape_disabled": _K.CONFIG,
        "invalid_model": _K.MODEL,
        "missing_model": _K.MODEL,
        "model_not_found": _K.MODEL,
        "rate_limit_exceeded": _K.RATE_LIMIT,
        "inference_rate_limit_exceeded": _K.RATE_LIMIT,
        "conversation_already_has_active_response": _K.CONFLICT,
        "missing_required_parameter": _K.CONFIG,
        "unknown_parameter": _K.CONFIG,
        "invalid_value": _K.CONFIG,
        "integer_below_min_value": _K.CONFIG,
        "cannot_update_voice": _K.CONFIG,
        "invalid_tool_call_id": _K.TOOL,
        "invalid_json": _K.PROTOCOL,
        "invalid_event": _K.PROTOCOL,
    },
    fatal=frozenset(
        {
            "invalid_api_key",
            "insufficient_quota",
            "account_deactivated",
            "billing_hard_limit_reached",
            "session_expired",
            "beta_api_shape_disabled",
            "invalid_model",
            "missing_model",
            "model_not_found",
        }
    ),
    benign=frozenset(
        {
            "response_cancel_not_active",
            "input_audio_buffer_commit_empty",
            "item_truncate_invalid_item_id",
            "item_delete_invalid_item_id",
            "unsupported_content_type",
        }
    ),
    fragments=(
        ("missing bearer", _K.AUTH),
        ("api key", _K.AUTH),
        ("rate limit", _K.RATE_LIMIT),
        ("quota", _K.QUOTA),
    ),
    vague_codes=frozenset({"invalid_value"}),
    benign_fragments=("no active response", "already shorter than"),
    close_kinds={
        1001: _K.EXPIRED,
        1009: _K.OVERFLOW,
        1011: _K.VENDOR,
        1012: _K.VENDOR,
        1013: _K.RATE_LIMIT,
        3000: _K.AUTH,
        4000: _K.CONFIG,
    },
    # 4000 is any fault of the request; its reason names the error, as in "invalid_request_error.invalid_model".
    telling_closes=frozenset({1001, 1009, 1011, 1012, 1013, 3000}),
    close_fragments=(
        ("maximum duration", _K.EXPIRED),
        ("invalid_api_key", _K.AUTH),
        ("invalid_model", _K.MODEL),
        ("missing_model", _K.MODEL),
        ("model_not_found", _K.MODEL),
        ("insufficient_quota", _K.QUOTA),
    ),
)

_CAPABILITIES = Capabilities(
    semantic_vad=True,
    truncation=True,
    tools=True,
    text_input=True,
    image_input=True,
    max_session_s=3600.0,
)

OPENAI_GA = Dialect(
    name="openai_ga",
    paths={
        "modalities": ("output_modalities",),
        "instructions": ("instructions",),
        "voice": ("audio", "output", "voice"),
        "input_format": ("audio", "input", "format"),
        "output_format": ("audio", "output", "format"),
        "transcription": ("audio", "input", "transcription"),
        "turn_detection": ("audio", "input", "turn_detection"),
        "tools": ("tools",),
        # No temperature: GA has none, and an unknown key voids the whole update.
    },
    fixed={"type": "realtime"},  # required in every session.update
    input_format={"type": "audio/pcm", "rate": 24000},  # the only PCM rate
    output_format={"type": "audio/pcm", "rate": 24000},
    input_rate_hz=24000,
    output_rate_hz=24000,
    modalities={
        "audio": ("audio",),
        "text": ("text",),
    },  # never both; audio includes its transcript
    vad=VadRules(
        threshold=0.5,
        threshold_range=(0.0, 1.0),
        prefix_padding_ms=300,
        # Documented as 500, while session.created really says 200, which cuts callers off at a breath.
        silence_ms=500,
        idle_timeout_range_ms=(5000, 30000),
        semantic_type="semantic_vad",
        eagerness=True,
    ),
    tool_style="flat",
    errors=_ERRORS,
    capabilities=_CAPABILITIES,
    correlates=True,
)
"""OpenAI's Realtime API as it is."""

AZURE_GA = evolve(OPENAI_GA, name="azure_ga")
"""Azure's `/openai/v1` path: the same wire behind another URL and header."""

OPENAI_BETA = evolve(
    OPENAI_GA,
    name="openai_beta",
    paths={
        "modalities": ("modalities",),
        "instructions": ("instructions",),
        "voice": ("voice",),
        "input_format": ("input_audio_format",),
        "output_format": ("output_audio_format",),
        "transcription": ("input_audio_transcription",),
        "turn_detection": ("turn_detection",),
        "tools": ("tools",),
        "temperature": ("temperature",),
    },
    fixed={},  # session.type is an unknown parameter here
    input_format="pcm16",
    output_format="pcm16",
    modalities={"audio": ("text", "audio"), "text": ("text",)},
    vad=evolve(OPENAI_GA.vad, idle_timeout_range_ms=None),
    temperature_range=(0.6, 1.2),
    # Guess: some compatible servers never answer session.update; waiting costs nothing where they do.
    acknowledges_updates=False,
    correlates=False,
    capabilities=evolve(_CAPABILITIES, image_input=False, max_session_s=1800.0),
)
"""Compatible servers and Azure's preview path."""

# GA names G.711 by media type and takes no rate with it; beta has names of its own.
_G711_FORMATS: dict[Companding, tuple[dict[str, str], str]] = {
    "ulaw": ({"type": "audio/pcmu"}, "g711_ulaw"),
    "alaw": ({"type": "audio/pcma"}, "g711_alaw"),
}


def with_g711(dialect: Dialect, law: Companding) -> Dialect:
    """Give a dialect that carries G.711 both ways, at 8 kHz."""
    ga, beta = _G711_FORMATS[law]
    name = ga if dialect.fixed else beta
    return evolve(
        dialect,
        input_format=name,
        output_format=name,
        input_rate_hz=SAMPLE_RATE_HZ,
        output_rate_hz=SAMPLE_RATE_HZ,
        companding=law,
    )
