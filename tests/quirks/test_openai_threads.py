"""
What was reported of OpenAI Realtime clients in public threads, each as a call.

Not here, because it cannot happen to this product:

- openai-agents-python#2454 (null formats break a SIP attach): there is no sideband to a call of the vendor's.
- livekit/agents-js#1756 (`model` beside `intent=transcription`): there are no transcription sessions.
- livekit/agents#5952, #5887 (empty items in a replayed history): nothing reconnects, so nothing is replayed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ConfigError,
    ConnectError,
    ErrorEvent,
    ErrorKind,
    Event,
    Options,
    ServerVAD,
    SessionClose,
    SessionOpen,
    Tool,
    ToolCall,
    VendorError,
    new_agent_from_credential,
)
from realtime_core.playout import Playout
from realtime_core.testing import SCENARIOS, Faults, LoopbackSession, LoopbackVendor, Scenario
from realtime_core.testing.loopback import Call as FunctionCall
from realtime_core.testing.loopback import Reply, Turn, edits
from tests.core.live import nothing_left_behind
from tests.quirks.call import ALL, HELD_MS, OPENAI, calling, held, spoken

TWO_CALLS = Reply(
    parts=(
        FunctionCall(name="lookup", call_id="call_1"),
        FunctionCall(name="lookup", call_id="call_2"),
    )
)


def vendor_error(code: str | None, message: str, event_id: str | None = None) -> dict[str, Any]:
    error = {
        "type": "invalid_request_error",
        "code": code,
        "message": message,
        "param": None,
        "event_id": event_id,
    }
    return {"type": "error", "error": error}


# One reply at a time


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reply_asked_for_during_another_waits_for_its_end(dialect: str) -> None:
    """openai-agents-python#2763, #2760, #2971, #1466: create collides, the agent goes mute."""
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.agent.create_response("Say it once more.")
        await call.agent.send_text("And what about Paris?")
        await call.all_is_heard()
        assert call.commands() == ["response.create", "conversation.item.create"]
        await call.session.release()
        await call.turn_end(3)
        await call.all_is_heard()
        assert call.commands() == [
            "response.create",
            "conversation.item.create",
            "response.create",
            "response.create",
        ]
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["completed"] * 3
        assert call.session.benign == []
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ALL)
async def test_parallel_tools_ask_for_one_reply_and_every_command_has_an_id(dialect: str) -> None:
    """openai-agents-python#3405, #1168: each asked, the second was refused with a null event_id."""
    async with calling(dialect, TWO_CALLS, tool_handler=lambda *_: "sunny") as call:
        await call.agent.create_response()
        await call.turn_end(2)
        await call.all_is_heard()
        assert call.commands() == [
            "response.create",
            "conversation.item.create",
            "conversation.item.create",
            "response.create",
        ]
        commands = [e for e in call.session.received if e["type"] != "input_audio_buffer.append"]
        ids = [event["event_id"] for event in commands]
        assert len(set(ids)) == len(ids)
        assert call.session.benign == []


async def _refuse(session: LoopbackSession, turn: Turn) -> None:
    """Refuse the first request and answer the others."""
    request = [event for event in session.received if event["type"] == "response.create"]
    if len(request) > 1:
        await session.respond(spoken(60))
        return
    error = vendor_error("rate_limit_exceeded", "Slow down.", request[0]["event_id"])
    await session.send(error)


@pytest.mark.parametrize("dialect", OPENAI)
async def test_a_refused_request_frees_the_next_at_once(dialect: str) -> None:
    """livekit/agents#6818, #5576: it left a future hanging for ten seconds."""
    async with calling(dialect, scenario=Scenario(on_turn=_refuse)) as call:
        await call.agent.create_response()
        error = await call.event(ErrorEvent)
        assert not error.fatal
        assert isinstance(error.error, VendorError)
        assert error.error.event_id == call.sent("response.create")[0]["event_id"]
        await call.agent.create_response()
        assert (await call.turn_end()).status == "completed"


