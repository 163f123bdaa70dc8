"""A WebSocket by aiohttp, as a `Transport`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from types import SimpleNamespace
from typing import Any, Final, cast, final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp import WSMsgType

from realtime_core.errors import ConfigError, ConnectError, ErrorKind
from realtime_core.transport import ConnectionClosed

__all__ = ["DIAL_TIMEOUT_S", "GOODBYE_TIMEOUT_S", "MAX_MESSAGE_BYTES", "AiohttpTransport"]

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Largest event taken; a retrieved conversation item is several megabytes of audio."""
DIAL_TIMEOUT_S: Final = 10.0
"""Bound of the connect when the credential sets none; `Options.start_timeout_s` bounds the whole start."""
GOODBYE_TIMEOUT_S: Final = 1.5
"""How long the peer's close frame is awaited; below the session's own two seconds."""
_SEND_BUFFER_BYTES: Final = 32 * 1024  # old audio must not hide in the kernel
_GOODBYE: Final = cast("Any", aiohttp.ClientWSTimeout)(
    ws_close=GOODBYE_TIMEOUT_S
)  # pyright sees no fields
_POLL_S: Final = 0.005
_DATA = frozenset({WSMsgType.TEXT, WSMsgType.BINARY})

_STATUS_KINDS: Final[Mapping[int, ErrorKind]] = {
    400: ErrorKind.CONFIG,
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.AUTH,
    404: ErrorKind.MODEL,
    429: ErrorKind.RATE_LIMIT,
}
_STATUS_ADVICE: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.AUTH: "check the key, its region and its rights",
    ErrorKind.CONFIG: "check the model, the base URL and the dialect",
    ErrorKind.MODEL: "check the model or deployment name and the base URL's path",
    ErrorKind.QUOTA: "check the account's balance",
    ErrorKind.RATE_LIMIT: "too many requests; try again later",
    ErrorKind.VENDOR: "the vendor has trouble; try again later",
}


_WriteFrame = Callable[[bytes, int], Coroutine[Any, Any, None]]


class _RedirectRefusedError(Exception):
    """Following one would carry the key to another host."""


async def _refuse_redirect(
    session: aiohttp.ClientSession,
    context: SimpleNamespace,
    params: aiohttp.TraceRequestRedirectParams,
) -> None:
    # ws_connect follows redirects and has no switch for it; raising here works (aiohttp 3.14).
    raise _RedirectRefusedError


def _environment_proxy(url: str) -> str | None:
    """
    Find the proxy that the environment names for a URL.

    aiohttp's own search takes the scheme by its letter, so that `HTTPS_PROXY`, which is what everybody sets, would
    not count for `wss`.
    """
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    names = ("wss", "https", "all") if parts.scheme == "wss" else ("ws", "http", "all")
    return next((proxies[name] for name in names if proxies.get(name)), None)


