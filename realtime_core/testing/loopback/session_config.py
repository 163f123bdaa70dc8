"""The session object: its defaults, and how an accepted update changes it."""

from __future__ import annotations

import copy
import time
from typing import Any

from .dashscope_schema import check_session
from .dashscope_voices import default_voice, known_voices
from .dialects import DialectFacts
from .frames import Event
from .openai_schema import BETA_SESSION, GA_SESSION
from .refusal import Refusal

__all__ = ["check_update", "defaults", "merged"]

_SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    # OpenAI: the reference text says 500, session.created reports 200.
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
}
_DETECTION_DEFAULTS: dict[str, dict[str, Any]] = {
    "server_vad": _SERVER_VAD,
    "semantic_vad": {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    },
}


def defaults(facts: DialectFacts, model: str, session_id: str) -> Event:
    """Return the session object of `session.created`."""
    head = {"id": session_id, "object": "realtime.session", "model": model}
    if facts.ga_session:
        return head | _ga_defaults()
    return head | (_beta_defaults() if facts.openai else _dashscope_defaults(facts, model))


def _ga_defaults() -> Event:
    pcm = {"type": "audio/pcm", "rate": 24000}
    return {
        "type": "realtime",
        "expires_at": int(time.time()) + 3600,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful, witty, and friendly AI.",
        "audio": {
            "input": {
                "format": dict(pcm),
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": _SERVER_VAD | {"idle_timeout_ms": None},
            },
            "output": {"format": dict(pcm), "voice": "marin", "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "truncation": "auto",
        "tracing": None,
        "prompt": None,
        "include": None,
    }


def _beta_defaults() -> Event:
    return {
        "expires_at": int(time.time()) + 1800,
        "modalities": ["audio", "text"],
        "instructions": "You are a helpful, witty, and friendly AI.",
        "voice": "alloy",
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": None,
        "input_audio_noise_reduction": None,
        "turn_detection": dict(_SERVER_VAD),
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.8,
        "max_response_output_tokens": "inf",
        "speed": 1.0,
        "tracing": None,
    }


def _dashscope_defaults(facts: DialectFacts, model: str) -> Event:
    voice = default_voice(model)
    session: Event = {
        "modalities": ["text", "audio"],
        "instructions": "",
        "voice": voice,
        "input_audio_format": "pcm",
        "output_audio_format": "pcm",
        "input_audio_transcription": {"model": "qwen3-asr-flash-realtime"},
        "turn_detection": _SERVER_VAD | {"silence_duration_ms": 800},
        "tools": [],
        "tool_choice": "auto",
        "temperature": 0.8,
        "max_response_output_token": "inf",
    }
    if facts.nested_audio:
        # How 3.8 echoes the audio object in full is a guess.
        pcm = {"type": "pcm", "sample_rate": 16000}
        session["audio"] = {
            "input": {"format": pcm},
            "output": {"format": pcm | {"sample_rate": 24000}, "voice": voice},
        }
    return session


def check_update(update: Event, config: Event, facts: DialectFacts) -> None:
    """Raise `Refusal` unless *update* may change *config*; nothing is changed by it."""
    if facts.ga_session:
        GA_SESSION(update, "session")
    elif facts.openai:
        BETA_SESSION(update, "session")
    else:
        check_session(update, facts)
        _check_voice(update, config, facts)
    model = update.get("model")
    if model is not None and model != config["model"]:
        raise Refusal(
            "invalid_value",
            f"Cannot change the model of a session from '{config['model']}'.",
            param="session.model",
            rule="model-changed",
        )


def _check_voice(update: Event, config: Event, facts: DialectFacts) -> None:
    voice = update.get("voice")
    voices = known_voices(config["model"])
    if voice is not None and voices is not None and voice not in voices:
        raise Refusal(
            "invalid_value",
            f"Voice '{voice}' is not supported.",
            param="session.voice",
            rule="voice-of-another-family",
            expected=f"a voice of {config['model']}",
        )
    # Model Studio, Client events: enable_search and tools exclude each other in one session.
    tools = update.get("tools", config["tools"])
    if tools and update.get("enable_search", config.get("enable_search", False)):
        raise Refusal(
            "invalid_value",
            "tools and enable_search are mutually exclusive",
            param="session.tools",
            rule="tools-with-search",
        )


def merged(config: Event, update: Event, facts: DialectFacts) -> Event:
    """Return the session object after *update*, which was checked before."""
    result = copy.deepcopy(config)
    _merge(result, copy.deepcopy(update))
    place = result["audio"]["input"] if facts.ga_session else result
    detection = place["turn_detection"]
    if detection is not None:
        base = dict(_DETECTION_DEFAULTS.get(detection["type"], {}))
        if not facts.openai:
            base = _SERVER_VAD | {"type": detection["type"], "silence_duration_ms": 800}
        elif facts.ga_session and detection["type"] == "server_vad":
            base["idle_timeout_ms"] = None
        place["turn_detection"] = base | detection
    if facts.nested_audio:
        if update.get("voice") is not None:
            result["audio"]["output"]["voice"] = update["voice"]
        # Model Studio, Client events: audio.output.voice wins if both are present.
        wanted = update.get("audio", {}).get("output", {}).get("voice")
        if wanted is not None:
            result["voice"] = result["audio"]["output"]["voice"] = wanted
    if not facts.openai and result["voice"] is None:
        result["voice"] = config["voice"]
    return result


def _merge(into: Event, update: Event) -> None:
    # OpenAI: an update merges at every depth; an object of another `type` replaces.
    for key, value in update.items():
        known = into.get(key)
        if (
            isinstance(known, dict)
            and isinstance(value, dict)
            and value.get("type", known.get("type")) == known.get("type")
        ):
            _merge(known, value)
        else:
            into[key] = value
