"""Client events of the input audio buffer, and the turns the vendor finds in it."""

from __future__ import annotations

import base64
import binascii

from .conversation import Item
from .ear import Heard
from .frames import Event
from .mind import Mind
from .refusal import Refusal
from .transcription import UserTranscript

__all__ = ["append", "append_image", "clear", "commit"]

_MAX_APPEND_CHARS = 15 * 1024 * 1024
_MAX_IMAGE_CHARS = 700_000  # old Model Studio pages allow 500 KB raw, new ones 256 KB encoded
_LEAST_COMMIT_MS = 100


def append(mind: Mind, event: Event) -> int:
    """Take audio, find speech in it; returns the number of audio bytes."""
    audio = _decoded(event, "audio", _MAX_APPEND_CHARS)
    size = mind.settings.heard.sample_bytes
    if len(audio) % size:
        raise Refusal(
            "invalid_value",
            f"Invalid audio: {len(audio)} bytes are no whole 16-bit samples.",
            param="audio",
            rule="odd-audio-bytes",
        )
    if not mind.configured:
        # OpenAI Realtime guide: until session.updated, audio is judged by default settings.
        mind.record("audio-before-open", "no audio before session.updated", event)
    mind.heard_audio = mind.heard_audio or bool(audio)
    mind.on_audio(audio)
    for heard in mind.ear.feed(audio, mind.settings.turns):
        if heard.began:
            _speech_began(mind, heard)
        else:
            _speech_ended(mind, heard)
    return len(audio)


def _decoded(event: Event, key: str, most: int) -> bytes:
    encoded = event.get(key)
    if not isinstance(encoded, str):
        raise Refusal(
            "missing_required_parameter",
            f"Missing required parameter: '{key}'.",
            param=key,
            rule="missing-parameter",
        )
    if len(encoded) > most:
        raise Refusal("invalid_value", f"'{key}' is too large.", param=key, rule="append-too-large")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        # Guess: neither vendor publishes the code for base64 it cannot read.
        raise Refusal(
            "invalid_value",
            f"Invalid '{key}'. Expected base64-encoded bytes.",
            param=key,
            rule="bad-base64",
        ) from None


def _speech_began(mind: Mind, heard: Heard) -> None:
    mind.user_item = mind.ids.new("item")
    mind.moments["speech began"] = mind.clock()
    mind.emit(
        "input_audio_buffer.speech_started",
        audio_start_ms=heard.at_ms,
        item_id=mind.user_item,
    )
    turns, active = mind.settings.turns, mind.active
    # OpenAI: with interrupt_response true the server cancels by itself. Model Studio: always
    # documented so; whether false has an effect there is unknown and taken as OpenAI's.
    if active is not None and turns is not None and turns.interrupts:
        mind.cancel(active, "turn_detected")


def _speech_ended(mind: Mind, heard: Heard) -> None:
    item_id = mind.user_item or mind.ids.new("item")
    mind.user_item = None
    transcript = _transcript(mind, item_id, heard.speech_ms)
    stopped: Event = {"audio_end_ms": heard.at_ms, "item_id": item_id}
    number, mind.turn_count = mind.turn_count, mind.turn_count + 1
    if number in mind.invalid_turns:
        # Qwen-Audio, Server events: the turn was not meant for the model; nothing follows.
        mind.emit("input_audio_buffer.speech_stopped", **stopped, reason="turn_invalid")
        return
    if transcript is not None and mind.config["model"].startswith(("qwen3.5", "qwen3.8")):
        mind.extend(transcript.partial())
    mind.emit("input_audio_buffer.speech_stopped", **stopped)
    _committed(mind, item_id, heard.audio, heard.speech_ms, transcript)
    turns = mind.settings.turns
    if turns is None or not turns.responds:
        _send_owed(mind)
    elif mind.active is None:
        mind.answer()
    else:
        _send_owed(mind)
        _no_answer(mind)


