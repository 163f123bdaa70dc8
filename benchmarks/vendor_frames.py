"""The bytes of the benchmark's vendor: a WebSocket server's side of RFC 6455, and GA events made once."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any, Final, NamedTuple

from benchmarks.workload import DELTA_MS, WIRE_HZ, tone

__all__ = [
    "CLOSE",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "accept_handshake",
    "audio_and_transcript",
    "event",
    "next_frame",
    "server_frame",
    "unmasked",
]

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_FINAL: Final = 0x80
_ACCEPT_SALT: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Frame(NamedTuple):
    """Where a client's frame lies in the buffer; its payload is masked."""

    opcode: int
    mask_at: int
    end: int


def accept_handshake(request: bytes) -> bytes:
    """Answer the upgrade request."""
    headers = dict(
        line.lower().split(b":", 1) for line in request.split(b"\r\n")[1:] if b":" in line
    )
    original = {line.split(b":", 1)[0].lower(): line for line in request.split(b"\r\n") if line}
    if b"sec-websocket-key" not in headers:
        raise ValueError("no WebSocket handshake")
    key = original[b"sec-websocket-key"].split(b":", 1)[1].strip()
    accept = base64.b64encode(hashlib.sha1(key + _ACCEPT_SALT).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def server_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Write a whole frame, unmasked as a server's are."""
    size = len(payload)
    if size < 126:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", _FINAL | opcode, 126, size) + payload
    return struct.pack("!BBQ", _FINAL | opcode, 127, size) + payload


def next_frame(buffer: bytes | bytearray, at: int) -> Frame | None:
    """Find the frame that begins at an offset; `None` when it is not whole yet."""
    have = len(buffer)
    if have < at + 6:
        return None
    size = buffer[at + 1] & 0x7F
    mask_at = at + 2
    if size == 126:
        size = buffer[at + 2] << 8 | buffer[at + 3]
        mask_at = at + 4
    elif size == 127:
        if have < at + 10:
            return None
        size = int.from_bytes(buffer[at + 2 : at + 10], "big")
        mask_at = at + 10
    end = mask_at + 4 + size
    return Frame(buffer[at] & 0x0F, mask_at, end) if have >= end else None


def unmasked(buffer: bytes | bytearray, frame: Frame) -> bytes:
    """Give a frame's payload; only for the few the vendor reads."""
    mask = buffer[frame.mask_at : frame.mask_at + 4]
    masked = buffer[frame.mask_at + 4 : frame.end]
    return bytes(byte ^ mask[n % 4] for n, byte in enumerate(masked))


def event(kind: str, **fields: Any) -> bytes:
    """Write an event as a frame."""
    return server_frame(json.dumps({"type": kind, "event_id": "event_0", **fields}).encode())


def _of_reply(kind: str, item_id: str, delta: str) -> bytes:
    return event(
        kind,
        response_id="resp_0",
        item_id=item_id,
        output_index=0,
        content_index=0,
        delta=delta,
    )


def audio_and_transcript() -> tuple[bytes, bytes]:
    """
    Write 200 ms of audio with its piece of transcript, to be sent in one go.

    Returns:
        What stands before and after the 19 digits of the time in the audio's `item_id`.
    """
    digits = "0" * 19
    audio = base64.b64encode(tone(WIRE_HZ, DELTA_MS)).decode()
    head, tail = _of_reply("response.output_audio.delta", f"item_{digits}", audio).split(
        digits.encode()
    )
    return head, tail + _of_reply("response.output_audio_transcript.delta", "item_0", " word")
