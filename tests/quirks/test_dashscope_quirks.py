"""
What is known to be odd about DashScope's realtime models, by the numbers of the vendor's notes.

Not here, because it cannot be seen or does not concern a client:

- 6 (echo without cancellation): there is no half-duplex gate; `ServerVAD(interrupt=False)` is tested with barge-in.
- 12 (gateways that rewrite the session object): nothing stands between us and the vendor.
- 13 (history is dropped silently past some rounds): nothing on the wire tells.
- 21 (the first audio after connecting is slow): advice to connect before the call is answered.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_core import (
    AssistantText,
    ErrorEvent,
    Options,
    SemanticVAD,
    ServerVAD,
    Tool,
    ToolCall,
    UnsupportedError,
    UserSpeechStarted,
    UserTranscript,
    new_agent_from_credential,
)
from realtime_core.testing import SCENARIOS, LoopbackSession, Scenario
from realtime_core.testing.loopback import Call as FunctionCall
from realtime_core.testing.loopback import Reply, Speech, Turn, edits
from tests.quirks.call import DASHSCOPE, calling, held, spoken

OMNI = ("dashscope_omni", "dashscope_omni_nested")
ONE_CALL = Reply(parts=(FunctionCall(name="lookup", call_id="call_1"),))


def refused(
    message: str, event_id: str | None = None, code: str = "invalid_value"
) -> dict[str, Any]:
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None}
    return {"type": "error", "error": error | ({"event_id": event_id} if event_id else {})}


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize("label", ["pcm16", "pcm24"])
async def test_the_format_is_a_label_and_not_a_rate(dialect: str, label: str) -> None:
    """1: whatever the strings say, 16 kHz go in and 24 kHz come out."""
    vendor = (
        {} if "nested" in dialect else {"input_audio_format": "pcm16", "output_audio_format": label}
    )
    async with calling(dialect, spoken(1000), vendor=vendor) as call:
        await call.agent.create_response()
        await call.turn_end()
        assert call.audio_ms() == 1000
        await call.push(bytes(32_000))
        await call.agent_is_heard()
        assert len(call.session.audio_in) == 32_000


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_the_mistakes_of_the_client_before_us_are_not_made(dialect: str) -> None:
    """2: a voice of another family, a clamped temperature, a header of its own, a forgotten empty update."""
    async with calling(dialect, temperature=0.3, system_prompt="Be brief.") as call:
        session = call.session.config
        voice = session.get("voice") or session["audio"]["output"]["voice"]
        assert voice == ("longanqian" if dialect == "qwen_audio" else "Tina")
        assert session["temperature"] == 0.3
        assert not [name for name in call.session.headers if "omnirealtime" in name]
        await call.agent.update_instructions("")
        await call.session.wait_for("session.update", count=2)
        await call.vendor_is_heard()
        assert call.session.config["instructions"] == ""


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_commit_asks_for_the_reply(dialect: str) -> None:
    """2: in manual mode a commit alone gets no answer."""
    async with calling(dialect, disable_server_vad=True) as call:
        await call.push(bytes(16_000))
        await call.agent.commit_input_audio()
        await call.turn_end()
        assert call.commands() == ["input_audio_buffer.commit", "response.create"]


@pytest.mark.parametrize("dialect", [*DASHSCOPE, "openai_ga"])
async def test_tools_have_the_shape_of_the_dialect(dialect: str) -> None:
    """3: nested here, flat at OpenAI."""
    async with calling(dialect, tools=[Tool(name="lookup", description="Finds.")]) as call:
        parameters = {"type": "object", "properties": {}}
        flat = {"name": "lookup", "description": "Finds.", "parameters": parameters}
        expected = (
            {"type": "function", **flat}
            if dialect == "openai_ga"
            else {"type": "function", "function": flat}
        )
        assert call.session.config["tools"] == [expected]


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_handlers_run_off_the_path_of_the_socket(dialect: str) -> None:
    """3: the contract of the client before us ran them on it."""
    release = asyncio.Event()

    async def lookup(name: str, arguments: object) -> str:
        await release.wait()
        return "sunny"

    async with calling(dialect, ONE_CALL, tool_handler=lookup) as call:
        await call.agent.create_response()
        await call.turn_end()
        await call.say()
        await call.turn_end(2)
        release.set()
        await call.turn_end(3)
        assert call.errors() == []


async def test_tools_are_not_declared_to_models_that_never_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """4: qwen3-omni-flash takes them and never calls."""
    async with calling(
        "dashscope_omni",
        credential={"model": "qwen3-omni-flash-realtime"},
        tools=[Tool(name="lookup")],
    ) as call:
        assert not call.agent.capabilities.tools
        assert "tools" not in call.sent("session.update")[0]["session"]
    assert "Options.tools" in caplog.text


async def test_text_is_refused_where_the_model_takes_none() -> None:
    """5: others rewrite the instructions instead."""
    async with calling("dashscope_omni", credential={"model": "qwen3-omni-flash-realtime"}) as call:
        with pytest.raises(UnsupportedError, match="text_input"):
            await call.agent.send_text("Hello.")
        await call.agent_is_heard()
        assert call.commands() == []


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize("when", ["before", "during", "after", "never", "failed"])
async def test_transcripts_come_late_or_never(dialect: str, when: Any) -> None:
    """7: they come from a recogniser of their own."""
    reply = Reply(parts=(Speech(ms=200, transcript="Yes."),), user_transcript=when)
    async with calling(dialect, reply) as call:
        await call.say()
        end = await call.turn_end()
        await call.vendor_is_heard()
        assert end.status == "completed"
        finals = [one for one in call.of(UserTranscript) if one.final]
        partials = [one for one in call.of(UserTranscript) if not one.final]
        if when in ("before", "during", "after"):
            assert [one.text for one in finals] == ["Speech of 0.4 seconds."]
        if partials and when != "never":
            assert finals, "a partial is always closed"
        for one in partials:
            assert "Speech of 0.4 seconds.".startswith(one.text)
        assert len(call.errors()) == (when == "failed")


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_start_of_speech_that_is_repeated_is_told_once(dialect: str) -> None:
    """8."""
    scenario = Scenario(
        replies=(held(),), rewrite=edits.repeat("input_audio_buffer.speech_started", 3)
    )
    async with calling(dialect, scenario=scenario) as call:
        await call.greeting_audible()
        await call.say()
        await call.turn_end(2)
        assert len(call.of(UserSpeechStarted)) == 1
        await call.say()
        await call.turn_end(3)
        assert len(call.of(UserSpeechStarted)) == 2


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_start_of_speech_that_is_repeated_later_is_told_once(dialect: str) -> None:
    """8: the repetitions come with later audio, and with an event id of their own."""
    async with calling(dialect) as call:
        started = await call.speak()
        for number in range(2):
            await call.session.send(
                {
                    "type": "input_audio_buffer.speech_started",
                    "event_id": f"event_again_{number}",
                    "item_id": started.item_id,
                    "audio_start_ms": started.at_ms,
                }
            )
        await call.vendor_is_heard()
        assert len(call.of(UserSpeechStarted)) == 1


@pytest.mark.parametrize("dialect", OMNI)
async def test_items_are_known_by_their_call_and_never_by_an_id_of_ours(dialect: str) -> None:
    """9: the service takes another id than the client's."""
    async with calling(dialect, ONE_CALL, tool_handler=lambda *_: "sunny") as call:
        await call.agent.send_text("What is the weather?")
        await call.turn_end(2)
        items = [event["item"] for event in call.sent("conversation.item.create")]
        assert [item["type"] for item in items] == ["message", "function_call_output"]
        assert items[1]["call_id"] == "call_1"
        assert not [item for item in items if "id" in item]


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_greeting_and_the_answer_to_a_turn_are_told_apart_by_order(dialect: str) -> None:
    """10: a request has no correlation; the next reply is the oldest request's, or the caller's turn's."""
    async with calling(dialect, spoken(60), held(), spoken(80)) as call:
        await call.greeting_audible(60)
        await call.turn_end()
        await call.say()
        await call.until(lambda: len(call.items()) == 2)
        await call.agent.create_response()
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 1
        await call.session.release()
        await call.turn_end(3)
        assert len(call.items()) == 3
        assert call.session.benign == []


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize("named", [True, False])
async def test_a_refusal_frees_the_request_with_and_without_an_id(
    dialect: str, named: bool
) -> None:
    """11: an error's event id is the one correlation there is, and it may be absent."""

    async def refuse(session: LoopbackSession, turn: Turn) -> None:
        requests = [e for e in session.received if e["type"] == "response.create"]
        if len(requests) > 1:
            await session.respond(spoken(60))
        else:
            event_id = requests[0]["event_id"] if named else None
            await session.send(refused("Not like this.", event_id))

    async with calling(dialect, scenario=Scenario(on_turn=refuse)) as call:
        await call.agent.create_response()
        await call.event(ErrorEvent)
        await call.agent.create_response()
        assert (await call.turn_end()).status == "completed"


