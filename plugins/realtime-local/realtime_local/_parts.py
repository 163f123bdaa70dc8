"""The parts of an agent, by the names in its credential or as the objects given for them, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from realtime_core.errors import ConfigError
from realtime_core.options import Options, ServerVAD
from realtime_local._config import LocalConfig
from realtime_local.engines import Recogniser, Replier, SpeechDetector, Synthesiser
from realtime_local.loading import load_object

__all__ = ["OBJECTS", "detector_of", "recogniser_of", "replier_of", "synthesiser_of", "voice_check"]

OBJECTS = ("detector", "recogniser", "replier", "synthesiser")
"""What `Options.vendor` may hold."""

_spoken_with: set[tuple[str, str | None]] = set()
"""Engines and voices that were tried and can speak."""
_GREATEST_TEMPERATURE = 2.0
_REPLIER = ("reply", "phrases", "close", "apology")
_SYNTHESISER = ("speak", "sample_rate_hz")
_DETECTOR = ("is_speech", "frame_ms", "is_slow", "frames_to_start")
_RECOGNISER = ("recognise",)


def replier_of(config: LocalConfig, options: Options) -> Replier:
    """
    Give the replier.

    Raises:
        ConfigError: There is none of the name, its script is broken, or what is given is no replier.
    """
    if "replier" in options.vendor:
        given: Replier = _expected(options.vendor["replier"], _REPLIER, _place("replier"))
        return given
    match config.replier:
        case "script":
            from realtime_local.script_reading import DEMO_SCRIPT, demo_script, load_script
            from realtime_local.script_replier import ScriptReplier

            if not config.script.strip():
                raise ConfigError(
                    f"credential.script: expected the path of a file, or {DEMO_SCRIPT}"
                )
            shipped = config.script == DEMO_SCRIPT
            return ScriptReplier(demo_script() if shipped else load_script(config.script))
        case "chat":
            from realtime_local.chat import ChatReplier
            from realtime_local.chat_endpoint import ChatTimeouts

            dial_ms = config.dial_timeout_ms
            return ChatReplier(
                base_url=config.chat_base_url,
                model=config.chat_model,
                api_key=config.chat_api_key,
                temperature=_temperature(config, options),
                timeouts=None if dial_ms is None else ChatTimeouts(connect_s=dial_ms / 1000),
            )
        case "parrot":
            from realtime_local.parrot import ParrotReplier

            return ParrotReplier()
        case name:
            place = "credential.replier"
            factory = _named(name, ("script", "chat", "parrot"), place)
            made: Replier = _made(factory, _REPLIER, f"{place} {name!r}")
            return made


def _temperature(config: LocalConfig, options: Options) -> float | None:
    """Of the application, else of the tenant; the API takes 0 to 2."""
    if not options.temperature:
        return config.chat_temperature
    return min(max(options.temperature, 0.0), _GREATEST_TEMPERATURE)


def synthesiser_of(config: LocalConfig, options: Options) -> Synthesiser:
    """
    Give the synthesiser.

    Raises:
        ConfigError: There is none of the name, none at all (says what to install), or what is given is none.
    """
    from realtime_local.synthesis import SYNTHESISERS, find_synthesiser

    if "synthesiser" in options.vendor:
        place = _place("synthesiser")
        found: Synthesiser = _expected(options.vendor["synthesiser"], _SYNTHESISER, place)
    elif config.synthesiser is None or config.synthesiser in SYNTHESISERS:
        return find_synthesiser(config.synthesiser)
    else:
        place = f"credential.synthesiser {config.synthesiser!r}"
        factory = _named(config.synthesiser, SYNTHESISERS, "credential.synthesiser")
        found = _made(factory, _SYNTHESISER, place)
    rate_hz: object = found.sample_rate_hz
    if type(rate_hz) is not int or rate_hz <= 0:
        raise ConfigError(f"{place}: expected a whole number above 0 as its sample_rate_hz")
    return found


def voice_check(
    config: LocalConfig, options: Options, synthesiser: Synthesiser
) -> Callable[[], None]:
    """
    Make what tries a voice of one of our engines, and makes the engine warm; those of others are not spoken with unasked.

    What it makes takes up to 0.1 s the first time in a process, and raises a `ConfigError` that says what is wrong.
    """
    named = config.synthesiser is not None and ":" in config.synthesiser
    if named or "synthesiser" in options.vendor:
        return lambda: None
    voice = options.voice or config.voice

    def check() -> None:
        from realtime_local.engines import SynthesisError

        if (synthesiser.name, voice) in _spoken_with:
            return
        try:
            for _ in synthesiser.speak("a", voice):
                pass
        except SynthesisError as error:
            which = f"voice {voice!r} cannot be used" if voice else "nothing can be said"
            raise ConfigError(f"{which}: {error}") from error
        _spoken_with.add((synthesiser.name, voice))

    return check


def detector_of(config: LocalConfig, options: Options) -> Callable[[], SpeechDetector]:
    """
    Give what makes a detector.

    Raises:
        ConfigError: There is none of the name, or it is not to be had with that threshold.
    """
    threshold = options.vad.threshold if isinstance(options.vad, ServerVAD) else None
    if "detector" in options.vendor:
        place = _place("detector")
        return _checked(options.vendor["detector"], _DETECTOR, place)
    match config.detector:
        case "webrtc":
            from realtime_local.vad import WebrtcDetector

            if threshold not in (None, 0, 1, 2, 3):
                raise ConfigError(
                    "Options.vad.threshold: expected 0, 1, 2 or 3 (the higher, the less is speech), which is the "
                    f"scale of the detector webrtc, got {threshold!r}"
                )
            return lambda: WebrtcDetector(2 if threshold is None else int(threshold))
        case "silero":
            from realtime_local.vad import SileroDetector, expect_silero

            if threshold is not None and not 0 < threshold < 1:
                raise ConfigError(
                    f"Options.vad.threshold: expected between 0 and 1 for the detector silero, got {threshold!r}"
                )
            expect_silero()
            return lambda: SileroDetector(0.5 if threshold is None else threshold)
        case name:
            place = "credential.detector"
            return _checked(
                _named(name, ("webrtc", "silero"), place), _DETECTOR, f"{place} {name!r}"
            )


def recogniser_of(
    config: LocalConfig, options: Options, replier: Replier
) -> Callable[[str | None], Recogniser]:
    """
    Give what makes a recogniser for a grammar.

    Args:
        config: The credential.
        options: What the application asks for.
        replier: Whose grammar it will be.

    Raises:
        ConfigError: There is none of the name.
    """
    if "recogniser" in options.vendor:
        return _checked(options.vendor["recogniser"], _RECOGNISER, _place("recogniser"))
    if config.recogniser is not None:
        place = "credential.recogniser"
        factory = _named(config.recogniser, (), place)
        return _checked(factory, _RECOGNISER, f"{place} {config.recogniser!r}")
    from realtime_local.recogniser import SphinxRecogniser
    from realtime_local.script_replier import ScriptReplier

    if not isinstance(replier, ScriptReplier):
        return SphinxRecogniser
    script = replier.script

    def of_script(grammar: str | None) -> Recogniser:
        try:
            return SphinxRecogniser(grammar, pronunciations=script.pronunciations)
        except ConfigError as error:  # of a word it does not know, most likely: say where it is
            from realtime_local.script_words import unknown_word

            if not Path(script.source).is_file():  # the shipped one, or a text of the application's
                raise
            raise unknown_word(script.source) or error from None

    return of_script


def _place(part: str) -> str:
    return f"Options.vendor[{part!r}]"


def _named(name: str, known: Sequence[str] | Any, what: str) -> Any:
    if ":" not in name and known:
        raise ConfigError(
            f"{what}: expected {', '.join(known)} or a name like 'package.module:factory', got {name!r}"
        )
    return load_object(name, what)


def _checked(factory: Any, members: Sequence[str], what: str) -> Callable[..., Any]:
    """Make sure that it is a factory, and that what it makes can be used when it does."""
    if not callable(factory):
        raise ConfigError(
            f"{what}: expected a factory, called once a session, got an object of {type(factory).__name__}"
        )
    return lambda *arguments: _made(factory, members, what, *arguments)


def _made(factory: Any, members: Sequence[str], what: str, *arguments: object) -> Any:
    if not callable(factory):
        raise ConfigError(f"{what}: expected a factory, got an object of {type(factory).__name__}")
    try:
        made = factory(*arguments)
    except ConfigError:
        raise
    except Exception as error:
        # A user's engine may raise anything, and its words may hold a secret.
        raise ConfigError(f"{what}: its factory failed: {type(error).__name__}") from error
    return _expected(made, members, what)


def _expected(engine: Any, members: Sequence[str], what: str) -> Any:
    if missing := [member for member in members if not hasattr(engine, member)]:
        raise ConfigError(
            f"{what}: expected an object with {', '.join(members)}; "
            f"{type(engine).__name__} has no {', '.join(missing)}"
        )
    return engine
