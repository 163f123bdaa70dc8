"""What DashScope's models are told, as they receive it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from realtime_core import (
    ConfigError,
    Options,
    SemanticVAD,
    ServerVAD,
    Tool,
    new_agent_from_credential,
)
from tests.core.live import changed, first_update, opened

VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 800,
}
OMNI: dict[str, Any] = {
    "modalities": ["text", "audio"],
    "voice": "Tina",
    "input_audio_format": "pcm",
    "output_audio_format": "pcm",
    "input_audio_transcription": {"model": "qwen3-asr-flash-realtime"},
    "turn_detection": VAD,
}
NESTED: dict[str, Any] = {
    "modalities": ["text", "audio"],
    "audio": {
        "input": {"format": {"type": "pcm", "sample_rate": 16000}},
        "output": {"format": {"type": "pcm", "sample_rate": 24000}, "voice": "Tina"},
    },
    "input_audio_transcription": {"model": "qwen3-asr-flash-realtime"},
    "turn_detection": VAD,
}
QWEN_AUDIO: dict[str, Any] = changed(OMNI, {"voice": "longanqian"})
GOLDEN = {"dashscope_omni": OMNI, "dashscope_omni_nested": NESTED, "qwen_audio": QWEN_AUDIO}
TURBO, OLD = "qwen-omni-turbo-realtime", "qwen3-omni-flash-realtime"

TOOL = Tool(name="lookup", description="Finds a city.", parameters={"type": "object"})
FUNCTION = {"name": "lookup", "description": "Finds a city.", "parameters": {"type": "object"}}

every_dialect = pytest.mark.parametrize("dialect", GOLDEN)


def at(dialect: str, setting: str) -> str:
    nested = dialect == "dashscope_omni_nested" and setting == "voice"
    return "audio.output.voice" if nested else setting


@every_dialect
async def test_the_defaults_are_sent_explicitly(dialect: str) -> None:
    assert await first_update(dialect) == GOLDEN[dialect]


@pytest.mark.parametrize(
    ("dialect", "model", "voice"),
    [
        ("dashscope_omni", "qwen3.5-omni-plus-realtime-2026-03-15", "Tina"),
        ("dashscope_omni", OLD, "Cherry"),
        ("dashscope_omni", "qwen3-omni-flash-realtime-2025-12-01", "Cherry"),
        ("dashscope_omni", TURBO, "Chelsie"),
        ("dashscope_omni", "qwen-omni-turbo-realtime-latest", "Chelsie"),
        ("dashscope_omni_nested", "qwen3.8-omni-flash-realtime", "Tina"),
        ("qwen_audio", "qwen-audio-3.0-realtime-flash", "longanqian"),
        ("qwen_audio", "qwen-audio-3.1-realtime-plus", "longanqian_v3.1"),
    ],
)
async def test_a_model_gets_a_voice_of_its_family(dialect: str, model: str, voice: str) -> None:
    expected = changed(GOLDEN[dialect], {at(dialect, "voice"): voice})
    assert await first_update(dialect, model=model) == expected


CASES: dict[str, tuple[Options, dict[str, Any], dict[str, Any]]] = {
    "instructions, the tenant's first": (
        Options(system_prompt="Be brief."),
        {"instructions": "You work for ACME."},
        {"instructions": "You work for ACME.\n\nBe brief."},
    ),
    "tools are nested": (
        Options(tools=[TOOL, Tool(name="")]),
        {},
        {"tools": [{"type": "function", "function": FUNCTION}]},
    ),
    "text alone": (Options(modalities=("text",)), {}, {"modalities": ["text"]}),
    "audio alone is text and audio": (Options(modalities=("audio",)), {}, {}),
    "manual turns": (Options(disable_server_vad=True), {}, {"turn_detection": None}),
    "server VAD on a scale of its own": (
        Options(vad=ServerVAD(threshold=-0.5, prefix_padding_ms=500, silence_ms=1200)),
        {},
        {
            "turn_detection": {
                "type": "server_vad",
                "threshold": -0.5,
                "prefix_padding_ms": 500,
                "silence_duration_ms": 1200,
            }
        },
    ),
    "flags are sent only when they say no": (
        Options(vad=ServerVAD(interrupt=False, respond=False)),
        {},
        {"turn_detection": {**VAD, "create_response": False, "interrupt_response": False}},
    ),
    "temperature": (Options(temperature=0.3), {}, {"temperature": 0.3}),
    "temperature is above the range": (Options(temperature=2.0), {}, {"temperature": 1.99}),
    "temperature is below the range": (Options(temperature=-1.0), {}, {"temperature": 0.0}),
    "temperature of zero is the vendor's": (Options(temperature=0), {}, {}),
    "no transcription": (
        Options(),
        {"transcriptionModel": None},
        {"input_audio_transcription": None},
    ),
    "a blank transcription model is none": (
        Options(),
        {"transcriptionModel": ""},
        {"input_audio_transcription": None},
    ),
    "vendor options are merged at every depth and win": (
        Options(
            temperature=0.3,
            vendor={"turn_detection": {"threshold": 0.1}, "temperature": 0.4, "top_p": 0.9},
        ),
        {},
        {"turn_detection": {**VAD, "threshold": 0.1}, "temperature": 0.4, "top_p": 0.9},
    ),
}


@every_dialect
@pytest.mark.parametrize("case", CASES)
async def test_a_setting_stands_where_the_dialect_wants_it(dialect: str, case: str) -> None:
    options, credential, changes = CASES[case]
    expected = changed(GOLDEN[dialect], {at(dialect, key): new for key, new in changes.items()})
    assert await first_update(dialect, options, **credential) == expected


@pytest.mark.parametrize(
    ("dialect", "tenants", "applications"),
    [
        ("dashscope_omni", "Ethan", "Momo"),
        ("dashscope_omni_nested", "Tina", "longanlingxin"),
        ("qwen_audio", "longanlufeng", "longanlingxi"),
    ],
)
async def test_the_applications_voice_wins_over_the_tenants_and_that_over_the_models(
    dialect: str, tenants: str, applications: str
) -> None:
    place = at(dialect, "voice")
    update = await first_update(dialect, voice=tenants)
    assert update == changed(GOLDEN[dialect], {place: tenants})
    update = await first_update(dialect, Options(voice=applications), voice=tenants)
    assert update == changed(GOLDEN[dialect], {place: applications})


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("dashscope_omni", "semantic_vad"),
        ("dashscope_omni_nested", "semantic_vad"),
        ("qwen_audio", "smart_turn"),
    ],
)
async def test_the_detector_of_meaning_has_no_eagerness(dialect: str, kind: str) -> None:
    update = await first_update(dialect, Options(vad=SemanticVAD(eagerness="high")))
    assert update == changed(GOLDEN[dialect], {"turn_detection": {"type": kind}})


async def test_idle_timeout_is_a_setting_of_qwen3_5() -> None:
    update = await first_update("dashscope_omni", Options(vad=ServerVAD(idle_timeout_ms=6000)))
    assert update == changed(OMNI, {"turn_detection.idle_timeout_ms": 6000})


async def test_turbo_has_no_temperature_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    update = await first_update("dashscope_omni", Options(temperature=0.5), model=TURBO)
    assert update == changed(OMNI, {"voice": "Chelsie"})
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "temperature" in warning.getMessage()


@pytest.mark.parametrize(
    ("model", "vad", "names"),
    [
        ("qwen3.5-omni-flash-realtime", ServerVAD(threshold=1.1), r"threshold: expected -1.0"),
        ("qwen3.5-omni-flash-realtime", ServerVAD(silence_ms=199), r"silence_ms: expected 200"),
        ("qwen3.5-omni-flash-realtime", ServerVAD(silence_ms=6001), r"silence_ms"),
        ("qwen3.5-omni-flash-realtime", ServerVAD(idle_timeout_ms=30001), r"idle_timeout_ms"),
        ("qwen3.8-omni-flash-realtime", ServerVAD(idle_timeout_ms=6000), r"idle_timeout_ms"),
        ("qwen-audio-3.0-realtime-plus", ServerVAD(idle_timeout_ms=6000), r"idle_timeout_ms"),
        (TURBO, ServerVAD(idle_timeout_ms=6000), r"idle_timeout_ms"),
        (OLD, SemanticVAD(), r"no semantic detection"),
        (TURBO, SemanticVAD(), r"no semantic detection"),
    ],
)
def test_a_setting_the_model_would_refuse_is_refused_before_anything_connects(
    model: str, vad: ServerVAD | SemanticVAD, names: str
) -> None:
    credential = {"provider": "aliyun_omni", "apiKey": "k", "model": model, "workspace": "ws"}
    with pytest.raises(ConfigError, match=rf"Options\.vad.*{names}"):
        new_agent_from_credential(credential, Options(vad=vad))


@pytest.mark.parametrize(
    ("model", "semantic_vad", "tools", "text_input", "image_input"),
    [
        ("qwen3.5-omni-flash-realtime", True, True, True, True),
        ("qwen3.8-omni-flash-realtime", True, True, True, True),
        ("qwen-audio-3.0-realtime-plus", True, True, True, False),
        (OLD, False, False, False, True),
        (TURBO, False, False, False, True),
    ],
)
def test_what_a_model_can_do_is_told_by_its_capabilities(
    model: str, semantic_vad: bool, tools: bool, text_input: bool, image_input: bool
) -> None:
    credential = {"provider": "aliyun_omni", "apiKey": "k", "model": model, "workspace": "ws"}
    able = new_agent_from_credential(credential, Options()).capabilities
    assert (able.semantic_vad, able.tools) == (semantic_vad, tools)
    assert (able.text_input, able.image_input) == (text_input, image_input)
    assert able.truncation is False
    assert (able.input_wire_rate_hz, able.output_wire_rate_hz) == (16000, 24000)


@pytest.mark.parametrize("model", [OLD, TURBO])
async def test_tools_are_not_sent_to_a_model_that_never_calls_them(
    model: str, caplog: pytest.LogCaptureFixture
) -> None:
    update = await first_update("dashscope_omni", Options(tools=[TOOL]), model=model)
    assert "tools" not in update
    assert "tools" in caplog.text


@every_dialect
async def test_new_instructions_are_sent_alone(dialect: str) -> None:
    options = Options(system_prompt="Be brief.", tools=[TOOL])
    async with opened(dialect, options, instructions="You work for ACME.") as (agent, session):
        await agent.update_instructions("Be long.")
        event = await session.wait_for("session.update", count=2)
    assert event["session"] == {"instructions": "You work for ACME.\n\nBe long."}


@every_dialect
async def test_the_formats_and_the_audio_object_are_never_mixed(dialect: str) -> None:
    update = await first_update(dialect)
    legacy = {"input_audio_format", "output_audio_format"} & update.keys()
    assert bool(legacy) != ("audio" in update)
