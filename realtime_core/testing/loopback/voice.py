"""The voices: how the vendor answers when nobody scripted an answer."""

from __future__ import annotations

import numpy as np

from .reply import Reply, Speech, Turn, Voice
from .wireformat import WireFormat, convert

__all__ = ["parrot", "tone", "tone_audio", "voice_named"]


def parrot(turn: Turn) -> Reply:
    """
    Answer with the utterance heard.

    The audio is the bytes received, from the prefix padding to the end of speech, sample for
    sample where input and output rates agree, else resampled as one signal. What was not
    spoken (text, tool outputs, a greeting) is answered with a tone of one second.
    """
    if not turn.audio:
        return tone(turn)
    audio = convert(turn.audio, turn.heard, turn.spoken)
    return Reply(parts=(Speech(audio=audio, transcript=_words(turn)),))


def tone(turn: Turn) -> Reply:
    """Answer with one second of 440 Hz."""
    return Reply(parts=(Speech(ms=1000, transcript=_words(turn)),))


def tone_audio(audio_format: WireFormat, ms: int) -> bytes:
    """
    Return a 440 Hz tone at a quarter of full scale.

    Args:
        audio_format: Format of the bytes returned.
        ms: Length in milliseconds.
    """
    moments = np.arange(audio_format.rate_hz * ms // 1000) / audio_format.rate_hz
    return audio_format.encode((8192 * np.sin(2 * np.pi * 440 * moments)).astype(np.int16))


def voice_named(voice: str | Voice | None) -> Voice:
    """Return the voice for `LoopbackVendor`'s *voice* argument."""
    if voice is None or voice == "tone":
        return tone
    if voice == "parrot":
        return parrot
    if isinstance(voice, str):
        message = f"voice must be 'parrot', 'tone', None or a function, not {voice!r}"
        raise ValueError(message)
    return voice


def _words(turn: Turn) -> str:
    if turn.audio:
        return f"I heard {turn.speech_ms / 1000:.1f} seconds of speech."
    if turn.tool_outputs:
        return f"The tool says: {' '.join(turn.tool_outputs)}"
    if turn.text:
        return f"You wrote: {turn.text}"
    return "Hello, how can I help you?"
