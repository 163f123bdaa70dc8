"""What a client may not send: the documented error, and the violation it leaves behind."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from realtime_core.testing.loopback import LoopbackVendor, Reply, Scenario, Speech

from .client import Client, Event, connected, input_rate, opened, session_for
from .speech import silence, utterance

HELD = Scenario(
    replies=(Reply(parts=(Speech(ms=2000, transcript="One two.", hold_after_ms=400),)),)
)
GA, BETA, OMNI, NESTED, AUDIO = (
    "openai_ga",
    "openai_beta",
    "dashscope_omni",
    "dashscope_omni_nested",
    "qwen_audio",
)
FLAT_TOOL = {"type": "function", "name": "f", "parameters": {}}
NESTED_TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def heard(**fields: Any) -> Event:
    return {"type": "realtime", "audio": {"input": fields}}


def vad(**fields: Any) -> Event:
    return {"turn_detection": {"type": "server_vad", **fields}}


SESSIONS: list[tuple[str, Event, str, str, str]] = [
    # dialect, session, code, param, rule
    (GA, {"instructions": "x"}, "missing_required_parameter", "session.type", "missing-parameter"),
    (GA, {"type": "realtime", "temperature": 0.8}, "unknown_parameter", "session.temperature", "unknown-parameter"),
    (GA, {"type": "realtime", "voice": "ash"}, "unknown_parameter", "session.voice", "unknown-parameter"),
    (GA, {"type": "realtime", "output_modalities": ["text", "audio"]}, "invalid_value", "session.output_modalities", "both-modalities"),
    (GA, {"type": "transcription"}, "invalid_value", "session.type", "wrong-value"),
    (GA, heard(format={"type": "audio/pcm", "rate": 16000}), "integer_below_min_value", "session.audio.input.format.rate", "wrong-value"),
    (GA, heard(format={"type": "audio/pcmu", "rate": 8000}), "unknown_parameter", "session.audio.input.format.rate", "unknown-parameter"),
    (GA, heard(format={"type": "pcm16"}), "invalid_value", "session.audio.input.format.type", "wrong-value"),
    (GA, heard(turn_detection={"type": "server_vad", "threshold": 1.5}), "decimal_above_max_value", "session.audio.input.turn_detection.threshold", "wrong-value"),
    (GA, heard(turn_detection={"type": "server_vad", "threshold": -0.5}), "decimal_below_min_value", "session.audio.input.turn_detection.threshold", "wrong-value"),
    (GA, heard(turn_detection={"type": "semantic_vad", "silence_duration_ms": 5}), "unknown_parameter", "session.audio.input.turn_detection.silence_duration_ms", "unknown-parameter"),
    (GA, heard(turn_detection={"type": "none"}), "invalid_value", "session.audio.input.turn_detection.type", "wrong-value"),
    (GA, heard(turn_detection={"threshold": 0.5}), "missing_required_parameter", "session.audio.input.turn_detection.type", "missing-parameter"),
    (GA, heard(turn_detection={"type": "server_vad", "idle_timeout_ms": 100}), "integer_below_min_value", "session.audio.input.turn_detection.idle_timeout_ms", "wrong-value"),
    (GA, {"type": "realtime", "tools": [NESTED_TOOL]}, "missing_required_parameter", "session.tools[0].name", "nested-tool"),
    (GA, {"type": "realtime", "audio": {"output": {"speed": 2}}}, "decimal_above_max_value", "session.audio.output.speed", "wrong-value"),
    (GA, {"type": "realtime", "instructions": None}, "invalid_type", "session.instructions", "wrong-type"),
    (GA, {"type": "realtime", "model": "gpt-realtime-mini"}, "invalid_value", "session.model", "model-changed"),
    ("azure_ga", {}, "missing_required_parameter", "session.type", "missing-parameter"),
    (BETA, {"type": "realtime"}, "unknown_parameter", "session.type", "unknown-parameter"),
    (BETA, {"modalities": ["audio"]}, "invalid_value", "session.modalities", "wrong-modalities"),
    (BETA, {"temperature": 0.1}, "decimal_below_min_value", "session.temperature", "wrong-value"),
    (BETA, {"output_modalities": ["audio"]}, "unknown_parameter", "session.output_modalities", "unknown-parameter"),
    (BETA, vad(idle_timeout_ms=6000), "unknown_parameter", "session.turn_detection.idle_timeout_ms", "unknown-parameter"),
    (OMNI, {"modalities": ["audio"]}, "invalid_value", "session.modalities", "wrong-modalities"),
    (OMNI, vad(threshold=1.5), "invalid_value", "session.turn_detection.threshold", "wrong-value"),
    (OMNI, vad(silence_duration_ms=100), "invalid_value", "session.turn_detection.silence_duration_ms", "wrong-value"),
    (OMNI, vad(silence_duration_ms=7000), "invalid_value", "session.turn_detection.silence_duration_ms", "wrong-value"),
    (OMNI, {"turn_detection": {"type": "smart_turn"}}, "invalid_value", "session.turn_detection.type", "wrong-value"),
    (OMNI, {"tools": [FLAT_TOOL]}, "invalid_value", "session.tools[0]", "flat-tool"),
    (OMNI, {"tools": [NESTED_TOOL], "enable_search": True}, "invalid_value", "session.tools", "tools-with-search"),
    (OMNI, {"voice": "Chelsie"}, "invalid_value", "session.voice", "voice-of-another-family"),
    (OMNI, {"parallel_tool_calls": True}, "invalid_value", "session.parallel_tool_calls", "unknown-parameter"),
    (OMNI, {"temperature": 3}, "invalid_value", "session.temperature", "wrong-value"),
    (OMNI, {"input_audio_format": "pcm", "audio": {"input": {"format": {"type": "pcm"}}}}, "invalid_value", "session.audio", "mixed-audio-shapes"),
    (OMNI, {"audio": {"output": {"voice": "Tina"}}}, "invalid_value", "session.audio.output.voice", "unknown-parameter"),
    (NESTED, {"audio": {"input": None}}, "invalid_value", "session.audio.input", "wrong-type"),
    (NESTED, {"audio": {"output": {"format": None}}}, "invalid_value", "session.audio.output.format", "wrong-type"),
    (NESTED, {"audio": {"output": {"format": {"type": "pcm", "sample_rate": 22050}}}}, "invalid_value", "session.audio.output.format.sample_rate", "wrong-value"),
    (AUDIO, {"turn_detection": {"type": "semantic_vad"}}, "invalid_value", "session.turn_detection.type", "wrong-value"),
    (AUDIO, {"audio": {}}, "invalid_value", "session.audio", "unknown-parameter"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "session", "code", "param", "rule"), SESSIONS)
async def test_a_wrong_session_is_refused_whole(
    vendor: LoopbackVendor, dialect: str, session: Event, code: str, param: str, rule: str
) -> None:
    async with connected(vendor, dialect) as client:
        before = (await client.until("session.created"))["session"]
        await client.send("session.update", event_id="cfg-1", session=session)
        error = (await client.until("error"))["error"]
        assert (await vendor.session(0)).config == before
        await client.send("session.update", event_id="cfg-2", session=session_for(dialect))
        await client.until("session.updated")
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "cfg-1")
    assert error["type"] == "invalid_request_error"
    assert [entry.rule for entry in vendor.violations] == [rule]
    violation = vendor.violations[0]
    assert (violation.dialect, violation.event_id) == (dialect, "cfg-1")


ODD = base64.b64encode(b"\x01\x02\x03").decode()
TOOL_OUTPUT = {"type": "function_call_output", "call_id": "call_x", "output": "1"}
SPOKEN = {"type": "message", "role": "assistant", "content": [{"type": "output_audio"}]}

EVENTS: list[tuple[str, str, Event, str | None, str]] = [
    # dialect, type, fields, code, rule
    (GA, "no.such.event", {}, "invalid_value", "unknown-event"),
    (GA, "output_audio_buffer.clear", {}, "invalid_value", "unknown-event"),
    (GA, "transcription_session.update", {"session": {}}, "invalid_value", "unknown-event"),
    (GA, "session.finish", {}, "invalid_value", "unknown-event"),
    (GA, "session.update", {}, "missing_required_parameter", "missing-parameter"),
    (GA, "response.create", {"reply": {}}, "unknown_parameter", "unknown-parameter"),
    (GA, "response.create", {"response": {"modalities": ["text"]}}, "unknown_parameter", "unknown-parameter"),
    (GA, "response.create", {"response": {"output_modalities": ["text", "audio"]}}, "invalid_value", "both-modalities"),
    (GA, "input_audio_buffer.append", {"audio": ODD}, "invalid_value", "odd-audio-bytes"),
    (GA, "input_audio_buffer.append", {"audio": "***"}, "invalid_value", "bad-base64"),
    (GA, "input_audio_buffer.append", {}, "missing_required_parameter", "missing-parameter"),
    (GA, "input_audio_buffer.commit", {}, "input_audio_buffer_commit_empty", "commit-too-short"),
    (GA, "response.cancel", {}, "response_cancel_not_active", "cancel-without-response"),
    (GA, "conversation.item.create", {"item": TOOL_OUTPUT}, "invalid_tool_call_id", "unknown-call-id"),
    (GA, "conversation.item.create", {"item": SPOKEN}, "invalid_value", "wrong-value"),
    (GA, "conversation.item.create", {}, "invalid_type", "wrong-type"),
    (GA, "conversation.item.create", {"item": {"type": "function_call_output", "call_id": "c", "output": {}}}, "invalid_type", "wrong-type"),
    (GA, "conversation.item.truncate", {"item_id": "x", "content_index": 0, "audio_end_ms": 1}, "item_truncate_invalid_item_id", "unknown-item"),
    (GA, "conversation.item.delete", {"item_id": "x"}, "item_delete_invalid_item_id", "unknown-item"),
    (GA, "conversation.item.retrieve", {"item_id": "x"}, "item_retrieve_invalid_item_id", "unknown-item"),
    (BETA, "response.cancel", {}, None, "cancel-without-response"),
    (BETA, "response.create", {"response": {"output_modalities": ["text"]}}, "unknown_parameter", "unknown-parameter"),
    (OMNI, "conversation.item.truncate", {"item_id": "x"}, "invalid_value", "unknown-event"),
    (OMNI, "conversation.item.delete", {"item_id": "x"}, "invalid_value", "unknown-event"),
    (OMNI, "output_audio_buffer.clear", {}, "invalid_value", "unknown-event"),
    (OMNI, "input_audio_buffer.append", {"audio": ODD}, "invalid_value", "odd-audio-bytes"),
    (OMNI, "input_audio_buffer.commit", {}, "invalid_value", "commit-too-short"),
    (OMNI, "input_image_buffer.append", {"image": ""}, "invalid_value", "image-before-audio"),
    (OMNI, "response.cancel", {}, "", "cancel-without-response"),
    (OMNI, "conversation.item.create", {"item": TOOL_OUTPUT}, "invalid_value", "unknown-call-id"),
    (OMNI, "response.create", {"response": {"modalities": ["audio"]}}, "invalid_value", "wrong-modalities"),
    (NESTED, "response.create", {"response": {}}, "invalid_value", "empty-response-object"),
    (AUDIO, "session.finish", {}, "invalid_value", "unknown-event"),
    (AUDIO, "conversation.item.delete", {"item_id": "x"}, "invalid_value", "unknown-item"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "kind", "fields", "code", "rule"), EVENTS)
async def test_a_wrong_event_is_refused_and_the_session_lives_on(
    vendor: LoopbackVendor, dialect: str, kind: str, fields: Event, code: str | None, rule: str
) -> None:
    async with opened(vendor, dialect, turn_detection=None) as client:
        await client.send(kind, event_id="bad-1", **fields)
        error = (await client.until("error"))["error"]
        await client.send("response.create")
        await client.until("response.done")
    assert (error["code"], error["event_id"]) == (code, "bad-1")
    assert [entry.rule for entry in vendor.violations] == [rule]
    assert vendor.violations[0].event_type == kind


@pytest.mark.parametrize("dialect", [GA, OMNI])
async def test_frames_that_are_no_events(vendor: LoopbackVendor, dialect: str) -> None:
    async with opened(vendor, dialect) as client:
        codes = []
        for frame in ("{not json", "[1]", '{"no": "type"}'):
            await client.socket.send_str(frame)
            codes.append((await client.until("error"))["error"]["code"])
        await client.socket.send_bytes(b"\x00\x01")
        codes.append((await client.until("error"))["error"]["code"])
    if dialect == GA:
        assert codes == ["invalid_json", "invalid_event", "invalid_event", "invalid_event"]
    else:
        assert set(codes) == {"invalid_value"}
    rules = [entry.rule for entry in vendor.violations]
    assert rules == ["not-json", "not-json", "missing-parameter", "binary-frame"]


async def test_an_error_without_a_client_id_has_none(vendor: LoopbackVendor) -> None:
    async with opened(vendor, GA) as client:
        await client.send("response.cancel")
        assert (await client.until("error"))["error"]["event_id"] is None


@pytest.mark.parametrize("dialect", [GA, OMNI])
async def test_audio_before_the_session_is_open(vendor: LoopbackVendor, dialect: str) -> None:
    async with connected(vendor, dialect) as client:
        await client.append(silence(input_rate(dialect), ms=20), piece=10_000)
        await client.open(session_for(dialect))
    assert [entry.rule for entry in vendor.violations] == ["audio-before-open"]


async def _past_the_race(vendor: LoopbackVendor, moment: str) -> None:
    """Make the session's newest moment old, without waiting for it to be."""
    session = await vendor.session(0)
    session._mind.moments[moment] -= 60