class _Socket(aiohttp.ClientWebSocketResponse[bool]):
    """Keeps the asyncio transport at hand, which tells how much could not be written yet."""

    def __init__(self, reader: Any, writer: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(reader, writer, *args, **kwargs)
        self.write_transport: asyncio.WriteTransport = writer.transport
        self.write_frame: _WriteFrame = writer.send_frame


class _Shared:
    """One client session a loop, closed when its last connection is."""

    def __init__(self) -> None:
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse_redirect)
        self.users = 0
        # ssl=True, the default, uses aiohttp's one verifying SSLContext a process.
        self.client = aiohttp.ClientSession(
            trace_configs=[trace],
            ws_response_class=cast("Any", _Socket),  # its hint fixes decode_text to the default
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


def _acquire() -> _Shared:
    loop = asyncio.get_running_loop()
    shared = _shared.get(loop)
    if shared is None or shared.client.closed:
        shared = _shared[loop] = _Shared()
    shared.users += 1
    return shared


async def _release(shared: _Shared) -> None:
    shared.users -= 1
    if shared.users == 0:
        loop = asyncio.get_running_loop()
        if _shared.get(loop) is shared:
            del _shared[loop]
        await shared.client.close()


def _write(ws: _Socket, payload: bytes, kind: WSMsgType) -> None:
    """
    Write a frame at once.

    aiohttp's coroutine writes in its first step, and waits only when asyncio's buffer is beyond its high-water mark. That
    wait is left out: `AiohttpTransport.backlog` tells, and `Uplink` holds back.
    """
    step = ws.write_frame(payload, kind)
    try:
        waits_for = step.send(None)
    except (StopIteration, ConnectionError):
        pass  # written; or it is closing, and the reader will say so
    else:
        # As a task does on taking it; otherwise whoever awaits the same future later is refused.
        waits_for._asyncio_future_blocking = False  # noqa: SLF001 - asyncio's protocol of futures
        step.close()


@final
class AiohttpTransport:
    """
    One WebSocket connection. Proxies are taken from the environment, TLS is verified.

    Args:
        url: `ws` or `wss`, with its query.
        headers: For the upgrade; they hold the key and are shown nowhere.
        dial_timeout_s: Bound of the connect, in seconds.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], *, dial_timeout_s: float | None = None
    ) -> None:
        self.heard: bool = False
        self._url = url
        self._host = urlsplit(url).netloc.rpartition("@")[2]
        self._headers = dict(headers)
        self._dial_timeout_s = dial_timeout_s if dial_timeout_s is not None else DIAL_TIMEOUT_S
        self._shared: _Shared | None = None
        self._ws: _Socket | None = None

    def __repr__(self) -> str:
        """Name the host only."""
        return f"<AiohttpTransport to {self._host}>"

    async def connect(self) -> None:
        """Connect within the bound."""
        shared = _acquire()
        failure: Exception | None = None
        ws: _Socket | None = None
        try:
            async with asyncio.timeout(self._dial_timeout_s):
                connected: Any = await shared.client.ws_connect(
                    self._url,
                    headers=self._headers,
                    proxy=_environment_proxy(self._url),
                    timeout=_GOODBYE,
                    autoping=False,
                    max_msg_size=MAX_MESSAGE_BYTES,
                    compress=0,
                    decode_text=False,
                )
                ws = connected
        except Exception as error:  # noqa: BLE001 - translated below, whatever it is
            failure = self._connect_error(error)
        finally:
            if ws is None:
                await _release(shared)
        if failure is not None or ws is None:
            # Raised out here: aiohttp's error holds the request's headers, and with them the key, so it must
            # be neither cause nor context.
            raise failure or ConnectError(f"cannot connect to {self._host}")
        self._shared, self._ws = shared, ws
        self.heard = True
        raw = ws.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def _connect_error(self, error: Exception) -> Exception:
        """Say what it means; aiohttp's own texts may hold the whole URL."""
        host = self._host
        match error:
            case aiohttp.WSServerHandshakeError(status=status):
                kind = _STATUS_KINDS.get(status)
                if kind is None:
                    kind = ErrorKind.VENDOR if status >= 500 else ErrorKind.PROTOCOL
                advice = _STATUS_ADVICE.get(kind, "check the base URL")
                return ConnectError(
                    f"{host} answered the handshake with HTTP {status}: {advice}",
                    kind=kind,
                    retryable=status == 429 or status >= 500,
                    status=status,
                )
            case _RedirectRefusedError():
                return ConnectError(
                    f"{host} redirects elsewhere, which is refused so that the key travels nowhere else; "
                    "give the final base URL",
                    kind=ErrorKind.CONFIG,
                )
            case TimeoutError():
                return ConnectError(
                    f"{host} did not answer the connect within {self._dial_timeout_s:g} s",
                    kind=ErrorKind.STALLED,
                    retryable=True,
                )
            case aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
                return ConnectError(f"{host}: the TLS certificate cannot be verified")
            case aiohttp.InvalidURL():
                return ConfigError("credential.baseUrl: expected a ws or wss URL with a host")
            case aiohttp.ClientConnectorError():
                reason = error.os_error.strerror or type(error.os_error).__name__
                return ConnectError(f"cannot connect to {host}: {reason}", retryable=True)
            case _:
                return ConnectError(
                    f"cannot connect to {host}: {type(error).__name__}", retryable=True
                )

    def send(self, frame: bytes) -> None:
        """Write a text frame."""
        ws = self._ws
        if ws is None:
            return
        _write(ws, frame, WSMsgType.TEXT)

    def backlog(self) -> int:
        """Bytes in asyncio's buffer, the kernel's is small and not counted; above zero too when the connection is gone."""
        if self._ws is None:
            return 0
        transport = self._ws.write_transport
        # Frames for a connection that is gone wait like others: whoever pushes without a pause must come to wait for room,
        # or the loop never turns and nobody learns of the end.
        return transport.get_write_buffer_size() or int(transport.is_closing())

    async def drained(self) -> None:
        """Look every 5 ms; only while the connection is congested."""
        # asyncio tells a protocol when there is room again, and the protocol is aiohttp's, so look.
        while self._ws is not None and not self._ws.closed and self.backlog():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    def ping(self) -> None:
        """Send a ping; its pong sets `heard`."""
        self._control(WSMsgType.PING, b"")

    def _control(self, kind: WSMsgType, payload: bytes) -> None:
        ws = self._ws
        if ws is not None and not ws.closed:
            _write(ws, payload, kind)

    async def receive(self) -> bytes | ConnectionClosed:
        """Wait for a frame; text and binary are not told apart, both hold JSON or a vendor's bytes."""
        ws = self._ws
        if ws is None:
            return ConnectionClosed(1006)
        while True:
            message = await ws.receive()
            self.heard = True
            kind = message.type
            if kind in _DATA:
                return message.data  # type: ignore[no-any-return] # bytes, by decode_text=False
            if kind is WSMsgType.PING:
                self._control(WSMsgType.PONG, message.data)
            elif kind is WSMsgType.CLOSE:
                # An empty close frame has no code; 1005 is what the RFC calls that.
                return ConnectionClosed(message.data or 1005, message.extra or "")
            elif kind is WSMsgType.ERROR:
                # aiohttp has closed it already, such as for a frame above MAX_MESSAGE_BYTES.
                return ConnectionClosed(1006, f"we refused a frame: {message.data}")
            elif kind in (WSMsgType.CLOSED, WSMsgType.CLOSING):
                return ConnectionClosed(1006)

    async def close(self, code: int = 1000) -> None:
        """Close the socket and, behind the last one, the shared client session."""
        shared, self._shared = self._shared, None
        try:
            if self._ws is not None:
                await self._ws.close(code=code)
        finally:
            if self._ws is not None and self._ws.write_transport.get_write_buffer_size():
                # What the peer has not taken by now it never will; asyncio would keep the socket open for it.
                self._ws.write_transport.abort()
            if shared is not None:
                await _release(shared)