@pytest.mark.parametrize("dialect", ["openai_beta", "dashscope_omni"])
async def test_a_refused_request_without_an_id_frees_the_oldest(dialect: str) -> None:
    """On wires without correlation (livekit/agents#6818, the same)."""

    async def refuse(session: LoopbackSession, turn: Turn) -> None:
        if session.sent.count("error"):
            await session.respond(spoken(60))
        else:
            await session.send(vendor_error("invalid_value", "Not like this."))

    async with calling(dialect, scenario=Scenario(on_turn=refuse)) as call:
        await call.agent.create_response()
        await call.agent.create_response("Say something else.")
        assert (await call.turn_end()).status == "completed"
        assert len(call.errors()) == 1
        assert len(call.sent("response.create")) == 2


class _Late:
    """Answers the first request only when told, with its metadata as OpenAI does."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.session: LoopbackSession | None = None
        self.late_replies = 0

    async def on_turn(self, session: LoopbackSession, turn: Turn) -> None:
        self.session = session
        first = not self.late_replies
        self.late_replies += 1
        if first:
            await self.answer.wait()
            await session.respond(held())
        else:
            await session.respond(spoken(60))

    def rewrite(self, event: dict[str, Any], count: int) -> list[dict[str, Any]]:
        if event["type"] == "response.created" and self.session is not None and count == 0:
            requests = [e for e in self.session.received if e["type"] == "response.create"]
            metadata = (requests[0].get("response") or {}).get("metadata")
            event = event | {"response": event["response"] | {"metadata": metadata}}
        return [event]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reply_that_comes_after_we_gave_up_is_cancelled_and_muted(dialect: str) -> None:
    """livekit/agents#6244: it kept talking."""
    late = _Late()
    scenario = Scenario(on_turn=late.on_turn, rewrite=late.rewrite)
    async with calling(dialect, scenario=scenario) as call:
        await call.agent.create_response()
        await call.session.wait_for("response.create")
        await call.agent.cancel()
        await call.agent_is_heard()
        assert call.sent("response.cancel") == []
        late.answer.set()
        end = await call.turn_end()
        await call.all_is_heard()
        assert end.status == "cancelled"
        assert call.of(AssistantAudio) == []
        assert len(call.sent("response.cancel")) == 1
        # The next one is wanted.
        await call.agent.create_response()
        await call.turn_end(2)
        assert call.audio_ms() == 60
        assert call.errors() == []


@pytest.mark.parametrize("dialect", OPENAI)
async def test_a_reply_that_comes_after_the_caller_spoke_is_cancelled_and_muted(
    dialect: str,
) -> None:
    """livekit/agents#6244, by the caller's hand."""
    late = _Late()
    scenario = Scenario(on_turn=late.on_turn, rewrite=late.rewrite)
    async with calling(dialect, scenario=scenario) as call:
        await call.agent.create_response()
        await call.session.wait_for("response.create")
        await call.speak()
        late.answer.set()
        end = await call.turn_end()
        await call.all_is_heard()
        assert end.status == "cancelled"
        assert call.of(AssistantAudio) == []
        await call.fall_silent()
        await call.turn_end(2)
        assert call.audio_ms() == 60


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga"])
async def test_a_server_that_does_not_echo_metadata_answers_more_than_once(dialect: str) -> None:
    """
    livekit/agents#6818, #6244: what is matched by metadata must not hang where there is none.

    Compatible servers speak the GA wire without OpenAI's every field.
    """

    def bare(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"response": event["response"] | {"metadata": None}}

    rewrite = edits.chain(
        edits.change("response.created", bare), edits.change("response.done", bare)
    )
    async with calling(dialect, scenario=Scenario(rewrite=rewrite)) as call:
        for number in range(3):
            await call.agent.create_response()
            assert (await call.turn_end(number + 1)).status == "completed"
        await call.say()
        await call.turn_end(4)
        await call.agent.send_text("And now?")
        await call.turn_end(5)
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ALL)
async def test_after_cancel_the_next_request_waits_for_the_end(dialect: str) -> None:
    """livekit/agents#2064: create right after cancel is refused."""
    kept: list[dict[str, Any]] = []

    def keep_the_first_end(event: dict[str, Any], count: int) -> list[dict[str, Any]]:
        if event["type"] == "response.done" and count == 0:
            kept.append(event)
            return []
        return [event]

    scenario = Scenario(replies=(held(),), rewrite=keep_the_first_end)
    async with calling(dialect, scenario=scenario) as call:
        await call.greeting_audible()
        await call.agent.cancel()
        await call.agent.create_response()
        await call.all_is_heard()
        assert call.commands()[:2] == ["response.create", "response.cancel"]
        assert len(call.sent("response.create")) == 1
        await call.session.send(kept[0])
        assert (await call.turn_end()).status == "cancelled"
        assert (await call.turn_end(2)).status == "completed"
        assert call.session.benign == []


