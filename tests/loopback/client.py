"""A client that knows nothing but JSON over a WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from realtime_core.testing.loopback import LoopbackVendor

Event = dict[str, Any]
WAIT_S = 30.0
DASHSCOPE = ("dashscope_omni", "dashscope_omni_nested", "qwen_audio")


def input_rate(dialect: str) -> int:
    return 16000 if dialect in DASHSCOPE else 24000


def realtime_url(vendor: LoopbackVendor, dialect: str) -> str:
    return vendor.url(dialect) + ("" if dialect in DASHSCOPE else "/realtime")


def session_for(dialect: str, **fields: Any) -> Event:
    """A session object the dialect accepts; keywords are the flat names of the beta."""
    if dialect not in ("openai_ga", "azure_ga"):
        return {"instructions": "Be brief.", **fields}
    heard: Event = {}
    for flat, name in (("turn_detection", "turn_detection"), ("transcription", "transcription")):
        if flat in fields:
            heard[name] = fields.pop(flat)
    return {"type": "realtime", "instructions": "Be brief.", "audio": {"input": heard}, **fields}


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[Event] = []
        self.close_code: int | None = None
        self.close_reason: str | None = ""

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, tail: str) -> list[Event]:
        """The events whose type ends with *tail*."""
        return [event for event in self.events if event["type"].endswith(tail)]

    @property
    def audio(self) -> bytes:
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("audio.delta"))

    async def receive(self) -> aiohttp.WSMessage:
        return await asyncio.wait_for(self.socket.receive(), WAIT_S)

    async def until(self, kind: str) -> Event:
        """Read on until an event of a type, and return it."""
        while True:
            message = await self.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, (message, self.types)
            event: Event = json.loads(message.data)
            self.events.append(event)
            if event["type"] == kind:
                return event

    async def until_closed(self) -> int | None:
        """Read on until the end; returns the close code, None without a close frame."""
        while True:
            message = await self.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self.events.append(json.loads(message.data))
            elif message.type is aiohttp.WSMsgType.CLOSE:
                self.close_code, self.close_reason = message.data, message.extra
                return self.close_code
            elif message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                return None

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **fields}))

    async def append(self, audio: bytes, *, piece: int = 1920) -> None:
        for at in range(0, len(audio), piece):
            encoded = base64.b64encode(audio[at : at + piece]).decode()
            await self.send("input_audio_buffer.append", audio=encoded)

    async def open(self, session: Event) -> Event:
        """Go through session.created and session.updated."""
        await self.until("session.created")
        await self.send("session.update", event_id="cfg-1", session=session)
        return await self.until("session.updated")


@asynccontextmanager
async def connected(
    vendor: LoopbackVendor,
    dialect: str,
    *,
    model: str | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> AsyncGenerator[Client]:
    if headers is None:
        headers = {"Authorization": f"Bearer {vendor.api_key}"}
    params = {"model": model or vendor.credential(dialect)["model"]}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            realtime_url(vendor, dialect),
            params=params,
            headers=headers,
            autoclose=False,
            max_msg_size=0,
            **options,
        ) as socket,
    ):
        yield Client(socket)


@asynccontextmanager
async def opened(
    vendor: LoopbackVendor, dialect: str, *, model: str | None = None, **fields: Any
) -> AsyncGenerator[Client]:
    """A configured session."""
    async with connected(vendor, dialect, model=model) as client:
        await client.open(session_for(dialect, **fields))
        yield client
