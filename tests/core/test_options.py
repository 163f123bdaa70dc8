from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest

from realtime_core import ConfigError, Event, Options, SemanticVAD, ServerVAD, Tool

RATES = ["input_sample_rate", "output_sample_rate"]


def options_with(field: str, value: Any) -> Options:
    return Options(**{field: value})


def test_the_defaults_are_those_of_the_contract() -> None:
    shown = {
        item.name: getattr(Options(), item.name)
        for item in attrs.fields(Options)
        if item.name != "vendor"
    }
    assert shown == {
        "system_prompt": "",
        "voice": None,
        "input_sample_rate": 16000,
        "output_sample_rate": 24000,
        "on_event": None,
        "disable_server_vad": False,
        "vad": None,
        "modalities": (),
        "temperature": None,
        "tools": (),
        "tool_handler": None,
        "tool_timeout_s": 30.0,
        "start_timeout_s": 15.0,
        "include_raw": False,
        "max_buffered_ms": 2000,
        "when_full": "drop_oldest",
    }
    assert Options().vendor == {}


@pytest.mark.parametrize("field", RATES)
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_a_rate_within_the_range_is_taken(field: str, rate: int) -> None:
    assert getattr(options_with(field, rate), field) == rate


@pytest.mark.parametrize(("field", "default"), [(RATES[0], 16000), (RATES[1], 24000)])
def test_a_rate_of_zero_means_the_default(field: str, default: int) -> None:
    assert getattr(options_with(field, 0), field) == default


@pytest.mark.parametrize("field", RATES)
@pytest.mark.parametrize("rate", [-8000, 1, 7999, 48001, True, 16000.0, "16000", None])
def test_a_rate_outside_the_range_or_of_another_type_is_refused(field: str, rate: Any) -> None:
    with pytest.raises(ConfigError, match=rf"Options\.{field}: expected .*8000 to 48000"):
        options_with(field, rate)


@pytest.mark.parametrize("field", RATES)
@pytest.mark.parametrize("rate", [False, 0.0])
def test_a_rate_that_only_looks_like_zero_is_refused(field: str, rate: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        options_with(field, rate)


@pytest.mark.parametrize("vad", [ServerVAD(), SemanticVAD()])
def test_turn_detection_and_manual_turns_exclude_each_other(vad: ServerVAD | SemanticVAD) -> None:
    with pytest.raises(ConfigError, match=r"Options\.vad and Options\.disable_server_vad"):
        Options(vad=vad, disable_server_vad=True)
    assert Options(vad=vad).vad is vad
    assert Options(disable_server_vad=True).vad is None


async def _coroutine(event: Event) -> None: ...


def _plain(event: Event) -> None: ...


class _Stateful:
    def __call__(self, event: Event) -> None: ...

    async def awaits(self, event: Event) -> None: ...


@pytest.mark.parametrize("callback", [_plain, _Stateful(), partial(_plain), list.append])
def test_a_plain_function_is_taken_as_callback(callback: Callable[[Event], None]) -> None:
    assert Options(on_event=callback).on_event is callback


@pytest.mark.parametrize("callback", [_coroutine, _Stateful().awaits, partial(_coroutine)])
def test_a_coroutine_function_is_no_callback(callback: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"Options\.on_event: expected a plain function.*async for"
    ):
        Options(on_event=callback)


@pytest.mark.parametrize("callback", ["on_event", 3, object()])
def test_what_cannot_be_called_is_no_callback(callback: Any) -> None:
    with pytest.raises(ConfigError, match=r"Options\.on_event"):
        Options(on_event=callback)


@pytest.mark.parametrize("field", ["tool_timeout_s", "start_timeout_s", "max_buffered_ms"])
@pytest.mark.parametrize("value", [0, -1, True, "5", None, float("nan")])
def test_a_bound_has_to_be_a_number_above_zero(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"Options\.{field}: expected a number above 0"):
        options_with(field, value)


@pytest.mark.parametrize("value", ["drop_newest", "", None, True])
def test_an_unknown_policy_for_a_full_queue_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r'Options\.when_full: expected "drop_oldest" or "wait"'):
        Options(when_full=value)


@pytest.mark.parametrize("value", ["audio", ("video",), ("audio", "image"), (None,)])
def test_unknown_modalities_are_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"Options\.modalities"):
        Options(modalities=value)


@pytest.mark.parametrize("value", [True, "server_vad", {"type": "server_vad"}, 0])
def test_turn_detection_is_an_object_of_ours(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"Options\.vad: expected"):
        Options(vad=value)


WRONG: list[tuple[str, Any]] = [
    ("temperature", "hot"),
    ("temperature", True),
    ("temperature", float("nan")),
    ("temperature", float("inf")),
    ("vad", ServerVAD(threshold=True)),
    ("vad", ServerVAD(threshold=float("nan"))),
    ("vad", ServerVAD(silence_ms=-1)),
    ("vad", ServerVAD(prefix_padding_ms="300")),  # type: ignore[arg-type]
    ("vad", ServerVAD(idle_timeout_ms=True)),
    ("vad", SemanticVAD(eagerness=None)),  # type: ignore[arg-type]
    ("vendor", [1]),
    ("vendor", "{}"),
    ("tools", [{"name": "lookup"}]),
    ("tools", 5),
    ("modalities", None),
    ("system_prompt", None),
    ("voice", 5),
    ("tool_handler", 3),
    ("disable_server_vad", "false"),
    ("include_raw", 1),
    ("vad", ServerVAD(interrupt="no")),  # type: ignore[arg-type]
    ("vad", SemanticVAD(respond=None)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_value_of_another_type_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"Options\.{field}[a-z_.]*: expected .+, got .+"):
        options_with(field, value)


def test_numbers_of_turn_detection_may_be_zero_or_left_out() -> None:
    vad = ServerVAD(threshold=0, prefix_padding_ms=0, silence_ms=0)
    assert Options(vad=vad).vad is vad


def test_an_error_names_the_type_of_what_came_or_a_scalar_itself() -> None:
    with pytest.raises(ConfigError, match=r"Options\.tools: expected a sequence of Tool, got dict"):
        options_with("tools", [{"name": "lookup"}])
    with pytest.raises(ConfigError, match=r"Options\.vad\.silence_ms: expected .* got -5"):
        options_with("vad", ServerVAD(silence_ms=-5))


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"Options\.tools: expected each name once, got two tools 'lookup'"
    ):
        Options(tools=[Tool(name="lookup"), Tool(name="other"), Tool(name=" lookup ")])
    assert len(Options(tools=[Tool(name=""), Tool(name="")]).tools) == 2  # neither is sent


def test_options_are_immutable_and_keep_their_own_lists() -> None:
    tools = [Tool(name="lookup")]
    options = Options(tools=tools, modalities=["text"])
    tools.clear()
    assert [tool.name for tool in options.tools] == ["lookup"]
    assert options.modalities == ("text",)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        options.voice = "marin"  # type: ignore[misc]


def test_options_show_no_callbacks() -> None:
    shown = repr(Options(on_event=_plain, tool_handler=lambda name, arguments: name))
    assert "function" not in shown
    assert "lambda" not in shown