@pytest.mark.parametrize("dialect", [GA, BETA, OMNI])
async def test_a_second_response_while_one_is_active(vendor: LoopbackVendor, dialect: str) -> None:
    vendor.scenario = HELD
    async with opened(vendor, dialect) as client:
        await client.send("response.create")
        created = await client.until("response.created")
        await client.send("response.create", event_id="early")
        early = (await client.until("error"))["error"]
        assert vendor.violations == []
        await _past_the_race(vendor, "response created")
        await client.send("response.create", event_id="late")
        await client.until("error")
    assert [entry.rule for entry in vendor.benign] == ["create-while-active"]
    assert [entry.rule for entry in vendor.violations] == ["create-while-active"]
    codes = {GA: "conversation_already_has_active_response", BETA: None, OMNI: "invalid_value"}
    assert early["code"] == codes[dialect]
    assert created["response"]["id"] in early["message"]
    assert "already has an active response" in early["message"]


async def test_dashscope_refuses_a_response_while_the_user_speaks(vendor: LoopbackVendor) -> None:
    async with opened(vendor, OMNI) as client:
        await client.append(utterance(16000, tail_ms=0))
        await client.until("input_audio_buffer.speech_started")
        await _past_the_race(vendor, "speech began")
        await client.send("response.create")
        error = (await client.until("error"))["error"]
    assert "while user is speaking" in error["message"]
    assert error["param"] == "response.create"
    assert [entry.rule for entry in vendor.violations] == ["create-while-user-speaks"]


