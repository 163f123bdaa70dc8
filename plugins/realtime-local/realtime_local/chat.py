"""A replier that asks a language model: any server with an OpenAI-compatible chat-completions endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from types import ModuleType
from typing import Any, Final, TypeVar, final
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from attrs import frozen

from realtime_core.errors import ConfigError, ErrorKind, RealtimeError, RemoteProtocolError
from realtime_local.chat_errors import body_error, status_error, unreachable
from realtime_local.chat_messages import chat_body
from realtime_local.chat_stream import ChatStream, StreamedError
from realtime_local.engines import CallTool, Say, TurnRequest
from realtime_local.sse import SseParser

__all__ = ["DEFAULT_APOLOGY", "MAX_RESPONSE_BYTES", "ChatReplier", "ChatTimeouts"]

T = TypeVar("T")

DEFAULT_APOLOGY: Final = "Sorry, I cannot answer just now. Please try again in a moment."
"""Said when the server cannot be asked."""
MAX_RESPONSE_BYTES: Final = 1024 * 1024
"""Longest reply taken, in bytes of the stream; a reply of a minute is about 100 kB."""
_MAX_ERROR_BYTES: Final = 16 * 1024
_MAX_IDS: Final = 10_000
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
        self._had_token = False

    def progress(self) -> None:
        """A piece came."""
        self._silent_s, self._had_token = 0.0, True

    async def wait(self, what: Awaitable[T]) -> T:
        """Wait within the bounds."""
        bound_s = self._timeouts.next_token_s if self._had_token else self._timeouts.first_token_s
        loop = asyncio.get_running_loop()
        begun = loop.time()
        limit = asyncio.timeout(max(0.0, min(bound_s - self._silent_s, self._left_s)))
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
        where = "in the middle of its reply" if self._had_token else "without a first word"
        raise unreachable(
            f"{self._host} was silent for {self._silent_s:.1f} s {where}", ErrorKind.STALLED
        )


@final
class ChatReplier:
    """
    Streams replies of a chat-completions endpoint, sentence by sentence. One object a session.

    Args:
        base_url: Such as `https://api.openai.com/v1`; `/chat/completions` is added where it is missing.
        model: As the server calls it.
        api_key: Sent as Bearer; none when empty.
        temperature: `None` leaves it to the server.
        timeouts: Bounds of every wait.
        max_response_bytes: Longest reply taken.
        apology: What to say when a reply fails.

    Raises:
        ConfigError: No usable URL, no model, a key that no header can hold, or aiohttp is not installed.
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        api_key: str = "",
        temperature: float | None = None,
        timeouts: ChatTimeouts | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        apology: str = DEFAULT_APOLOGY,
    ) -> None:
        url = _completions_url(base_url)
        if not model.strip():
            raise ConfigError("credential.chatModel: expected the name of a model")
        key = api_key.strip()
        if not (key.isascii() and (key.isprintable() or not key)):
            raise ConfigError("credential.chatApiKey: expected printable ASCII characters")
        self.apology = apology
        """Said when a reply fails."""
        self._aiohttp = _import_aiohttp()
        self._url = urlunsplit(url)
        self._host = url.netloc
        self._proxy = _environment_proxy(url)
        self._model = model.strip()
        self._key = key
        self._temperature = temperature
        self._timeouts = timeouts if timeouts is not None else ChatTimeouts()
        self._max_response_bytes = max_response_bytes
        self._client: Any = None
        self._is_closed = False
        self._ids: set[str] = set()
        self._made_ids = 0

    def __repr__(self) -> str:
        """Name the host and the model only."""
        return f"<ChatReplier {self._model} at {self._host}>"

    def phrases(self) -> str | None:
        """Take free speech."""
        return None

    async def close(self) -> None:
        """Close the connections; a reply that still runs breaks off."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def reply(self, request: TurnRequest) -> AsyncIterator[Say | CallTool]:
        """
        Ask, and give every sentence as soon as it is whole; calls of tools come last.

        Closing the iterator closes the connection, so that the server stops writing.

        Raises:
            VendorError: The server refused, with its status.
            RealtimeError: It cannot be reached, broke off or was silent for too long.
            RemoteProtocolError: What it sent is no stream of chat completions, or does not end.
        """
        patience = _Patience(self._timeouts, self._host)
        stream = ChatStream(self._host, self._unique_id)
        response = await self._translated(lambda: patience.wait(self._ask(request)))
        try:
            if response.status != 200:
                raise await self._refusal(response, patience)
            async with aclosing(self._events(response, patience)) as events:
                async for data in events:
                    for sentence in self._sentences(stream, data):
                        yield sentence
                    if stream.is_finished:
                        break
            if not stream.is_finished:
                raise unreachable(f"{self._host} ended the connection in the middle of its reply")
            for piece in stream.finish():
                yield piece
            await self._read_out(response)
        finally:
            response.close()
        if stream.finish_reason == "content_filter" and not stream.spoke:
            raise RealtimeError(
                f"{self._host} withheld its reply (content_filter)", kind=ErrorKind.VENDOR
            )

    def _sentences(self, stream: ChatStream, data: str) -> list[Say]:
        try:
            return stream.feed(data)
        except StreamedError as error:
            problem = body_error(self._host, error.body, self._key)
        raise problem  # out here: what the server sent does not travel along

    @staticmethod
    async def _read_out(response: Any) -> None:
        """Read to the end, which is next, so that the connection serves the next reply too."""
        with suppress(Exception):  # then it serves no more
            async with asyncio.timeout(_READ_OUT_S):
                while await response.content.readany():
                    pass

    async def _ask(self, request: TurnRequest) -> Any:
        if self._is_closed:
            raise RealtimeError("the chat replier is closed")
        aiohttp = self._aiohttp
        if self._client is None:
            self._client = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self._timeouts.connect_s, sock_connect=None
                ),
            )
        headers = {"Accept": "text/event-stream"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return await self._client.post(
            self._url,
            json=chat_body(request, self._model, self._temperature),
            headers=headers,
            proxy=self._proxy,
            allow_redirects=False,
        )

    async def _refusal(self, response: Any, patience: _Patience) -> RealtimeError:
        """Read what the server says about it, as far as it says it."""
        body = b""
        try:
            while len(body) < _MAX_ERROR_BYTES and (
                piece := await self._translated(lambda: patience.wait(response.content.readany()))
            ):
                body += piece
        except RealtimeError:
            pass  # the status is enough
        return status_error(self._host, response.status, body[:_MAX_ERROR_BYTES], self._key)

    async def _events(self, response: Any, patience: _Patience) -> AsyncGenerator[str, None]:
        """Give the data of events."""
        parser, size = SseParser(), 0
        had_event = False
        while piece := await self._translated(lambda: patience.wait(response.content.readany())):
            size += len(piece)
            if size > self._max_response_bytes:
                raise RemoteProtocolError(
                    f"{self._host} sent more than {self._max_response_bytes} bytes in one reply"
                )
            for data in parser.feed(piece):
                had_event = True
                patience.progress()
                yield data
        for data in parser.finish():
            had_event = True
            yield data
        if not had_event:
            raise RemoteProtocolError(
                f"{self._host} answered HTTP 200 without an event; does it stream chat completions?"
            )

    async def _translated(self, what: Callable[[], Awaitable[T]]) -> T:
        """Run it, with aiohttp's errors as ours; they hold the request and with it the key, so they end here."""
        aiohttp = self._aiohttp
        problem: RealtimeError
        try:
            return await what()
        except aiohttp.ConnectionTimeoutError:
            problem = unreachable(
                f"{self._host} did not take the connection within {self._timeouts.connect_s:g} s",
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

    def _unique_id(self, given: str) -> str:
        """Keep the server's id of a call unless it is missing or was there already: some count anew in every reply."""
        call_id = given
        while not call_id or call_id in self._ids:
            self._made_ids += 1
            call_id = f"{given or 'call'}_{self._made_ids}"
        if len(self._ids) < _MAX_IDS:
            self._ids.add(call_id)
        return call_id
