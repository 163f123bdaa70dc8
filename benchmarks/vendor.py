"""
The vendor of the benchmark: a process of its own that does next to nothing.

It speaks just enough of OpenAI's GA wire for a session to open, then sends 200 ms of audio and a piece of
transcript every 200 ms within one endless reply, as frames made in advance. What it receives is counted,
not read. `realtime_core.testing.LoopbackVendor` checks everything instead, and is far too slow for this.

Prints its port, serves until its standard input ends, and prints how many appends it had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Final, cast

from benchmarks.machine import pin_to
from benchmarks.vendor_frames import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    accept_handshake,
    audio_and_transcript,
    event,
    next_frame,
    server_frame,
    unmasked,
)
from benchmarks.workload import DELTA_MS

__all__ = ["Vendor"]

_PERIOD_S: Final = DELTA_MS / 1000
_GOLDEN: Final = 0.6180339887
"""Multiples of it, modulo one, are spread evenly however many there are."""


class Vendor:
    """What its sessions share."""

    def __init__(self) -> None:
        self.sessions = 0
        self.appends = 0
        self.head, self.tail = audio_and_transcript()

    def first_due(self, now: float) -> float:
        """Give the next session its own phase within the period."""
        phase = self.sessions * _GOLDEN % 1.0 * _PERIOD_S
        self.sessions += 1
        return now - now % _PERIOD_S + _PERIOD_S + phase


class _Session(asyncio.Protocol):
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._loop = asyncio.get_running_loop()
        self._pending = b""
        self._shaken = False
        self._streaming = False
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._pending:
            data, self._pending = self._pending + data, b""
        if not self._shaken:
            request, end, data = data.partition(b"\r\n\r\n")
            if not end:
                self._pending = request
                return
            self._shaken = True
            self._transport.write(accept_handshake(request))
            self._transport.write(event("session.created", session={"id": "sess_0"}))
        at, have = 0, len(data)
        while at < have:
            frame = next_frame(data, at)
            if frame is None:
                self._pending = data[at:]
                return
            at = frame.end
            if frame.opcode == TEXT:
                if self._streaming:
                    self._vendor.appends += 1
                else:
                    self._configure(unmasked(data, frame))
            elif frame.opcode == PING:
                self._transport.write(server_frame(unmasked(data, frame), PONG))
            elif frame.opcode == CLOSE:
                self._transport.write(server_frame(unmasked(data, frame), CLOSE))
                self._transport.close()

    def _configure(self, text: bytes) -> None:
        asked = json.loads(text)
        if asked["type"] != "session.update":
            return
        self._streaming = True
        self._transport.write(event("session.updated", session={"id": "sess_0"}))
        response = {"id": "resp_0", "status": "in_progress", "output": []}
        self._transport.write(event("response.created", response=response))
        self._due = self._vendor.first_due(self._loop.time())
        self._timer = self._loop.call_at(self._due, self._send)

    def _send(self) -> None:
        now = b"%019d" % time.monotonic_ns()
        self._transport.write(b"".join((self._vendor.head, now, self._vendor.tail)))
        self._due += _PERIOD_S
        self._timer = self._loop.call_at(self._due, self._send)


async def _serve() -> None:
    vendor = Vendor()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Session(vendor), "127.0.0.1", 0, backlog=512)
    stopped = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), stopped.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    print(vendor.appends, flush=True)


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int, required=True)
    pin_to(parser.parse_args().core)
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