# Errors


BENIGN = [
    ("response_cancel_not_active", "Cancellation failed: no active response found"),
    ("input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small."),
    ("conversation_already_has_active_response", "Conversation already has an active response."),
    ("item_truncate_invalid_item_id", "Item with item_id 'x' not found."),
    ("item_delete_invalid_item_id", "Item with item_id 'x' not found."),
    ("unsupported_content_type", "Only model output audio messages can be truncated"),
    pytest.param(
        "invalid_value",
        "Audio content of 400ms is already shorter than 500ms",
    ),
    (None, "Cancellation failed: no active response found"),
    (None, "Conversation already has an active response in progress: resp_1."),
    (None, "Audio content of 400ms is already shorter than 500ms"),
]


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta"])
@pytest.mark.parametrize(("code", "message"), BENIGN)
@pytest.mark.parametrize("event_id", [None, "event_of_nobody"])
async def test_a_benign_error_neither_ends_the_call_nor_is_told(
    dialect: str, code: str | None, message: str, event_id: str | None
) -> None:
    """openai-agents-js#189, pipecat#3795, #3960: they ended phone calls."""
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.agent.create_response()
        await call.session.send(vendor_error(code, message, event_id))
        await call.vendor_is_heard()
        assert call.errors() == []
        await call.session.release()
        assert (await call.turn_end()).status == "completed"
        assert (await call.turn_end(2)).status == "completed"


