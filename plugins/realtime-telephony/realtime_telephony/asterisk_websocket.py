"""
Calls over Asterisk's WebSocket channel: Asterisk connects to an aiohttp server of ours.

`Dial(WebSocket/<client>/c(slin16)f(json)v(dialled=${EXTEN}))` with `protocols=media` in `websocket_client.conf`. What stands in
`v(...)` arrives in `CallInfo.parameters`; `dialled` and `caller` among it are taken for what they say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, cast

from aiohttp import WSCloseCode, WSMsgType, web

from realtime_core.clock import Clock
from realtime_core.errors import RemoteProtocolError
from realtime_telephony.asterisk_leg import (
    ENCODE,
    GOODBYE_S,
    SEND_LIMIT_BYTES,
    AsteriskWebSocketLeg,
    codec_of,
)
from realtime_telephony.asterisk_media import (
    SAMPLE_RATES_HZ,
    TOO_FAST,
    MediaStart,
    control_format,
    parse_event,
)
from realtime_telephony.leg import FASTEST_HZ, CallInfo
from realtime_telephony.making import build_tables

__all__ = [
    "START_TIMEOUT_S",
    "SUBPROTOCOL",
    "CallRefusedError",
    "asterisk_call",
    "asterisk_handler",
]

START_TIMEOUT_S: Final = 5.0
"""How long MEDIA_START is awaited, which Asterisk sends first of all."""
SUBPROTOCOL: Final = "media"
"""Name of the WebSocket sub-protocol."""

_MAX_MESSAGE_BYTES: Final = 64 * 1024  # MEDIA_START has all channel variables in it
_HEARTBEAT_S: Final = 20.0

_log = logging.getLogger("realtime_telephony.asterisk")


class CallRefusedError(RemoteProtocolError):
    """What connected is no call that a leg can carry; the socket is closed already."""

    def __init__(self, message: str, response: web.WebSocketResponse) -> None:
        super().__init__(message)
        self.response = response
        """For the aiohttp handler to return."""


async def asterisk_call(
    request: web.Request, *, start_timeout_s: float = START_TIMEOUT_S, clock: Clock | None = None
) -> AsteriskWebSocketLeg:
    """
    Take a connection of Asterisk's; the handler of a route does so and returns `AsteriskWebSocketLeg.response` in the end.

    Whether the peer may call at all is for the caller to check, before.

    Args:
        request: The upgrade.
        start_timeout_s: Limit of the wait for MEDIA_START.
        clock: Where the leg takes the time from.

    Raises:
        aiohttp.web.HTTPBadRequest: No WebSocket, or without the sub-protocol.
        CallRefusedError: No MEDIA_START came, or its format cannot be carried.
    """
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if SUBPROTOCOL not in (name.strip() for name in offered.split(",")):
        raise web.HTTPBadRequest(
            text=f"expected a WebSocket with sub-protocol {SUBPROTOCOL}: set protocols={SUBPROTOCOL} in websocket_client.conf"
        )
    socket = web.WebSocketResponse(
        protocols=(SUBPROTOCOL,),
        compress=False,
        heartbeat=_HEARTBEAT_S,
        max_msg_size=_MAX_MESSAGE_BYTES,
        timeout=GOODBYE_S,
        writer_limit=2 * SEND_LIMIT_BYTES,
    )
    await socket.prepare(request)
    transport = request.transport
    try:
        first = await socket.receive(start_timeout_s)
    except TimeoutError:
        raise await _refusal(socket, f"no MEDIA_START within {start_timeout_s:g} s") from None
    text = cast("str", first.data) if first.type is WSMsgType.TEXT else ""
    start = parse_event(text)
    if not isinstance(start, MediaStart) or not isinstance(transport, asyncio.WriteTransport):
        raise await _refusal(socket, "expected MEDIA_START first: not Asterisk's WebSocket channel")
    if start.format in TOO_FAST:
        raise await _refusal(
            socket,
            f"the channel's format is {start.format!r}, and an agent takes {FASTEST_HZ} Hz at most: write c(slin48) or less in"
            " Dial(WebSocket/...)",
        )
    if start.format not in SAMPLE_RATES_HZ:
        raise await _refusal(
            socket,
            f"the channel's format is {start.format[:20]!r}; expected one of {', '.join(SAMPLE_RATES_HZ)}:"
            " add c(slin16) to Dial(WebSocket/...)",
        )
    if start.frame_bytes and not _is_frame(start):
        raise await _refusal(socket, f"a frame of {start.frame_bytes} bytes of {start.format}")
    if (codec := codec_of(start.format)) != "pcm":
        await build_tables(ENCODE[codec])
    parameters = dict(request.query)
    info = CallInfo(
        leg="asterisk",
        call_id=start.channel_id,
        dialled=parameters.get("dialled"),
        caller=parameters.get("caller") or None,
        parameters=parameters,
    )
    return AsteriskWebSocketLeg(socket, transport, start, control_format(text), info, clock)


def _is_frame(start: MediaStart) -> bool:
    """Whether a tick is of a length that can be believed: 10 to 200 ms of whole samples."""
    width = 2 if codec_of(start.format) == "pcm" else 1
    a_second = SAMPLE_RATES_HZ[start.format] * width
    return a_second // 100 <= start.frame_bytes <= a_second // 5 and not start.frame_bytes % width


async def _refusal(socket: web.WebSocketResponse, reason: str) -> CallRefusedError:
    await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
    return CallRefusedError(f"Asterisk WebSocket: {reason}", socket)


def asterisk_handler(
    on_call: Callable[[AsteriskWebSocketLeg], Awaitable[None]],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """
    Make a handler for a route of an aiohttp server.

    Args:
        on_call: Runs a call; the leg is closed when it returns. What it raises is logged.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            leg = await asterisk_call(request)
        except CallRefusedError as error:
            _log.warning("no call: %s", error)
            return error.response
        try:
            await on_call(leg)
        except Exception:  # noqa: BLE001 - one call never disturbs another
            _log.exception("call %s failed", leg.info.logged_id)
        finally:
            await leg.close()
        return leg.response

    return handle
