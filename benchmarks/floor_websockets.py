"""The floor on `websockets`, for the choice of a library; optional."""

from __future__ import annotations

import asyncio

import pybase64
from websockets.asyncio.client import connect

from benchmarks.floor import SESSION_UPDATE, append_frame, decode
from benchmarks.workload import Arrivals, Scenario

__all__ = ["WebsocketsCaller"]


class WebsocketsCaller:
    """
    One session at the wire's rate.

    Args:
        url: Where the vendor is.
        scenario: Must be one that needs no resampler.
        arrivals: Takes the audio deltas.
    """

    def __init__(self, url: str, scenario: Scenario, arrivals: Arrivals) -> None:
        self._url = url
        self._arrivals = arrivals

    async def start(self) -> None:
        """Connect."""
        self._ws = await connect(f"{self._url}/realtime", compression=None, max_size=2**24)
        await self._ws.send(SESSION_UPDATE, text=True)
        self._reader = asyncio.create_task(self._read())

    async def push(self, pcm: bytes) -> None:
        """Encode, send."""
        await self._ws.send(append_frame(pcm), text=True)

    async def _read(self) -> None:
        receive, note = self._ws.recv, self._arrivals.note
        while True:
            event = decode(await receive(decode=False))
            if event.type == "response.output_audio.delta":
                note(event.item_id, pybase64.b64decode(event.delta, validate=True))

    async def close(self) -> None:
        """Say goodbye."""
        self._reader.cancel()
        await asyncio.wait({self._reader})
        await self._ws.close()
