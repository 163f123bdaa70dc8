"""From a credential to an agent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import attrs

from realtime_core.agent import Agent
from realtime_core.capabilities import Capabilities
from realtime_core.credentials import load_credential
from realtime_core.errors import ConfigError
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_local._config import LocalConfig
from realtime_local._parts import (
    OBJECTS,
    detector_of,
    recogniser_of,
    replier_of,
    synthesiser_of,
    voice_check,
)
from realtime_local._wire import LOCAL, LocalWire
from realtime_local.engines import MODEL_RATE_HZ

__all__ = ["LocalProvider", "provide"]

_SLUG = "local"
_SILENCE_MS = (100, 10_000)
_PADDING_MS = (0, 5000)
_log = logging.getLogger("realtime_local")


class LocalProvider:
    """Makes agents whose model is in this process; `provide` is the one instance."""

    config: type[LocalConfig] = LocalConfig
    """Credential class, for `describe_providers`."""
    capabilities: Capabilities = attrs.evolve(LOCAL, output_wire_rate_hz=MODEL_RATE_HZ)
    """Of the default engines; the output rate is the speech engine's."""

    def __call__(self, credential: Mapping[str, Any], options: Options) -> Agent:
        """
        Make an agent; loads no model yet, `Agent.start` does.

        Engines of your own come by name in the credential, or as objects in `Options.vendor`: `detector` (a factory, one a
        session), `recogniser` (a factory, called with the grammar or `None`), `replier` (one a session), `synthesiser`.

        Args:
            credential: See `LocalConfig`.
            options: What the application asks for.

        Raises:
            ConfigError: The credential or an option is wrong, or an engine is missing: says what to install.
        """
        config = load_credential(LocalConfig, credential)
        unknown = sorted(set(options.vendor) - set(OBJECTS))
        if unknown:
            raise ConfigError(
                f"Options.vendor: expected engines by {', '.join(OBJECTS)}, got {', '.join(unknown)}"
            )
        timing = _checked_timing(config, options)
        replier = replier_of(config, options)
        aloud = tuple(options.modalities) != ("text",)
        synthesiser = synthesiser_of(config, options) if aloud else None
        detector = detector_of(config, options)
        recogniser = recogniser_of(config, options, replier)

        from realtime_core.backends.soxr import SoxrResampler
        from realtime_core.log import SessionLog
        from realtime_core.session import SessionAgent
        from realtime_local._listener import Listener
        from realtime_local._room import EngineRoom, Engines

        session_id = f"local_{uuid4().hex[:12]}"
        log = SessionLog("realtime_local", _SLUG)
        log.session_id = session_id

        def listen() -> Listener:
            return Listener(None if options.disable_server_vad else detector(), **timing)

        room = EngineRoom(
            Engines(
                listen=listen,
                recogniser=recogniser,
                replier=replier,
                synthesiser=synthesiser,
                check_voice=voice_check(config, options, synthesiser) if synthesiser else None,
                voice=options.voice or config.voice,
                tools=tuple(options.tools),
                apology=replier.apology,
            ),
            log,
        )
        wire = LocalWire(
            vendor=_SLUG,
            options=options,
            instructions=config.instructions,
            session_id=session_id,
            output_rate_hz=synthesiser.sample_rate_hz if synthesiser else MODEL_RATE_HZ,
        )
        return SessionAgent(options=options, wire=wire, transport=room, resampler=SoxrResampler)


def _checked_timing(config: LocalConfig, options: Options) -> dict[str, int]:
    """Refuse what the local model has not, and give what is chosen of a `Listener`'s figures."""
    if isinstance(options.vad, SemanticVAD):
        raise ConfigError("Options.vad: the local model has no semantic detection")
    if options.vad is not None and options.vad.idle_timeout_ms is not None:
        raise ConfigError("Options.vad.idle_timeout_ms: the local model has no idle timeout")
    if options.temperature and config.replier != "chat":
        _log.warning("Options.temperature is left out: only the chat replier has one")
    vad = options.vad if options.vad is not None else ServerVAD()
    chosen: dict[str, int] = {}
    for name, (least, most) in {
        "silence_ms": _SILENCE_MS,
        "prefix_padding_ms": _PADDING_MS,
    }.items():
        ms: float | None = getattr(vad, name)
        if ms is not None:
            if not least <= ms <= most:
                raise ConfigError(
                    f"Options.vad.{name}: expected {least} to {most} for the local model, got {ms!r}"
                )
            chosen[name] = round(ms)
    return chosen


provide: LocalProvider = LocalProvider()
"""The provider behind the slugs of this wheel."""
