"""The chat replier inside a session: a real agent, and a real HTTP server that speaks the chat-completions API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    Options,
    SessionClose,
    Tool,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.agent import Agent
from realtime_core.testing.recorder import Recorder, push, say
from realtime_core.testing.speech import silence, speech_like
from realtime_local.chat import DEFAULT_APOLOGY, ChatReplier
from realtime_local.chat_endpoint import ChatTimeouts
from tests.local.chat_server import DONE, HELLO, Server, event, serving
from tests.local.doubles import CREDENTIAL, RATE_HZ, until

KEY = "sk-secret-0123456789"
DONE_SAYING = (event(end="stop"), DONE)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def agent_of(
    url: str, on_event: Callable[[Event], None], *, credential: Any = None, **options: Any
) -> Agent:
    cfg = {
        **CREDENTIAL,
        "replier": "chat",
        "chatBaseUrl": url,
        "chatModel": "m",
        "chatApiKey": KEY,
        **(credential or {}),
    }
    return new_agent_from_credential(cfg, Options(on_event=on_event, **options))


def finals(recorder: Recorder) -> list[str]:
    return [text.text for text in recorder.of(AssistantText) if text.final]


def calls(*calls: tuple[str, str, dict[str, Any]]) -> bytes:
    return event(
        calls=[
            {"index": n, "id": id_, "function": {"name": name, "arguments": json.dumps(arguments)}}
            for n, (id_, name, arguments) in enumerate(calls)
        ]
    )


async def within(event: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await event.wait()


async def test_a_spoken_turn_is_answered(server: Server, recorder: Recorder) -> None:
    server.stream(HELLO)
    async with agent_of(server.url, recorder, system_prompt="Be kind.") as agent:
        await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
    assert finals(recorder) == ["Hello there. How are you?"]
    system, user = server.bodies[0]["messages"]
    assert system == {"role": "system", "content": "Be kind."}
    assert user["role"] == "user"
    assert user["content"].startswith("about ")
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_sentences_are_spoken_before_the_stream_ends(
    server: Server, recorder: Recorder
) -> None:
    server.stream(event("One two three. Four"), then="silence")
    async with agent_of(server.url, recorder) as agent:
        await agent.send_text("hi")
        await recorder.wait_for(AssistantAudio, 3)
        await within(server.silent)
        assert not recorder.of(AssistantTurnEnd)
        assert [text.text for text in recorder.of(AssistantText)] == ["One two three."]
        await agent.cancel()
        await within(server.gone)


async def test_a_tool_is_called_and_its_answer_is_told(server: Server, recorder: Recorder) -> None:
    asked: list[Any] = []

    def weather(name: str, arguments: dict[str, Any]) -> str:
        asked.append((name, arguments))
        return "sunny"

    server.stream(
        event("One moment. "), calls(("c1", "weather", {"city": "Rome"})), event(end="tool_calls"),
        DONE,
    )  # fmt: skip
    server.stream(event("It is sunny."), *DONE_SAYING)
    tool = Tool(
        name="weather", description="Of a city.", parameters={"type": "object"}, handler=weather
    )
    async with agent_of(server.url, recorder, tools=[tool]) as agent:
        await agent.send_text("How is the weather in Rome?")
        await recorder.wait_for(AssistantTurnEnd, 2)
    assert asked == [("weather", {"city": "Rome"})]
    assert finals(recorder) == ["One moment.", "It is sunny."]
    assert recorder.of(AssistantTurnEnd)[0].tool_names == ("weather",)
    assert server.bodies[0]["tools"][0]["function"]["name"] == "weather"
    _, call, answer = server.bodies[1]["messages"]
    assert call["content"] == "One moment."
    assert call["tool_calls"][0]["function"]["name"] == "weather"
    assert answer == {"role": "tool", "tool_call_id": "c1", "content": "sunny"}


async def test_a_barge_in_closes_the_response_and_only_what_was_heard_is_remembered(
    server: Server, recorder: Recorder
) -> None:
    server.stream(event("One two three four. Never"), then="silence")
    server.stream(HELLO)
    agent = agent_of(server.url, recorder)

    def report(event: Event) -> None:
        if isinstance(event, UserSpeechStarted) and event.interrupts:
            item_id = recorder.of(AssistantAudio)[0].item_id
            assert item_id is not None
            agent.report_playback(item_id, 120, final=True)

    recorder.also = report
    async with agent:
        await agent.send_text("Count, please.")
        await recorder.wait_for(AssistantAudio, 4)
        await within(server.silent)
        # That the sentence is whole comes behind its audio.
        await until(lambda: agent.stats.frames_received >= 6)
        await push(agent, silence(200, RATE_HZ) + speech_like(300, RATE_HZ))
        assert (await recorder.wait_for(Interrupted)).heard_ms == 120
        await within(server.gone)
        await say(agent, lambda: len(recorder.of(AssistantTurnEnd)) == 2)
    cut, answered = recorder.of(AssistantTurnEnd)
    assert (cut.status, answered.status) == ("cancelled", "completed")
    _, heard, _ = server.bodies[1]["messages"]
    assert heard == {"role": "assistant", "content": "One two ..."}


async def test_new_instructions_reach_the_next_request(server: Server, recorder: Recorder) -> None:
    server.stream(HELLO)
    async with agent_of(server.url, recorder, system_prompt="Be kind.") as agent:
        await agent.send_text("hi")
        await recorder.wait_for(AssistantTurnEnd)
        await agent.update_instructions("Be brief.")
        await agent.create_response(instructions="Say good bye.")
        await recorder.wait_for(AssistantTurnEnd, 2)
    first, second = (body["messages"][0] for body in server.bodies)
    assert first["content"] == "Be kind."
    assert second == {"role": "system", "content": "Be brief.\n\nSay good bye."}


@pytest.mark.parametrize(("wanted", "asked"), [(None, 0.3), (0, 0.3), (0.7, 0.7), (5, 2.0)])
async def test_the_temperature_of_the_application_wins(
    server: Server, recorder: Recorder, wanted: float | None, asked: float
) -> None:
    server.stream(HELLO)
    credential = {"chatTemperature": 0.3}
    async with agent_of(server.url, recorder, credential=credential, temperature=wanted) as agent:
        await agent.send_text("hi")
        await recorder.wait_for(AssistantTurnEnd)
    assert server.bodies[0]["temperature"] == asked


async def test_the_connect_may_take_as_long_as_the_credential_says(recorder: Recorder) -> None:
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # nobody accepts them, so that there is no room for one more
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        async with agent_of(url, recorder, credential={"dialTimeoutMs": 200}) as agent:
            await agent.send_text("hi")
            await recorder.wait_for(AssistantTurnEnd)
    assert "did not take the connection within 0.2 s" in str(recorder.of(ErrorEvent)[0].error)


def _no_server(_: Server) -> str:
    return "http://127.0.0.1:1/v1"


def _refuses(server: Server) -> str:
    server.answer(500, {"error": {"message": f"trouble with {KEY}"}})
    return server.url


def _breaks_off(server: Server) -> str:
    server.stream(event("One two. Thr"), then="cut")
    return server.url


def _talks_nonsense(server: Server) -> str:
    server.answer(200, "<html>")
    return server.url


@pytest.mark.parametrize("trouble", [_no_server, _refuses, _breaks_off, _talks_nonsense])
async def test_a_server_in_trouble_is_apologised_for_and_the_session_goes_on(
    server: Server,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
    trouble: Callable[[Server], str],
) -> None:
    caplog.set_level(logging.DEBUG)
    async with agent_of(trouble(server), recorder) as agent:
        for turn in (1, 2):
            await agent.send_text("hi")
            end = await recorder.wait_for(AssistantTurnEnd, turn)
            assert end.status == "failed"
    assert len(finals(recorder)) == 2
    assert all(text.endswith(DEFAULT_APOLOGY) for text in finals(recorder))
    assert len(recorder.of(AssistantAudio)) >= 2 * len(DEFAULT_APOLOGY.split())
    assert len(recorder.of(ErrorEvent)) == 2
    assert not any(error.fatal for error in recorder.of(ErrorEvent))
    assert recorder.of(SessionClose)[0].initiator == "client"
    assert KEY not in caplog.text
    assert KEY not in repr(recorder.events)


async def test_after_trouble_the_next_turn_works(server: Server, recorder: Recorder) -> None:
    server.answer(500, {"error": {"message": "trouble"}})
    server.stream(HELLO)
    async with agent_of(server.url, recorder) as agent:
        await agent.send_text("hi")
        await recorder.wait_for(AssistantTurnEnd)
        await agent.send_text("And now?")
        end = await recorder.wait_for(AssistantTurnEnd, 2)
    assert end.status == "completed"
    assert finals(recorder) == [DEFAULT_APOLOGY, "Hello there. How are you?"]
    assert [line["role"] for line in server.bodies[1]["messages"]] == ["user", "assistant", "user"]


async def test_a_server_that_falls_silent_is_not_waited_for(
    server: Server, recorder: Recorder
) -> None:
    server.stream(event("One two. Thr"), then="silence")
    replier = ChatReplier(
        base_url=server.url, model="m", timeouts=ChatTimeouts(first_token_s=20, next_token_s=0.2)
    )
    agent = agent_of(server.url, recorder, vendor={"replier": replier})
    async with agent:
        await agent.send_text("hi")
        end = await recorder.wait_for(AssistantTurnEnd)
        assert end.status == "failed"
        (error,) = recorder.of(ErrorEvent)
        assert (error.fatal, error.error.kind) == (False, "stalled")
        await within(server.gone)
    assert finals(recorder) == [f"One two. {DEFAULT_APOLOGY}"]


@pytest.mark.parametrize("when", ["before the head", "in mid-stream"])
async def test_closing_leaves_no_connection_and_no_task(
    server: Server, recorder: Recorder, when: str
) -> None:
    before = asyncio.all_tasks()
    if when == "in mid-stream":
        server.stream(event("One two. Thr"), then="silence")
    else:

        async def never(request: Any) -> Any:
            server.silent.set()
            try:
                await asyncio.sleep(30)
            finally:
                server.gone.set()

        server.steps.append(never)
    async with agent_of(server.url, recorder) as agent:
        await agent.send_text("hi")
        await within(server.silent)
    await within(server.gone)
    assert recorder.of(AssistantTurnEnd)[0].status == "cancelled"
    for _ in range(3000):
        if not asyncio.all_tasks() - before:
            break
        await asyncio.sleep(0.01)
    assert asyncio.all_tasks() <= before


async def test_the_key_is_nowhere_to_be_read(
    server: Server, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    async with agent_of(server.url, recorder) as agent:
        await agent.send_text("hi")
        await recorder.wait_for(AssistantTurnEnd)
        assert KEY not in repr(agent)
    (error,) = recorder.of(ErrorEvent)
    assert error.error.kind == "auth"
    assert KEY not in f"{error!r} {error.error} {caplog.text} {recorder.events!r}"