async def test_a_late_cancel_is_benign_only_for_a_moment(vendor: LoopbackVendor) -> None:
    async with opened(vendor, GA) as client:
        await client.send("response.create")
        await client.until("response.done")
        await client.send("response.cancel")
        await client.until("error")
        assert vendor.violations == []
        await _past_the_race(vendor, "response done")
        await client.send("response.cancel")
        await client.until("error")
    assert [entry.rule for entry in vendor.violations] == ["cancel-without-response"]


async def test_commit_after_vad_took_the_buffer_is_benign(vendor: LoopbackVendor) -> None:
    async with opened(vendor, GA) as client:
        await client.append(utterance())
        await client.until("input_audio_buffer.committed")
        await client.send("input_audio_buffer.commit")
        error = (await client.until("error"))["error"]
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert vendor.violations == []
    assert [entry.rule for entry in vendor.benign] == ["commit-too-short"]


async def _answered(client: Client) -> str:
    await client.send("response.create")
    done = await client.until("response.done")
    return str(done["response"]["output"][0]["id"])


async def test_truncate_beyond_the_audio(vendor: LoopbackVendor) -> None:
    async with opened(vendor, GA) as client:
        item_id = await _answered(client)
        fields = {"item_id": item_id, "content_index": 0}
        await client.send("conversation.item.truncate", **fields, audio_end_ms=1001)
        error = (await client.until("error"))["error"]
        await client.send("conversation.item.truncate", **fields, audio_end_ms=1000)
        await client.until("conversation.item.truncated")
        await client.send("conversation.item.truncate", **fields, audio_end_ms="all")
        assert (await client.until("error"))["error"]["code"] == "invalid_type"
        await client.send(
            "conversation.item.truncate", item_id=item_id, content_index=1, audio_end_ms=1
        )
        assert (await client.until("error"))["error"]["param"] == "content_index"
    assert error["code"] == "invalid_value"
    assert error["message"] == "Audio content of 1000ms is already shorter than 1001ms"
    rules = [entry.rule for entry in vendor.violations]
    assert rules == ["truncate-too-long", "wrong-type", "wrong-value"]


