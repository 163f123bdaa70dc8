"""The few settings the vendor acts on, read from whichever session shape is in force."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from .dialects import DialectFacts
from .frames import Event
from .wireformat import WireFormat

__all__ = ["Settings", "TurnDetection", "read_settings"]


@frozen(kw_only=True)
class TurnDetection:
    """
    How the session's own ear finds turns.

    Attributes:
        kind: `server_vad`, `semantic_vad` or `smart_turn`.
        silence_ms: Quiet that ends a turn.
        prefix_ms: Audio kept from before the onset.
        responds: A finished turn is answered without being asked.
        interrupts: Speech stops the answer in progress.
    """

    kind: str
    silence_ms: int
    prefix_ms: int
    responds: bool = True
    interrupts: bool = True


@frozen(kw_only=True)
class Settings:
    """
    A session's settings in neutral words.

    Attributes:
        heard: Format of the client's audio.
        spoken: Format of the model's audio.
        turns: Turn detection, or None for manual turns.
        transcribes: The user's speech is transcribed.
        speaks: Answers are audio with a transcript; False means text only.
    """

    heard: WireFormat
    spoken: WireFormat
    turns: TurnDetection | None
    transcribes: bool
    speaks: bool


# Guess: no vendor says how long its semantic detection waits after plain, finished speech;
# OpenAI gives only the longest waits of each eagerness (8, 4 and 2 s).
_SEMANTIC_SILENCE_MS = {"low": 1200, "medium": 800, "auto": 800, "high": 400}
_SMART_TURN_SILENCE_MS = 600  # guess; Model Studio says its silence_duration_ms is ignored


def read_settings(config: Event, facts: DialectFacts) -> Settings:
    """Return the settings of the effective session object *config*."""
    if facts.ga_session:
        heard, spoken = config["audio"]["input"], config["audio"]["output"]
        return Settings(
            heard=_openai_format(heard["format"]["type"]),
            spoken=_openai_format(spoken["format"]["type"]),
            turns=_turns(heard["turn_detection"]),
            transcribes=heard["transcription"] is not None,
            speaks="audio" in config["output_modalities"],
        )
    if facts.openai:
        heard_format = _openai_format(config["input_audio_format"])
        spoken_format = _openai_format(config["output_audio_format"])
    else:
        audio = config.get("audio") or {}
        heard_format = _dashscope_format(audio.get("input"), 16000)
        spoken_format = _dashscope_format(audio.get("output"), 24000)
    return Settings(
        heard=heard_format,
        spoken=spoken_format,
        turns=_turns(config["turn_detection"]),
        transcribes=config["input_audio_transcription"] is not None,
        speaks="audio" in config["modalities"],
    )


def _openai_format(name: str) -> WireFormat:
    if name in ("audio/pcmu", "g711_ulaw"):
        return WireFormat("ulaw", 8000)
    if name in ("audio/pcma", "g711_alaw"):
        return WireFormat("alaw", 8000)
    return WireFormat("pcm", 24000)


def _dashscope_format(side: Event | None, default_hz: int) -> WireFormat:
    # Model Studio, Client events: the labels pcm, pcm16 and pcm24 do not change the rate.
    audio_format: dict[str, Any] = (side or {}).get("format") or {}
    return WireFormat("pcm", audio_format.get("sample_rate", default_hz))


def _turns(detection: Event | None) -> TurnDetection | None:
    if detection is None:
        return None
    kind = detection["type"]
    silence = detection.get("silence_duration_ms")
    if kind == "smart_turn":
        silence = _SMART_TURN_SILENCE_MS
    elif silence is None:
        silence = _SEMANTIC_SILENCE_MS[detection.get("eagerness", "auto")]
    return TurnDetection(
        kind=kind,
        silence_ms=silence,
        prefix_ms=detection.get("prefix_padding_ms", 300),
        responds=detection.get("create_response", True),
        interrupts=detection.get("interrupt_response", True),
    )