@pytest.mark.parametrize("dialect", ["openai_beta", "dashscope_omni"])
async def test_a_benign_error_without_an_id_is_not_taken_for_the_refusal_of_a_request(
    dialect: str,
) -> None:
    """pipecat#3960: a cancellation that lost its race says nothing about a request on its way."""
    answer = asyncio.Event()

    async def later(session: LoopbackSession, turn: Turn) -> None:
        await answer.wait()
        await session.respond(spoken(60))

    async with calling(dialect, scenario=Scenario(on_turn=later)) as call:
        await call.agent.create_response()
        await call.session.wait_for("response.create")
        await call.session.send(vendor_error(None, "Conversation has none: no active response"))
        await call.vendor_is_heard()
        await call.agent.create_response("And then this.")
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 1, "never two at once"
        answer.set()
        await call.turn_end(2)
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta", "dashscope_omni"])
async def test_quota_ends_the_session_and_nothing_reconnects(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """livekit/agents#6352: a reconnect loop on quota and auth errors."""
    monkeypatch.setattr("realtime_core.wire.openai.GOODBYE_LIMIT_S", 0.1)  # this one never closes
    if dialect == "dashscope_omni":
        failed = Reply(parts=(), status="failed", error=("Arrearage", "Arrearage", "Unpaid."))
        scenario = Scenario(replies=(failed,))
    else:
        scenario = SCENARIOS["quota_exceeded"]
    async with calling(dialect, scenario=scenario) as call:
        await call.agent.create_response()
        close = await call.event(SessionClose)
        fatal = [error for error in call.errors() if error.fatal]
        assert [error.error.kind for error in fatal] == [ErrorKind.QUOTA]
        assert call.kinds()[-3:] == ["ErrorEvent", "AssistantTurnEnd", "SessionClose"]
        assert call.of(AssistantTurnEnd)[0].status == "failed"
        assert call.events[-1] is close
        assert len(call.vendor.sessions) == 1


FAILED = [
    ("invalid_request_error", "rate_limit_exceeded", "Rate limit reached."),
    ("server_error", None, "The server had an error."),
    ("server_error", "server_error", "The server had an error."),
]


@pytest.mark.parametrize(
    "dialect",
    [
        *OPENAI,
    ],
)
@pytest.mark.parametrize("error", FAILED)
async def test_a_failed_reply_is_never_dead_air(
    dialect: str, error: tuple[str, str | None, str]
) -> None:
    """livekit/agents#2967, #4617."""
    failed = Reply(parts=(), status="failed", error=error)  # type: ignore[arg-type]
    async with calling(dialect, failed) as call:
        await call.say()
        end = await call.turn_end()
        assert end.status == "failed"
        # The transcript of the caller comes when it comes.
        kinds = [kind for kind in call.kinds() if kind != "UserTranscript"]
        assert kinds[-2:] == ["ErrorEvent", "AssistantTurnEnd"]
        assert [one.fatal for one in call.errors()] == [False]
        await call.say()
        assert (await call.turn_end(2)).status == "completed"


# Truncation


@pytest.mark.parametrize("dialect", OPENAI)
async def test_truncate_is_never_longer_than_the_audio(dialect: str) -> None:
    """pipecat#931, #2106; openai-agents-python#2370, #2374, #4122."""
    async with calling(dialect, held(), speed=None) as call:
        item = await call.greeting_audible()
        call.agent.report_playback(item, 100_000)
        await call.speak()
        await call.interrupted()
        await call.all_is_heard()
        lengths = [event["audio_end_ms"] for event in call.sent("conversation.item.truncate")]
        assert all(ms <= HELD_MS for ms in lengths)
        assert call.session.benign == []


@pytest.mark.parametrize("dialect", OPENAI)
async def test_played_time_is_counted_anew_for_every_item(dialect: str) -> None:
    """openclaw#138592, #125502; twilio-samples#45: the media clock was taken for the time played."""
    async with calling(dialect, spoken(400), spoken(1000)) as call:
        playout = Playout(call.agent)
        call.listeners.append(playout.feed)
        await call.greeting_audible(400)
        await call.turn_end()
        for _ in range(50):  # the line goes on for a second, half of it silence
            playout.read()
        await call.agent.create_response()
        await call.turn_end(2)
        for _ in range(15):
            playout.read()
        await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        (cut,) = call.sent("conversation.item.truncate")
        assert (cut["item_id"], cut["audio_end_ms"]) == (call.items()[1], 300)
        assert (settled.heard_ms, settled.cut_ms) == (300, 700)


@pytest.mark.usefixtures("reports_in_time")
@pytest.mark.parametrize("dialect", OPENAI)
async def test_nothing_played_is_truncated_to_nothing(dialect: str) -> None:
    """livekit/agents#6158, #6249; openai-agents-python#4457."""
    async with calling(dialect, held()) as call:
        item = await call.greeting_audible()
        call.agent.report_playback(item, 0, final=False)
        await call.speak()
        call.agent.report_playback(item, 0, final=True)
        await call.interrupted()
        await call.all_is_heard()
        (cut,) = call.sent("conversation.item.truncate")
        assert (cut["item_id"], cut["content_index"], cut["audio_end_ms"]) == (item, 0, 0)


@pytest.mark.parametrize("dialect", OPENAI)
async def test_an_item_without_audio_is_not_truncated(dialect: str) -> None:
    """livekit/agents#6158: a truncate of it is refused."""
    part = FunctionCall(name="lookup", arguments='{"city": "Berlin"}', hold=True)
    async with calling(dialect, Reply(parts=(part,))) as call:
        await call.agent.create_response()
        await call.session.wait_sent("response.function_call_arguments.delta")
        await call.vendor_is_heard()
        await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) == (None, 0, 0)
        assert call.commands() == ["response.create"]


@pytest.mark.usefixtures("reports_in_time")
@pytest.mark.parametrize("dialect", OPENAI)
async def test_a_line_that_lags_reports_what_was_heard(dialect: str) -> None:
    """openai-agents-python#1242: on the telephone it is heard later than it is sent."""
    async with calling(dialect, spoken(2000)) as call:
        playout = Playout(call.agent, reports=False)
        call.listeners.append(playout.feed)
        item = await call.greeting_audible(2000)
        for _ in range(50):
            playout.read()
        call.agent.report_playback(item, 640)
        await call.speak()
        call.agent.report_playback(item, 700, final=True)
        settled = await call.interrupted()
        await call.all_is_heard()
        assert settled.heard_ms == 700
        assert call.sent("conversation.item.truncate")[0]["audio_end_ms"] == 700


