"""Everything our GA dialect says is what the `openai` package's own types allow, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import product
from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter, ValidationError

from realtime_core import Options, SemanticVAD, ServerVAD, SessionOpen, Tool
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.session import SessionAgent
from realtime_core.testing.clock import ManualClock
from realtime_core.testing.scripted import ScriptedTransport
from realtime_core.wire import Dialect, OpenAIWire, SessionSettings
from realtime_openai import OpenAIConfig
from realtime_openai._dialect import AZURE_GA, OPENAI_GA

CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

TOOLS = [
    Tool(name="lookup", description="Finds a city.", parameters={"type": "object"}),
    Tool(name="hang_up"),
]
VADS: list[dict[str, Any]] = [
    {},
    {"disable_server_vad": True},
    {
        "vad": ServerVAD(
            threshold=0.7,
            prefix_padding_ms=100,
            silence_ms=900,
            idle_timeout_ms=6000,
            interrupt=False,
            respond=False,
        )
    },
    *({"vad": SemanticVAD(eagerness=how)} for how in ("low", "medium", "high", "auto")),
]
REST: list[dict[str, Any]] = [
    {},
    {
        "system_prompt": "Be brief.",
        "voice": "marin",
        "temperature": 0.8,
        "tools": TOOLS,
        "modalities": ("audio",),
        "include_raw": True,
    },
    {"modalities": ("text",), "input_sample_rate": 8000},
    {"vendor": {"audio": {"output": {"speed": 1.1}}, "max_output_tokens": 400}},
]
CREDENTIALS: list[dict[str, Any]] = [
    {},
    {"transcription_model": None},
    {
        "voice": "cedar",
        "instructions": "You work for ACME.",
        "transcription_language": "de",
        "transcription_prompt": "ACME",
    },
]


class Session:
    """An agent whose vendor is the test."""

    def __init__(
        self, options: Options, credential: dict[str, Any], dialect: Dialect = OPENAI_GA
    ) -> None:
        config = OpenAIConfig(api_key="k", **credential)
        self.clock, self.transport = ManualClock(), ScriptedTransport()
        wire = OpenAIWire(
            vendor="openai_realtime",
            dialect=dialect,
            settings=SessionSettings(
                voice=config.voice,
                instructions=config.instructions,
                transcription=config.transcription(),
            ),
            options=options,
            codec=FAST_CODEC,
        )
        self.agent = SessionAgent(
            options=options,
            wire=wire,
            transport=self.transport,
            resampler=SoxrResampler,
            clock=self.clock,
        )

    async def open(self) -> None:
        self.transport.feed(
            {"type": "session.created", "session": {"id": "sess_1"}},
            {"type": "session.updated", "session": {"id": "sess_1"}},
        )
        await self.agent.start()

    async def hears(self, *events: dict[str, Any]) -> None:
        """Let the vendor say something, and wait until it was taken in."""
        self.transport.feed(*events)
        for _ in range(20):
            await asyncio.sleep(0)


def reply(number: int, status: str, *output: dict[str, Any]) -> list[dict[str, Any]]:
    response = f"resp_{number}"
    item = {"response_id": response, "item_id": f"item_{number}"}
    audio = base64.b64encode(bytes(48000)).decode()
    created: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": response, "status": "in_progress"}},
        {"type": "response.output_item.added", "item": {"id": f"item_{number}"}, **item},
        {"type": "response.output_audio.delta", "delta": audio, **item},
    ]
    items = [{"type": "response.output_item.done", "item": one, **item} for one in output]
    done = {
        "type": "response.done",
        "response": {"id": response, "status": status, "output": list(output)},
    }
    return [*created, *items, *([done] if status else [])]


CALL = {
    "type": "function_call",
    "id": "item_1",
    "status": "completed",
    "call_id": "call_1",
    "name": "lookup",
    "arguments": '{"city": "Berlin"}',
}


async def every_command(session: Session) -> None:
    """Give every command there is, with and without its arguments, and interrupt a reply."""
    agent = session.agent
    for size in (2, 640, 19200, 0):
        await agent.push_audio(bytes(size))
    await agent.commit_input_audio()
    await session.hears(*reply(1, "completed", CALL))
    await agent.send_tool_result("call_1", "Berlin is sunny.")
    await session.hears(*reply(2, ""))
    await agent.create_response("Say hello.")
    await session.hears(
        {"type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 100}
    )
    agent.report_playback("item_2", 200, final=True)
    session.clock.advance(1.0)
    await session.hears(
        {
            "type": "response.done",
            "response": {
                "id": "resp_2",
                "status": "cancelled",
                "status_details": {"type": "cancelled", "reason": "turn_detected"},
            },
        }
    )
    await session.hears(*reply(3, ""))
    await agent.cancel(played_ms=100)
    session.clock.advance(1.0)
    await session.hears({"type": "response.done", "response": {"id": "resp_3"}})
    await agent.send_text("hello", respond=False)
    await agent.send_text("\u4f60\u597d", respond=True)
    await session.hears(*reply(4, "completed"))
    await agent.create_response()
    await agent.update_instructions("Be long.")
    await agent.update_instructions("")
    await agent.clear_input_audio()
    await agent.close()


def misfit(event: dict[str, Any]) -> str:
    """Say what the vendor's own types have against an event; nothing if they take it."""
    try:
        CLIENT_EVENT.validate_python(event, extra="forbid", strict=True)
    except ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("dialect", [OPENAI_GA, AZURE_GA], ids=["openai", "azure"])
async def test_every_client_event_is_one_of_the_vendors_own(dialect: Dialect) -> None:
    seen: set[str] = set()
    for vad, rest, credential in product(VADS, REST, CREDENTIALS):
        session = Session(Options(**vad, **rest), credential, dialect)
        await session.open()
        await every_command(session)
        for frame in session.transport.sent:
            event = json.loads(frame.decode())
            seen.add(event["type"])
            assert misfit(event) == "", event
    assert {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "response.create",
        "response.cancel",
    } <= seen


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.commit", "surprise": 1},
        {"type": "session.update", "session": {"type": "realtime", "temperature": 0.8}},
        {"type": "session.update", "session": {"type": "realtime", "voice": "marin"}},
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": {"x": 1}}}},
        },
        {"type": "session.updated"},
        {"type": "response.create", "response": {"modalities": ["audio"]}},
    ],
)
def test_the_yardstick_refuses_what_the_vendor_refuses(event: dict[str, Any]) -> None:
    assert misfit(event) != ""


async def test_an_open_session_said_nothing_but_its_configuration() -> None:
    events: list[Any] = []
    session = Session(Options(on_event=events.append), {})
    await session.open()
    (update,) = session.transport.events
    assert update["type"] == "session.update"
    assert [type(event) for event in events] == [SessionOpen]
    await session.agent.close()


async def test_half_a_character_does_not_make_a_frame_that_is_no_utf8() -> None:
    session = Session(Options(disable_server_vad=True), {})
    await session.open()
    half = json.loads('"sunny \\ud83d"')  # as a tool's JSON or a cut text may hold it
    await session.agent.send_text(half)
    await session.agent.close()
    for frame in session.transport.sent:
        frame.decode()
