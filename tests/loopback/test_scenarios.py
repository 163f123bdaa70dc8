"""The named scenarios do what their names say, and scripts of one's own work."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from realtime_core.testing.loopback import (
    DIALECTS,
    SCENARIOS,
    LoopbackSession,
    LoopbackVendor,
    Reply,
    Scenario,
    Speech,
    Turn,
    edits,
)

from .client import Client, connected, input_rate, opened
from .speech import utterance

ENDINGS = {
    "session_expired": 1001,
    "session_ended": 1000,
    "idle_closed": 1007,
    "quota_closed": 1007,
    "backend_closed": 1007,
    "server_error": 1011,
    "connection_lost": None,
}
NO_DONE = {"held_reply", "late_deltas", "held_call", "turn_invalid"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - ENDINGS.keys() - NO_DONE))
async def test_a_spoken_turn_comes_to_its_end(
    vendor: LoopbackVendor, dialect: str, name: str
) -> None:
    vendor.scenario = SCENARIOS[name]
    assert vendor.scenario.name == name
    assert vendor.scenario.summary.endswith(".")
    async with opened(vendor, dialect) as client:
        await client.append(utterance(input_rate(dialect), ms=300))
        await client.until("response.done")
    assert vendor.violations == []


async def run(vendor: LoopbackVendor, name: str, dialect: str = "openai_ga") -> Client:
    """One response on demand under a named scenario."""
    vendor.scenario = SCENARIOS[name]
    async with opened(vendor, dialect) as client:
        await client.send("response.create")
        await client.until("response.done")
        await (await vendor.session(-1)).wait_sent("response.done")
    return client


@pytest.mark.parametrize(("name", "code"), ENDINGS.items())
async def test_endings(vendor: LoopbackVendor, name: str, code: int | None) -> None:
    vendor.scenario = SCENARIOS[name]
    async with opened(vendor, "dashscope_omni") as client:
        assert await client.until_closed() == code
        session = await vendor.session(0)
        await session.closed.wait()
    assert session.close_code == code
    assert session.closed_by == ("network" if code is None else "vendor")
    texts = {"idle_closed": "no response was generated", "quota_closed": "Allocated quota exceeded"}
    assert texts.get(name, "") in (client.close_reason or "")
    errors = [event["error"]["code"] for event in client.of("error")]
    assert errors == {"session_expired": ["session_expired"], "server_error": [None]}.get(name, [])


@pytest.mark.parametrize("name", ["before", "during", "after", "failed"])
async def test_when_the_transcript_comes(vendor: LoopbackVendor, name: str) -> None:
    vendor.scenario = SCENARIOS[f"transcript_{name}"]
    async with opened(vendor, "dashscope_omni") as client:
        await client.append(utterance(16000))
        await client.until("response.done")
        if name == "after":
            await client.until("conversation.item.input_audio_transcription.completed")
    types = client.types
    final = "failed" if name == "failed" else "completed"
    at = types.index(f"conversation.item.input_audio_transcription.{final}")
    order = [
        types.index("response.created"),
        types.index("response.audio.delta"),
        types.index("response.done"),
    ]
    assert (
        sum(at > other for other in order)
        == {
            "before": 1,
            "failed": 1,
            "during": 2,
            "after": 3,
        }[name]
    )


async def test_tool_calls(vendor: LoopbackVendor) -> None:
    client = await run(vendor, "two_tool_calls")
    calls = client.of("response.done")[0]["response"]["output"]
    assert [(call["type"], call["call_id"]) for call in calls] == [
        ("function_call", "call_berlin"),
        ("function_call", "call_paris"),
    ]
    deltas = [event for event in client.of("arguments.delta") if event["output_index"] == 1]
    assert json.loads("".join(event["delta"] for event in deltas)) == {"city": "Paris"}
    assert client.of("arguments.done")[0]["name"] == "lookup"
    both = (await run(vendor, "message_and_call")).of("response.done")[0]["response"]["output"]
    assert [item["type"] for item in both] == ["message", "function_call"]
    cut = (await run(vendor, "interrupted_call")).of("response.done")[0]["response"]
    assert (cut["status"], cut["output"][0]["status"]) == ("cancelled", "incomplete")
    assert json.dumps({"city": "Berlin"}).startswith(cut["output"][0]["arguments"])


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tool_outputs_are_answered(vendor: LoopbackVendor, dialect: str) -> None:
    vendor.scenario = SCENARIOS["tool_call"]
    async with opened(vendor, dialect) as client:
        await client.send("response.create")
        await client.until("response.done")
        item = {"type": "function_call_output", "call_id": "call_berlin", "output": "sunny"}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        await client.until("response.done")
    assert client.of("transcript.done")[0]["transcript"] == "The tool says: sunny"
    has_name = "name" in client.of("arguments.done")[0]
    assert has_name is (dialect != "openai_beta")
    assert vendor.violations == []


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("rate_limited", "failed", "rate_limit_exceeded"),
        ("quota_exceeded", "failed", "insufficient_quota"),
        ("model_not_found", "failed", "model_not_found"),
        ("incomplete_response", "incomplete", None),
    ],
)
async def test_failures(vendor: LoopbackVendor, name: str, status: str, code: str | None) -> None:
    response = (await run(vendor, name)).of("response.done")[0]["response"]
    details = response["status_details"]
    assert (response["status"], details["type"]) == (status, status)
    if code is None:
        assert details["reason"] == "max_output_tokens"
    else:
        assert details["error"]["code"] == code


async def test_oddities(vendor: LoopbackVendor) -> None:
    done = (await run(vendor, "status_details_text")).of("response.done")[0]
    assert isinstance(done["response"]["status_details"], str)
    assert (await run(vendor, "usage_null")).of("response.done")[0]["response"]["usage"] is None
    assert "id" not in (await run(vendor, "done_without_id")).of("response.done")[0]["response"]
    assert (await run(vendor, "no_response_created")).of("response.created") == []
    assert (await run(vendor, "obfuscation")).of("transcript.delta")[0]["obfuscation"]
    assert "conversation.created" in (await run(vendor, "conversation_created")).types
    assert (await run(vendor, "ga_names", "openai_beta")).of("response.output_audio.delta")
    assert (await run(vendor, "null_audio")).of("audio.delta")[1]["delta"] is None
    odd = (await run(vendor, "odd_audio")).of("audio.delta")[1]["delta"]
    assert len(base64.b64decode(odd)) == 5
    large = (await run(vendor, "large_event")).of("vendor.large")[0]
    assert len(large["pad"]) == 2 * 1024 * 1024
    twice = await run(vendor, "duplicated_events")
    ids = [event["event_id"] for event in twice.of("response.created")]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    bare = await run(vendor, "bare_fields")
    assert all("event_id" not in event for event in bare.events)
    assert "ping" in (await run(vendor, "unknown_events")).types
    assert len((await run(vendor, "two_messages")).of("output_item.done")) == 2
    assert len((await run(vendor, "text_and_speech")).of("output_text.done")) == 1


async def test_repeated_speech_started(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["repeated_speech_started"]
    async with opened(vendor, "dashscope_omni") as client:
        await client.append(utterance(16000))
        await client.until("response.done")
    assert len({event["item_id"] for event in client.of("speech_started")}) == 1
    assert len(client.of("speech_started")) == 3


async def test_turn_invalid(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["turn_invalid"]
    async with opened(vendor, "qwen_audio") as client:
        await client.append(utterance(16000) * 2)
        await client.until("response.done")
    stops = client.of("speech_stopped")
    assert [stop.get("reason") for stop in stops] == ["turn_invalid", None]
    assert len(client.of("committed")) == 1


async def test_late_deltas_follow_the_done_of_a_cancelled_reply(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["late_deltas"]
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        await client.send("response.cancel")
        done = await client.until("response.done")
        late = await client.until("response.output_audio.delta")
    assert late["response_id"] == done["response"]["id"]


async def test_held_call_is_interrupted_by_speech(vendor: LoopbackVendor) -> None:
    vendor.scenario = SCENARIOS["held_call"]
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create")
        await client.until("response.function_call_arguments.delta")
        await client.append(utterance())
        done = await client.until("response.done")
        answer = await client.until("response.done")
    assert done["response"]["output"][0]["status"] == "incomplete"
    assert answer["response"]["status"] == "completed"


async def test_a_script_of_ones_own(vendor: LoopbackVendor) -> None:
    async def greet(session: LoopbackSession) -> None:
        await session.send({"type": "rate_limits.updated", "rate_limits": []})
        await session.wait_for("input_audio_buffer.clear")
        await session.respond(Reply(parts=(Speech(ms=100, transcript="Cleared."),)))

    async def answer(session: LoopbackSession, turn: Turn) -> None:
        await session.send({"type": "turn.seen", "speech_ms": turn.speech_ms})
        await session.respond(Reply(parts=(Speech(transcript="Mine."),), user_transcript="before"))
        await session.cancel("content_filter")

    vendor.scenario = Scenario(name="mine", on_connect=greet, on_turn=answer)
    async with opened(vendor, "dashscope_omni") as client:
        await client.send("input_audio_buffer.clear")
        await client.until("response.done")
        await client.append(utterance(16000))
        seen = await client.until("turn.seen")
        done = await client.until("response.done")
        await client.until("conversation.item.input_audio_transcription.completed")
    assert "rate_limits.updated" in client.types
    assert seen["speech_ms"] == 1200
    assert done["response"]["status_details"]["reason"] == "content_filter"


async def test_a_failing_script_is_raised_by_close() -> None:
    async def fails(session: LoopbackSession) -> None:
        message = f"session {session.number} went wrong"
        raise RuntimeError(message)

    async def body() -> None:
        vendor = LoopbackVendor(scenario=Scenario(on_open=fails))
        async with vendor, opened(vendor, "openai_ga") as client:
            assert await client.until_closed() == 1011

    with pytest.raises(ExceptionGroup) as caught:
        await body()
    assert "session 0 went wrong" in str(caught.value.exceptions[0])


async def test_waiting_in_vain_says_what_came(vendor: LoopbackVendor) -> None:
    with pytest.raises(TimeoutError, match="no session 0"):
        await vendor.session(0, timeout_s=0.01)
    async with opened(vendor, "openai_ga"):
        session = await vendor.session(0)
        with pytest.raises(TimeoutError, match=r"received: \['session.update'\]"):
            await session.wait_for("response.create", timeout_s=0.01)
        with pytest.raises(TimeoutError, match="was not sent"):
            await session.wait_sent("response.done", timeout_s=0.01)
        first = await session.wait_for("session.update")
    assert first["event_id"] == "cfg-1"


async def test_rewrites_compose(vendor: LoopbackVendor) -> None:
    def marked(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"marked": True}

    vendor.scenario = Scenario(
        rewrite=edits.chain(
            edits.drop("rate_limits.updated"),
            edits.nth(0, edits.repeat("response.created")),
            edits.change("response.created", marked),
            edits.before("response.done", {"type": "almost"}),
        )
    )
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create")
        await client.until("response.done")
    assert [event["marked"] for event in client.of("response.created")] == [True, True]
    assert client.types[-2:] == ["almost", "response.done"]


async def test_many_sessions_do_not_disturb_each_other(vendor: LoopbackVendor) -> None:
    async with connected(vendor, "openai_ga") as one, opened(vendor, "dashscope_omni") as two:
        await one.until("session.created")
        await two.send("response.create")
        done = await two.until("response.done")
    assert done["response"]["id"].startswith("resp_s1")
    assert [session.dialect for session in vendor.sessions] == ["openai_ga", "dashscope_omni"]
