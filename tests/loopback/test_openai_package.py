"""OpenAI's own package as a witness: it completes turns, and its types know every event sent."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from openai import AsyncOpenAI, BaseModel
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from realtime_core.testing.loopback import SCENARIOS, LoopbackVendor

from .client import Client, Event, opened
from .speech import utterance

pytest.importorskip("websockets", reason="openai[realtime] is not installed")

EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
# In session.created and session.updated the package's type is that of the request; these are
# the fields OpenAI adds when it answers.
ANSWERED = {"id", "object", "expires_at"}


def strangers(value: Any, path: str = "") -> list[str]:
    """The fields the package's types do not know."""
    if isinstance(value, list):
        return [found for element in value for found in strangers(element, path)]
    if not isinstance(value, BaseModel):
        return []
    found = [f"{path}.{key}" for key in value.model_extra or {}]
    for key in type(value).model_fields:
        found += strangers(getattr(value, key), f"{path}.{key}")
    return found


def check(event: Event) -> None:
    parsed = EVENT.validate_python(event)
    assert parsed.type == event["type"]
    unknown = [
        path for path in strangers(parsed) if path not in {f".session.{key}" for key in ANSWERED}
    ]
    assert unknown == [], event


def package_client(vendor: LoopbackVendor) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=vendor.api_key, websocket_base_url=vendor.url("openai_ga"))


async def test_audio_turn(vendor: LoopbackVendor) -> None:
    spoken = utterance()
    heard = b""
    async with (
        package_client(vendor) as openai,
        openai.realtime.connect(model="gpt-realtime-2.1") as connection,
        asyncio.timeout(50),
    ):
        await connection.session.update(
            session={
                "type": "realtime",
                "output_modalities": ["audio"],
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "gpt-4o-mini-transcribe"},
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
                    },
                    "output": {"voice": "marin"},
                },
            }
        )
        async for event in connection:
            check(event.to_dict())
            if event.type == "session.updated":
                for at in range(0, len(spoken), 4800):
                    audio = base64.b64encode(spoken[at : at + 4800]).decode()
                    await connection.input_audio_buffer.append(audio=audio)
            elif event.type == "response.output_audio.delta":
                heard += base64.b64decode(event.delta)
            elif event.type == "rate_limits.updated":
                break
    turn = (await vendor.session(0)).turns[0]
    assert heard == turn.audio
    assert vendor.violations == []


async def test_tool_round_trip(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["tool_call"]
    texts: list[str] = []
    async with (
        package_client(vendor) as openai,
        openai.realtime.connect(model="gpt-realtime-2.1") as connection,
        asyncio.timeout(50),
    ):
        tool: Any = {"type": "function", "name": "lookup", "parameters": {"type": "object"}}
        await connection.session.update(
            session={"type": "realtime", "tools": [tool], "output_modalities": ["text"]}
        )
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Weather?"}],
            }
        )
        await connection.response.create()
        calls: list[str] = []
        async for event in connection:
            check(event.to_dict())
            if event.type == "response.function_call_arguments.done":
                assert json.loads(event.arguments) == {"city": "Berlin"}
                calls.append(event.call_id)
            elif event.type == "response.output_text.done":
                texts.append(event.text)
            elif event.type == "response.done" and calls and not texts:
                await connection.conversation.item.create(
                    item={
                        "type": "function_call_output",
                        "call_id": calls[0],
                        "output": "sunny",
                    }
                )
                await connection.response.create()
            elif event.type == "response.done":
                break
    assert texts == ["The tool says: sunny"]
    assert vendor.violations == []


ODD = {
    "ga_names",
    "unknown_events",
    "large_event",
    "odd_audio",
    "bad_base64",
    "null_audio",
    "bare_fields",
    "status_details_text",
    "obfuscation",
    "turn_invalid",
}


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - ODD))
async def test_the_packages_types_know_every_event(vendor: LoopbackVendor, name: str) -> None:
    vendor.scenario = SCENARIOS[name]
    async with opened(
        vendor, "openai_ga", transcription={"model": "gpt-4o-mini-transcribe"}
    ) as client:
        await _everything(client)
        await client.until_closed()
    for event in client.events:
        check(event)


async def _everything(client: Client) -> None:
    try:
        await client.append(utterance())
        await client.send("response.cancel")
        await client.send("conversation.item.delete", item_id="nobody")
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.append(utterance())
        await client.send("response.cancel")
        await client.socket.close()
    except (AssertionError, ConnectionError):
        return
