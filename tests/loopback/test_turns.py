"""Turns on every wire: order of events, the parrot's exactness, barge-in, manual turns."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import soxr

from realtime_core.testing.loopback import DIALECTS, LoopbackVendor, Reply, Scenario, Speech
from realtime_core.testing.loopback.wireformat import WireFormat

from .client import DASHSCOPE, connected, input_rate, opened, session_for
from .speech import silence, utterance

OPENAI = ("openai_ga", "openai_beta", "azure_ga")
HELD = Scenario(
    replies=(Reply(parts=(Speech(ms=2000, transcript="One two three.", hold_after_ms=400),)),)
)


def squeezed(types: list[str]) -> list[str]:
    """Without repetitions of deltas, and without transcripts and rate limits."""
    result: list[str] = []
    for kind in types:
        if "input_audio_transcription" in kind or kind == "rate_limits.updated":
            continue
        if not (kind.endswith(".delta") and kind in result):
            result.append(kind)
    return result


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_parrot_says_back_exactly_what_it_heard(vendor: LoopbackVendor, dialect: str) -> None:
    rate = input_rate(dialect)
    spoken = utterance(rate)
    async with opened(vendor, dialect) as client:
        await client.append(spoken)
        await client.until("response.done")
        session = await vendor.session(0)
    turn = session.turns[0]
    at = spoken.find(turn.audio)
    assert at == (500 - 300) * rate // 1000 * 2
    assert len(turn.audio) == (300 + 1200) * rate // 1000 * 2
    if dialect in OPENAI:
        assert client.audio == turn.audio
    else:
        whole = soxr.resample(np.frombuffer(turn.audio, "<i2"), 16000, 24000)
        assert client.audio == whole.astype("<i2").tobytes()
    assert bytes(session.audio_in) == spoken
    assert vendor.violations == []


@pytest.mark.parametrize("piece", [2, 322, 960, 100_000])
async def test_the_cut_of_the_audio_does_not_matter(vendor: LoopbackVendor, piece: int) -> None:
    spoken = utterance(ms=300, lead_ms=350, tail_ms=300)
    async with opened(vendor, "openai_ga") as client:
        await client.append(spoken, piece=piece)
        started = await client.until("input_audio_buffer.speech_started")
        stopped = await client.until("input_audio_buffer.speech_stopped")
        await client.until("response.done")
    assert started["audio_start_ms"] == 50
    assert stopped["audio_end_ms"] == 350 + 300 + 200
    assert client.audio == spoken[50 * 48 : 650 * 48]


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga"])
async def test_order_of_a_ga_turn(vendor: LoopbackVendor, dialect: str) -> None:
    async with opened(vendor, dialect) as client:
        await client.append(utterance())
        await client.until("rate_limits.updated")
    assert squeezed(client.types) == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    committed = client.of("committed")[0]
    assert committed["previous_item_id"] is None
    assert client.of("response.done")[0]["response"]["status"] == "completed"


@pytest.mark.parametrize("dialect", ["openai_beta", *DASHSCOPE])
async def test_order_of_a_beta_turn(vendor: LoopbackVendor, dialect: str) -> None:
    done = ["response.audio.done", "response.audio_transcript.done"]
    async with opened(vendor, dialect) as client:
        await client.append(utterance(input_rate(dialect)))
        await client.until("response.done")
    assert squeezed(client.types) == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        *(done if dialect == "openai_beta" else reversed(done)),
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    details = "input_token_details" if dialect == "openai_beta" else "input_tokens_details"
    usage = client.of("response.done")[0]["response"]["usage"]
    assert usage[details]["audio_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_dashscope_partial_transcripts_replace_each_other(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "dashscope_omni") as client:
        await client.append(utterance(16000))
        await client.until("response.done")
    partials = client.of("input_audio_transcription.delta")
    final = client.of("input_audio_transcription.completed")[0]["transcript"]
    wholes = [event["text"] + event["stash"] for event in partials]
    assert final.startswith(wholes[0])
    assert wholes[-1] == final == "Speech of 1.2 seconds."


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_speech_during_a_reply_cancels_it(vendor: LoopbackVendor, dialect: str) -> None:
    vendor.scenario = HELD
    rate = input_rate(dialect)
    async with opened(vendor, dialect) as client:
        await client.append(utterance(rate))
        await client.until("response.created")
        await (await vendor.session(0)).wait_sent(client_delta(dialect), count=4)
        await client.append(utterance(rate))
        cancelled = await client.until("response.done")
        types = client.types
        answered = await client.until("response.done")
    started = len(types) - 1 - types[::-1].index("input_audio_buffer.speech_started")
    strays = [kind for kind in types[started:] if kind.endswith("audio.delta")]
    assert len(strays) == 3
    response = cancelled["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] > 0
    assert answered["response"]["status"] == "completed"
    assert vendor.violations == []


def client_delta(dialect: str) -> str:
    return (
        "response.audio.delta"
        if dialect not in ("openai_ga", "azure_ga")
        else "response.output_audio.delta"
    )


async def test_without_interrupt_response_the_reply_goes_on(vendor: LoopbackVendor) -> None:
    vendor.scenario = HELD
    detection = {"type": "server_vad", "create_response": False, "interrupt_response": False}
    async with opened(vendor, "openai_ga", turn_detection=detection) as client:
        await client.send("response.create")
        session = await vendor.session(0)
        await session.wait_sent("response.output_audio.delta", count=4)
        await client.append(utterance())
        await client.until("conversation.item.done")
        assert client.of("response.done") == []
        await session.release()
        done = await client.until("response.done")
    assert done["response"]["status"] == "completed"
    assert client.types.count("response.created") == 1


async def test_a_vad_turn_under_a_running_reply_is_not_answered(vendor: LoopbackVendor) -> None:
    vendor.scenario = HELD
    detection = {"type": "server_vad", "interrupt_response": False}
    async with opened(vendor, "openai_ga", turn_detection=detection) as client:
        await client.send("response.create")
        await client.append(utterance())
        error = await client.until("error")
    assert error["error"]["code"] == "conversation_already_has_active_response"
    assert "VAD turn committed" in error["error"]["message"]
    assert vendor.violations == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_manual_turn(vendor: LoopbackVendor, dialect: str) -> None:
    spoken = utterance(input_rate(dialect), ms=500, lead_ms=0, tail_ms=0)
    async with opened(vendor, dialect, turn_detection=None) as client:
        await client.append(spoken)
        await client.send("input_audio_buffer.commit")
        await client.until("input_audio_buffer.committed")
        await client.send("response.create")
        await client.until("response.done")
        session = await vendor.session(0)
    assert session.turns[0].audio == spoken
    assert client.of("speech_started") == []
    if dialect in OPENAI:
        assert client.audio == spoken
    assert vendor.violations == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_cancel_by_the_client(vendor: LoopbackVendor, dialect: str) -> None:
    vendor.scenario = HELD
    async with opened(vendor, dialect, turn_detection=None) as client:
        await client.send("response.create")
        await client.until(client_delta(dialect))
        await client.send("response.cancel", event_id="stop-1")
        done = await client.until("response.done")
        await client.send("response.cancel", event_id="stop-2")
        error = (await client.until("error"))["error"]
    assert done["response"]["status_details"]["reason"] == "client_cancelled"
    assert error["event_id"] == "stop-2"
    if dialect in ("openai_ga", "azure_ga"):
        assert error["code"] == "response_cancel_not_active"
    elif dialect == "openai_beta":
        assert error["code"] is None
    else:
        assert error["code"] == ""
        assert "none active response" in error["message"]
    assert vendor.violations == []
    assert [entry.rule for entry in vendor.benign] == ["cancel-without-response"]


@pytest.mark.parametrize(
    ("dialect", "law"),
    [
        ("openai_ga", "ulaw"),
        ("openai_ga", "alaw"),
        ("openai_beta", "ulaw"),
        ("openai_beta", "alaw"),
    ],
)
async def test_g711_is_heard_and_said_back_byte_for_byte(
    vendor: LoopbackVendor, dialect: str, law: Any
) -> None:
    wire = WireFormat(law, 8000)
    encoded = wire.encode(np.frombuffer(utterance(8000), "<i2"))
    session = session_for(dialect)
    if dialect == "openai_ga":
        name = {"type": "audio/pcmu" if law == "ulaw" else "audio/pcma"}
        session["audio"] = {"input": {"format": name}, "output": {"format": name}}
    else:
        session |= dict.fromkeys(("input_audio_format", "output_audio_format"), f"g711_{law}")
    async with connected(vendor, dialect) as client:
        await client.open(session)
        await client.append(encoded, piece=160)
        await client.until("response.done")
        turn = (await vendor.session(0)).turns[0]
    assert client.audio == turn.audio
    assert turn.audio in encoded
    assert turn.speech_ms == 1200


async def test_input_and_output_formats_are_independent(vendor: LoopbackVendor) -> None:
    session = session_for("openai_ga")
    session["audio"] = {"output": {"format": {"type": "audio/pcmu"}}}
    async with connected(vendor, "openai_ga") as client:
        await client.open(session)
        await client.append(utterance())
        await client.until("response.done")
    assert len(client.audio) == 1500 * 8


async def test_dashscope_audio_object_sets_the_rates(vendor: LoopbackVendor) -> None:
    rates = {
        "input": {"format": {"type": "pcm", "sample_rate": 8000}},
        "output": {"format": {"type": "pcm", "sample_rate": 8000}},
    }
    async with opened(vendor, "dashscope_omni_nested", audio=rates) as client:
        echoed = client.of("session.updated")[0]["session"]["audio"]
        await client.append(utterance(8000))
        await client.until("response.done")
        turn = (await vendor.session(0)).turns[0]
    assert echoed["output"]["format"]["sample_rate"] == 8000
    assert client.audio == turn.audio


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_text_is_answered_with_its_echo(vendor: LoopbackVendor, dialect: str) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi!"}]}
    async with opened(vendor, dialect) as client:
        await client.send("conversation.item.create", item=item | {"id": "mine"})
        await client.send("response.create")
        await client.until("response.done")
    assert client.of("transcript.done")[0]["transcript"] == "You wrote: Hi!"
    created = next(event for event in client.events if "item" in event)
    kept = dialect not in ("dashscope_omni", "dashscope_omni_nested")
    assert (created["item"]["id"] == "mine") is kept


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_text_sessions_have_no_audio(vendor: LoopbackVendor, dialect: str) -> None:
    key = "output_modalities" if dialect in ("openai_ga", "azure_ga") else "modalities"
    text: dict[str, Any] = {key: ["text"]}
    async with opened(vendor, dialect, **text) as client:
        await client.send("response.create")
        await client.until("response.done")
    assert client.of("audio.delta") == []
    assert (
        "".join(event["delta"] for event in client.of("text.delta"))
        == (client.of("text.done")[0]["text"])
    )


async def test_out_of_band_responses_run_beside_the_main_one(vendor: LoopbackVendor) -> None:
    vendor.scenario = HELD
    async with opened(vendor, "openai_ga") as client:
        await client.send("response.create")
        await client.until("response.output_audio.delta")
        request = {"conversation": "none", "metadata": {"topic": "side"}, "input": []}
        await client.send("response.create", response=request)
        done = await client.until("response.done")
    assert done["response"]["metadata"] == {"topic": "side"}
    assert done["response"]["conversation_id"] is None
    assert vendor.violations == []


async def test_truncate_shortens_what_is_remembered(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "openai_ga") as client:
        await client.append(utterance())
        done = await client.until("response.done")
        item_id = done["response"]["output"][0]["id"]
        truncate = {"item_id": item_id, "content_index": 0, "audio_end_ms": 700}
        await client.send("conversation.item.truncate", **truncate)
        truncated = await client.until("conversation.item.truncated")
        await client.send("conversation.item.retrieve", item_id=item_id)
        item = (await client.until("conversation.item.retrieved"))["item"]
        await client.send("conversation.item.delete", item_id=item_id)
        deleted = await client.until("conversation.item.deleted")
    assert truncated["audio_end_ms"] == 700
    assert "transcript" not in item["content"][0]
    assert deleted["item_id"] == item_id
    assert vendor.violations == []


async def test_semantic_vad_and_smart_turn_find_turns(vendor: LoopbackVendor) -> None:
    for dialect, detection in (
        ("openai_ga", {"type": "semantic_vad", "eagerness": "high"}),
        ("dashscope_omni", {"type": "semantic_vad", "silence_duration_ms": 400}),
        ("qwen_audio", {"type": "smart_turn"}),
    ):
        async with opened(vendor, dialect, turn_detection=detection) as client:
            await client.append(utterance(input_rate(dialect)))
            await client.until("response.done")
    assert vendor.violations == []


async def test_vad_commit_takes_the_turn_early(vendor: LoopbackVendor) -> None:
    spoken = utterance(tail_ms=0)
    async with opened(vendor, "openai_ga") as client:
        await client.append(spoken)
        await client.until("input_audio_buffer.speech_started")
        await client.send("input_audio_buffer.commit")
        await client.until("response.done")
        await client.append(silence(ms=1000))
        await client.send("response.create")
        await client.until("response.done")
    assert client.of("speech_stopped") == []
    assert vendor.violations == []


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_clear_forgets_what_was_heard(vendor: LoopbackVendor, dialect: str) -> None:
    rate = input_rate(dialect)
    async with opened(vendor, dialect, turn_detection=None) as client:
        await client.append(utterance(rate))
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await client.append(silence(rate, ms=200))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        await client.until("response.done")
        assert (await vendor.session(0)).turns[0].audio == silence(rate, ms=200)


async def test_qwen_audio_ignores_commit_and_clear_with_vad(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "qwen_audio") as client:
        await client.send("input_audio_buffer.commit")
        await client.send("input_audio_buffer.clear")
        await client.send("response.create")
        await client.until("response.done")
    assert client.of("error") == client.of("cleared") == []


async def test_omni_takes_images_after_audio(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "dashscope_omni") as client:
        await client.append(silence(16000, ms=100))
        image = base64.b64encode(b"\xff\xd8jpeg").decode()
        await client.send("input_image_buffer.append", image=image)
        session = await vendor.session(0)
        received = await session.wait_for("input_image_buffer.append")
    assert received["image"] == 6
    assert vendor.violations == []


async def test_tone_and_silent_voices() -> None:
    async with LoopbackVendor(voice="tone") as tone, opened(tone, "openai_ga") as client:
        await client.append(utterance())
        await client.until("response.done")
        assert len(client.audio) == 48000
    async with LoopbackVendor(voice=None) as deaf, opened(deaf, "openai_ga") as client:
        await client.append(utterance())
        await client.send("response.create")
        await client.until("response.done")
        assert client.of("speech_started") == []


async def test_a_function_may_be_the_voice() -> None:
    def voice(turn: Any) -> Reply:
        return Reply(parts=(Speech(audio=turn.audio[:960], transcript="Short."),))

    async with LoopbackVendor(voice=voice) as vendor, opened(vendor, "openai_ga") as client:
        await client.append(utterance())
        await client.until("response.done")
    assert len(client.audio) == 960


async def test_a_paced_answer_takes_its_time() -> None:
    vendor = LoopbackVendor(voice="tone", speed=20.0)
    async with vendor, opened(vendor, "openai_ga") as client:
        await client.send("response.create")
        await client.until("response.done")
    assert len(client.audio) == 48000


async def test_finish_waits_for_the_answer(vendor: LoopbackVendor) -> None:
    vendor.scenario = HELD
    for number, dialect in enumerate(("dashscope_omni", "dashscope_omni_nested")):
        async with opened(vendor, dialect) as client:
            await client.send("response.create")
            await client.send("session.finish")
            assert await client.until_closed() == 1000
        done = client.of("response.done")[0]
        assert done["response"]["status"] == "completed"
        assert ("session.finished" in client.types) is (dialect == "dashscope_omni")
        session = await vendor.session(number)
        assert session.closed_by == "vendor"


async def test_client_close_is_recorded(vendor: LoopbackVendor) -> None:
    async with opened(vendor, "openai_ga") as client:
        session = await vendor.session(0)
        await client.socket.close(code=1000, message=b"bye")
    await session.closed.wait()
    assert (session.closed_by, session.close_code, session.close_reason) == ("client", 1000, "bye")