@pytest.mark.parametrize("dialect", OPENAI)
async def test_on_a_websocket_the_client_truncates_and_the_server_cancels(dialect: str) -> None:
    """openai-agents-python#1999, #2009: the belief that the server truncates by itself."""
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.agent.cancel(played_ms=100)
        await call.turn_end()
        await call.agent.create_response()
        await call.turn_end(2)
        await call.all_is_heard()
        assert call.commands()[:3] == [
            "response.create",
            "response.cancel",
            "conversation.item.truncate",
        ]


@pytest.mark.usefixtures("reports_in_time")
@pytest.mark.parametrize("dialect", OPENAI)
@pytest.mark.parametrize("wire_audio", ["g711_ulaw", "g711_alaw"])
async def test_the_length_of_g711_is_one_byte_a_sample(dialect: str, wire_audio: str) -> None:
    """openai-agents-python#4292: it was computed as PCM."""
    async with calling(
        dialect,
        held(),
        credential={"wireAudio": wire_audio},
        input_sample_rate=8000,
        output_sample_rate=8000,
    ) as call:
        item = await call.greeting_audible()
        await call.speak()
        call.agent.report_playback(item, 400, final=True)
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.heard_ms, settled.cut_ms) == (400, HELD_MS - 400)
        assert call.sent("conversation.item.truncate")[0]["audio_end_ms"] == 400


@pytest.mark.parametrize("dialect", ALL)
async def test_several_audio_items_are_one_turn(dialect: str) -> None:
    """pipecat#4465: seen with gpt-realtime-2."""
    async with calling(dialect, spoken(400, 600)) as call:
        await call.agent.create_response()
        end = await call.turn_end()
        await call.all_is_heard()
        finals = [text for text in call.of(AssistantText) if text.final]
        assert [text.text for text in finals] == ["For 400 ms.", "For 600 ms."]
        assert [text.item_id for text in finals] == call.items()
        assert {audio.response_id for audio in call.of(AssistantAudio)} == {end.response_id}
        assert call.audio_ms() == 1000
        assert call.agent.stats.turns == 1


# Settings


@pytest.mark.parametrize("dialect", OPENAI)
@pytest.mark.parametrize("interrupt", [True, False])
async def test_both_flags_of_turn_detection_are_sent(dialect: str, interrupt: bool) -> None:
    """livekit/agents#6642, #6635: `create_response: false` alone still interrupts."""
    async with calling(dialect, held(), vad=ServerVAD(respond=False, interrupt=interrupt)) as call:
        session = call.sent("session.update")[0]["session"]
        vad = (
            session["turn_detection"]
            if dialect == "openai_beta"
            else session["audio"]["input"]["turn_detection"]
        )
        assert (vad["create_response"], vad["interrupt_response"]) == (False, interrupt)
        await call.greeting_audible()
        started = await call.speak()
        assert started.interrupts is interrupt
        await call.fall_silent()
        await call.all_is_heard()
        await call.session.release()
        assert (await call.turn_end()).status == ("cancelled" if interrupt else "completed")
        await call.all_is_heard()
        # Who wants an answer to the turn asks for it.
        await call.agent.create_response()
        assert (await call.turn_end(2)).status == "completed"


@pytest.mark.parametrize("dialect", ALL)
async def test_instructions_of_one_reply_do_not_wipe_the_sessions(dialect: str) -> None:
    """livekit/agents#5394: on these wires they take the place of the session's."""
    async with calling(
        dialect, system_prompt="Be brief.", credential={"instructions": "You work for ACME."}
    ) as call:
        await call.agent.create_response("Greet the caller.")
        await call.turn_end()
        asked = call.sent("response.create")[0]["response"]["instructions"]
        assert asked.split("\n\n") == ["You work for ACME.", "Be brief.", "Greet the caller."]
        assert call.session.config["instructions"] == "You work for ACME.\n\nBe brief."


@pytest.mark.parametrize("dialect", OPENAI)
async def test_a_later_update_leaves_g711_alone(dialect: str) -> None:
    """openai-agents-js#1366, #1676: it put PCM back on a telephone call, which was noise."""
    async with calling(
        dialect,
        held(),
        credential={"wireAudio": "g711_ulaw"},
        input_sample_rate=8000,
        output_sample_rate=8000,
    ) as call:
        before = dict(call.session.config)
        await call.greeting_audible()
        await call.agent.update_instructions("Now be long.")
        await call.session.wait_for("session.update", count=2)
        fixed = {} if dialect == "openai_beta" else {"type": "realtime"}
        assert call.sent("session.update")[1]["session"] == {
            **fixed,
            "instructions": "Now be long.",
        }
        assert call.session.config == before | {"instructions": "Now be long."}


