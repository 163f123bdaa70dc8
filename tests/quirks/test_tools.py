"""Tools over sockets: whatever a handler does, each call is answered once and the conversation goes on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from realtime_core import (
    AgentClosedError,
    AssistantTurnEnd,
    ConfigError,
    Event,
    Tool,
    ToolCall,
    UserSpeechStarted,
)
from realtime_core.testing.loopback import Call as FunctionCall
from realtime_core.testing.loopback import Reply, Scenario, Speech, edits
from realtime_core.testing.speech import silence, speech_like
from realtime_core.tool_runner import MOST_OUTPUT_CHARS
from tests.core.live import nothing_left_behind
from tests.quirks.call import ALL, Call, calling, held

BERLIN = FunctionCall(name="lookup", arguments='{"city": "Berlin"}', call_id="call_berlin")
PARIS = FunctionCall(name="lookup", arguments='{"city": "Paris"}', call_id="call_paris")
ONE_CALL = Reply(parts=(BERLIN,))
TWO_CALLS = Reply(parts=(BERLIN, PARIS))


def outputs(call: Call) -> dict[str, str]:
    """Answers the vendor received, by call id; each call at most once."""
    items = [event["item"] for event in call.sent("conversation.item.create")]
    found = {item["call_id"]: item["output"] for item in items}
    assert len(found) == len(items), "no call is answered twice"
    return found


async def answered(call: Call) -> dict[str, str]:
    """Wait for the spoken answer behind the calls, and give what the vendor was told."""
    await call.agent.create_response()
    end = await call.turn_end(2)
    assert end.status == "completed"
    await call.all_is_heard()
    # One for the greeting, one for all results.
    assert len(call.sent("response.create")) == 2
    assert call.commands()[0] == "response.create"
    assert call.commands()[-1] == "response.create"
    return outputs(call)


@pytest.mark.parametrize("dialect", ALL)
async def test_parallel_calls_run_at_once_and_ask_for_one_reply(dialect: str) -> None:
    together = asyncio.Barrier(2)

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        async with asyncio.timeout(30):
            await together.wait()
        return f"{arguments['city']}: sunny"

    async with calling(dialect, TWO_CALLS, tool_handler=lookup) as call:
        assert await answered(call) == {
            "call_berlin": "Berlin: sunny",
            "call_paris": "Paris: sunny",
        }
        assert call.of(AssistantTurnEnd)[0].tool_names == ("lookup", "lookup")


@pytest.mark.parametrize("dialect", ALL)
async def test_plain_functions_run_off_the_loop(dialect: str) -> None:
    def lookup(name: str, arguments: dict[str, Any]) -> str:
        time.sleep(0.05)  # the application's own blocking
        return "sunny"

    async with calling(dialect, TWO_CALLS, tool_handler=lookup) as call:
        assert await answered(call) == {"call_berlin": "sunny", "call_paris": "sunny"}


@pytest.mark.parametrize("dialect", ALL)
async def test_a_handler_of_its_own_wins_over_the_common_one(dialect: str) -> None:
    tools = [Tool(name="lookup", handler=lambda name, arguments: "its own")]
    async with calling(
        dialect, ONE_CALL, tools=tools, tool_handler=lambda name, arguments: "the common one"
    ) as call:
        assert await answered(call) == {"call_berlin": "its own"}


async def _raises(name: str, arguments: dict[str, Any]) -> str:
    raise ValueError("secret detail")


def _raises_in_its_thread(name: str, arguments: dict[str, Any]) -> str:
    raise KeyError("secret detail")


def _exits(name: str, arguments: dict[str, Any]) -> str:
    raise SystemExit(3)


async def _times_out_by_itself(name: str, arguments: dict[str, Any]) -> str:
    raise TimeoutError("secret detail")


async def _was_cancelled_inside(name: str, arguments: dict[str, Any]) -> str:
    """What a handler sees whose own helper task was cancelled."""
    raise asyncio.CancelledError("secret detail")


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta", "dashscope_omni", "qwen_audio"])
@pytest.mark.parametrize(
    "handler",
    [
        _raises,
        _raises_in_its_thread,
        _exits,
        _times_out_by_itself,
        pytest.param(
            _was_cancelled_inside,
        ),
    ],
)
async def test_a_raising_handler_is_answered_without_its_words(
    dialect: str, handler: Callable[..., Any]
) -> None:
    async with calling(dialect, ONE_CALL, tool_handler=handler) as call:
        told = await answered(call)
        assert set(told) == {"call_berlin"}
        assert set(json.loads(told["call_berlin"])) == {"error"}
        assert "secret detail" not in told["call_berlin"]
        assert "Traceback" not in told["call_berlin"]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_slow_handler_is_answered_for_within_the_limit(dialect: str) -> None:
    stopped = asyncio.Event()

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        if arguments["city"] == "Paris":
            return "sunny"
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "too late"

    async with calling(dialect, TWO_CALLS, tool_handler=lookup, tool_timeout_s=0.1) as call:
        told = await answered(call)
        assert told["call_paris"] == "sunny"
        assert "in time" in told["call_berlin"]
        assert stopped.is_set()


@pytest.mark.parametrize("dialect", ALL)
async def test_a_slow_thread_is_answered_for_and_its_late_result_is_nobodys(dialect: str) -> None:
    late = asyncio.Event()
    loop = asyncio.get_running_loop()

    def lookup(name: str, arguments: dict[str, Any]) -> str:
        time.sleep(0.25)
        loop.call_soon_threadsafe(late.set)
        return "too late"

    async with calling(dialect, ONE_CALL, tool_handler=lookup, tool_timeout_s=0.1) as call:
        told = await answered(call)
        assert "in time" in told["call_berlin"]
        await asyncio.wait_for(late.wait(), 30)
        await call.all_is_heard()
        assert outputs(call) == told


@pytest.mark.parametrize("dialect", ALL)
async def test_a_slow_tool_does_not_hold_up_barge_in(dialect: str) -> None:
    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        await asyncio.Event().wait()
        return "never"

    parts = (BERLIN, Speech(ms=2000, transcript="Let me see.", hold_after_ms=400))
    async with calling(dialect, Reply(parts=parts), tool_handler=lookup) as call:
        await call.greeting_audible()
        started = await call.speak()
        assert started.interrupts
        assert (await call.turn_end()).status == "cancelled"


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words for it")


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta", "dashscope_omni", "qwen_audio"])
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ({"celsius": 21, "sky": "☀"}, '{"celsius": 21, "sky": "☀"}'),
        ([1, None], "[1, null]"),
        (None, "null"),
        (True, "true"),
        (4.5, "4.5"),
        (b"bytes", "b'bytes'"),
        ({1}, "{1}"),
        pytest.param(
            _Unprintable(),
            ...,
        ),
        pytest.param(
            _nested(100_000),
            ...,
        ),
        ("file \udc80 name", ...),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_result_of_any_type_is_written_for_the_model(
    dialect: str, result: object, expected: object
) -> None:
    async with calling(dialect, ONE_CALL, tool_handler=lambda name, arguments: result) as call:
        told = await answered(call)
        assert set(told) == {"call_berlin"}
        assert expected is ... or told["call_berlin"] == expected


@pytest.mark.parametrize("dialect", ALL)
async def test_a_huge_result_is_cut_and_says_so(dialect: str) -> None:
    async with calling(
        dialect, ONE_CALL, tool_handler=lambda name, arguments: "x" * 3_000_000
    ) as call:
        told = (await answered(call))["call_berlin"]
        assert told.startswith("x" * MOST_OUTPUT_CHARS)
        assert len(told) < MOST_OUTPUT_CHARS + 100
        assert "3000000" in told


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    "arguments", ['{"city": Berlin', "[1, 2]", "null", "", "   ", '"text"', '{"a":' * 5000]
)
async def test_malformed_arguments_reach_the_handler_as_none(dialect: str, arguments: str) -> None:
    part = FunctionCall(name="lookup", arguments=arguments, call_id="call_1")
    seen: list[dict[str, Any]] = []

    def lookup(name: str, given: dict[str, Any]) -> str:
        seen.append(given)
        return "done"

    async with calling(dialect, Reply(parts=(part,)), tool_handler=lookup) as call:
        assert await answered(call) == {"call_1": "done"}
        assert seen == [{}]
        assert call.of(ToolCall)[0].arguments == {}
        assert call.errors() == []


# Whose tool is it?


@pytest.mark.parametrize("dialect", ALL)
async def test_an_unknown_tool_is_answered(dialect: str) -> None:
    tools = [Tool(name="other", handler=lambda name, arguments: "other")]
    async with calling(dialect, ONE_CALL, tools=tools) as call:
        told = (await answered(call))["call_berlin"]
        assert "lookup" in told


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_a_declared_tool_without_a_handler_is_the_applications(dialect: str) -> None:
    tools = [
        Tool(name="lookup"),
        Tool(name="other", handler=lambda name, arguments: "other"),
    ]
    async with calling(dialect, ONE_CALL, tools=tools) as call:
        await call.agent.create_response()
        made = await call.event(ToolCall)
        await call.turn_end()
        await call.all_is_heard()
        await call.agent.send_tool_result(made.call_id, "sunny")
        await call.turn_end(2)
        assert outputs(call) == {"call_berlin": "sunny"}


@pytest.mark.parametrize("dialect", ALL)
async def test_an_application_without_handlers_answers_itself(dialect: str) -> None:
    async with calling(dialect, TWO_CALLS, tools=[Tool(name="lookup")]) as call:
        await call.agent.create_response()
        await call.turn_end()
        berlin, paris = call.of(ToolCall)
        await call.agent.send_tool_result(berlin.call_id, "sunny")
        await call.all_is_heard()
        assert call.commands() == ["response.create"], "the other answer is awaited"
        await call.agent.send_tool_result(paris.call_id, "rainy")
        await call.turn_end(2)
        assert outputs(call) == {"call_berlin": "sunny", "call_paris": "rainy"}
        assert len(call.sent("response.create")) == 2
        with pytest.raises(ConfigError, match="call_berlin"):
            await call.agent.send_tool_result(berlin.call_id, "again")
        await call.all_is_heard()
        assert len(outputs(call)) == 2


@pytest.mark.parametrize("dialect", ALL)
async def test_an_application_may_answer_from_its_callback(dialect: str) -> None:
    tasks: list[asyncio.Task[None]] = []

    async with calling(dialect, TWO_CALLS) as call:

        def answer(event: Event) -> None:
            if isinstance(event, ToolCall):
                answering = call.agent.send_tool_result(event.call_id, "sunny")
                tasks.append(asyncio.create_task(answering))

        call.listeners.append(answer)
        assert await answered(call) == {"call_berlin": "sunny", "call_paris": "sunny"}
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("dialect", ALL)
async def test_an_application_that_never_answers_is_answered_for(dialect: str) -> None:
    async with calling(dialect, ONE_CALL, tool_timeout_s=0.1) as call:
        told = await answered(call)
        assert "in time" in told["call_berlin"]
        with pytest.raises(ConfigError, match="call_berlin"):
            await call.agent.send_tool_result("call_berlin", "too late")


@pytest.mark.parametrize("dialect", ALL)
async def test_results_go_back_only_when_the_reply_has_ended(dialect: str) -> None:
    parts = (BERLIN, Speech(ms=2000, transcript="Let me see.", hold_after_ms=400))
    done = asyncio.Event()

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        done.set()
        return "sunny"

    async with calling(dialect, Reply(parts=parts), tool_handler=lookup) as call:
        await call.greeting_audible()
        await asyncio.wait_for(done.wait(), 30)
        await call.all_is_heard()
        assert call.commands() == ["response.create"]
        await call.session.release()
        await call.turn_end(2)
        assert call.commands() == [
            "response.create",
            "conversation.item.create",
            "response.create",
        ]


@pytest.mark.parametrize("dialect", ALL)
async def test_nothing_is_run_twice(dialect: str) -> None:
    """A call is announced up to three times: its arguments, its item, and the reply's output."""
    ran: list[str] = []

    def lookup(name: str, arguments: dict[str, Any]) -> str:
        ran.append(arguments["city"])
        return "sunny"

    twice = edits.chain(
        edits.repeat("response.output_item.done"),
        edits.repeat("response.function_call_arguments.done"),
        edits.repeat("response.done"),
    )
    scenario = Scenario(replies=(TWO_CALLS,), rewrite=twice)
    async with calling(dialect, scenario=scenario, tool_handler=lookup) as call:
        told = await answered(call)
        assert sorted(ran) == ["Berlin", "Paris"]
        assert len(told) == len(call.of(ToolCall)) == 2


