"""What an application asks of a session, whatever the vendor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from attrs import Attribute, field, frozen

from realtime_core.checks import expect, is_number, listed, wrong
from realtime_core.errors import ConfigError
from realtime_core.events import Event
from realtime_core.tools import Tool, ToolHandler

__all__ = [
    "DEFAULT_INPUT_SAMPLE_RATE",
    "DEFAULT_OUTPUT_SAMPLE_RATE",
    "Options",
    "SemanticVAD",
    "ServerVAD",
]

DEFAULT_INPUT_SAMPLE_RATE = 16000
"""Rate of the caller's audio when nothing is said, in Hz."""
DEFAULT_OUTPUT_SAMPLE_RATE = 24000
"""Rate of the assistant's audio when nothing is said, in Hz."""


@frozen(kw_only=True)
class ServerVAD:
    """The vendor finds the caller's turns by sound level. `None` leaves a figure at our default for the vendor."""

    threshold: float | None = None
    """Sensitivity on the vendor's own scale (OpenAI 0 to 1, DashScope -1 to 1); not rescaled."""
    prefix_padding_ms: int | None = None
    """Audio before the detected start that still belongs to the utterance, in ms."""
    silence_ms: int | None = None
    """Silence that ends the turn, in ms."""
    idle_timeout_ms: int | None = None
    """After this much silence the model speaks by itself, in ms; `None` never."""
    interrupt: bool = True
    """Whether speech cuts a running reply."""
    respond: bool = True
    """Whether the end of a turn starts a reply."""


