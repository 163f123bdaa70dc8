"""A real HTTP server that speaks the chat-completions API, by a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


def event(text: str = "", *, end: str | None = None, calls: Any = None) -> bytes:
    delta = {"content": text} if calls is None else {"tool_calls": calls}
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


DONE = b"data: [DONE]\n\n"
HELLO = event("Hello there. How") + event(" are you?") + event(end="stop") + DONE


class Server:
    """Answers every request by the next step of a script; the last stays."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[Any] = []
        self.headers: list[Any] = []
        self.connections: set[Any] = set()
        self.gone = asyncio.Event()
        self.silent = asyncio.Event()
        self.steps: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(request.headers)
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return await step(request)

    def stream(self, *pieces: bytes, then: str = "end", every: int = 0) -> None:
        """Add a step which streams; afterwards it ends, is silent, or breaks off (`cut`)."""

        async def step(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            try:
                for piece in pieces:
                    for at in range(0, len(piece), every or len(piece) or 1):
                        await response.write(piece[at : at + (every or len(piece))])
                        if every:
                            await asyncio.sleep(0)
                if then == "silence":
                    self.silent.set()
                    while True:
                        await asyncio.sleep(0.02)
                        await response.write(b": still here\n\n")
                if then == "cut" and request.transport is not None:
                    request.transport.abort()
            except (ConnectionError, asyncio.CancelledError):
                self.gone.set()
                raise
            return response

        self.steps.append(step)

    def answer(self, status: int, body: Any, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)

        async def step(request: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=text, headers=headers)

        self.steps.append(step)


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Serve on a port of this machine."""
    server = Server()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
