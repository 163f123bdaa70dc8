"""A chat-completions endpoint over HTTP: one request out, the data of its events back, every wait bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any, Final, TypeVar, final
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from attrs import frozen

from realtime_core.errors import ConfigError, ErrorKind, RealtimeError, RemoteProtocolError
from realtime_local.chat_errors import status_error, unreachable
from realtime_local.sse import SseParser

__all__ = ["MAX_RESPONSE_BYTES", "ChatCall", "ChatEndpoint", "ChatTimeouts"]

T = TypeVar("T")

MAX_RESPONSE_BYTES: Final = 1024 * 1024
"""Longest reply taken, in bytes of the stream; a reply of a minute is about 100 kB."""
_MAX_ERROR_BYTES: Final = 16 * 1024
_READ_OUT_S: Final = 0.3


@frozen(kw_only=True)
class ChatTimeouts:
    """Bounds of the waits for the server, in seconds. Time in which the reply is spoken does not count."""

    connect_s: float = 10.0
    """Until the connection stands."""
    first_token_s: float = 20.0
    """From the request to the first piece of the reply."""
    next_token_s: float = 10.0
    """From one piece to the next; comments that keep a connection alive are none."""
    sentence_s: float = 25.0
    """From the request, or a sentence, to the next sentence, however much is thought meanwhile."""
    reply_s: float = 120.0
    """All waits of a reply together."""


def _import_aiohttp() -> ModuleType:
    try:
        import aiohttp  # an extra, and only this replier pays for it
    except ImportError:
        raise ConfigError(
            "the chat replier needs aiohttp: pip install 'realtime-local[chat]'"
        ) from None
    return aiohttp


def _completions_url(base_url: str) -> SplitResult:
    """Complete the base URL; it is never quoted, it may hold a key."""
    url: SplitResult | None
    try:
        url = urlsplit(base_url.strip())
        url.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        url = None
    if url is None or url.scheme not in ("http", "https") or not url.hostname:
        raise ConfigError(
            "credential.chatBaseUrl: expected a URL such as http://localhost:8000/v1"
        ) from None
    if "@" in url.netloc:
        raise ConfigError(
            "credential.chatBaseUrl: expected a URL without user and password; put the key into credential.chatApiKey"
        )
    path = url.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        path += "/chat/completions"
    return url._replace(path=path, fragment="")


def _environment_proxy(url: SplitResult) -> str | None:
    """Find the proxy that the environment names; aiohttp's own search would read .netrc as well."""
    if proxy_bypass(url.netloc):
        return None
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


class _Patience:
    """What is left of the waits of one reply."""

    def __init__(self, timeouts: ChatTimeouts, host: str) -> None:
        self._timeouts = timeouts
        self._host = host
        self._left_s = timeouts.reply_s
        self._silent_s = 0.0
        self._wordless_s = 0.0
        self._had_token = False

    def progress(self) -> None:
        """A piece came."""
        self._silent_s, self._had_token = 0.0, True

    def spoke(self) -> None:
        """A sentence came."""
        self._wordless_s = 0.0

    async def wait(self, what: Awaitable[T]) -> T:
        """Wait within the bounds."""
        bound_s = self._timeouts.next_token_s if self._had_token else self._timeouts.first_token_s
        loop = asyncio.get_running_loop()
        begun = loop.time()
        left_s = min(
            bound_s - self._silent_s, self._timeouts.sentence_s - self._wordless_s, self._left_s
        )
        limit = asyncio.timeout(max(0.0, left_s))
        try:
            async with limit:
                return await what
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            waited_s = loop.time() - begun
            self._left_s -= waited_s
            self._silent_s += waited_s
            self._wordless_s += waited_s
        raise unreachable(f"{self._host} {self._what_is_late(bound_s)}", ErrorKind.STALLED)

    def _what_is_late(self, bound_s: float) -> str:
        if self._silent_s >= bound_s:
            where = "in the middle of its reply" if self._had_token else "without a first word"
            return f"was silent for {self._silent_s:.1f} s {where}"
        if self._wordless_s >= self._timeouts.sentence_s:
            return f"was at work for {self._wordless_s:.1f} s without a whole sentence"
        return f"did not end its reply within {self._timeouts.reply_s:g} s"


