"""From the HTTP request of a vendor to the leg of its call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from realtime_core.clock import Clock
from realtime_core.errors import ConfigError, ErrorKind, RealtimeError
from realtime_telephony.making import build_tables
from realtime_telephony.media_dialect import DIALECTS, MediaDialect, detect
from realtime_telephony.media_frames import call_id_of, parse_json, read_start
from realtime_telephony.media_hang_up import CallActions, VendorAccount
from realtime_telephony.media_signature import RequestCheck
from realtime_telephony.media_socket import CLOSE_TIMEOUT_S, NEVER_WAIT, MediaSocket, SocketEnd
from realtime_telephony.media_stream import MediaStreamLeg, StreamLimits
from realtime_telephony.peer_text import one_word

__all__ = ["MESSAGES_BEFORE_START", "START_TIMEOUT_S", "StreamRefusedError", "media_stream_call"]

START_TIMEOUT_S: Final = 5.0
"""How long the start message is awaited."""
MESSAGES_BEFORE_START: Final = 8
"""How many other messages may come before it; they are dropped."""
_POLICY_VIOLATION: Final = 1008

_log = logging.getLogger("realtime_telephony.media")


class StreamRefusedError(RealtimeError):
    """
    A stream was upgraded and then refused; its socket is closed.

    Args:
        message: What was expected, what came, what to do.
        response: What the HTTP handler has to return.
        kind: What an operator has to look at.
    """

    response: web.WebSocketResponse

    def __init__(self, message: str, response: web.WebSocketResponse, kind: ErrorKind) -> None:
        super().__init__(message, kind=kind)
        self.response = response


async def media_stream_call(
    request: web.Request,
    *,
    check: RequestCheck | None,
    accounts: Mapping[str, VendorAccount] | None = None,
    dialects: Sequence[MediaDialect] = DIALECTS,
    limits: StreamLimits | None = None,
    start_timeout_s: float = START_TIMEOUT_S,
    clock: Clock | None = None,
) -> MediaStreamLeg:
    """
    Check and upgrade a request, and wait for the vendor to say what call it is.

    Call it from an aiohttp handler, run the call, close the leg, and return `MediaStreamLeg.response`.

    Args:
        request: The vendor's.
        check: Who may; `None` lets everybody in, for loopback only.
        accounts: Credentials that end and transfer calls, by the name of the dialect.
        dialects: Whom to expect; `attrs.evolve` one for settings of your account that no message tells, such as
            `evolve(TELNYX, reply_encoding="PCMA")`.
        limits: Bounds of the stream.
        start_timeout_s: How long the start message is awaited, in seconds.
        clock: Where the leg takes the time from.

    Raises:
        web.HTTPForbidden: The check failed; nothing was upgraded.
        web.HTTPBadRequest: No WebSocket upgrade.
        StreamRefusedError: No start message in time, no vendor we know, or an encoding we cannot carry; such a call is ended
            by its account, where there is one.
    """
    if check is not None and not check(request):
        _log.warning(
            "a media stream from %s was refused: no valid signature or token", request.remote
        )
        raise web.HTTPForbidden(text="no valid signature or token\n")
    limits = limits or StreamLimits()
    response = web.WebSocketResponse(
        timeout=CLOSE_TIMEOUT_S,
        max_msg_size=limits.message_bytes,
        compress=False,
        writer_limit=NEVER_WAIT,
    )
    if not response.can_prepare(request).ok:
        raise web.HTTPBadRequest(text="expected a WebSocket upgrade\n")
    await response.prepare(request)
    socket = MediaSocket(response, request)
    accounts = accounts or {}
    try:
        dialect, message = await _wait_for_start(socket, dialects, start_timeout_s)
        try:
            started = read_start(dialect, message)
        except ConfigError:
            await _end_call(dialect, message, accounts)
            raise
        await build_tables(started.plays.encode)
    except RealtimeError as error:
        await socket.close(_POLICY_VIOLATION)
        raise StreamRefusedError(str(error), response, error.kind) from None
    except BaseException:
        await socket.close(_POLICY_VIOLATION)
        raise
    account = accounts.get(dialect.name)
    control = None if account is None else CallActions(account)
    return MediaStreamLeg(socket, started, control=control, limits=limits, clock=clock)


async def _end_call(
    dialect: MediaDialect, message: Mapping[str, Any], accounts: Mapping[str, VendorAccount]
) -> None:
    """End a call that cannot be carried: the vendor may keep it up, with nobody to speak to."""
    account, call_id = accounts.get(dialect.name), call_id_of(dialect, message)
    if account is None or call_id is None:
        return
    try:
        await CallActions(account).hang_up(call_id)
    except RealtimeError as error:
        _log.error("call %s: %s; the stream is closed instead", one_word(call_id), error)


async def _wait_for_start(
    socket: MediaSocket, dialects: Sequence[MediaDialect], timeout_s: float
) -> tuple[MediaDialect, dict[str, Any]]:
    expected = "expected a start message of " + ", ".join(dialect.name for dialect in dialects)
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MESSAGES_BEFORE_START + 1):
                message = await socket.receive()
                if isinstance(message, SocketEnd):
                    raise ConfigError(f"media stream: {expected}, got none: {message.detail}")
                parsed: dict[str, Any] | None = (
                    parse_json(message) if isinstance(message, str) else None
                )
                dialect = detect(parsed, dialects)
                if dialect is not None and parsed is not None:
                    return dialect, parsed
    except TimeoutError:
        raise ConfigError(f"media stream: {expected} within {timeout_s:g} s") from None
    raise ConfigError(f"media stream: {expected}, got {MESSAGES_BEFORE_START + 1} other messages")
