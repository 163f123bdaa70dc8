"""
Barge-in: from the vendor's event on the socket to its dispatch, and what a `Playout` hands out after it.

The vendor, a process of its own on the other core, begins a reply, sends a second of audio in one burst, then the speech
signal with its time of sending, then stray audio as real vendors do. The SDK's callback feeds a `Playout`; after the
signal every frame read must be silence until the next reply. The floor is a bare receive loop that parses and compares
the type.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

import aiohttp
import attrs
import msgspec
from aiohttp import WSMsgType, web

from benchmarks.machine import pin_to, two_cores
from benchmarks.workload import WIRE_HZ, tone
from realtime_core import (
    AssistantAudio,
    AssistantTurnEnd,
    Event,
    Options,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.playout import Playout

__all__ = ["BargeIn", "measure_barge_in"]

_DELTAS: Final = 5
_STRAY: Final = 3
_NEXT: Final = "input_audio_buffer.clear"
_LIMIT_S: Final = 120.0


@attrs.frozen
class BargeIn:
    """Figures of one client over all trials."""

    client: str
    trials: int
    p50_us: float
    """Median of speech signal sent to dispatched, in µs."""
    p99_us: float
    """Its 99th percentile, in µs."""
    stale_frames: int | None
    """Frames of old audio handed out after the signal; `None` where nothing is played."""


def _audio_delta(trial: int) -> bytes:
    audio = FAST_CODEC.encode_audio(tone(WIRE_HZ, 200)).decode()
    return _event(
        "response.output_audio.delta",
        response_id=f"resp_{trial}",
        item_id=f"item_{trial}",
        output_index=0,
        content_index=0,
        delta=audio,
    )


def _event(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "event_id": "event_0", **fields}).encode()


async def _serve_trials(socket: web.WebSocketResponse, trials: int) -> None:
    for trial in range(trials):
        delta = _audio_delta(trial)
        response = {"id": f"resp_{trial}", "status": "in_progress"}
        await socket.send_frame(_event("response.created", response=response), WSMsgType.TEXT)
        for _ in range(_DELTAS):
            await socket.send_frame(delta, WSMsgType.TEXT)
        signal = _event(
            "input_audio_buffer.speech_started",
            item_id=f"caller_{trial}",
            audio_start_ms=time.monotonic_ns(),  # the time of sending travels in a figure nobody needs here
        )
        await socket.send_frame(signal, WSMsgType.TEXT)
        for _ in range(_STRAY):
            await socket.send_frame(delta, WSMsgType.TEXT)
        done = {"id": f"resp_{trial}", "status": "cancelled", "output": []}
        await socket.send_frame(_event("response.done", response=done), WSMsgType.TEXT)
        stopped = _event("input_audio_buffer.speech_stopped", item_id=f"caller_{trial}")
        await socket.send_frame(stopped, WSMsgType.TEXT)
        async for message in socket:
            if json.loads(message.data).get("type") == _NEXT:
                break


def _vendor(core: int, trials: int, ready: Connection) -> None:
    """Serve clients until the process is ended."""
    pin_to(core)

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.send_frame(_event("session.created", session={"id": "sess"}), WSMsgType.TEXT)
        await socket.receive()
        await socket.send_frame(_event("session.updated", session={"id": "sess"}), WSMsgType.TEXT)
        await _serve_trials(socket, trials)
        await socket.close()
        return socket

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/v1/realtime", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


async def _bare(port: int, trials: int) -> BargeIn:
    took: list[int] = []
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(
            f"ws://127.0.0.1:{port}/v1/realtime", compress=0, decode_text=False
        ) as ws,
    ):
        await ws.receive()
        await ws.send_str('{"type":"session.update"}')
        await ws.receive()
        while len(took) < trials:
            frame = msgspec.json.decode((await ws.receive()).data)
            match frame["type"]:
                case "input_audio_buffer.speech_started":
                    took.append(time.monotonic_ns() - frame["audio_start_ms"])
                case "input_audio_buffer.speech_stopped":
                    await ws.send_str(f'{{"type":"{_NEXT}"}}')
                case _:
                    pass
    return _figures("bare loop", took, None)


async def _sdk(port: int, trials: int) -> BargeIn:
    took: list[int] = []
    stale = 0
    over = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def sounding(frames: int) -> int:
        return sum(any(playout.read()) for _ in range(frames))

    def on_event(event: Event) -> None:
        nonlocal stale
        match event:
            case UserSpeechStarted():
                took.append(time.monotonic_ns() - (event.at_ms or 0))
                playout.feed(event)
                stale += sounding(60)
            case AssistantAudio():
                playout.feed(event)
                playout.read()
            case AssistantTurnEnd():
                stale += sounding(60)
                playout.feed(event)
                if len(took) == trials:
                    over.set()
                else:
                    task = asyncio.create_task(agent.clear_input_audio())
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            case _:
                playout.feed(event)

    credential = {"provider": "openai", "apiKey": "x", "baseUrl": f"ws://127.0.0.1:{port}/v1"}
    agent = new_agent_from_credential(credential, Options(on_event=on_event))
    playout = Playout(agent)
    async with agent:
        await over.wait()
    return _figures("SDK with Playout", took, stale)


def _figures(client: str, took_ns: list[int], stale: int | None) -> BargeIn:
    ordered = sorted(took_ns)
    p50, p99 = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return BargeIn(client, len(ordered), p50 / 1000, p99 / 1000, stale)


def measure_barge_in(trials: int = 1000) -> list[BargeIn]:
    """
    Run the trials over the bare loop and over the SDK, on one core, the vendor on the other.

    Args:
        trials: Replies that are cut, for each client.
    """
    vendor_core, client_core = two_cores()
    context: Any = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    vendor = context.Process(target=_vendor, args=(vendor_core, trials, theirs), daemon=True)
    vendor.start()
    allowed = os.sched_getaffinity(0)
    try:
        port = mine.recv()
        pin_to(client_core)
        clients: list[Callable[[int, int], Any]] = [_bare, _sdk]
        return [asyncio.run(asyncio.wait_for(client(port, trials), _LIMIT_S)) for client in clients]
    finally:
        os.sched_setaffinity(0, allowed)
        vendor.terminate()
        vendor.join()