@final
class ChatEndpoint:
    """
    Where chat completions are asked for; keeps its connections from one call to the next.

    Args:
        base_url: `http` or `https`; `/chat/completions` is added where it is missing.
        api_key: Sent as Bearer; none when empty.
        timeouts: Bounds of every wait.
        max_response_bytes: Longest reply taken.

    Raises:
        ConfigError: No usable URL, a key that no header can hold, or aiohttp is not installed.
    """

    def __init__(
        self, base_url: str, api_key: str, timeouts: ChatTimeouts, max_response_bytes: int
    ) -> None:
        url = _completions_url(base_url)
        key = api_key.strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("credential.chatApiKey: expected printable ASCII characters")
        self.aiohttp: Any = _import_aiohttp()
        """The library, once it is needed."""
        self.host: str = url.netloc
        """Host and port, for errors."""
        self.api_key = key
        """Never to be shown."""
        self.timeouts = timeouts
        """Bounds of every wait."""
        self.max_response_bytes = max_response_bytes
        """Longest reply taken."""
        self._url = urlunsplit(url)
        self._proxy = _environment_proxy(url)
        self._client: Any = None
        self._has_answered = False
        self._is_closed = False

    def __repr__(self) -> str:
        """Name the host only."""
        return f"<ChatEndpoint {self.host}>"

    async def ask(self, body: Mapping[str, Any]) -> ChatCall:
        """
        Send a request and wait for the head of its answer; the call must be closed.

        Raises:
            VendorError: The server refused, with its status.
            RealtimeError: It cannot be reached or is too slow.
        """
        call = ChatCall(self)
        await call.open(lambda: self._post(body))
        return call

    async def _post(self, body: Mapping[str, Any]) -> Any:
        if self._is_closed:
            raise RealtimeError("the chat replier is closed")
        if self._client is None:
            timeout = self.aiohttp.ClientTimeout(total=None, connect=self.timeouts.connect_s)
            self._client = self.aiohttp.ClientSession(
                cookie_jar=self.aiohttp.DummyCookieJar(), timeout=timeout
            )
        headers = {"Accept": "text/event-stream"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        ask = partial(
            self._client.post,
            self._url, json=body, headers=headers, proxy=self._proxy, allow_redirects=False,
        )  # fmt: skip
        try:
            response = await ask()
        except self.aiohttp.ClientConnectorError:
            raise
        except (self.aiohttp.ServerDisconnectedError, self.aiohttp.ClientOSError):
            if not self._has_answered:
                raise
            # A kept connection that the server had given up: the request crossed its farewell.
            response = await ask()
        self._has_answered = True
        return response

    async def close(self) -> None:
        """Close the connections; a call that still runs breaks off. Idempotent."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()


@final
class ChatCall:
    """One request and its streamed answer; made by `ChatEndpoint.ask`."""

    def __init__(self, endpoint: ChatEndpoint) -> None:
        self._endpoint = endpoint
        self._host = endpoint.host
        self._patience = _Patience(endpoint.timeouts, endpoint.host)
        self._response: Any = None

    async def open(self, post: Callable[[], Awaitable[Any]]) -> None:
        """Send the request; see `ChatEndpoint.ask`."""
        self._response = await self._translated(post)
        if self._response.status == 200:
            return
        try:
            error = await self._refusal()
        finally:
            self.close()
        raise error

    def close(self) -> None:
        """Close the connection, unless the answer was read to its end; the server stops writing. Idempotent."""
        if self._response is not None:
            self._response.close()

    async def events(self) -> AsyncGenerator[str, None]:
        """
        Give the data of events as they come.

        Raises:
            RealtimeError: The connection broke or was silent for too long.
            RemoteProtocolError: There is no event in it, or too much.
        """
        parser, size, had_event = SseParser(), 0, False
        while piece := await self._translated(self._response.content.readany):
            size += len(piece)
            if size > self._endpoint.max_response_bytes:
                raise RemoteProtocolError(
                    f"{self._host} sent more than {self._endpoint.max_response_bytes} bytes in one reply"
                )
            for data in parser.feed(piece):
                had_event = True
                self._patience.progress()
                yield data
        for data in parser.finish():
            had_event = True
            yield data
        if not had_event:
            raise RemoteProtocolError(
                f"{self._host} answered HTTP 200 without an event; does it stream chat completions?"
            )

    def spoke(self) -> None:
        """Note that a sentence was made of the last event; the wait for the next begins."""
        self._patience.spoke()

    async def read_out(self) -> None:
        """Read to the end, which is near, so that the connection serves the next call too."""
        with suppress(Exception):  # then it serves no more
            async with asyncio.timeout(_READ_OUT_S):
                while await self._response.content.readany():
                    pass

    async def _refusal(self) -> RealtimeError:
        """Read what the server says about it, as far as it says it."""
        body = b""
        with suppress(RealtimeError):  # the status is enough
            while len(body) < _MAX_ERROR_BYTES and (
                piece := await self._translated(self._response.content.readany)
            ):
                body += piece
        return status_error(
            self._host, self._response.status, body[:_MAX_ERROR_BYTES], self._endpoint.api_key
        )

    async def _translated(self, what: Callable[[], Awaitable[T]]) -> T:
        """Wait for it, with aiohttp's errors as ours; they hold the request and with it the key, so they end here."""
        aiohttp = self._endpoint.aiohttp
        problem: RealtimeError
        try:
            return await self._patience.wait(what())
        except aiohttp.ConnectionTimeoutError:
            problem = unreachable(
                f"{self._host} did not take the connection within {self._endpoint.timeouts.connect_s:g} s",
                ErrorKind.STALLED,
            )
        except aiohttp.ClientConnectorCertificateError:
            problem = RealtimeError(
                f"{self._host}: the TLS certificate cannot be verified", kind=ErrorKind.TRANSPORT
            )
        except aiohttp.ClientConnectorError as error:
            reason = error.os_error.strerror or type(error.os_error).__name__
            problem = unreachable(f"{self._host} cannot be reached: {reason}")
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
            if isinstance(error, RealtimeError):
                raise
            problem = unreachable(f"the connection to {self._host} broke ({type(error).__name__})")
        raise problem
