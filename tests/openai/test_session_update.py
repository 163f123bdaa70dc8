"""What OpenAI, Azure and compatible servers are told, as they receive it."""

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

GA: dict[str, Any] = {
    "type": "realtime",
    "output_modalities": ["audio"],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}},
    },
}
BETA: dict[str, Any] = {
    "modalities": ["text", "audio"],
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"},
    "turn_detection": GA["audio"]["input"]["turn_detection"],
}
GOLDEN = {"openai_ga": GA, "azure_ga": GA, "openai_beta": BETA}
PLACES = {
    "ga": {
        "modalities": "output_modalities",
        "voice": "audio.output.voice",
        "vad": "audio.input.turn_detection",
        "transcription": "audio.input.transcription",
    },
    "beta": {
        "modalities": "modalities",
        "voice": "voice",
        "vad": "turn_detection",
        "transcription": "input_audio_transcription",
    },
}
VAD: dict[str, Any] = GA["audio"]["input"]["turn_detection"]
TOOL = Tool(name="lookup", description="Finds a city.", parameters={"type": "object"})
FLAT = {
    "type": "function",
    "name": "lookup",
    "description": "Finds a city.",
    "parameters": {"type": "object"},
}

every_dialect = pytest.mark.parametrize("dialect", GOLDEN)


def at(dialect: str, setting: str) -> str:
    return PLACES["beta" if dialect == "openai_beta" else "ga"].get(setting, setting)


@every_dialect
async def test_the_defaults_are_sent_explicitly(dialect: str) -> None:
    assert await first_update(dialect) == GOLDEN[dialect]


CASES: dict[str, tuple[Options, dict[str, Any], dict[str, Any]]] = {
    "voice of the tenant": (Options(), {"voice": "marin"}, {"voice": "marin"}),
    "voice of the application wins": (
        Options(voice="cedar"),
        {"voice": "marin"},
        {"voice": "cedar"},
    ),
    "instructions, the tenant's first": (
        Options(system_prompt="Be brief."),
        {"instructions": "You work for ACME."},
        {"instructions": "You work for ACME.\n\nBe brief."},
    ),
    "instructions of the application alone": (
        Options(system_prompt="Be brief."),
        {"instructions": "  "},
        {"instructions": "Be brief."},
    ),
    "instructions of the tenant alone": (
        Options(),
        {"instructions": "You work for ACME."},
        {"instructions": "You work for ACME."},
    ),
    "tools are flat": (Options(tools=[TOOL, Tool(name=" ")]), {}, {"tools": [FLAT]}),
    "text alone": (Options(modalities=("text",)), {}, {"modalities": ["text"]}),
    "text and audio are audio": (Options(modalities=("text", "audio")), {}, {}),
    "manual turns": (Options(disable_server_vad=True), {}, {"vad": None}),
    "server VAD": (
        Options(
            vad=ServerVAD(
                threshold=0.7,
                prefix_padding_ms=100,
                silence_ms=900,
                interrupt=False,
                respond=False,
            )
        ),
        {},
        {
            "vad": {
                "type": "server_vad",
                "threshold": 0.7,
                "prefix_padding_ms": 100,
                "silence_duration_ms": 900,
                "create_response": False,
                "interrupt_response": False,
            }
        },
    ),
    "server VAD, the rest ours": (
        Options(vad=ServerVAD(threshold=0.0)),
        {},
        {"vad": {**VAD, "threshold": 0.0}},
    ),
    "semantic VAD": (
        Options(vad=SemanticVAD()),
        {},
        {
            "vad": {
                "type": "semantic_vad",
                "eagerness": "auto",
                "create_response": True,
                "interrupt_response": True,
            }
        },
    ),
    "patient semantic VAD that only listens": (
        Options(vad=SemanticVAD(eagerness="low", interrupt=False, respond=False)),
        {},
        {
            "vad": {
                "type": "semantic_vad",
                "eagerness": "low",
                "create_response": False,
                "interrupt_response": False,
            }
        },
    ),
    "no transcription": (Options(), {"transcriptionModel": None}, {"transcription": None}),
    "all of the transcription": (
        Options(),
        {
            "transcriptionModel": "gpt-4o-transcribe",
            "transcriptionLanguage": "de",
            "transcriptionPrompt": "ACME, Kubernetes",
        },
        {
            "transcription": {
                "model": "gpt-4o-transcribe",
                "language": "de",
                "prompt": "ACME, Kubernetes",
            }
        },
    ),
}


@every_dialect
@pytest.mark.parametrize("case", CASES)
async def test_a_setting_stands_where_the_dialect_wants_it(dialect: str, case: str) -> None:
    options, credential, changes = CASES[case]
    expected = changed(GOLDEN[dialect], {at(dialect, key): new for key, new in changes.items()})
    assert await first_update(dialect, options, **credential) == expected


async def test_a_blank_transcription_model_is_none_at_all() -> None:
    update = await first_update("openai_ga", transcriptionModel="")
    assert update == changed(GA, {"audio.input.transcription": None})


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga"])
async def test_idle_timeout_is_a_setting_of_ga(dialect: str) -> None:
    update = await first_update(dialect, Options(vad=ServerVAD(idle_timeout_ms=6000)))
    place = "audio.input.turn_detection.idle_timeout_ms"
    assert update == changed(GOLDEN[dialect], {place: 6000})


@pytest.mark.parametrize("temperature", [0.1, 0.8, 5.0])
@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga"])
async def test_ga_has_no_temperature_and_the_log_says_so(
    dialect: str, temperature: float, caplog: pytest.LogCaptureFixture
) -> None:
    assert await first_update(dialect, Options(temperature=temperature)) == GOLDEN[dialect]
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "temperature" in warning.getMessage()


