"""
The floor: the least loop on aiohttp that does the job.

The same libraries as the SDK resample, write and read, and there is nothing else: no states, no checks,
no events, no timers, no limits, no figures. It would not survive its first damaged frame.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import numpy as np
import pybase64
import soxr
from aiohttp import WSMsgType

from benchmarks.workload import WIRE_HZ, Arrivals, Scenario

__all__ = ["SESSION_UPDATE", "FloorCaller", "ServerEvent", "append_frame", "resampler"]

SESSION_UPDATE = b'{"type":"session.update","session":{"type":"realtime"}}'
_HEAD = b'{"type":"input_audio_buffer.append","audio":"'
_TAIL = b'"}'


class ServerEvent(msgspec.Struct):
    """The fields the job needs."""

    type: str
    delta: str = ""
    item_id: str = ""


decode = msgspec.json.Decoder(ServerEvent).decode


def append_frame(pcm: bytes) -> bytes:
    """Write one append."""
    return b"".join((_HEAD, pybase64.b64encode(pcm), _TAIL))


def resampler(from_hz: int, to_hz: int) -> Any:
    """Make a stream as the SDK does; `None` where the rates agree."""
    if from_hz == to_hz:
        return None
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="HQ", vr=True)


class FloorCaller:
    """
    One session.

    Args:
        client: Shared by all sessions.
        url: Where the vendor is.
        scenario: The caller's rates.
        arrivals: Takes the audio deltas.
    """

    def __init__(
        self, client: aiohttp.ClientSession, url: str, scenario: Scenario, arrivals: Arrivals
    ) -> None:
        self._client = client
        self._url = url
        self._arrivals = arrivals
        self._up = resampler(scenario.input_hz, WIRE_HZ)
        self._down = resampler(WIRE_HZ, scenario.output_hz)

    async def start(self) -> None:
        """Connect; the vendor's answer to the update is not awaited."""
        self._ws = await self._client.ws_connect(
            f"{self._url}/realtime", compress=0, decode_text=False, max_msg_size=2**24
        )
        await self._ws.send_frame(SESSION_UPDATE, WSMsgType.TEXT)
        self._reader = asyncio.create_task(self._read())

    async def push(self, pcm: bytes) -> None:
        """Resample, encode, send."""
        if self._up is not None:
            pcm = self._up.resample_chunk(np.frombuffer(pcm, dtype="<i2")).tobytes()
        await self._ws.send_frame(append_frame(pcm), WSMsgType.TEXT)

    async def _read(self) -> None:
        receive, note, down = self._ws.receive, self._arrivals.note, self._down
        while True:
            message = await receive()
            if message.type is not WSMsgType.TEXT:
                return
            event = decode(message.data)
            if event.type == "response.output_audio.delta":
                pcm = pybase64.b64decode(event.delta, validate=True)
                if down is not None:
                    pcm = down.resample_chunk(np.frombuffer(pcm, dtype="<i2")).tobytes()
                note(event.item_id, pcm)

    async def close(self) -> None:
        """Say goodbye."""
        self._reader.cancel()
        await asyncio.wait({self._reader})
        await self._ws.close()
