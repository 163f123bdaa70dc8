"""From a credential to an agent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import attrs

from realtime_core.agent import Agent
from realtime_core.capabilities import Capabilities
from realtime_core.credentials import load_credential
from realtime_core.errors import ConfigError
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_local._config import LocalConfig
from realtime_local._wire import LOCAL, LocalWire
from realtime_local.engines import MODEL_RATE_HZ, Recogniser, Replier, SpeechDetector, Synthesiser
from realtime_local.loading import load_object

__all__ = ["LocalProvider", "provide"]

_SLUG = "local"
_OBJECTS = ("detector", "recogniser", "replier", "synthesiser")
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
        unknown = sorted(set(options.vendor) - set(_OBJECTS))
        if unknown:
            raise ConfigError(
                f"Options.vendor: expected engines by {', '.join(_OBJECTS)}, got {', '.join(unknown)}"
            )
        _check_options(options)
        given = options.vendor
        replier: Replier = given.get("replier") or _replier(config)
        synthesiser: Synthesiser = given.get("synthesiser") or _synthesiser(config)
        detector: Callable[[], SpeechDetector] = given.get("detector") or _detector(config, options)
        recogniser: Callable[[str | None], Recogniser] = given.get("recogniser") or _recogniser(
            config
        )

        from realtime_core.backends.soxr import SoxrResampler
        from realtime_core.log import SessionLog
        from realtime_core.session import SessionAgent
        from realtime_local._listener import Listener
        from realtime_local._room import EngineRoom, Engines

        vad = options.vad if isinstance(options.vad, ServerVAD) else ServerVAD()
        timing = {"silence_ms": vad.silence_ms, "prefix_padding_ms": vad.prefix_padding_ms}
        chosen = {name: ms for name, ms in timing.items() if ms is not None}

        def listen() -> Listener:
            return Listener(None if options.disable_server_vad else detector(), **chosen)

        room = EngineRoom(
            Engines(
                listen=listen,
                recogniser=recogniser,
                replier=replier,
                synthesiser=synthesiser,
                voice=options.voice or config.voice,
                tools=tuple(options.tools),
                apology=replier.apology,
            ),
            SessionLog("realtime_local", _SLUG),
        )
        wire = LocalWire(
            vendor=_SLUG,
            options=options,
            instructions=config.instructions,
            session_id=f"local_{uuid4().hex[:12]}",
            output_rate_hz=synthesiser.sample_rate_hz,
        )
        return SessionAgent(options=options, wire=wire, transport=room, resampler=SoxrResampler)


def _check_options(options: Options) -> None:
    if isinstance(options.vad, SemanticVAD):
        raise ConfigError("Options.vad: the local model has no semantic detection")
    if options.vad is not None and options.vad.idle_timeout_ms is not None:
        raise ConfigError("Options.vad.idle_timeout_ms: the local model has no idle timeout")
    if options.temperature:
        _log.warning("Options.temperature is left out: it is the chat replier's, chatTemperature")


def _replier(config: LocalConfig) -> Replier:
    match config.replier:
        case "script":
            from realtime_local.script_reading import demo_script, load_script
            from realtime_local.script_replier import ScriptReplier

            shipped = config.script == "restaurant"
            return ScriptReplier(demo_script() if shipped else load_script(config.script))
        case "chat":
            from realtime_local.chat import ChatReplier

            return ChatReplier(
                base_url=config.chat_base_url,
                model=config.chat_model,
                api_key=config.chat_api_key,
                temperature=config.chat_temperature,
            )
        case "parrot":
            from realtime_local.parrot import ParrotReplier

            return ParrotReplier()
        case name:
            made: Replier = load_object(name, "credential.replier")()
            return made


def _synthesiser(config: LocalConfig) -> Synthesiser:
    if config.synthesiser is not None and ":" in config.synthesiser:
        made: Synthesiser = load_object(config.synthesiser, "credential.synthesiser")()
        return made
    from realtime_local.synthesis import find_synthesiser

    return find_synthesiser(config.synthesiser)


def _detector(config: LocalConfig, options: Options) -> Callable[[], SpeechDetector]:
    from realtime_local.vad import SileroDetector, WebrtcDetector

    threshold = options.vad.threshold if isinstance(options.vad, ServerVAD) else None
    match config.detector:
        case "webrtc":
            aggressiveness = 2 if threshold is None else round(threshold)
            WebrtcDetector(aggressiveness)  # a wrong threshold shows now, not on a call
            return lambda: WebrtcDetector(aggressiveness)
        case "silero":
            return lambda: SileroDetector(0.5 if threshold is None else threshold)
        case name:
            factory: Callable[[], SpeechDetector] = load_object(name, "credential.detector")
            return factory


def _recogniser(config: LocalConfig) -> Callable[[str | None], Recogniser]:
    if config.recogniser is not None:
        factory: Callable[[str | None], Recogniser] = load_object(
            config.recogniser, "credential.recogniser"
        )
        return factory
    from realtime_local.recogniser import SphinxRecogniser

    return SphinxRecogniser


provide: LocalProvider = LocalProvider()
"""The provider behind the slugs of this wheel."""