@every_dialect
@pytest.mark.parametrize("temperature", [None, 0, 0.0])
async def test_no_temperature_is_the_vendors_and_needs_no_warning(
    dialect: str, temperature: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert await first_update(dialect, Options(temperature=temperature)) == GOLDEN[dialect]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("given", "sent"), [(0.1, 0.6), (0.6, 0.6), (0.9, 0.9), (1.2, 1.2), (5, 1.2), (-1, 0.6)]
)
async def test_beta_clamps_the_temperature(given: float, sent: float) -> None:
    update = await first_update("openai_beta", Options(temperature=given))
    assert update == changed(BETA, {"temperature": sent})


async def test_vendor_options_are_merged_at_every_depth_and_win() -> None:
    options = Options(
        voice="marin",
        tools=[TOOL],
        vendor={
            "audio": {
                "input": {
                    "noise_reduction": {"type": "near_field"},
                    "turn_detection": {"silence_duration_ms": 700},
                },
                "output": {"speed": 1.1, "voice": "cedar"},
            },
            "tools": [],
            "max_output_tokens": 400,
        },
    )
    assert await first_update("openai_ga", options) == changed(
        GA,
        {
            "audio.input.noise_reduction": {"type": "near_field"},
            "audio.input.turn_detection.silence_duration_ms": 700,
            "audio.output.speed": 1.1,
            "audio.output.voice": "cedar",
            "tools": [],
            "max_output_tokens": 400,
        },
    )


async def test_vendor_options_are_left_as_they_were() -> None:
    vendor = {"audio": {"output": {"speed": 1.1}}}
    options = Options(vendor=vendor, voice="marin")
    await first_update("openai_ga", options)
    await first_update("openai_ga", options)
    assert vendor == {"audio": {"output": {"speed": 1.1}}}


@pytest.mark.parametrize(
    ("dialect", "vad", "names"),
    [
        ("openai_ga", ServerVAD(threshold=1.5), r"threshold: expected 0.0 to 1.0"),
        ("openai_ga", ServerVAD(threshold=-0.1), r"threshold"),
        ("openai_ga", ServerVAD(idle_timeout_ms=4999), r"idle_timeout_ms: expected 5000 to 30000"),
        ("openai_beta", ServerVAD(idle_timeout_ms=6000), r"idle_timeout_ms: this vendor has no"),
    ],
)
def test_a_setting_the_vendor_would_refuse_is_refused_before_anything_connects(
    dialect: str, vad: ServerVAD, names: str
) -> None:
    credential = {"provider": "openai", "apiKey": "k", "dialect": dialect.removeprefix("openai_")}
    with pytest.raises(ConfigError, match=rf"Options\.vad\.{names}"):
        new_agent_from_credential(credential, Options(vad=vad))


WRONG_VAD: list[ServerVAD | SemanticVAD] = [
    ServerVAD(threshold="high"),  # type: ignore[arg-type]
    ServerVAD(silence_ms=-5),
    ServerVAD(prefix_padding_ms=-5),
    SemanticVAD(eagerness="eager"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("vad", WRONG_VAD, ids=repr)
def test_turn_detection_no_vendor_can_mean_is_refused(vad: ServerVAD | SemanticVAD) -> None:
    with pytest.raises(ConfigError, match=r"vad"):
        new_agent_from_credential({"provider": "openai", "apiKey": "k"}, Options(vad=vad))


@every_dialect
async def test_new_instructions_are_sent_alone(dialect: str) -> None:
    options = Options(system_prompt="Be brief.", voice="marin", tools=[TOOL])
    async with opened(dialect, options, instructions="You work for ACME.") as (agent, session):
        await agent.update_instructions("Be long.")
        await agent.update_instructions("")
        first = await session.wait_for("session.update", count=2)
        second = await session.wait_for("session.update", count=3)
    fixed = {} if dialect == "openai_beta" else {"type": "realtime"}
    assert first["session"] == {**fixed, "instructions": "You work for ACME.\n\nBe long."}
    assert second["session"] == {**fixed, "instructions": "You work for ACME."}


@every_dialect
async def test_cleared_instructions_are_sent_as_empty_text(dialect: str) -> None:
    async with opened(dialect, Options(system_prompt="Be brief.")) as (agent, session):
        await agent.update_instructions("")
        update = await session.wait_for("session.update", count=2)
        assert update["session"]["instructions"] == ""


@every_dialect
async def test_instructions_of_a_reply_are_joined_to_the_sessions(dialect: str) -> None:
    options = Options(system_prompt="Be brief.")
    async with opened(dialect, options, instructions="You work for ACME.") as (agent, session):
        await agent.create_response("Say hello.")
        event = await session.wait_for("response.create")
        assert event["response"]["instructions"] == (
            "You work for ACME.\n\nBe brief.\n\nSay hello."
        )


@every_dialect
async def test_every_command_has_an_event_id_of_its_own_and_audio_has_none(dialect: str) -> None:
    async with opened(dialect, Options(disable_server_vad=True)) as (agent, session):
        for _ in range(10):
            await agent.push_audio(bytes(640))
        await agent.clear_input_audio()
        await agent.send_text("hello", respond=False)
        await agent.create_response()
        await session.wait_for("response.create")
        commands = [e for e in session.received if e["type"] != "input_audio_buffer.append"]
        ids = [event["event_id"] for event in commands]
        assert len(ids) == len(set(ids)) == 4
        audio = [e for e in session.received if e["type"] == "input_audio_buffer.append"]
        assert all("event_id" not in event for event in audio)