def test_the_newest_family_wants_a_host_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """14: on a shared host it fails."""
    cfg = {"provider": "aliyun_omni", "apiKey": "k", "model": "qwen3.8-omni-flash-realtime"}
    new_agent_from_credential(cfg, Options())
    assert "workspace" in caplog.text
    caplog.clear()
    new_agent_from_credential({**cfg, "workspace": "ws-1"}, Options())
    assert caplog.text == ""


def nulls(value: Any, path: str = "") -> list[str]:
    if value is None:
        return [path]
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in nulls(item, f"{path}.{key}")]
    return []


async def test_the_newest_family_gets_no_nulls_and_no_empty_response() -> None:
    """15: fields may be left out but not null."""
    async with calling("dashscope_omni_nested") as call:
        await call.agent.create_response()
        await call.turn_end()
        assert set(call.sent("response.create")[0]) == {"type", "event_id"}
        assert nulls(call.sent("session.update")[0]) == []


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize(
    "vad",
    [
        ServerVAD(threshold=-0.5, prefix_padding_ms=200, silence_ms=300),
        ServerVAD(interrupt=False, respond=False),
        SemanticVAD(eagerness="low"),
        None,
    ],
)
async def test_nothing_speculative_is_in_the_session_object(
    dialect: str, vad: ServerVAD | SemanticVAD | None
) -> None:
    """16: an unsupported field is a validation error, not ignored; the double checks every one."""
    async with calling(
        dialect,
        vad=vad,
        system_prompt="Be brief.",
        temperature=0.5,
        modalities=("text",),
        tools=[Tool(name="lookup", parameters='{"type": "object"}')],
    ) as call:
        await call.agent.send_text("Hello.")
        await call.turn_end()
        assert call.errors() == []