@pytest.mark.parametrize("dialect", OPENAI)
async def test_the_voice_is_not_sent_again(dialect: str) -> None:
    """openai-agents-python#1661: once there was audio it is refused, and the update with it."""
    async with calling(dialect, voice="marin") as call:
        await call.agent.create_response()
        await call.turn_end()
        await call.agent.update_instructions("Now be long.")
        await call.all_is_heard()
        assert call.errors() == []
        assert "voice" not in repr(call.sent("session.update")[1])


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga"])
async def test_a_refused_configuration_is_a_failed_start(dialect: str) -> None:
    """TanStack/ai#586: without `session.type` the update is void, and the call goes on with defaults."""
    events: list[Event] = []
    faults = Faults(reject_update="missing_required_parameter")
    async with LoopbackVendor(faults=faults) as vendor:
        agent = new_agent_from_credential(
            vendor.credential(dialect), Options(on_event=events.append)
        )
        with pytest.raises(ConnectError, match="missing_required_parameter"):
            await agent.start()
        (update,) = (await vendor.session(0)).received
        assert update["session"]["type"] == "realtime"
    assert events == []


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga"])
async def test_no_beta_header_goes_to_ga(dialect: str) -> None:
    """BerriAI/litellm#18969, langwatch/scenario#604: it ends the session."""
    async with calling(dialect) as call:
        assert "openai-beta" not in call.session.headers


async def test_azures_preview_gets_the_beta_shape_and_ga_refuses_its_api_version() -> None:
    """livekit/agents#3489, #5168, #5407; pipecat#1324."""
    async with calling("openai_beta") as call:
        assert "type" not in call.sent("session.update")[0]["session"]
    cfg = {
        "provider": "openai",
        "apiKey": "k",
        "baseUrl": "wss://x.openai.azure.com/openai/v1?api-version=2025-04-01-preview",
    }
    with pytest.raises(ConfigError, match="api-version"):
        new_agent_from_credential(cfg, Options())


# Tools


@pytest.mark.parametrize("dialect", OPENAI)
async def test_the_output_of_a_lost_call_is_an_error_that_ends_nothing(dialect: str) -> None:
    """livekit/agents#3344, #4876: the call id is the vendor's own, whatever became of the call."""
    part = FunctionCall(name="lookup", call_id="call_1")

    def lost(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"item": event["item"] | {"call_id": "call_lost"}}

    def without_output(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"response": event["response"] | {"output": []}}

    rewrite = edits.chain(
        edits.change("response.output_item.done", lost),
        edits.change("response.done", without_output),
    )
    async with calling(
        dialect,
        scenario=Scenario(replies=(Reply(parts=(part,)),), rewrite=rewrite),
        provoked=("unknown-call-id",),
        tool_handler=lambda *_: "sunny",
    ) as call:
        await call.agent.create_response()
        error = await call.event(ErrorEvent)
        assert (error.fatal, error.error.kind) == (False, ErrorKind.TOOL)
        assert (await call.turn_end(2)).status == "completed"


@pytest.mark.parametrize("dialect", ALL)
async def test_an_unknown_tool_is_not_left_dangling(dialect: str) -> None:
    """openai-agents-python#3287, #3366."""
    tools = [Tool(name="other", handler=lambda *_: "other")]
    async with calling(dialect, TWO_CALLS, tools=tools) as call:
        await call.agent.create_response()
        await call.turn_end(2)
        assert {made.name for made in call.of(ToolCall)} == {"lookup"}
        assert len(call.sent("conversation.item.create")) == 2


# Ends


