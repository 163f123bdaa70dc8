"""The HTTP port: WebSockets of calls, health, and what a control plane may ask."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, cast, final

from aiohttp import web

from realtime_telephony.access import operator_check, stream_check, what_is_missing
from realtime_telephony.asterisk_websocket import CallRefusedError, asterisk_call
from realtime_telephony.desk import Desk
from realtime_telephony.http_log import HttpLog
from realtime_telephony.introspection import (
    ProviderList,
    calls_as_json,
    health_as_json,
    health_as_metrics,
)
from realtime_telephony.leg import CallInfo, CallLeg
from realtime_telephony.media_call import StreamRefusedError, media_stream_call
from realtime_telephony.media_signature import RequestCheck
from realtime_telephony.seldom import Seldom
from realtime_telephony.server_settings import HttpSettings, ServerSettings
from realtime_telephony.tidying import to_the_end

__all__ = [
    "ASTERISK_PATH",
    "CALLS_PATH",
    "HEALTH_PATH",
    "IDLE_S",
    "MEDIA_PATH",
    "METRICS_PATH",
    "PROVIDERS_PATH",
    "SPARE_CONNECTIONS",
    "HttpDoor",
]

ASTERISK_PATH: Final = "/asterisk"
"""For Asterisk's WebSocket channel."""
MEDIA_PATH: Final = "/media"
"""For media streams; with the shared secret behind it, `/media/SECRET`, where a vendor can send it in no other way."""
HEALTH_PATH: Final = "/healthz"
"""For load balancers."""
METRICS_PATH: Final = "/metrics"
"""For Prometheus."""
CALLS_PATH: Final = "/calls"
"""The calls that are up."""
PROVIDERS_PATH: Final = "/api/tenant/voice/providers"
"""The providers installed."""
IDLE_S: Final = 10.0
"""How long a connection may take over the head of a request, in seconds."""
SPARE_CONNECTIONS: Final = 100
"""How many connections there may be beside those of calls; further ones are closed unread."""
_GOODBYE_S: Final = 1.0

_log = logging.getLogger("realtime_telephony.server")


class _Answered(Protocol):
    """A leg over HTTP."""

    @property
    def response(self) -> web.WebSocketResponse:
        """What the handler has to return."""
        ...


class _Unread(asyncio.Protocol):
    """Closes a connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        cast("asyncio.Transport", transport).abort()


@final
class HttpDoor:
    """
    Listens on the HTTP port.

    Args:
        settings: Who may connect.
        http: Where to listen.
        desk: Takes the calls.
    """

    def __init__(self, settings: ServerSettings, http: HttpSettings, desk: Desk) -> None:
        self._settings = settings
        self._http = http
        self._desk = desk
        self._for_operators = operator_check(settings)
        self._for_streams = stream_check(settings)
        self._providers = ProviderList()
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._full = Seldom(_log)
        self.port: int = http.port
        """The port it listens on."""

    async def start(self) -> None:
        """
        Begin to listen.

        Raises:
            OSError: The address cannot be had.
        """
        app = web.Application()
        app.on_response_prepare.append(_last_answer)
        app.router.add_get(ASTERISK_PATH, self._asterisk)
        app.router.add_get(MEDIA_PATH, self._media)
        app.router.add_get(MEDIA_PATH + "/{token}", self._media)
        app.router.add_get(HEALTH_PATH, self._health)
        app.router.add_get(METRICS_PATH, self._metrics)
        app.router.add_get(CALLS_PATH, self._calls)
        app.router.add_get(PROVIDERS_PATH, self._describe)
        app.router.add_get("/{path:.*}", self._elsewhere)
        # An access log would hold what dialplans pass on in the query, and a secret in the path.
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=HttpLog(),
            handle_signals=False,
            shutdown_timeout=_GOODBYE_S,
            keepalive_timeout=IDLE_S,
            lingering_time=0,  # no request has a body; one that is announced and never comes would hold up the end
        )
        await runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connection, self._http.host, self._http.port
            )
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and close what is connected; idempotent."""
        if self._listener is not None:
            self._listener.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        await self._providers.close()

    def _connection(self) -> asyncio.Protocol:
        server = None if self._runner is None else self._runner.server
        if server is None:
            return _Unread()
        most = self._desk.most_calls + SPARE_CONNECTIONS
        if len(server.connections) < most:
            return server()
        self._full.warn("%d connections are open on the HTTP port: further ones are closed", most)
        return _Unread()

    # Calls

    async def _asterisk(self, request: web.Request) -> web.StreamResponse:
        self._let_pass(request, self._for_operators, "Asterisk")
        return await self._call(request, "asterisk", lambda: asterisk_call(request))

    async def _media(self, request: web.Request) -> web.StreamResponse:
        def answer() -> Awaitable[CallLeg]:
            accounts = self._settings.accounts
            return media_stream_call(request, check=self._for_streams, accounts=accounts)

        # Checked before the seats are counted: whoever may not call need not know whether there is a place.
        self._let_pass(request, self._for_streams, "a media stream")
        return await self._call(request, "media", answer)

    async def _call(
        self, request: web.Request, kind: str, answer: Callable[[], Awaitable[CallLeg]]
    ) -> web.StreamResponse:
        with self._desk.seat() as seated:
            if not seated:
                self._desk.note_busy(CallInfo(leg=kind, call_id="-"))
                raise web.HTTPServiceUnavailable(text="no more calls now\n")
            try:
                leg = await answer()
            except (CallRefusedError, StreamRefusedError) as error:
                _log.warning("no call from %s: %s", request.remote, error)
                return error.response
            except web.HTTPBadRequest as error:
                _log.warning("no call from %s: %s", request.remote, (error.text or "").strip())
                raise
            try:
                await self._desk.take(leg)
            finally:
                await to_the_end(leg.close())
        return cast("_Answered", leg).response

    async def _elsewhere(self, request: web.Request) -> web.Response:
        if "Upgrade" in request.headers:  # the path itself may hold a secret
            _log.warning(
                "a WebSocket from %s asked for another path than %s or %s",
                request.remote,
                ASTERISK_PATH,
                MEDIA_PATH,
            )
        raise web.HTTPNotFound

    def _let_pass(self, request: web.Request, check: RequestCheck, who: str) -> None:
        if not check(request):
            why = what_is_missing(self._settings)
            _log.warning("%s from %s was refused: %s", who, request.remote, why)
            raise web.HTTPForbidden(text=f"{why}\n")

    # Questions

    async def _health(self, _request: web.Request) -> web.Response:
        return _json(health_as_json(self._desk), 200 if self._desk.accepting else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=health_as_metrics(self._desk).encode(), headers=headers)

    async def _calls(self, request: web.Request) -> web.Response:
        self._let_pass(request, self._for_operators, "an operator")
        return _json(calls_as_json(self._desk.calls))

    async def _describe(self, request: web.Request) -> web.Response:
        self._let_pass(request, self._for_operators, "an operator")
        try:
            body = await self._providers.get()
        except TimeoutError:
            return _json({"error": "a provider does not let itself be imported"}, status=503)
        return web.Response(body=body, content_type="application/json")


async def _last_answer(_request: web.Request, response: web.StreamResponse) -> None:
    """Close a connection behind its first answer: one that asks on and reads no answers would be kept for ever."""
    if not isinstance(response, web.WebSocketResponse):
        response.force_close()
        response.headers["Connection"] = "close"  # it is too late for aiohttp to say so


def _json(value: Any, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.json_response(value, status=status, headers=headers, dumps=json.dumps)