async def test_an_unknown_voice_is_left_out() -> None:
    """17: not null."""
    model = "qwen9-realtime"
    async with calling(
        "dashscope_omni", credential={"model": model}, models=frozenset({model})
    ) as call:
        assert "voice" not in call.sent("session.update")[0]["session"]


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_an_echo_that_says_something_else_is_fine(dialect: str) -> None:
    """18: the documents' example shows temperature 0.8 whatever it is."""

    def echo(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"session": event["session"] | {"temperature": 0.8, "voice": None}}

    scenario = Scenario(rewrite=edits.change("session.updated", echo))
    async with calling(dialect, scenario=scenario, temperature=0.3) as call:
        await call.agent.create_response()
        assert (await call.turn_end()).status == "completed"


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize(
    ("scenario", "expected"),
    [("leading_space_arguments", {"city": "Berlin"}), ("empty_arguments", {})],
)
async def test_arguments_may_begin_with_a_space_or_be_empty(
    dialect: str, scenario: str, expected: dict[str, Any]
) -> None:
    """19."""
    seen: list[dict[str, Any]] = []

    def lookup(name: str, arguments: dict[str, Any]) -> str:
        seen.append(arguments)
        return "sunny"

    async with calling(dialect, scenario=SCENARIOS[scenario], tool_handler=lookup) as call:
        await call.agent.create_response()
        await call.turn_end(2)
        assert seen == [expected]
        assert call.of(ToolCall)[0].arguments == expected


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize("kept", ["response.output_item.done", "response.done"])
async def test_text_is_read_under_either_name(dialect: str, kept: str) -> None:
    """20: `text` in one event, `transcript` in another."""

    def only(event: dict[str, Any], count: int) -> list[dict[str, Any]]:
        kind = event["type"]
        gone = kind.startswith("response.audio_transcript") or (
            kind in ("response.output_item.done", "response.done") and kind != kept
        )
        if kind == "response.done" and kept != "response.done":
            return [event | {"response": event["response"] | {"output": []}}]
        return [] if gone else [event]

    async with calling(dialect, scenario=Scenario(replies=(spoken(60),), rewrite=only)) as call:
        await call.agent.create_response()
        await call.turn_end()
        assert [(one.text, one.final) for one in call.of(AssistantText)] == [("For 60 ms.", True)]


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_hanging_up_is_just_a_close(dialect: str) -> None:
    """22: `session.finish` would wait for the end of the reply."""
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.agent.close()
        await asyncio.wait_for(call.session.closed.wait(), 5)
        assert (call.session.close_code, call.session.closed_by) == (1000, "client")
        assert call.commands() == ["response.create"]


