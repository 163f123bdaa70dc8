"""
Calls over Asterisk's AudioSocket: the leg, and the listener Asterisk connects to.

Asterisk passes on what we write at once, so whoever holds the leg calls `play` once every 20 ms (`Pacer`) and nothing written
can be taken back. Asterisk drops a call whose frame does not arrive in one piece, and one on which nothing moves for 2 s, so
every frame is one write, and silence must be sent where there is no speech.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Final, Literal, Self, final
from uuid import UUID

from realtime_core.clock import Clock, LoopClock
from realtime_core.errors import ConfigError
from realtime_telephony.audiosocket_connection import AudioSocketConnection
from realtime_telephony.audiosocket_frames import RATES_HZ, HangUp, audio_frame, encode
from realtime_telephony.leg import (
    FASTEST_HZ,
    CallInfo,
    CallLeg,
    LegCapabilities,
    LegClosed,
    LegEvent,
)
from realtime_telephony.making import Making
from realtime_telephony.seldom import Seldom

__all__ = [
    "AHEAD_MS",
    "CLOSE_LIMIT_S",
    "FIRST_AUDIO_TIMEOUT_S",
    "UUID_TIMEOUT_S",
    "AudioSocketLeg",
    "AudioSocketListener",
]

AHEAD_MS: Final = 20
"""Lead of the pacer: one frame more than real time, against our own late wake-ups."""
UUID_TIMEOUT_S: Final = 2.0
"""How long a new connection may take to say which call it is."""
FIRST_AUDIO_TIMEOUT_S: Final = 1.0
"""How long the first audio is awaited, which tells the rate; a phone that is silent from the start sends none."""
CLOSE_LIMIT_S: Final = 10.0
"""How long a call may take to end once the listener was closed; `attach` needs less."""

_CAPABILITIES: Final = LegCapabilities(
    owns_clock=False,
    ahead_ms=AHEAD_MS,
    flush=False,
    marks=False,
    needs_silence=True,
    dtmf=True,
    hang_up=True,
)
_GOODBYE_S: Final = 1.0
_CANCEL_LIMIT_S: Final = 3.0  # closing the leg takes two
_RESAMPLER: Final = "realtime_core.backends.soxr"
_IMPORT_LIMIT_S: Final = 5.0
_EARLY_S: Final = 0.001
_FRAMES_A_SECOND: Final = 50

_log = logging.getLogger("realtime_telephony.audiosocket")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@final
class AudioSocketLeg(CallLeg):
    """
    A call over AudioSocket.

    `played_samples` is what was written, or dropped because Asterisk did not read: Asterisk sends it to the phone at once and
    says nothing about it, so how much of the pacer's lead and of the phone's jitter buffer the caller has heard cannot be known. A caller's hang-up, a killed Asterisk
    and the end of the dialplan's step look the same on this wire: `LegClosed("caller")`.

    Args:
        connection: Carries it.
        call_id: UUID of the dialplan.
        sample_rate_hz: Of the audio, both ways.
        clock: Where the time comes from.
    """

    codec: Literal["pcm", "g711_ulaw", "g711_alaw"] = "pcm"

    def __init__(
        self,
        connection: AudioSocketConnection,
        call_id: UUID,
        sample_rate_hz: int,
        clock: Clock | None = None,
    ) -> None:
        self.info: CallInfo = CallInfo(leg="audiosocket", call_id=str(call_id))
        self.capabilities = _CAPABILITIES
        self.sample_rate_hz = sample_rate_hz
        self._connection = connection
        self._clock = clock or LoopClock()
        self._sent = 0
        self._heard_at = 0.0

    @property
    def frames_dropped(self) -> int:
        """How many frames were dropped because Asterisk did not read."""
        return self._connection.frames_dropped

    @property
    def counters(self) -> Mapping[str, int]:
        """Frames Asterisk did not read, pieces of caller audio nobody read, and frames of a type nobody knows."""
        connection = self._connection
        counted = {
            "unread_by_asterisk": connection.frames_dropped,
            "unread_audio": connection.inbox.dropped,
            "unknown_type": connection.unknown,
        }
        return {reason: count for reason, count in counted.items() if count}

    async def receive(self) -> LegEvent:
        """Wait for the next event; see `CallLeg.receive`."""
        return await self._connection.inbox.get()

    def play(self, pcm: bytes) -> None:
        """Send one frame at once; see `CallLeg.play`. Nothing is sent for nothing: Asterisk takes an empty frame for an error."""
        connection = self._connection
        if not pcm or connection.inbox.closed is not None:
            return
        connection.send(audio_frame(pcm, self.sample_rate_hz))
        if connection.inbox.closed is None:
            samples = len(pcm) // 2
            self._sent += samples  # dropped frames too: their time is over
            self._heard_at = max(self._heard_at, self._clock.now()) + samples / self.sample_rate_hz

    def played_samples(self) -> int:
        """Say how much was written; see the class."""
        return self._sent

    async def flush(self) -> int:
        """Say how much was written: nothing of it can be taken back, so stop writing."""
        return self._sent

    async def drained(self, timeout_s: float) -> bool:
        """Wait until all that was written has had its time; see `CallLeg.drained`."""
        connection, loop = self._connection, asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()
        end = self._heard_at  # of what was given so far: silence is sent on and on
        until = min(end, self._clock.now() + timeout_s)
        timer = self._clock.call_at(until, lambda: _settle(heard))
        try:
            await asyncio.wait([heard, connection.gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        # Timers of the loop may come early by its resolution.
        return connection.inbox.closed is None and self._clock.now() >= end - _EARLY_S

    async def hang_up(self) -> None:
        """End the channel, or with the application give the call back to the dialplan; see `CallLeg.hang_up`."""
        connection = self._connection
        if connection.inbox.closed is None:
            connection.send(encode(HangUp()))
            connection.end(LegClosed("us"))
        await connection.leave(_GOODBYE_S)

    async def close(self) -> None:
        """Close the connection, which Asterisk takes as 0x00; see `CallLeg.close`."""
        self._connection.end(LegClosed("us"))
        await self._connection.leave(_GOODBYE_S)


@final
class AudioSocketListener:
    """
    Takes AudioSocket calls of Asterisk's, for use as an asynchronous context manager.

    The protocol has no authentication and no encryption: listen on loopback or on a private interface.

    Args:
        host: Address to listen on.
        port: TCP port; 0 chooses one.
        on_call: Runs a call, each in a task of its own; the leg is closed when it returns. What it raises is logged.
        silent_rate_hz: Rate of a call on which no audio came within `FIRST_AUDIO_TIMEOUT_S`: 8,000 as with the application
            `AudioSocket()`, or what stands in the `c(...)` of the dialplan. Audio that comes later at another rate is converted.
        admits: Whether a peer's address may connect; `None`: everybody who reaches us.
        most_connections: Beyond so many at once, calls or not yet, new ones are closed unread.

    Raises:
        ConfigError: AudioSocket has no audio of `silent_rate_hz`, or an agent takes none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        on_call: Callable[[AudioSocketLeg], Awaitable[None]],
        *,
        silent_rate_hz: int = 8_000,
        admits: Callable[[str], bool] | None = None,
        most_connections: int = 1_000,
    ) -> None:
        if silent_rate_hz not in RATES_HZ.values() or silent_rate_hz > FASTEST_HZ:
            rates = ", ".join(str(rate) for rate in RATES_HZ.values() if rate <= FASTEST_HZ)
            raise ConfigError(f"silent_rate_hz: expected one of {rates}, got {silent_rate_hz!r}")
        self._host = host
        self._port = port
        self._most_connections = most_connections
        self._on_call = on_call
        self._silent_rate_hz = silent_rate_hz
        self._admits = admits
        self._full, self._strangers = Seldom(_log), Seldom(_log)
        self._server: asyncio.Server | None = None
        self._calls: dict[asyncio.Task[None], AudioSocketConnection] = {}
        self.refused: int = 0
        """How many connections never became a call."""

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def connections(self) -> int:
        """How many connections there are, calls and others."""
        return len(self._calls)

    async def start(self) -> None:
        """
        Begin to listen.

        Raises:
            OSError: The address cannot be had.
        """
        # For calls whose audio is converted; to import it in the midst of calls would hold up all of them.
        with suppress(TimeoutError):
            await Making(1).run(lambda: import_module(_RESAMPLER), _IMPORT_LIMIT_S)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def stop_accepting(self) -> None:
        """Take no new calls; those that are up go on. Idempotent."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """
        Take no new calls and end those that are up; returns when their tasks are done. Idempotent.

        A task that takes longer than `CLOSE_LIMIT_S` is cancelled; one that takes as little notice of that is left behind, told
        of in the log.
        """
        self.stop_accepting()
        for connection in self._calls.values():
            connection.end(LegClosed("us", "the server stops"))
        if self._calls:
            await asyncio.wait(list(self._calls), timeout=CLOSE_LIMIT_S)
        for task in self._calls:
            task.cancel()
        if self._calls:
            await asyncio.wait(list(self._calls), timeout=_CANCEL_LIMIT_S)
        if self._calls:
            _log.error("%d calls do not end", len(self._calls))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def _may_connect(self, peer: str) -> bool:
        if len(self._calls) > self._most_connections:
            self._full.warn(
                "%d connections are open on the AudioSocket port: further ones are closed",
                self._most_connections,
            )
            return False
        if self._admits is not None and not self._admits(peer):
            self._strangers.warn("%s is not among those who may connect", peer or "a peer")
            return False
        return True

    def _connection(self) -> AudioSocketConnection:
        connection = AudioSocketConnection(self._may_connect)
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._calls[task] = connection
        task.add_done_callback(self._calls.pop)
        return connection

    async def _serve(self, connection: AudioSocketConnection) -> None:
        leg = await self._leg(connection)
        if leg is None:
            self.refused += 1
            await connection.leave(_GOODBYE_S)
            return
        try:
            await self._on_call(leg)
        except Exception:  # noqa: BLE001 - one call never disturbs another
            _log.exception("call %s failed", leg.info.call_id)
        finally:
            closed = connection.inbox.closed
            if closed is not None and closed.reason == "protocol":
                _log.warning("call %s: %s", leg.info.call_id, closed.detail)
            await leg.close()

    async def _leg(self, connection: AudioSocketConnection) -> AudioSocketLeg | None:
        """Wait until the connection has said which call it is and at what rate."""
        await asyncio.wait([connection.call_id], timeout=UUID_TIMEOUT_S)
        if not connection.call_id.done():
            connection.end(LegClosed("timeout", f"no UUID within {UUID_TIMEOUT_S} s"))
        else:
            await asyncio.wait([connection.rate], timeout=FIRST_AUDIO_TIMEOUT_S)
            if not connection.rate.done():
                rate = self._silent_rate_hz
                connection.rate.set_result(rate)
                # A second of Asterisk's two is gone, and who takes the call may need another to begin.
                connection.send(audio_frame(bytes(rate // _FRAMES_A_SECOND * 2), rate))
        closed = connection.inbox.closed
        if closed is None:
            return AudioSocketLeg(connection, connection.call_id.result(), connection.rate.result())
        if connection.was_let_in:
            _log.warning("no call: %s %s", closed.reason, closed.detail)
        return None
