"""The socket of one session: reads, writes, pings, and breaks when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, final

from aiohttp import WSMsgType, web

from .dispatch import receive_binary, receive_text
from .faults import Faults
from .frames import Event
from .mind import Mind
from .reply import Turn
from .scenario import Scenario
from .session import LoopbackSession

__all__ = ["Connection"]


@final
class Connection:
    """
    Drives one session between its socket and its mind.

    Args:
        socket: The prepared WebSocket.
        mind: The vendor's side.
        session: What the test sees.
        scenario: The script.
        faults: The faults.
        ping_every_s: Seconds between pings; None sends none.
        wake: Set whenever there may be something to send.
        gone: Set when the connection was cut on purpose.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        mind: Mind,
        session: LoopbackSession,
        *,
        scenario: Scenario,
        faults: Faults,
        ping_every_s: float | None,
        wake: asyncio.Event,
        gone: asyncio.Event,
    ) -> None:
        self._socket = socket
        self._mind = mind
        self._session = session
        self._scenario = scenario
        self._faults = faults
        self._ping_every_s = ping_every_s
        self._wake = wake
        self._gone = gone
        self._scripts: set[asyncio.Task[None]] = set()
        self._kinds: set[str] = set()
        self._silent = False
        self._deaf = False
        self._closing = False
        self._ponged = asyncio.Event()
        self._audio_deltas = 0
        self._script_errors: list[Exception] = []

    async def run(self) -> list[Exception]:
        """
        Serve until either side is gone; nothing is left running afterwards.

        Returns:
            What scripts raised, and what this program did wrong.
        """
        self._mind.on_audio = self._session.note_audio
        self._mind.on_overrun = self._session.abort
        self._mind.on_open = lambda: self._script(self._scenario.on_open)
        if self._scenario.on_turn is not None:
            self._mind.on_turn = lambda turn: self._script(self._scenario.on_turn, turn)
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._gone.wait()),
        ]
        if self._ping_every_s is not None:
            tasks.append(asyncio.create_task(self._ping(self._ping_every_s)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            every: list[asyncio.Task[Any]] = [*tasks, *self._scripts]
            for task in every:
                task.cancel()
            results = await asyncio.gather(*every, return_exceptions=True)
            self._session.note_closed("network", None, "")
            self._session.closed.set()
        # A connection that breaks while something is written to it is what clients do.
        faults = [result for result in results if isinstance(result, Exception)]
        faults = [fault for fault in faults if not isinstance(fault, ConnectionError)]
        return self._script_errors + faults

    # -- scripts -------------------------------------------------------------------------------

    def _script(self, step: Callable[..., Awaitable[None]] | None, *arguments: Turn) -> None:
        if step is not None:
            task = asyncio.create_task(self._guarded(step, *arguments))
            self._scripts.add(task)
            task.add_done_callback(self._scripts.discard)

    async def _guarded(self, step: Callable[..., Awaitable[None]], *arguments: Turn) -> None:
        try:
            await step(self._session, *arguments)
        except Exception as error:  # noqa: BLE001 - any fault of a test's script; close raises it
            self._script_errors.append(error)
            self._mind.close_wanted = (1011, "the scenario's script failed")
            self._wake.set()

    # -- writing -------------------------------------------------------------------------------

    async def _write(self) -> None:
        mind = self._mind
        if self._faults.drop_at == "before_created":
            await self._socket.ping(b"here")
            await self._ponged.wait()
            self._session.abort()
            return
        if self._faults.close_before_created is not None:
            await self._close(self._faults.close_before_created, "")
            return
        mind.emit("session.created", session=mind.config)
        self._script(self._scenario.on_connect)
        await self._pump()

    async def _pump(self) -> None:
        mind = self._mind
        while True:
            self._wake.clear()
            event = mind.next_event()
            if event is not None:
                await self._send(event)
                # A burst must not keep the session from hearing what comes meanwhile.
                await asyncio.sleep(0)
                continue
            if mind.close_wanted is not None:
                await self._close(*mind.close_wanted)
                return
            await self._rest()

    async def _rest(self) -> None:
        resume_at = self._mind.wake_at()
        if resume_at is None:
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, resume_at - self._mind.clock())):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _send(self, event: Event) -> None:
        faults, kind = self._faults, event.get("type", "")
        first = kind not in self._kinds
        self._kinds.add(kind)
        if self._silent:
            return
        if kind == "session.updated" and first and faults.updated_delay_s:
            await asyncio.sleep(faults.updated_delay_s)
        await self._socket.send_str(json.dumps(event, ensure_ascii=False))
        self._session.note_sent(kind)
        if kind.endswith("audio.delta"):
            self._audio_deltas += 1
            if faults.drop_at == "mid_audio" and self._audio_deltas == 2:
                self._session.abort()
        if not first:
            return
        if kind == faults.garbage_after:
            await self._socket.send_str('{"type": "response.')
        if kind == faults.binary_after:
            await self._socket.send_bytes(b"\x00\x01binary")
        if kind == faults.deaf_after:
            self._deaf = True
        if kind == faults.silent_after:
            self._silent = True

    async def _close(self, code: int, reason: str) -> None:
        self._closing = True
        self._session.note_closed("vendor", code, reason)
        await self._socket.close(code=code, message=reason.encode())

    async def _ping(self, every_s: float) -> None:
        while True:
            self._ponged.clear()
            await self._socket.ping(b"ping")
            await asyncio.sleep(every_s)
            if not self._ponged.is_set():
                self._mind.record("no-pong", "every ping answered", {"type": "(ping)"})

    # -- reading -------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            # Deaf: this message is not heard, and the rest stays in the client's socket.
            if self._deaf or await self._handle(message):
                break
        if self._deaf or self._closing:
            await asyncio.Event().wait()  # until `run` cancels this task

    async def _handle(self, message: Any) -> bool:
        """Handle one message; returns whether it was the last."""
        match message.type:
            case WSMsgType.TEXT:
                self._text(message.data)
            case WSMsgType.BINARY:
                self._session.note_received(receive_binary(self._mind, len(message.data)))
            case WSMsgType.PING:
                await self._socket.pong(message.data)
            case WSMsgType.PONG:
                self._session.pongs += 1
                self._ponged.set()
            case WSMsgType.CLOSE:
                self._session.note_closed("client", message.data, message.extra or "")
                return True
            case _:
                return True
        self._wake.set()
        return False

    def _text(self, data: str) -> None:
        event = receive_text(self._mind, data)
        self._session.note_received(event)
        if self._faults.drop_at == "before_updated" and event.get("type") == "session.update":
            self._session.abort()
