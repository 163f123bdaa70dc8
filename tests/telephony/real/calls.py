"""What a test of real calls has in hand: where calls arrive, and phones to make them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import web

from realtime_telephony.asterisk_websocket import asterisk_handler
from realtime_telephony.audiosocket import AudioSocketListener
from realtime_telephony.leg import CallerAudio, CallLeg, DigitPressed, LegClosed
from realtime_telephony.pacer import Pacer
from tests.telephony.real.asterisk import Asterisk
from tests.telephony.real.baresip import Baresip
from tests.telephony.real.parts import Parts
from tests.telephony.real.sipp import Sipp
from tests.telephony.real.sound import Sound, silence, write_wav

__all__ = ["MADE", "Call", "Calls", "servers"]

MADE: list[str] = []
"""Every call that was made, by its id."""

ARRIVAL_TIMEOUT_S = 10.0


class Call:
    """
    A leg with a program on it that has nothing to do with a model: it says what it is told and remembers what it hears.

    A leg without a clock is paced, with silence in between, as the program of an application would.
    """

    def __init__(self, leg: CallLeg) -> None:
        self.leg = leg
        self.heard = bytearray()
        self.digits = ""
        self.closed: LegClosed | None = None
        self.over = asyncio.Event()
        self.pressed = asyncio.Event()
        self._more = asyncio.Event()
        self._out = bytearray()
        self.pacer = Pacer(self._tick, ahead_ms=leg.capabilities.ahead_ms)
        if not leg.capabilities.owns_clock:
            self.pacer.start()

    def say(self, sound: Sound) -> None:
        """Say something, at the leg's rate."""
        pcm = sound.astype("<i2").tobytes()
        if not self.leg.capabilities.owns_clock:
            self._out += pcm
            return
        second = 2 * self.leg.sample_rate_hz
        for at in range(0, len(pcm), second):
            self.leg.play(pcm[at : at + second])

    async def flush(self) -> int:
        """Stop saying it."""
        self._out.clear()
        return await self.leg.flush()

    def _tick(self) -> None:
        size = self.leg.sample_rate_hz // 50 * 2
        self.leg.play(bytes(self._out[:size]).ljust(size, b"\0"))
        del self._out[:size]

    async def run(self) -> None:
        """Listen until the call is over."""
        while self.closed is None:
            match await self.leg.receive():
                case CallerAudio(pcm):
                    self.heard += pcm
                    self._more.set()
                case DigitPressed(digit):
                    self.digits += digit
                    self.pressed.set()
                case LegClosed() as closed:
                    self.closed = closed
        self.pacer.stop()
        self.over.set()

    async def has_heard(self, seconds: float, timeout_s: float = 10.0) -> None:
        """Wait until the caller has sent so much."""
        async with asyncio.timeout(timeout_s):
            while len(self.heard) < 2 * seconds * self.leg.sample_rate_hz:
                self._more.clear()
                await self._more.wait()

    async def ended(self, timeout_s: float = 5.0) -> LegClosed:
        """Wait for the end of the call."""
        async with asyncio.timeout(timeout_s):
            await self.over.wait()
        assert self.closed is not None
        return self.closed

    @property
    def heard_sound(self) -> Sound:
        """What the caller said."""
        return np.frombuffer(bytes(self.heard), dtype="<i2").astype(np.int16)


class Calls:
    """
    Both servers of ours on the ports that Asterisk knows, and phones.

    Args:
        parts: Where the programs are.
        asterisk: Which one.
        directory: For files.
    """

    def __init__(self, parts: Parts, asterisk: Asterisk, directory: Path) -> None:
        self.asterisk = asterisk
        self.legs: list[CallLeg] = []
        self.listener = AudioSocketListener("127.0.0.1", asterisk.audiosocket_port, self._on_call)
        self.on_websocket = asterisk_handler(self._on_call)
        self._parts = parts
        self._directory = directory
        self._arrived: asyncio.Queue[Call] = asyncio.Queue()
        self._phones = 0
        self._before = asyncio.all_tasks()
        self.program: Callable[[CallLeg], Awaitable[None]] = self._listen
        """Runs each call; a `Call` unless a test chooses something else."""

    async def _on_call(self, leg: CallLeg) -> None:
        self.legs.append(leg)
        MADE.append(leg.info.call_id)
        await self.program(leg)

    async def _listen(self, leg: CallLeg) -> None:
        call = Call(leg)
        self._arrived.put_nowait(call)
        await call.run()

    async def call(self) -> Call:
        """Wait for a call to arrive."""
        async with asyncio.timeout(ARRIVAL_TIMEOUT_S):
            return await self._arrived.get()

    def phone(self, says: Sound | None = None, **settings: Any) -> Baresip:
        """Take a phone; what the caller says is at 8 kHz, and a minute of silence follows it."""
        self._phones += 1
        directory = self._directory / f"phone{self._phones}"
        directory.mkdir()
        quiet = silence(60, 8000)
        wav = write_wav(
            directory / "says.wav", quiet if says is None else np.concatenate([says, quiet])
        )
        settings.setdefault("first_rtp_port", 20000 + 20 * self._phones)
        return Baresip(self._parts, directory, wav, **settings)

    def sipp(self, extension: str, **settings: Any) -> Sipp:
        """Take a load of phones."""
        self._phones += 1
        directory = self._directory / f"sipp{self._phones}"
        return Sipp(self._parts, directory, self.asterisk.sip_port, extension, **settings)

    async def nothing_is_left(self) -> None:
        """Fail when a task of ours or a connection outlived its call."""
        left = asyncio.all_tasks() - self._before - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=30)
        assert [task for task in left if not task.done()] == []
        assert self.listener.connections == 0


@asynccontextmanager
async def servers(calls: Calls) -> AsyncIterator[None]:
    """Listen on both ports."""
    app = web.Application()
    app.router.add_get(calls.asterisk.websocket_path, calls.on_websocket)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", calls.asterisk.websocket_port).start()
    try:
        async with calls.listener:
            yield
    finally:
        await runner.cleanup()