@pytest.mark.parametrize("dialect", ALL)
async def test_a_call_that_only_the_end_of_the_reply_names_is_run(dialect: str) -> None:
    scenario = Scenario(replies=(ONE_CALL,), rewrite=edits.drop("response.output_item.done"))
    async with calling(dialect, scenario=scenario, tool_handler=lambda *_: "sunny") as call:
        assert await answered(call) == {"call_berlin": "sunny"}


# Ends


@pytest.mark.parametrize("dialect", ALL)
async def test_a_result_after_close_is_nobodys(dialect: str) -> None:
    stopped = asyncio.Event()

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    async with nothing_left_behind(), calling(dialect, ONE_CALL, tool_handler=lookup) as call:
        await call.agent.create_response()
        await call.turn_end()
        await call.agent.close()
        with pytest.raises(AgentClosedError):
            await call.agent.send_tool_result("call_berlin", "sunny")
        await asyncio.wait_for(stopped.wait(), 30)
        assert outputs(call) == {}


@pytest.mark.parametrize("dialect", ALL)
async def test_a_tool_may_hang_up(dialect: str) -> None:
    done, holder = asyncio.Event(), list[Call]()

    async def hang_up(name: str, arguments: dict[str, Any]) -> str:
        await holder[0].agent.close()
        done.set()
        return "bye"

    async with nothing_left_behind(), calling(dialect, ONE_CALL, tool_handler=hang_up) as call:
        holder.append(call)
        await call.agent.create_response()
        await call.until(lambda: call.kinds()[-1] == "SessionClose")
        await asyncio.wait_for(done.wait(), 30)


