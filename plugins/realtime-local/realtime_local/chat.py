"""A replier that asks a language model: any server with an OpenAI-compatible chat-completions endpoint."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, final

from realtime_core.errors import ConfigError, ErrorKind, RealtimeError
from realtime_local.chat_endpoint import MAX_RESPONSE_BYTES, ChatEndpoint, ChatTimeouts
from realtime_local.chat_errors import body_error, unreachable
from realtime_local.chat_messages import chat_body
from realtime_local.chat_stream import ChatStream, StreamedError
from realtime_local.engines import CallTool, Say, TurnRequest

__all__ = ["DEFAULT_APOLOGY", "ChatReplier"]

DEFAULT_APOLOGY: Final = "Sorry, I cannot answer just now. Please try again in a moment."
"""Said when the server cannot be asked."""
_MAX_IDS: Final = 10_000


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
        if not model.strip():
            raise ConfigError("credential.chatModel: expected the name of a model")
        self.apology = apology
        """Said when a reply fails."""
        self._endpoint = ChatEndpoint(
            base_url,
            api_key,
            timeouts if timeouts is not None else ChatTimeouts(),
            max_response_bytes,
        )
        self._model = model.strip()
        self._temperature = temperature
        self._ids: set[str] = set()
        self._made_ids = 0

    def __repr__(self) -> str:
        """Name the host and the model only."""
        return f"<ChatReplier {self._model} at {self._endpoint.host}>"

    def phrases(self) -> str | None:
        """Take free speech."""
        return None

    async def close(self) -> None:
        """Close the connections; a reply that still runs breaks off."""
        await self._endpoint.close()

    async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
        """
        Ask, and give every sentence as soon as it is whole; calls of tools come last.

        Closing the iterator closes the connection, so that the server stops writing.

        Raises:
            VendorError: The server refused, with its status.
            RealtimeError: It cannot be reached, broke off or was silent for too long.
            RealtimeError: It had nothing to say to the caller.
            RemoteProtocolError: What it sent is no stream of chat completions, or does not end.
        """
        host = self._endpoint.host
        stream = ChatStream(host, self._unique_id)
        call = await self._endpoint.ask(chat_body(request, self._model, self._temperature))
        try:
            async with aclosing(call.events()) as events:
                async for data in events:
                    for sentence in self._sentences(stream, data):
                        yield sentence
                        call.spoke()
                    if stream.is_finished:
                        break
            if not stream.is_finished:
                raise unreachable(f"{host} ended the connection in the middle of its reply")
            last = stream.finish()
            for piece in last:
                yield piece
            await call.read_out()
        finally:
            call.close()
        if not last and not stream.spoke and not _may_be_silent(request):
            why = f" ({stream.finish_reason})" if stream.finish_reason else ""
            raise RealtimeError(
                f"{host} ended its reply without a word{why}", kind=ErrorKind.VENDOR, retryable=True
            )

    def _sentences(self, stream: ChatStream, data: str) -> list[Say]:
        try:
            return stream.feed(data)
        except StreamedError as error:
            problem = body_error(self._endpoint.host, error.body, self._endpoint.api_key)
        raise problem  # out here: what the server sent does not travel along

    def _unique_id(self, given: str) -> str:
        """Keep the server's id of a call unless it is missing or was there already: some count anew in every reply."""
        call_id = given
        while not call_id or call_id in self._ids:
            self._made_ids += 1
            call_id = f"{given or 'call'}_{self._made_ids}"
        if len(self._ids) < _MAX_IDS:
            self._ids.add(call_id)
        return call_id


def _may_be_silent(request: TurnRequest) -> bool:
    """Whether the caller waits for nothing: a model may well have nothing to add to what a tool did."""
    return bool(request.history) and request.history[-1].role == "tool"
