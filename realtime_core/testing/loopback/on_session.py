"""Client events about the session itself: `session.update` and `session.finish`."""

from __future__ import annotations

from .frames import Event
from .mind import Mind
from .refusal import Refusal
from .session_config import check_update, merged
from .settings import Settings, read_settings

__all__ = ["finish", "update"]


def update(mind: Mind, event: Event) -> None:
    """Merge a `session.update`, all of it or nothing, and echo the effective session."""
    mind.updates += 1
    if mind.faults.reject_update is not None and mind.updates == 1:
        _reject(mind, event, mind.faults.reject_update)
        return
    changes = event.get("session")
    if not isinstance(changes, dict):
        raise Refusal(
            "missing_required_parameter",
            "Missing required parameter: 'session'.",
            param="session",
            rule="missing-parameter",
        )
    check_update(changes, mind.config, mind.facts)
    changes = _unfrozen(mind, event, changes)
    config = merged(mind.config, changes, mind.facts)
    settings = read_settings(config, mind.facts)
    if mind.facts.openai:
        _check_openai_frozen(mind, config, settings)
    mind.listen(settings.heard, settings.turns)
    mind.config, mind.settings = config, settings
    if "instructions" in changes:
        mind.meter.read(str(changes["instructions"]))
    mind.emit("session.updated", session=config)
    if not mind.configured:
        mind.configured = True
        mind.on_open()


def _reject(mind: Mind, event: Event, code: str) -> None:
    mind.emit(
        "error",
        error={
            "type": "invalid_request_error",
            "code": code,
            "message": f"The session update was rejected: {code}.",
            "param": "session",
            "event_id": event.get("event_id"),
        },
    )


def _check_openai_frozen(mind: Mind, config: Event, settings: Settings) -> None:
    old, new = mind.config, config
    if mind.facts.ga_session:
        old, new = old["audio"]["output"], new["audio"]["output"]
    if mind.spoke and old["voice"] != new["voice"]:
        raise Refusal(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            param="session.audio.output.voice" if mind.facts.ga_session else "session.voice",
            rule="voice-after-audio",
        )
    # Guess: no OpenAI page says whether formats may change once audio was heard or spoken.
    heard_changed = mind.heard_audio and settings.heard != mind.settings.heard
    if heard_changed or (mind.spoke and settings.spoken != mind.settings.spoken):
        raise Refusal(
            "invalid_value",
            "Cannot change audio formats after audio was exchanged.",
            param="session.audio",
            rule="format-after-audio",
        )


def _unfrozen(mind: Mind, event: Event, changes: Event) -> Event:
    """Return the changes a DashScope session takes now; Omni refuses, Qwen-Audio ignores."""
    if mind.facts.openai or not mind.heard_audio:
        return changes
    now = merged(mind.config, changes, mind.facts)
    # Model Studio, Client events: voice and formats are set before audio; for Qwen-Audio
    # turn_detection too. Sending the same value again changes nothing.
    frozen = ["input_audio_format", "output_audio_format", "voice", "audio"]
    if mind.facts.qwen_audio:
        frozen.append("turn_detection")
    late = [key for key in frozen if key in changes and now.get(key) != mind.config.get(key)]
    if not late:
        return changes
    param = f"session.{late[0]}"
    if not mind.facts.qwen_audio:
        raise Refusal(
            "invalid_value",
            f"{param} cannot be changed after audio was received",
            param=param,
            rule="frozen-field",
        )
    mind.record("frozen-field", f"{param} only before the first audio", event)
    return {key: value for key, value in changes.items() if key not in late}


def finish(mind: Mind, event: Event) -> None:
    """End the session: running answers first, then `session.finished` and a close."""
    del event
    mind.settle()
    mind.finishing = True
    # Model Studio, Client events: on 3.8 the acknowledgement is not guaranteed.
    if mind.facts.finish_acknowledged:
        mind.emit("session.finished")
    mind.close_wanted = (1000, "")