async def test_truncate_of_a_users_item(vendor: LoopbackVendor) -> None:
    item = {"id": "u1", "type": "message", "role": "user", "content": []}
    async with opened(vendor, GA) as client:
        await client.send("conversation.item.create", item=item)
        await client.send(
            "conversation.item.truncate", item_id="u1", content_index=0, audio_end_ms=0
        )
        error = (await client.until("error"))["error"]
    assert error["code"] == "unsupported_content_type"
    assert [entry.rule for entry in vendor.violations] == ["truncate-without-audio"]


async def test_item_ids_and_places(vendor: LoopbackVendor) -> None:
    def item(name: str) -> Event:
        return {"id": name, "type": "message", "role": "user", "content": []}

    async with opened(vendor, GA) as client:
        await client.send("conversation.item.create", item=item("a"))
        await client.send("conversation.item.create", item=item("b"), previous_item_id="root")
        await client.send("conversation.item.create", item=item("c"), previous_item_id="b")
        await client.send("conversation.item.create", item=item("a"))
        await client.until("error")
        await client.send("conversation.item.create", item=item("d"), previous_item_id="nobody")
        await client.until("error")
        await client.send("conversation.item.create", item=item("e" * 33))
        error = (await client.until("error"))["error"]
    places = [event["previous_item_id"] for event in client.of("item.added")]
    assert places == [None, None, "b"]
    assert error["code"] == "string_above_max_length"
    rules = [entry.rule for entry in vendor.violations]
    assert rules == ["duplicate-item-id", "unknown-item", "item-id-too-long"]


