"""The floor on `picows`, for the choice of a library; optional."""

from __future__ import annotations

import pybase64
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.floor import SESSION_UPDATE, append_frame, decode
from benchmarks.workload import Arrivals, Scenario

__all__ = ["PicowsCaller"]


class _Listener(WSListener):
    def __init__(self, arrivals: Arrivals) -> None:
        self._note = arrivals.note

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            event = decode(frame.get_payload_as_memoryview())
            if event.type == "response.output_audio.delta":
                self._note(event.item_id, pybase64.b64decode(event.delta, validate=True))


class PicowsCaller:
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
        self._transport, _ = await ws_connect(
            lambda: _Listener(self._arrivals), f"{self._url}/realtime"
        )
        self._transport.send(WSMsgType.TEXT, SESSION_UPDATE)

    async def push(self, pcm: bytes) -> None:
        """Encode, send."""
        self._transport.send(WSMsgType.TEXT, append_frame(pcm))

    async def close(self) -> None:
        """Say goodbye."""
        self._transport.send_close(WSCloseCode.OK)
        await self._transport.wait_disconnected()