# From the pages on turns, tools and errors


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_nothing_is_sent_for_a_truncation_there_is_none_of(dialect: str) -> None:
    """5.2: no truncate; the model may believe it said everything."""
    async with calling(dialect, spoken(400, 2000)) as call:
        assert not call.agent.capabilities.truncation
        await call.greeting_audible(2400)
        await call.turn_end()
        await call.agent.cancel(played_ms=300)
        settled = await call.interrupted()
        await call.all_is_heard()
        assert not settled.truncated
        assert call.commands() == ["response.create"]


@pytest.mark.parametrize("dialect", ["qwen_audio"])
async def test_a_turn_that_was_not_meant_for_the_model_lets_requests_go_out(dialect: str) -> None:
    """4.1: `turn_invalid`; no answer follows, so nothing is waited for."""
    scenario = Scenario(invalid_turns=frozenset({0}))
    async with calling(dialect, scenario=scenario) as call:
        await call.speak()
        await call.agent.create_response()
        await call.all_is_heard()
        assert call.commands() == [], "not while the caller speaks"
        await call.fall_silent()
        assert (await call.turn_end()).status == "completed"
        assert call.session.benign == []


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_turn_that_got_no_answer_because_of_a_reply_of_ours_is_answered_after_it(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6.2: "VAD turn committed but no response was created because a manual response is in progress"."""
    monkeypatch.setattr("realtime_core.arbiter.VAD_REPLY_LIMIT_S", 60.0)
    async with calling(dialect, held(), vad=ServerVAD(interrupt=False)) as call:
        await call.greeting_audible()
        await call.say()
        await call.vendor_is_heard()
        await call.session.release()
        await call.turn_end(2)
        assert call.session.turns[1].speech_ms > 0
        assert call.errors() == []


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_turn_that_got_no_answer_is_answered_though_the_error_has_no_code(
    dialect: str,
) -> None:
    """6.2: code and param are often empty."""
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        text = "VAD turn committed but no response was created because a manual response is in progress"
        await call.session.send(refused(text, code=""))
        await call.vendor_is_heard()
        await call.session.release()
        await call.turn_end(2)
        assert call.errors() == []


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_cut_reply_whose_beginning_never_reached_us_blocks_nothing(dialect: str) -> None:
    """5.2: cancelled before `response.created` came, its end names no reply."""

    async def refuse_first(session: LoopbackSession, turn: Turn) -> None:
        requests = [e for e in session.received if e["type"] == "response.create"]
        if len(requests) > 1:
            await session.respond(spoken(60))
        else:
            text = "Conversation already has an active response; another response is in progress"
            await session.send(refused(text, requests[0]["event_id"]))

    async with calling(dialect, scenario=Scenario(on_turn=refuse_first)) as call:
        await call.agent.create_response()
        await call.session.wait_sent("error")
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 1
        await call.session.send({"type": "response.done", "response": {"status": "cancelled"}})
        assert (await call.turn_end()).status == "completed"


@pytest.mark.parametrize("dialect", DASHSCOPE)
@pytest.mark.parametrize(
    "details",
    [
        {"type": "failed"},
        {"type": "failed", "error": {"type": "server_error", "code": "", "message": "Oops."}},
        {"type": "failed", "error": {"code": "InternalError", "message": "Oops."}},
        "Internal service error",
        None,
    ],
    ids=["no error", "server_error", "no type", "text", "nothing"],
)
async def test_a_failed_reply_is_told_and_ends_nothing(dialect: str, details: Any) -> None:
    """6.2: after an `error` event of such a type the vendor closes; a failed reply is no error event."""

    def fail(event: dict[str, Any], count: int) -> list[dict[str, Any]]:
        if event["type"] != "response.done" or count:
            return [event]
        failed = {"status": "failed", "status_details": details, "output": []}
        return [event | {"response": event["response"] | failed}]

    scenario = Scenario(replies=(Reply(parts=()),), rewrite=fail)
    async with calling(dialect, scenario=scenario) as call:
        await call.agent.create_response()
        end = await call.turn_end()
        assert end.status == "failed"
        assert [one.fatal for one in call.errors()] == [False]
        await call.agent.create_response()
        assert (await call.turn_end(2)).status == "completed"


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_benign_errors_are_not_told(dialect: str) -> None:
    """6.2: a race of `response.cancel`, with neither code nor param."""
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.session.send(refused("Conversation has none active response", code=""))
        await call.vendor_is_heard()
        await call.session.release()
        await call.turn_end()
        assert call.errors() == []