@pytest.mark.parametrize("dialect", ALL)
async def test_a_tool_may_speak_first(dialect: str) -> None:
    """ "One moment, please": a tool asks for a reply while it works; both come, one after the other."""
    holder: list[Call] = []

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        await holder[0].agent.create_response("Say: one moment, please.")
        return "sunny"

    async with calling(dialect, ONE_CALL, tool_handler=lookup) as call:
        holder.append(call)
        await call.agent.create_response()
        await call.turn_end(3)
        await call.all_is_heard()
        assert outputs(call) == {"call_berlin": "sunny"}
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["completed"] * 3


# Collisions


@pytest.mark.parametrize("dialect", ALL)
async def test_results_during_another_reply_wait_for_its_end(dialect: str) -> None:
    """The caller asked something else while the tool ran; its answer plays, then the result is told."""
    release = asyncio.Event()

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        await release.wait()
        return "sunny"

    async with calling(dialect, ONE_CALL, held(), tool_handler=lookup) as call:
        await call.agent.create_response()
        await call.turn_end()
        await call.say()
        await call.until(lambda: call.audio_ms() > 0)
        release.set()
        await call.session.wait_for("conversation.item.create")
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 1
        await call.session.release()
        await call.turn_end(3)
        assert call.commands() == [
            "response.create",
            "conversation.item.create",
            "response.create",
        ]
        assert call.session.benign == []


