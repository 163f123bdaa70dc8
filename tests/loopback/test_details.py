"""Smaller things a session does, each with its own reason to be right."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from realtime_core.testing.loopback import (
    FACTS,
    SCENARIOS,
    Call,
    Faults,
    LoopbackSession,
    LoopbackVendor,
    Reply,
    Scenario,
    Speech,
    Text,
    Turn,
    Violation,
    WireFormat,
)
from realtime_core.testing.loopback.dispatch import receive_text
from realtime_core.testing.loopback.mind import Mind
from realtime_core.testing.loopback.voice import tone

from .client import Event, connected, opened, session_for
from .speech import silence, utterance


def mind(dialect: str = "openai_ga") -> tuple[Mind, list[Violation]]:
    found: list[Violation] = []
    made = Mind(
        FACTS[dialect],
        FACTS[dialect].model,
        0,
        voice=tone,
        level_dbfs=-42.0,
        faults=Faults(),
        speed=None,
        clock=time.monotonic,
        report=lambda violation, benign: found.append(violation),
    )
    return made, found


def test_an_append_has_a_largest_size() -> None:
    vendor, found = mind()
    receive_text(vendor, '{"type":"input_audio_buffer.append","audio":"' + "A" * 16_000_000 + '"}')
    assert [violation.rule for violation in found] == ["append-too-large"]
    assert "16000000 characters" in found[0].got


def test_a_client_that_does_not_read_is_cut_off() -> None:
    vendor, _ = mind()
    cut: list[bool] = []
    vendor.on_overrun = lambda: cut.append(True)
    for _ in range(20_001):
        receive_text(vendor, "{}")
    assert cut == [True]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"parallel_tool_calls": 1}, "session.parallel_tool_calls"),
        ({"tools": {}}, "session.tools"),
        ({"max_output_tokens": "all"}, "session.max_output_tokens"),
        ({"audio": {"output": {"speed": "fast"}}}, "session.audio.output.speed"),
        ({"tool_choice": {"type": "function"}}, "session.tool_choice.name"),
        ({"audio": {"input": {"format": 5}}}, "session.audio.input.format"),
    ],
)
def test_wrong_types_name_the_field(fields: Event, param: str) -> None:
    vendor, found = mind()
    session = {"type": "realtime", **fields}
    receive_text(vendor, json.dumps({"type": "session.update", "session": session}))
    error = vendor.next_event()
    assert error is not None
    assert error["error"]["param"] == param
    assert len(found) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"max_output_tokens": 4096, "tool_choice": "required"},
        {"tool_choice": {"type": "function", "name": "f"}},
        {"audio": {"output": {"voice": {"id": "voice_1"}, "speed": 1.5}}},
        {"audio": {"input": {"noise_reduction": {"type": "far_field"}}}},
        {"tools": [{"type": "mcp", "server_label": "docs", "server_url": "https://x"}]},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 0.5}, "include": None},
    ],
)
def test_documented_fields_are_accepted(fields: Event) -> None:
    vendor, found = mind()
    session = {"type": "realtime", **fields}
    receive_text(vendor, json.dumps({"type": "session.update", "session": session}))
    event = vendor.next_event()
    assert event is not None
    assert event["type"] == "session.updated"
    assert found == []


async def test_a_response_may_have_its_own_modality_and_format(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create", response={"output_modalities": ["text"]})
        await client.until("response.done")
        assert client.of("audio.delta") == []
        output = {"format": {"type": "audio/pcma"}}
        await client.send("response.create", response={"audio": {"output": output}})
        await client.until("response.done")
    assert len(client.audio) == 8000


async def test_cancel_by_id_stops_the_response_named(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["held_reply"]
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create")
        created = await client.until("response.created")
        await client.send("response.cancel", response_id="resp_unknown")
        await client.until("error")
        await client.send("response.cancel", response_id=created["response"]["id"])
        done = await client.until("response.done")
    assert done["response"]["status"] == "cancelled"


async def test_out_of_band_calls_and_texts_stay_out_of_the_conversation(
    vendor: LoopbackVendor,
) -> None:
    vendor.scenario = Scenario(replies=(Reply(parts=(Text("Aside."), Call(name="f"))),))
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create", response={"conversation": "none"})
        await client.until("response.done")
        item = {"type": "function_call_output", "call_id": "call_s0n1", "output": "1"}
        await client.send("conversation.item.create", item=item)
        await client.until("error")
    assert client.of("item.added") == client.of("output_item.added")
    assert [entry.rule for entry in vendor.violations] == ["unknown-call-id"]


async def test_cancelled_texts_and_messages_between_texts(vendor: LoopbackVendor) -> None:
    held = Speech(ms=100, transcript="Held to the end.", hold_after_ms=10_000)
    vendor.scenario = Scenario(replies=(Reply(parts=(Text("First."), held), late_deltas=1),))
    async with opened(vendor, "openai_ga", output_modalities=["text"]) as client:
        await client.send("response.create")
        await client.until("response.output_text.done")
        await (await vendor.session(0)).wait_sent("response.output_text.delta", count=5)
        await client.send("response.cancel")
        done = await client.until("response.done")
    assert [item["status"] for item in done["response"]["output"]] == ["completed", "incomplete"]
    assert client.of("audio.delta") == []


async def test_whisper_sends_one_delta_and_bills_seconds(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "openai_ga", transcription={"model": "whisper-1"}) as client:
        await client.append(utterance())
        await client.until("response.done")
    deltas = client.of("input_audio_transcription.delta")
    final = client.of("input_audio_transcription.completed")[0]
    assert [delta["delta"] for delta in deltas] == [final["transcript"]]
    assert final["usage"] == {"type": "duration", "seconds": 1.2}


async def test_manual_transcripts_come_with_the_commit(vendor: LoopbackVendor) -> None:
    async with opened(
        vendor, "openai_ga", turn_detection=None, transcription={"model": "gpt-transcribe"}
    ) as client:
        await client.append(silence(ms=200))
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.input_audio_transcription.completed")
    assert client.of("response.created") == []


async def test_manual_transcripts_may_be_scripted_to_wait(vendor: LoopbackVendor) -> None:
    vendor.scenario = Scenario(replies=(Reply(user_transcript="never"),))
    async with opened(vendor, "dashscope_omni", turn_detection=None) as client:
        await client.append(silence(16000, ms=200))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")
        await client.send("response.create")
        await client.until("response.done")
    assert client.of("transcription.completed") == []


async def test_a_vad_commit_during_a_reply_is_not_answered(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["held_reply"]
    detection = {"type": "server_vad", "interrupt_response": False}
    async with opened(vendor, "openai_ga", turn_detection=detection) as client:
        await client.send("response.create")
        await client.append(utterance(tail_ms=0))
        await client.until("input_audio_buffer.speech_started")
        await client.send("input_audio_buffer.commit")
        await client.until("conversation.item.done")
        session = await vendor.session(0)
        await session.release()
        await client.until("response.done")
        await session.cancel()
    assert client.types.count("response.created") == 1


async def test_nested_voices_keep_in_step(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "dashscope_omni_nested", voice="Serena") as client:
        flat = client.events[-1]["session"]
        await client.send("session.update", session={"audio": {"output": {"voice": "Tina"}}})
        nested = (await client.until("session.updated"))["session"]
    assert flat["audio"]["output"]["voice"] == flat["voice"] == "Serena"
    assert nested["audio"]["output"]["voice"] == nested["voice"] == "Tina"


async def test_tools_exclude_a_search_switched_on_before(vendor: LoopbackVendor) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    async with opened(vendor, "dashscope_omni", enable_search=True) as client:
        await client.send("session.update", session={"tools": [tool]})
        assert (await client.until("error"))["error"]["param"] == "session.tools"


async def test_unknown_families_have_no_voice_list() -> None:
    vendor = LoopbackVendor(models=frozenset({"qwen-next"}))
    async with vendor, opened(vendor, "dashscope_omni", model="qwen-next", voice="Any") as client:
        assert client.events[-1]["session"]["voice"] == "Any"


async def test_errors_have_bare_fields_too(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["bare_fields"]
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.cancel", event_id="stop")
        error = (await client.until("error"))["error"]
    assert (error["code"], error["event_id"]) == (None, None)


async def test_the_audio_kept_is_bounded(vendor: LoopbackVendor) -> None:
    session = session_for("openai_ga", turn_detection=None)
    session["audio"]["input"]["format"] = {"type": "audio/pcmu"}
    minute = b"\xff" * 8 * 60_000
    async with connected(vendor, "openai_ga") as client:
        await client.open(session)
        for _ in range(16):
            await client.append(minute, piece=len(minute))
        seen = await vendor.session(0)
        await seen.wait_for("input_audio_buffer.append", count=16)
    assert len(seen.audio_in) == 15 * len(minute)


async def test_a_failing_script_does_not_hide_the_tests_own_failure() -> None:
    async def fails(session: LoopbackSession) -> None:
        message = "script"
        raise RuntimeError(message)

    async def body() -> None:
        async with LoopbackVendor(scenario=Scenario(on_open=fails)) as vendor:
            async with opened(vendor, "openai_ga") as client:
                await client.until_closed()
            message = "the test's own"
            raise LookupError(message)

    with pytest.raises(LookupError, match="the test's own"):
        await body()


async def test_closing_the_vendor_ends_a_stalled_handshake() -> None:
    vendor = LoopbackVendor(faults=Faults(never_handshake=True))
    await vendor.start()
    assert vendor.faults.never_handshake
    reader, writer = await asyncio.open_connection("127.0.0.1", vendor._port)
    writer.write(b"GET /openai_ga/v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n")
    await writer.drain()
    await vendor.close()
    await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()


def test_audio_is_not_printed() -> None:
    turn = Turn(heard=WireFormat(), spoken=WireFormat(), audio=b"\x00" * 10)
    assert "audio=<10 bytes>" in repr(turn)
    assert "audio=None" in repr(Speech())
