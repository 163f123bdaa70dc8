"""The chat replier against a real HTTP server that speaks the chat-completions API."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from attrs import evolve

from realtime_core import (
    ConfigError,
    ErrorKind,
    RealtimeError,
    RemoteProtocolError,
    Tool,
    VendorError,
)
from realtime_local.chat import ChatReplier
from realtime_local.chat_endpoint import ChatTimeouts
from realtime_local.engines import CallTool, Message, Say, TurnRequest
from tests.local.chat_server import DONE, HELLO, Server, event, serving
from tests.local.turns import Conversation

KEY = "sk-secret-0123456789"
SHORT = ChatTimeouts(connect_s=2, first_token_s=0.2, next_token_s=0.2, reply_s=5)
"""For a server that says nothing; one that answers may be slow on a busy machine."""
REQUEST = TurnRequest(history=[Message(role="user", text="hi")])


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@asynccontextmanager
async def _replier(server: Server, **more: Any) -> AsyncIterator[ChatReplier]:
    replier = ChatReplier(base_url=server.url, model="m", api_key=KEY, **more)
    try:
        yield replier
    finally:
        await replier.close()


async def _said(replier: ChatReplier, request: TurnRequest = REQUEST) -> list[Say | CallTool]:
    return [piece async for piece in replier.reply(request)]


async def _fails(server: Server, **more: Any) -> RealtimeError:
    """Ask, and give the error, which holds no key wherever one looks."""
    async with _replier(server, **more) as replier:
        with pytest.raises(RealtimeError) as caught:
            await _said(replier)
    error = caught.value
    assert KEY not in f"{error!r} {error} {vars(error)}"
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


@pytest.mark.parametrize("every", [0, 1, 2, 3, 7, 50])
async def test_a_reply_is_given_sentence_by_sentence(server: Server, every: int) -> None:
    server.stream(HELLO, every=every)
    async with _replier(server) as replier:
        assert await _said(replier) == [Say(text="Hello there."), Say(text="How are you?")]


async def test_a_sentence_is_given_before_the_next_is_written(server: Server) -> None:
    server.stream(event("Hello there. How"), then="silence")
    async with _replier(server) as replier:
        reply = aiter(replier.reply(REQUEST))
        assert await anext(reply) == Say(text="Hello there.")
        await reply.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            await server.gone.wait()


async def test_cancelling_closes_the_connection(server: Server) -> None:
    server.stream(event("Hel"), then="silence")
    async with _replier(server, timeouts=ChatTimeouts()) as replier:
        task = asyncio.create_task(_said(replier))
        async with asyncio.timeout(5):
            await server.silent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            await server.gone.wait()


async def test_what_is_asked(server: Server) -> None:
    server.stream(HELLO)
    async with _replier(server, temperature=0.5) as replier:
        talk = Conversation(replier, [Tool(name="f")], "Be kind.")
        assert await talk.greeting() == "Hello there. How are you?"
        await talk.say("hi")
    body = server.bodies[1]
    assert (body["model"], body["temperature"], body["stream"]) == ("m", 0.5, True)
    assert [message["role"] for message in body["messages"]] == ["system", "assistant", "user"]
    assert body["tools"][0]["type"] == "function"
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_without_a_key_there_is_no_authorization(server: Server) -> None:
    server.stream(HELLO)
    replier = ChatReplier(base_url=f"{server.url}/chat/completions/", model="m")
    assert len(await _said(replier)) == 2
    await replier.close()
    assert "Authorization" not in server.headers[0]


async def test_replies_share_a_connection(server: Server) -> None:
    server.stream(HELLO)
    async with _replier(server) as replier:
        for _ in range(3):
            await _said(replier)
    assert len(server.connections) == 1


async def test_tools_are_called_and_their_answers_told(server: Server) -> None:
    def calls(*calls: tuple[int, str | None, str | None, str]) -> bytes:
        written = [
            {"index": i, "id": id_, "function": {"name": name, "arguments": arguments}}
            for i, id_, name, arguments in calls
        ]
        return event(calls=written)

    for _ in range(2):  # a server that counts anew in every reply
        server.stream(
            event("One moment. "),
            calls((0, "call_0", "book", '{"peo')),
            calls((0, None, None, 'ple": 2}'), (1, "call_1", "menu", "")),
            event(end="tool_calls") + DONE,
            every=5,
        )
    server.stream(event("Done."), event(end="stop"), DONE)
    async with _replier(server) as replier:
        talk = Conversation(replier)
        assert await talk.say("hi") == "One moment."
        assert await talk.say("hi") == "One moment."
        assert len({call.call_id for call in talk.calls}) == 4
        assert [(call.name, call.arguments) for call in talk.calls[:2]] == [
            ("book", {"people": 2}),
            ("menu", {}),
        ]
        assert await talk.tell("booked", talk.calls[0]) == "Done."
    messages = server.bodies[-1]["messages"]
    assert messages[1]["tool_calls"][0]["function"]["arguments"] == '{"people": 2}'
    assert messages[2] == {"role": "tool", "tool_call_id": "call_0", "content": "booked"}


@pytest.mark.parametrize(
    "events",
    [
        [event("Hi."), event(end="stop")],  # no [DONE]
        [event("Hi."), DONE],  # no reason
        [event("Hi."), event(end="stop").rstrip()],  # no blank line
        [event("Hi.", end="length")],
    ],
)
async def test_endings_of_every_kind(server: Server, events: list[bytes]) -> None:
    server.stream(*events)
    async with _replier(server) as replier:
        assert await _said(replier) == [Say(text="Hi.")]


async def test_a_server_that_keeps_the_stream_open_does_not_keep_the_reply(server: Server) -> None:
    server.stream(event("Hi."), event(end="stop"), then="silence")
    async with _replier(server) as replier:
        assert await _said(replier) == [Say(text="Hi.")]


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable", "words"),
    [
        (401, {"error": {"message": f"Incorrect API key {KEY}"}}, "auth", False, "chatApiKey"),
        (403, "x", "auth", False, "chatApiKey"),
        (404, {"error": {"message": "no such model"}}, "model", False, "no such model"),
        (400, {"error": {"message": f"bad {KEY} and Bearer abcdef"}}, "config", False, r"bad \*\*\* and \*\*\*"),
        (400, {"error": {"code": "model_not_found", "message": "x"}}, "model", False, "chatModel"),
        (400, {"error": "just a text"}, "config", False, "just a text"),
        (429, {"error": {"message": "slow down"}}, "rate_limit", True, "slow down"),
        (429, {"error": {"code": "insufficient_quota"}}, "quota", False, "balance"),
        (402, "", "quota", False, "balance"),
        (418, {"error": {"code": 5, "message": "a\nb"}}, "protocol", False, "a b"),
        (500, "<html>" + "x" * 100_000, "vendor", True, "trouble"),
        (503, {"error": {"message": "y" * 5000}}, "vendor", True, r"y\.\.\."),
        (503, "[" * 10_000, "vendor", True, "trouble"),
        (307, "", "config", False, "redirects elsewhere"),
    ],
)  # fmt: skip
async def test_refusals(
    server: Server, status: int, body: Any, kind: str, retryable: bool, words: str
) -> None:
    server.answer(status, body, Location="http://127.0.0.1:1/elsewhere")
    error = await _fails(server)
    assert isinstance(error, VendorError)
    assert (error.kind, error.retryable) == (kind, retryable)
    host = server.url.split("/")[2]
    with pytest.raises(VendorError, match=rf"{host} .*HTTP {status}.*{words}|{words}"):
        raise error
    assert f"{status}" in str(error)
    assert host in str(error)
    assert len(str(error)) < 400


async def test_a_refusal_without_a_body_is_told_by_its_status(server: Server) -> None:
    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        await response.write(b'{"error"')
        await asyncio.sleep(30)
        return response

    server.steps.append(step)
    error = await _fails(server, timeouts=evolve(SHORT, first_token_s=2))
    assert error.kind is ErrorKind.VENDOR
    assert "HTTP 500" in str(error)


async def test_an_error_in_the_stream(server: Server) -> None:
    server.stream(event("Hello. "), b'data: {"error": {"message": "overloaded", "code": 503}}\n\n')
    error = await _fails(server)
    assert isinstance(error, VendorError)
    assert (error.kind, error.retryable, error.code) == (ErrorKind.VENDOR, True, "503")
    assert "overloaded" in str(error)


async def test_nothing_is_withheld_silently(server: Server) -> None:
    server.stream(event(end="content_filter") + DONE)
    assert "content_filter" in str(await _fails(server))


@pytest.mark.parametrize(
    "said",
    [
        DONE,
        event(end="stop"),
        event("**") + event(" ") + DONE,
        event("<think>for too long") + event(end="length") + DONE,
        b'data: {"choices": [{"delta": {"content": [{"type": "text", "text": "Hi."}]}}]}\n\n'
        + DONE,
    ],
)
async def test_a_caller_who_waits_for_an_answer_is_not_met_with_silence(
    server: Server, said: bytes
) -> None:
    server.stream(said)
    error = await _fails(server)
    assert (error.kind, error.retryable) == (ErrorKind.VENDOR, True)
    assert "without a word" in str(error)


async def test_a_model_need_not_add_anything_to_what_a_tool_did(server: Server) -> None:
    server.stream(event(end="stop") + DONE)
    call = CallTool(call_id="c", name="hang_up", arguments={})
    history = [
        Message(role="assistant", text="Bye.", calls=(call,)),
        Message(role="tool", text="", call_id="c"),
    ]
    async with _replier(server) as replier:
        assert await _said(replier, TurnRequest(history=history)) == []


@pytest.mark.parametrize("said", [b"", event("Hello. How")])
async def test_silence_ends(server: Server, said: bytes) -> None:
    server.stream(said, then="silence")
    error = await _fails(server, timeouts=evolve(SHORT, first_token_s=20) if said else SHORT)
    assert (error.kind, error.retryable) == (ErrorKind.STALLED, True)
    assert re.search(r"was silent for \d+\.\d s", str(error))
    assert ("in the middle" if said else "without a first word") in str(error)


async def test_a_server_that_never_answers(server: Server) -> None:
    async def step(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    server.steps.append(step)
    assert (await _fails(server, timeouts=SHORT)).kind is ErrorKind.STALLED


async def test_a_reply_that_drips_for_ever_ends(server: Server) -> None:
    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(event("la "))
            await asyncio.sleep(0.05)

    server.steps.append(step)
    timeouts = ChatTimeouts(first_token_s=20, next_token_s=20, reply_s=0.5)
    error = await _fails(server, timeouts=timeouts)
    assert error.kind is ErrorKind.STALLED
    assert "did not end its reply within 0.5 s" in str(error)
    timeouts = ChatTimeouts(first_token_s=20, next_token_s=20, sentence_s=0.3)
    error = await _fails(server, timeouts=timeouts)
    assert error.kind is ErrorKind.STALLED
    assert "without a whole sentence" in str(error)


async def test_who_gives_sentence_after_sentence_may_take_longer_than_for_one(
    server: Server,
) -> None:
    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(25):
            await response.write(event("So it is. "))
            await asyncio.sleep(0.1)
        await response.write(DONE)
        return response

    server.steps.append(step)
    timeouts = ChatTimeouts(first_token_s=20, next_token_s=20, sentence_s=2)
    async with _replier(server, timeouts=timeouts) as replier:
        assert len(await _said(replier)) == 25


async def test_time_in_which_the_caller_of_the_replier_is_busy_does_not_count(
    server: Server,
) -> None:
    server.stream(event("One. "), event("Two. "), event(end="stop"), DONE)
    async with _replier(server) as replier:
        said: list[Say | CallTool] = []
        async for piece in replier.reply(REQUEST):
            said.append(piece)
            await asyncio.sleep(0.3)
    assert said == [Say(text="One."), Say(text="Two.")]


@pytest.mark.parametrize("then", ["end", "cut"])
async def test_a_reply_that_is_cut_in_the_middle(server: Server, then: str) -> None:
    server.stream(event("Hello. How"), then=then)
    error = await _fails(server)
    assert (error.kind, error.retryable) == (ErrorKind.TRANSPORT, True)


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = Server()
        server.url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        error = await _fails(server)
    assert (error.kind, error.retryable) == (ErrorKind.TRANSPORT, True)
    assert "cannot be reached: " in str(error)


async def test_a_name_that_nobody_knows() -> None:
    server = Server()
    server.url = "http://no-such-host.invalid:5/v1"
    error = await _fails(server)
    assert error.kind is ErrorKind.TRANSPORT
    assert "no-such-host.invalid:5 cannot be reached" in str(error)


@pytest.mark.parametrize(
    "body", ['{"choices": [{"message": {"content": "Hi"}}]}', "", "<html>welcome</html>"]
)
async def test_an_answer_that_is_no_stream(server: Server, body: str) -> None:
    server.answer(200, body)
    error = await _fails(server)
    assert isinstance(error, RemoteProtocolError)
    assert "does it stream" in str(error)


async def test_garbage_in_the_stream(server: Server) -> None:
    server.stream(b"data: <html>\n\n")
    assert isinstance(await _fails(server), RemoteProtocolError)


async def test_an_endless_line_is_bounded(server: Server) -> None:
    server.stream(*[b"data: " + b"x" * 10_000] * 20)
    error = await _fails(server, max_response_bytes=50_000)
    assert isinstance(error, RemoteProtocolError)
    assert "more than 50000 bytes" in str(error)


async def test_no_http_at_all() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-what\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        server = Server()
        server.url = "http://{}:{}".format(*listener.sockets[0].getsockname())
        error = await _fails(server)
    assert "broke" in str(error)


async def test_after_close_nothing_is_asked(server: Server) -> None:
    server.stream(HELLO)
    async with _replier(server) as replier:
        await _said(replier)
        await replier.close()
        with pytest.raises(RealtimeError, match="closed"):
            await _said(replier)
    assert len(server.bodies) == 1


async def test_close_breaks_a_reply_off(server: Server) -> None:
    server.stream(event("Hello. How"), then="silence")
    async with _replier(server, timeouts=ChatTimeouts()) as replier:
        reply = aiter(replier.reply(REQUEST))
        assert await anext(reply) == Say(text="Hello.")
        await replier.close()
        with pytest.raises(RealtimeError):
            await anext(reply)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://a/v1", "ws://a", "http://", "http://a:b/", "http://[", f"http://u:{KEY}@a/v1"]
)  # fmt: skip
def test_a_url_of_no_use_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ConfigError, match="chatBaseUrl") as caught:
        ChatReplier(base_url=url, model="m")
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


def test_model_and_key_are_checked() -> None:
    with pytest.raises(ConfigError, match="chatModel"):
        ChatReplier(base_url="http://a", model=" ")
    with pytest.raises(ConfigError, match="chatApiKey"):
        ChatReplier(base_url="http://a", model="m", api_key="a\r\nb")


def test_it_shows_no_key() -> None:
    replier = ChatReplier(base_url="https://a:5/v1?key=x", model="m", api_key=KEY)
    assert repr(replier) == "<ChatReplier m at a:5>"
    assert replier.phrases() is None
    assert "Sorry" in replier.apology


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ConfigError, match=r"pip install 'realtime-local\[chat\]'"):
        ChatReplier(base_url="http://a", model="m")


async def test_a_request_that_crosses_the_end_of_a_kept_connection_is_made_again() -> None:
    requests: list[int] = []
    over: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.Event())
        connection, ended = len(over), over[-1]
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(size))
                requests.append(connection)
                if requests.count(connection) == 2:
                    break
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(HELLO) + HELLO
                )
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    replier = ChatReplier(base_url=f"http://127.0.0.1:{port}/v1", model="m")
    async with server:
        for _ in range(2):
            assert [piece for piece in await _said(replier) if isinstance(piece, Say)]
        await replier.close()
        for ended in over:
            await ended.wait()
    assert requests == [1, 1, 2]
