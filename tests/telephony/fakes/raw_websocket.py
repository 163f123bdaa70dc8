"""A WebSocket client that sees every frame as it is on the wire: fragments, masks and sizes, which libraries hide."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import Final

from attrs import frozen

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "Frame", "RawWebSocket"]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_MASK: Final = b"\x01\x02\x03\x04"


@frozen
class Frame:
    """One frame of the peer's."""

    opcode: int
    payload: bytes
    final: bool
    masked: bool


class RawWebSocket:
    """A connection that was upgraded."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: str | None
    ) -> None:
        self.protocol = protocol
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(
        cls, port: int, path: str, protocols: str | None = "media"
    ) -> RawWebSocket | int:
        """Upgrade; the status when the server refuses."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        offer = f"Sec-WebSocket-Protocol: {protocols}\r\n" if protocols else ""
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = int(head.split(" ", 2)[1])
        if status != 101:
            writer.close()
            return status
        headers = dict(
            line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
        )
        assert "sec-websocket-extensions" not in headers, "nobody offered compression"
        return cls(reader, writer, headers.get("sec-websocket-protocol"))

    async def read(self) -> Frame | None:
        """Read a frame; `None` at the end of the connection."""
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2), "big")
            elif length == 127:
                length = int.from_bytes(await self._reader.readexactly(8), "big")
            payload = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return Frame(first & 0x0F, payload, bool(first & 0x80), bool(second & 0x80))

    def send(self, opcode: int, payload: bytes) -> None:
        """Send a frame, masked as clients must."""
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
        masked = bytes(byte ^ _MASK[index % 4] for index, byte in enumerate(payload))
        self.send_raw(head + _MASK + masked)

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)

    def abort(self) -> None:
        """Let the connection go, as a killed process does."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection without a goodbye of the protocol."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
