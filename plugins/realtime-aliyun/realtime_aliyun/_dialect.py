"""
How DashScope's realtime models differ from each other, as data.

The wire is OpenAI's beta shape with values of its own (Model Studio, "Client events" and "Server events" of
Qwen-Omni-Realtime and Qwen-Audio-Realtime).
"""

from __future__ import annotations

from attrs import evolve

from realtime_core.capabilities import Capabilities
from realtime_core.errors import ErrorKind
from realtime_core.wire import Dialect, ErrorTable, VadRules

__all__ = ["OMNI_FLAT", "OMNI_NESTED", "QWEN_AUDIO", "dialect_of"]

_K = ErrorKind

_ERRORS = ErrorTable(
    kinds={
        "InvalidApiKey": _K.AUTH,
        "WorkspaceNotFound": _K.AUTH,
        "AccessDenied": _K.AUTH,
        "Model.AccessDenied": _K.MODEL,
        "model_not_found": _K.MODEL,
        "Arrearage": _K.QUOTA,
        "AllocationQuota.FreeTierOnly": _K.QUOTA,
        "Throttling": _K.RATE_LIMIT,
        "Throttling.RateQuota": _K.RATE_LIMIT,
        "Throttling.AllocationQuota": _K.RATE_LIMIT,
        "DataInspectionFailed": _K.VENDOR,
        "invalid_value": _K.CONFIG,
        "authentication_error": _K.AUTH,
        "rate_limit_error": _K.RATE_LIMIT,
        "invalid_request_error": _K.CONFIG,
    },
    fatal=frozenset(
        {
            "InvalidApiKey",
            "WorkspaceNotFound",
            "AccessDenied",
            "Model.AccessDenied",
            "model_not_found",
            "Arrearage",
            "AllocationQuota.FreeTierOnly",
            "authentication_error",
        }
    ),
    # Only this type leaves the socket open; after any other the service closes it (Server events, error).
    surviving_types=frozenset({"invalid_request_error"}),
    # Many errors come without a code and with this type, so here the text decides more often.
    generic_types=frozenset({"invalid_request_error"}),
    fragments=(
        ("invalid api-key", _K.AUTH),
        ("unauthorized", _K.AUTH),
        ("not in good standing", _K.QUOTA),
        ("欠费", _K.QUOTA),
        ("free tier", _K.QUOTA),
        ("allocated quota exceeded", _K.RATE_LIMIT),
        ("rate limit", _K.RATE_LIMIT),
    ),
    benign_fragments=(
        "none active response",
        "no active response",
    ),
    close_kinds={1011: _K.VENDOR, 1009: _K.OVERFLOW},
    # 1007 is this service's code for everything; only the reason tells.
    close_fragments=(
        ("no response was generated", _K.IDLE),
        ("quota exceeded", _K.QUOTA),
        ("access denied", _K.AUTH),
        ("internal service error", _K.VENDOR),
    ),
)

_PATHS = {
    "modalities": ("modalities",),
    "instructions": ("instructions",),
    "voice": ("voice",),
    "input_format": ("input_audio_format",),
    "output_format": ("output_audio_format",),
    "transcription": ("input_audio_transcription",),
    "turn_detection": ("turn_detection",),
    "tools": ("tools",),
    "temperature": ("temperature",),
}

OMNI_FLAT = Dialect(
    name="dashscope_omni",
    paths=_PATHS,
    # "pcm" is a label, not a rate: 16 kHz go in and 24 kHz come out whatever it says.
    input_format="pcm",
    output_format="pcm",
    input_rate_hz=16000,
    output_rate_hz=24000,
    modalities={"audio": ("text", "audio"), "text": ("text",)},
    vad=VadRules(
        threshold=0.5,
        threshold_range=(-1.0, 1.0),
        prefix_padding_ms=300,
        silence_ms=800,
        silence_range_ms=(200, 6000),
        idle_timeout_range_ms=(5000, 30000),
        semantic_type="semantic_vad",
        # Whether `false` has any effect is undocumented, so the flags are sent only when they say it.
        flags="when_false",
    ),
    tool_style="nested",
    errors=_ERRORS,
    capabilities=Capabilities(
        semantic_vad=True,
        tools=True,
        text_input=True,  # undocumented for messages, but used by the vendor's own agent on qwen3.5
        image_input=True,
        max_session_s=7200.0,
    ),
    temperature_range=(0.0, 1.99),  # [0, 2)
    partial_transcripts="replace",
    cancels_by_id=False,
    drops_duplicates=True,
)
"""Qwen-Omni up to 3.5: a flat session object."""

OMNI_NESTED = evolve(
    OMNI_FLAT,
    name="dashscope_omni_nested",
    paths={
        **_PATHS,
        "voice": ("audio", "output", "voice"),
        "input_format": ("audio", "input", "format"),
        "output_format": ("audio", "output", "format"),
    },
    input_format={"type": "pcm", "sample_rate": 16000},
    output_format={"type": "pcm", "sample_rate": 24000},
    # Documented for qwen3.5 only.
    vad=evolve(OMNI_FLAT.vad, idle_timeout_range_ms=None),
)
"""Qwen-Omni 3.8: formats and voice in an `audio` object, never null."""

_OMNI_OLD = evolve(
    OMNI_FLAT,
    name="dashscope_omni",
    vad=evolve(OMNI_FLAT.vad, semantic_type=None, idle_timeout_range_ms=None),
    capabilities=evolve(OMNI_FLAT.capabilities, semantic_vad=False, tools=False, text_input=False),
)
"""qwen3-omni-flash and qwen-omni-turbo: no semantic detection, tools accepted and never called, no text."""

_OMNI_TURBO = evolve(
    _OMNI_OLD,
    # Its sampling parameters are fixed; none may be sent.
    paths={name: path for name, path in _PATHS.items() if name != "temperature"},
    temperature_range=None,
)

QWEN_AUDIO = evolve(
    OMNI_FLAT,
    name="qwen_audio",
    vad=evolve(
        OMNI_FLAT.vad,
        # smart_turn is this family's detector of meaning.
        semantic_type="smart_turn",
        idle_timeout_range_ms=None,
    ),
    capabilities=evolve(OMNI_FLAT.capabilities, image_input=False),
)
"""Qwen-Audio: voice agents on the same wire."""

_BY_PREFIX = (
    ("qwen3.8-omni-", OMNI_NESTED),
    ("qwen-audio-", QWEN_AUDIO),
    ("qwen-omni-turbo", _OMNI_TURBO),
    ("qwen3-omni-", _OMNI_OLD),
)


def dialect_of(model: str) -> Dialect:
    """Choose by the model's prefix, as the vendor's own SDK does; an unknown one is flat Omni."""
    return next((dialect for prefix, dialect in _BY_PREFIX if model.startswith(prefix)), OMNI_FLAT)