@pytest.mark.parametrize("dialect", ["qwen_audio"])
async def test_a_request_refused_while_the_caller_speaks_is_made_again(dialect: str) -> None:
    """DashScope refuses it; the turn turns out not to be meant for the model, so it is on us."""
    scenario = Scenario(
        replies=(ONE_CALL,),
        invalid_turns=frozenset({0}),
        # The agent cannot know that the caller speaks.
        rewrite=edits.drop("input_audio_buffer.speech_started"),
    )
    async with calling(dialect, scenario=scenario) as call:
        await call.agent.create_response()
        await call.turn_end()
        rate_hz = call.agent.options.input_sample_rate
        await call.push(_speech(rate_hz))
        await call.session.wait_sent("session.updated")
        await call.agent.send_tool_result("call_berlin", "sunny")
        await call.session.wait_for("response.create", count=2)
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 2
        await call.fall_silent()
        end = await call.turn_end(2)
        assert end.status == "completed"
        assert len(call.sent("response.create")) == 3
        assert call.errors() == []


@pytest.mark.parametrize("wish", ["tools", "application"])
async def test_a_request_that_crosses_the_start_of_speech_is_made_again(wish: str) -> None:
    scenario = Scenario(replies=(ONE_CALL,), invalid_turns=frozenset({0}))
    async with calling("qwen_audio", scenario=scenario) as call:
        await call.agent.create_response()
        await call.turn_end()
        if wish == "application":
            await call.agent.send_tool_result("call_berlin", "sunny")
            await call.turn_end(2)
            await call.agent.cancel(played_ms=10_000)
        before = len(call.of(AssistantTurnEnd))
        # Both leave before the vendor's word of the speech can come.
        await call.push(_speech(call.agent.options.input_sample_rate))
        if wish == "tools":
            await call.agent.send_tool_result("call_berlin", "sunny")
        else:
            await call.agent.create_response()
        await call.event(UserSpeechStarted)
        await call.all_is_heard()
        await call.fall_silent()
        end = await call.turn_end(before + 1)
        assert end.status == "completed"
        assert call.errors() == []


def _speech(rate_hz: int) -> bytes:
    return silence(100, rate_hz) + speech_like(400, rate_hz)