def _no_answer(mind: Mind) -> None:
    # Model Studio, Server events, has this text; that OpenAI answers like this is a guess.
    openai = mind.facts.openai
    message = "VAD turn committed but no response was created because a manual response is already in progress"
    mind.emit(
        "error",
        error={
            "type": "invalid_request_error",
            "code": "conversation_already_has_active_response" if openai else "invalid_value",
            "message": message,
            "param": None,
            "event_id": None,
        },
    )


def _transcript(mind: Mind, item_id: str, speech_ms: int) -> UserTranscript | None:
    if not mind.settings.transcribes:
        return None
    if mind.facts.ga_session:
        wanted = mind.config["audio"]["input"]["transcription"]
    else:
        wanted = mind.config["input_audio_transcription"]
    return UserTranscript(mind.facts, item_id, speech_ms, wanted.get("model"))


def _committed(
    mind: Mind, item_id: str, audio: bytes, speech_ms: int, transcript: UserTranscript | None
) -> None:
    item = Item(id=item_id, type="message", role="user", content=[{"type": "input_audio"}])
    if mind.facts.openai:
        item.content[0]["transcript"] = None
    previous = mind.conversation.add(item)
    shown: Event = {"item_id": item_id}
    if mind.facts.keeps_item_ids:
        shown["previous_item_id"] = previous
    mind.emit("input_audio_buffer.committed", **shown)
    mind.extend(mind.conversation.announced(item, previous))
    mind.extend(mind.conversation.finished(item, previous))
    mind.meter.heard(len(audio) / mind.settings.heard.bytes_per_ms)
    _send_owed(mind)
    mind.pending.item_id, mind.pending.audio = item_id, audio
    mind.pending.speech_ms, mind.pending.owed = speech_ms, transcript
    mind.moments["committed"] = mind.clock()


def _send_owed(mind: Mind) -> None:
    owed, mind.pending.owed = mind.pending.owed, None
    if owed is not None:
        mind.extend(owed.completed())


def commit(mind: Mind, event: Event) -> None:
    """Make an item of what was heard; the answer waits for `response.create`."""
    del event
    by_hand = mind.settings.turns is None
    if not by_hand and mind.facts.qwen_audio:
        return  # Qwen-Audio, Client events: ignored in VAD mode
    usable = mind.ear.pending_ms if by_hand or mind.ear.speaking else 0
    if usable < (_LEAST_COMMIT_MS if mind.facts.openai else 1):
        raise Refusal(
            "input_audio_buffer_commit_empty",
            "Error committing input audio buffer: buffer too small. Expected at least 100ms of "
            f"audio, but buffer only has {usable:.2f}ms of audio.",
            rule="commit-too-short",
            # With VAD the vendor may just have taken the buffer itself.
            benign=not by_hand and mind.recent("committed"),
        )
    item_id = mind.user_item or mind.ids.new("item")
    mind.user_item = None
    audio = mind.ear.take()
    speech_ms = len(audio) // mind.settings.heard.bytes_per_ms
    transcript = _transcript(mind, item_id, speech_ms)
    _committed(mind, item_id, audio, speech_ms, transcript)
    if by_hand:
        # Transcription begins with the commit, whether or not a response is asked for.
        reply = mind.next_reply()
        if reply is None or reply.user_transcript == "during":
            _send_owed(mind)
    elif mind.active is None:
        mind.answer()


def clear(mind: Mind, event: Event) -> None:
    """Forget what was heard and not committed."""
    del event
    if mind.facts.qwen_audio and mind.settings.turns is not None:
        return  # Qwen-Audio, Client events: ignored in VAD mode
    mind.ear.clear()
    mind.user_item = None
    mind.emit("input_audio_buffer.cleared")


def append_image(mind: Mind, event: Event) -> int:
    """Take an image of Qwen-Omni's video channel; returns its size in bytes."""
    image = _decoded(event, "image", _MAX_IMAGE_CHARS)
    if not mind.heard_audio:
        raise Refusal(
            "invalid_value",
            "input_image_buffer.append needs audio before it",
            param="image",
            rule="image-before-audio",
        )
    return len(image)
