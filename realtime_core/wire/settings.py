"""What goes into a session object of the OpenAI-wire family."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from realtime_core.errors import ConfigError
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_core.tools import tools_for_session
from realtime_core.wire.dialect import Dialect, VadRules

__all__ = ["SessionSettings", "instructions_update", "session_object"]

_log = logging.getLogger("realtime_core.wire")


@frozen(kw_only=True)
class SessionSettings:
    """What a vendor takes from the tenant's credential; the rest is in `Options`."""

    voice: str | None = None
    """Default voice, the tenant's or the model's; `Options.voice` wins."""
    instructions: str = ""
    """The tenant's instructions, kept in front of the application's."""
    transcription: Mapping[str, Any] | None = None
    """How the caller is transcribed, in the vendor's words; `None` switches it off."""

    def joined_instructions(self, application: str) -> str:
        """Put the tenant's instructions in front of the application's."""
        return "\n\n".join(part for part in (self.instructions, application) if part.strip())


def _put(target: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value


def _merged(base: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Merge at every depth; a list or a scalar of `extra` takes the place of what stood there."""
    out = dict(base)
    for key, value in extra.items():
        mine = out.get(key)
        both = isinstance(mine, Mapping) and isinstance(value, Mapping)
        out[key] = _merged(mine, value) if both else value  # type: ignore[arg-type] # both says so
    return out


def _in_range(name: str, value: float, limits: tuple[float, float] | None) -> None:
    if limits is not None and not limits[0] <= value <= limits[1]:
        raise ConfigError(f"Options.vad.{name}: expected {limits[0]} to {limits[1]}, got {value}")


def _server_vad(vad: ServerVAD, rules: VadRules) -> dict[str, Any]:
    threshold = rules.threshold if vad.threshold is None else vad.threshold
    silence_ms = rules.silence_ms if vad.silence_ms is None else vad.silence_ms
    padding_ms = rules.prefix_padding_ms if vad.prefix_padding_ms is None else vad.prefix_padding_ms
    _in_range("threshold", threshold, rules.threshold_range)
    _in_range("silence_ms", silence_ms, rules.silence_range_ms)
    entry: dict[str, Any] = {
        "type": rules.server_type,
        "threshold": threshold,
        "prefix_padding_ms": padding_ms,
        "silence_duration_ms": silence_ms,
    }
    if vad.idle_timeout_ms is not None:
        if rules.idle_timeout_range_ms is None:
            raise ConfigError("Options.vad.idle_timeout_ms: this vendor has no idle timeout")
        _in_range("idle_timeout_ms", vad.idle_timeout_ms, rules.idle_timeout_range_ms)
        entry["idle_timeout_ms"] = vad.idle_timeout_ms
    return entry


def _turn_detection(options: Options, rules: VadRules) -> dict[str, Any] | None:
    if options.disable_server_vad:
        return None
    vad = options.vad or ServerVAD()
    if isinstance(vad, SemanticVAD):
        if rules.semantic_type is None:
            raise ConfigError("Options.vad: this vendor or model has no semantic detection")
        entry: dict[str, Any] = {"type": rules.semantic_type}
        if rules.eagerness:
            entry["eagerness"] = vad.eagerness
    else:
        entry = _server_vad(vad, rules)
    for key, value in (("create_response", vad.respond), ("interrupt_response", vad.interrupt)):
        if rules.flags == "always" or not value:
            entry[key] = value
    return entry


def _check_json(path: str, value: Any) -> None:
    """Find here, and not within the start, what no frame can hold."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: expected values that JSON can hold: {error}") from error


def _temperature(options: Options, dialect: Dialect) -> float | None:
    if not options.temperature:
        return None
    if dialect.temperature_range is None or "temperature" not in dialect.paths:
        _log.warning("Options.temperature is left out: %s has none", dialect.name)
        return None
    lowest, highest = dialect.temperature_range
    return min(max(options.temperature, lowest), highest)


def _tools(options: Options, dialect: Dialect) -> list[dict[str, Any]] | None:
    if options.tools and not dialect.capabilities.tools:
        _log.warning("Options.tools is left out: this model of %s calls no tools", dialect.name)
        return None
    tools = tools_for_session(options.tools, style=dialect.tool_style)
    _check_json("Options.tools", tools)
    return tools or None


def session_object(dialect: Dialect, settings: SessionSettings, options: Options) -> dict[str, Any]:
    """
    Build the session object of the first `session.update`.

    Raises:
        ConfigError: A setting this vendor would refuse.
    """
    kind = "text" if tuple(options.modalities) == ("text",) else "audio"
    values: dict[str, Any] = {
        "modalities": list(dialect.modalities["text" if kind == "text" else "audio"]),
        "instructions": settings.joined_instructions(options.system_prompt) or None,
        "input_format": dialect.input_format,
        "output_format": dialect.output_format,
        "voice": options.voice or settings.voice,
        "tools": _tools(options, dialect),
        "temperature": _temperature(options, dialect),
    }
    session: dict[str, Any] = dict(dialect.fixed)
    for name, value in values.items():
        if value is not None and name in dialect.paths:
            _put(session, dialect.paths[name], value)
    # These two are sent also as null: null is how they are switched off.
    transcription = dict(settings.transcription) if settings.transcription is not None else None
    for name, off in (
        ("transcription", transcription),
        ("turn_detection", _turn_detection(options, dialect.vad)),
    ):
        if name in dialect.paths:
            _put(session, dialect.paths[name], off)
    session = _merged(session, options.vendor)
    _check_json("Options.vendor", session)  # the rest has been checked, or is the vendor's own
    return session


def instructions_update(dialect: Dialect, instructions: str) -> dict[str, Any]:
    """
    Build a session object that changes the instructions and nothing else.

    Resending a whole session later is the usual way to have the voice refused or the audio format reset
    (reported against several clients of OpenAI Realtime), so later updates are deltas.
    """
    session: dict[str, Any] = dict(dialect.fixed)
    _put(session, dialect.paths["instructions"], instructions)
    return session