@pytest.mark.parametrize("dialect", ALL)
async def test_iteration_ends_when_the_connection_breaks(dialect: str) -> None:
    """livekit/agents#5276, #6352: consumers hung after the socket was lost."""
    async with calling(dialect, held(), on_event=None) as call:
        seen: list[Event] = []
        hears = asyncio.Event()

        async def consume() -> None:
            async for event in call.agent:
                seen.append(event)
                if isinstance(event, AssistantAudio):
                    hears.set()

        consumer = asyncio.create_task(consume())
        await call.agent.create_response()
        await asyncio.wait_for(hears.wait(), 5)
        call.session.abort()
        await asyncio.wait_for(consumer, 5)
        ends = [
            type(event) for event in seen if not isinstance(event, (AssistantText, AssistantAudio))
        ]
        assert ends == [SessionOpen, ErrorEvent, AssistantTurnEnd, SessionClose]
        assert isinstance(seen[-1], SessionClose)
        assert seen[-1].initiator == "network"


@pytest.mark.parametrize("dialect", ALL)
async def test_a_clean_close_is_reported_too(dialect: str) -> None:
    """openai-agents-python#4461."""
    async with calling(dialect) as call:
        await call.session.close(1000, "bye")
        close = await call.event(SessionClose)
        assert (close.code, close.reason, close.initiator) == (1000, "bye", "vendor")
        assert [error.fatal for error in call.errors()] == [True]
        assert call.events[-1] is close


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_a_large_frame_does_not_close_the_socket(dialect: str) -> None:
    """openai-agents-python#3645: the library's own limit did."""
    async with calling(dialect, spoken(60)) as call:
        await call.session.send({"type": "vendor.large", "pad": "x" * 6 * 1024 * 1024})
        await call.agent.create_response()
        assert (await call.turn_end()).status == "completed"


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta"])
@pytest.mark.parametrize(
    "faults",
    [
        Faults(refuse="auth"),
        Faults(reject_update="unknown_parameter"),
        Faults(drop_at="before_updated"),
        Faults(close_before_created=1011),
    ],
    ids=["auth", "update", "drop", "close"],
)
async def test_a_failed_start_leaves_nothing_behind(dialect: str, faults: Faults) -> None:
    """openai-agents-python#4189: it leaked tasks."""
    async with LoopbackVendor(faults=faults) as vendor:
        agent = new_agent_from_credential(vendor.credential(dialect), Options())
        async with nothing_left_behind():
            with pytest.raises(ConnectError):
                await agent.start()


# Lenient reading


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("kind", ["audio", "output_audio", "text", "output_text"])
async def test_text_is_found_under_every_name_of_its_part(dialect: str, kind: str) -> None:
    """openai-agents-python#3230: `output_audio` parts were lost in strict parsing."""
    key = "transcript" if "audio" in kind else "text"

    def only_in_the_item(event: dict[str, Any], count: int) -> list[dict[str, Any]]:
        if "transcript" in event["type"] and event["type"].startswith("response."):
            return []
        if event["type"] == "response.output_item.done":
            part = {"type": kind, key: "Found."}
            return [event | {"item": event["item"] | {"content": [part]}}]
        return [event]

    scenario = Scenario(replies=(spoken(60),), rewrite=only_in_the_item)
    async with calling(dialect, scenario=scenario) as call:
        await call.agent.create_response()
        await call.turn_end()
        assert [(text.text, text.final) for text in call.of(AssistantText)] == [("Found.", True)]


@pytest.mark.parametrize("dialect", OPENAI)
async def test_status_details_may_be_a_string(dialect: str) -> None:
    """livekit/agents#5994."""
    async with calling(dialect, scenario=SCENARIOS["status_details_text"]) as call:
        await call.agent.create_response()
        assert (await call.turn_end()).status == "failed"
        assert ["The server had an error." in str(one.error) for one in call.errors()] == [True]
        assert not call.errors()[0].fatal


@pytest.mark.parametrize("dialect", OPENAI)
async def test_the_end_of_the_longest_session_is_told_clearly(dialect: str) -> None:
    """pipecat#3170, reachy_mini#134: the vendor cuts after sixty minutes."""
    async with calling(dialect, scenario=SCENARIOS["session_expired"]) as call:
        close = await call.event(SessionClose)
        errors = call.errors()
        assert [(one.fatal, one.error.kind) for one in errors] == [(True, ErrorKind.EXPIRED)]
        assert (close.code, close.initiator) == (1001, "vendor")
        assert call.kinds() == ["SessionOpen", "ErrorEvent", "SessionClose"]
