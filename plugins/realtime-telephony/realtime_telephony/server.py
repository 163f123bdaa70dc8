"""The server behind `realtime serve-calls`: listens, runs calls, and stops in order."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Self, final

import attrs

from realtime_core.errors import ErrorKind, RealtimeError
from realtime_telephony.attach import attach
from realtime_telephony.audiosocket import AudioSocketLeg, AudioSocketListener
from realtime_telephony.call_record import CallRecord, RefusedCall
from realtime_telephony.desk import TEAR_DOWN_S, Attach, Desk, RunningCall
from realtime_telephony.http_door import ASTERISK_PATH, MEDIA_PATH, SPARE_CONNECTIONS, HttpDoor
from realtime_telephony.routing import Routing

__all__ = ["CallServer", "ListenError", "log_record"]

_log = logging.getLogger("realtime_telephony.server")
_calls_log = logging.getLogger("realtime_telephony.calls")


class ListenError(RealtimeError):
    """An address to listen on cannot be had."""


def log_record(record: CallRecord | RefusedCall) -> None:
    """Log a call's line, to `realtime_telephony.calls` at level INFO."""
    _calls_log.info("%s", record.line())


@final
class CallServer:
    """
    Listens for calls and runs them side by side, each with an agent of its own.

    Belongs to one event loop. As an asynchronous context manager it starts, and in the end closes at once; `drain` before
    that lets calls end by themselves.

    Args:
        routing: The routing file, checked.
        on_record: Told of each call that is over or was refused; plain and fast.
        join: Joins an agent and a leg, for tests.
    """

    def __init__(
        self,
        routing: Routing,
        *,
        on_record: Callable[[CallRecord | RefusedCall], None] = log_record,
        join: Attach = attach,
    ) -> None:
        self._settings = routing.server
        self._desk = Desk(routing, on_record=on_record, join=join)
        self._audiosocket: AudioSocketListener | None = None
        self._http: HttpDoor | None = None

    @property
    def audiosocket_port(self) -> int | None:
        """Where AudioSocket connects to, while it listens."""
        return None if self._audiosocket is None else self._audiosocket.port

    @property
    def http_port(self) -> int | None:
        """Where WebSockets connect to, while it listens."""
        return None if self._http is None else self._http.port

    @property
    def listening(self) -> tuple[str, ...]:
        """What listens where, a line each."""
        lines: list[str] = []
        if self._audiosocket is not None and self._settings.audiosocket is not None:
            host = self._settings.audiosocket.host
            lines.append(f"AudioSocket         tcp://{_address(host, self._audiosocket.port)}")
        if self._http is not None and self._settings.http is not None:
            where = _address(self._settings.http.host, self._http.port)
            lines.append(f"Asterisk WebSocket  ws://{where}{ASTERISK_PATH}")
            lines.append(f"media streams       ws://{where}{MEDIA_PATH}")
            lines.append(f"health              http://{where}/healthz")
        return tuple(lines)

    @property
    def calls(self) -> tuple[RunningCall, ...]:
        """The calls that are up."""
        return self._desk.calls

    @property
    def draining(self) -> bool:
        """Whether new calls are refused because the server stops."""
        return not self._desk.accepting

    async def start(self) -> None:
        """
        Begin to listen.

        Raises:
            ListenError: An address cannot be had; nothing listens then.
        """
        settings = self._settings
        try:
            if settings.audiosocket is not None:
                ours = settings.audiosocket
                listener = AudioSocketListener(
                    ours.host,
                    ours.port,
                    self._audiosocket_call,
                    silent_rate_hz=ours.silent_rate_hz,
                    admits=ours.admits,
                    most_connections=settings.most_calls + SPARE_CONNECTIONS,
                )
                await listener.start()
                self._audiosocket = listener
            if settings.http is not None:
                door = HttpDoor(settings, settings.http, self._desk)
                await door.start()
                self._http = door
        except OSError as error:
            await self.close()
            reason = error.strerror or str(error)
            raise ListenError(f"cannot listen: {reason}", kind=ErrorKind.CONFIG) from error

    def reroute(self, routing: Routing) -> bool:
        """
        Let further calls go by the routes of another routing file; calls that are up are not disturbed.

        Args:
            routing: Checked. Its `[server]` is not looked at: listeners and limits stay as they are.

        Returns:
            Whether `[server]` is what it was.
        """
        same = routing.server == self._settings
        self._desk.routing = attrs.evolve(routing, server=self._settings)
        return same

    async def drain(self, drain_s: float | None = None) -> None:
        """
        Take no new calls, let those that are up end by themselves, then hang the rest up, then close.

        The HTTP port stays open meanwhile and answers 503, the health check's too.

        Args:
            drain_s: How long calls may go on, in seconds; `None` is the routing file's.
        """
        limit_s = self._settings.drain_s if drain_s is None else drain_s
        self._desk.accepting = False
        if self._audiosocket is not None:
            self._audiosocket.stop_accepting()
        if self.calls:
            _log.info("draining: %d calls are up, for at most %g s", len(self.calls), limit_s)
        if not await self._desk.wait_for_calls(limit_s):
            _log.warning("%g s are over: hanging up %d calls", limit_s, len(self.calls))
            await self._desk.hang_up_all()
        await self.close()

    def end_now(self) -> None:
        """Hang up every call at once, also while draining; `drain` or `close` then has nothing to wait for."""
        self._desk.accepting = False
        self._desk.cancel_all()

    async def close(self) -> None:
        """Hang up every call and stop listening; returns when no socket and no task is left. Idempotent."""
        self.end_now()
        if not await self._desk.wait_for_calls(TEAR_DOWN_S):
            _log.error("%d calls do not end", len(self.calls))
        listener, self._audiosocket = self._audiosocket, None
        door, self._http = self._http, None
        if listener is not None:
            await listener.close()
        if door is not None:
            await door.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _audiosocket_call(self, leg: AudioSocketLeg) -> None:
        with self._desk.seat() as seated:
            if seated:
                await self._desk.take(leg)
            else:
                await self._desk.refuse(leg, "busy" if self._desk.accepting else "draining")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