@frozen(kw_only=True)
class SemanticVAD:
    """The vendor judges by meaning whether the caller is done."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """How soon to answer; ignored by vendors without such a setting."""
    interrupt: bool = True
    """Whether speech cuts a running reply."""
    respond: bool = True
    """Whether the end of a turn starts a reply."""


def _input_rate(value: int) -> int:
    return DEFAULT_INPUT_SAMPLE_RATE if type(value) is int and value == 0 else value


def _output_rate(value: int) -> int:
    return DEFAULT_OUTPUT_SAMPLE_RATE if type(value) is int and value == 0 else value


def _modalities(values: Iterable[str]) -> tuple[str, ...]:
    return listed("Options.modalities", 'a sequence of "audio" and "text"', values)


def _tools(values: Iterable[Tool]) -> tuple[Tool, ...]:
    return listed("Options.tools", "a sequence of Tool", values)


_check_rate = expect(
    "a sample rate of 8000 to 48000 Hz (0 for the default)",
    lambda value: is_number(value) and isinstance(value, int) and 8000 <= value <= 48000,
)
_check_flag = expect("True or False", lambda value: isinstance(value, bool))
_check_positive = expect("a number above 0", lambda value: is_number(value) and value > 0)


def _check_modalities(instance: Options, attribute: Attribute[Any], value: Any) -> None:
    for item in value:
        if item not in ("audio", "text"):
            raise wrong("Options.modalities", 'a sequence of "audio" and "text"', item)


def _check_tools(instance: Options, attribute: Attribute[Any], value: Any) -> None:
    names: set[str] = set()
    for item in value:
        if not isinstance(item, Tool):
            raise wrong("Options.tools", "a sequence of Tool", item)
        name = item.name.strip()
        if name in names:
            raise ConfigError(
                f"Options.tools: expected each name once, got two tools {name!r}; the model could call only one of them"
            )
        if name:  # one without is not sent
            names.add(name)


def _check_on_event(instance: Options, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not callable(value):
        raise wrong("Options.on_event", "a plain function of one event, or None", value)
    if inspect.iscoroutinefunction(value):
        raise ConfigError(
            "Options.on_event: expected a plain function, got a coroutine function; "
            "leave on_event out and use `async for event in agent` to await between events"
        )


def _check_vad(instance: Options, attribute: Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if isinstance(value, ServerVAD):
        if value.threshold is not None and not is_number(value.threshold):
            raise wrong("Options.vad.threshold", "a number or None", value.threshold)
        for name in ("prefix_padding_ms", "silence_ms", "idle_timeout_ms"):
            ms = getattr(value, name)
            if ms is not None and not (is_number(ms) and ms >= 0):
                raise wrong(f"Options.vad.{name}", "a number of ms, 0 or more, or None", ms)
    elif isinstance(value, SemanticVAD):
        if value.eagerness not in ("low", "medium", "high", "auto"):
            expected = '"low", "medium", "high" or "auto"'
            raise wrong("Options.vad.eagerness", expected, value.eagerness)
    else:
        raise wrong("Options.vad", "a ServerVAD, a SemanticVAD or None", value)
    for name in ("interrupt", "respond"):
        if not isinstance(getattr(value, name), bool):
            raise wrong(f"Options.vad.{name}", "True or False", getattr(value, name))
    if instance.disable_server_vad:
        raise ConfigError(
            "Options.vad and Options.disable_server_vad exclude each other: "
            "manual turns have no voice detection to configure"
        )


@frozen(kw_only=True)
class Options:
    """
    What an application asks of a session. Immutable and reusable for any number of agents.

    Raises:
        ConfigError: A value is outside what its field says.
    """

    system_prompt: str = field(
        default="", validator=expect("a string", lambda value: isinstance(value, str))
    )
    """Instructions of the application; the tenant's, from the credential, stay in front."""
    voice: str | None = field(
        default=None,
        validator=expect("a string or None", lambda value: value is None or isinstance(value, str)),
    )
    """Voice by the vendor's name; wins over the credential's. `None` is the default for the model."""
    input_sample_rate: int = field(
        default=DEFAULT_INPUT_SAMPLE_RATE,
        converter=_input_rate,
        validator=_check_rate,
    )
    """Rate of the audio given to `Agent.push_audio`, 8000 to 48000 Hz; 0 means 16000."""
    output_sample_rate: int = field(
        default=DEFAULT_OUTPUT_SAMPLE_RATE,
        converter=_output_rate,
        validator=_check_rate,
    )
    """Rate of the audio in `AssistantAudio`, 8000 to 48000 Hz; 0 means 24000."""
    on_event: Callable[[Event], None] | None = field(
        default=None, repr=False, validator=_check_on_event
    )
    """
    Called with each event, in order, on the session's task (for an event that a command causes at once, such
    as `SessionClose`, within that command). Must return fast; a slow one is warned about once. What it raises is logged and ends nothing. `None`: iterate over the agent instead.
    """
    disable_server_vad: bool = field(default=False, validator=_check_flag)
    """Manual turns: the application ends them by `Agent.commit_input_audio`."""
    vad: ServerVAD | SemanticVAD | None = field(default=None, validator=_check_vad)
    """Turn detection; `None` is our documented default for the vendor, always sent explicitly."""
    modalities: Sequence[str] = field(
        default=(), converter=_modalities, validator=_check_modalities
    )
    """`("audio",)` or `("text",)`; audio always comes with its text. Empty is audio."""
    temperature: float | None = field(
        default=None,
        validator=expect("a number or None", lambda value: value is None or is_number(value)),
    )
    """`None` or 0 leaves the vendor's default; clamped to the vendor's range; dropped with a warning if it has none."""
    tools: Sequence[Tool] = field(default=(), converter=_tools, validator=_check_tools)
    """Functions the model may call, each under a name of its own."""
    tool_handler: ToolHandler | None = field(
        default=None,
        repr=False,
        validator=expect("a function or None", lambda value: value is None or callable(value)),
    )
    """Runs tools that have no handler of their own."""
    tool_timeout_s: float = field(default=30.0, validator=_check_positive)
    """How long a tool may take, in seconds."""
    start_timeout_s: float = field(default=15.0, validator=_check_positive)
    """How long `Agent.start` may take, in seconds."""
    include_raw: bool = field(default=False, validator=_check_flag)
    """Put the vendor's frame into `Event.raw`; for debugging, audio frames are large."""
    max_buffered_ms: int = field(default=2000, validator=_check_positive)
    """Bound of our queue of outgoing audio, in ms."""
    when_full: Literal["drop_oldest", "wait"] = field(
        default="drop_oldest",
        validator=expect('"drop_oldest" or "wait"', lambda value: value in ("drop_oldest", "wait")),
    )
    """What `Agent.push_audio` does when that queue is full; drops are counted and announced once per stall."""
    vendor: Mapping[str, Any] = field(
        factory=dict, validator=expect("a mapping", lambda value: isinstance(value, Mapping))
    )
    """The one escape hatch: deep-merged into the vendor's session object; checked only to be what JSON can hold."""