async def test_openai_freezes_the_voice_once_it_spoke(vendor: LoopbackVendor) -> None:
    def voice(name: str) -> Event:
        return {"type": "realtime", "audio": {"output": {"voice": name}}}

    async with opened(vendor, GA) as client:
        await client.send("session.update", session=voice("cedar"))
        await client.until("session.updated")
        await _answered(client)
        await client.send("session.update", session=voice("cedar"))
        await client.until("session.updated")
        await client.send("session.update", session=voice("ash"))
        error = (await client.until("error"))["error"]
        changed = {"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcmu"}}}}
        await client.send("session.update", session=changed)
        await client.until("error")
    assert error["code"] == "cannot_update_voice"
    rules = [entry.rule for entry in vendor.violations]
    assert rules == ["voice-after-audio", "format-after-audio"]


async def test_omni_freezes_formats_and_voice_with_the_first_audio(vendor: LoopbackVendor) -> None:
    async with opened(vendor, OMNI, voice="Ethan") as client:
        await client.append(silence(16000, ms=40))
        await client.send("session.update", session={"voice": "Ethan", "instructions": "New."})
        assert (await client.until("session.updated"))["session"]["instructions"] == "New."
        await client.send("session.update", session={"voice": "Tina"})
        error = (await client.until("error"))["error"]
    assert error["param"] == "session.voice"
    assert [entry.rule for entry in vendor.violations] == ["frozen-field"]


async def test_qwen_audio_ignores_frozen_fields(vendor: LoopbackVendor) -> None:
    async with opened(vendor, AUDIO) as client:
        await client.append(silence(16000, ms=40))
        changes = {"turn_detection": None, "instructions": "New."}
        await client.send("session.update", session=changes)
        session = (await client.until("session.updated"))["session"]
    assert session["instructions"] == "New."
    assert session["turn_detection"]["type"] == "server_vad"
    assert [entry.rule for entry in vendor.violations] == ["frozen-field"]


async def test_old_omni_models_take_no_text_items(vendor: LoopbackVendor) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    async with opened(vendor, OMNI, model="qwen3-omni-flash-realtime") as client:
        await client.send("conversation.item.create", item=item)
        await client.until("error")
    assert [entry.rule for entry in vendor.violations] == ["text-items-unsupported"]


async def test_nothing_may_follow_session_finish(vendor: LoopbackVendor) -> None:
    async with opened(vendor, OMNI) as client:
        await client.send("session.finish")
        await client.send("response.create")
        await client.until_closed()
    assert [entry.rule for entry in vendor.violations] == ["after-finish"]


async def test_updates_merge_at_every_depth(vendor: LoopbackVendor) -> None:
    async with opened(vendor, GA) as client:
        detection = {"type": "server_vad", "silence_duration_ms": 700}
        await client.send("session.update", session=heard(turn_detection=detection))
        session = (await client.until("session.updated"))["session"]
        merged = session["audio"]["input"]["turn_detection"]
        await client.send("session.update", session=heard(turn_detection=None))
        cleared = (await client.until("session.updated"))["session"]
        again = {"type": "semantic_vad"}
        await client.send("session.update", session=heard(turn_detection=again))
        semantic = (await client.until("session.updated"))["session"]
    assert merged["silence_duration_ms"] == 700
    assert merged["prefix_padding_ms"] == 300
    assert session["instructions"] == "Be brief."
    assert cleared["audio"]["input"]["turn_detection"] is None
    assert semantic["audio"]["input"]["turn_detection"]["eagerness"] == "auto"
