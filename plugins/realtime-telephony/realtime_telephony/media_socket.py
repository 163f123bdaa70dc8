"""The server's end of a WebSocket as a media stream needs it: writes from callbacks, says how it ended."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, Literal

from aiohttp import WebSocketError, WSMsgType, web
from attrs import frozen

__all__ = ["CLOSE_TIMEOUT_S", "MAX_BACKLOG_BYTES", "NEVER_WAIT", "MediaSocket", "SocketEnd"]

NEVER_WAIT: Final = 2**62
"""For `WebSocketResponse(writer_limit=)`: writing never waits for room, in bytes."""
CLOSE_TIMEOUT_S: Final = 1.5
"""How long the peer's close frame is awaited."""
MAX_BACKLOG_BYTES: Final = 1024 * 1024
"""What may wait in our buffers before the peer counts as gone; some 40 s of telephone audio."""
_SEND_BUFFER_BYTES: Final = 32 * 1024  # old audio must not hide in the kernel, before our clear
_CLEAN: Final = frozenset({1000, 1001, 1005})


@frozen
class SocketEnd:
    """How a socket ended."""

    kind: Literal["clean", "lost", "broken"]
    """By a close frame; without one, or with an error in it; by a frame we refuse."""
    detail: str
    """For the log."""


class MediaSocket:
    """
    Wraps a prepared `WebSocketResponse`.

    Args:
        response: Prepared, with `autoping` and `writer_limit=NEVER_WAIT`.
        request: It came from.
    """

    def __init__(self, response: web.WebSocketResponse, request: web.BaseRequest) -> None:
        self.response: web.WebSocketResponse = response
        self._transport = request.transport
        raw = None if self._transport is None else self._transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def send(self, text: bytes) -> None:
        """Write a text message at once; harmless when the connection is gone."""
        if self.response.closed:
            return
        # aiohttp's coroutine writes in its first step; NEVER_WAIT keeps it from a second one, and `congested` tells.
        step = self.response.send_frame(text, WSMsgType.TEXT)
        try:
            step.send(None)
        except (StopIteration, ConnectionError):  # gone: the reader will say so
            pass
        else:
            step.close()

    @property
    def congested(self) -> bool:
        """Whether the peer has stopped reading."""
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() > MAX_BACKLOG_BYTES

    async def receive(self) -> bytes | str | SocketEnd:
        """Wait for a message: text as `str`, binary as `bytes`. Safe to cancel."""
        message = await self.response.receive()
        kind = message.type
        if kind in (WSMsgType.TEXT, WSMsgType.BINARY):
            return message.data  # type: ignore[no-any-return]
        if kind is WSMsgType.CLOSE:
            code = message.data or 1005
            return SocketEnd("clean" if code in _CLEAN else "lost", f"closed with {code}")
        if kind is WSMsgType.ERROR and isinstance(message.data, WebSocketError):
            return SocketEnd("broken", f"we refused a frame with {message.data.code}")
        return SocketEnd("lost", "the connection broke")

    async def close(self, code: int = 1000) -> None:
        """Close, bounded; idempotent."""
        if self.response.closed:
            return
        try:
            # aiohttp bounds the wait for the peer's close frame, not the one for room to write ours.
            async with asyncio.timeout(CLOSE_TIMEOUT_S + 0.2):
                await self.response.close(code=code)
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()
