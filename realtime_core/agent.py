"""The one interface to a full-duplex voice model."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from realtime_core.capabilities import Capabilities
from realtime_core.events import Event
from realtime_core.options import Options
from realtime_core.stats import SessionStats

__all__ = ["Agent"]

_CUT_REMEMBERED = 64


class Agent(ABC):
    """
    A conversation with a realtime speech-to-speech model.

    Made by `new_agent_from_credential`; used as `async with agent:`, which starts and closes it. Events
    go to `Options.on_event`, or, when that is `None`, to `async for event in agent`.

    All of it belongs to one event loop, the one `start` ran on. Commands may be called from any task of
    that loop and from callbacks, return when the request is queued, and are safe to cancel: what was
    queued stays queued. A vendor's refusal of a command comes later, as an `ErrorEvent`; an argument of the
    wrong type is a `ConfigError` before anything is sent. Before `start` commands raise `AgentStateError`;
    after `close` or a fatal error, `AgentClosedError`.
    """

    vendor: str
    """The provider's first slug."""
    options: Options
    """What the application asked for."""

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this provider can do; may be read at any time."""

    @property
    @abstractmethod
    def stats(self) -> SessionStats:
        """A snapshot of the session's figures; may be read at any time, also after close."""

    @abstractmethod
    async def start(self) -> None:
        """
        Connect and return when the vendor has accepted our configuration.

        Emits `SessionOpen` just before it returns. On failure it raises, emits nothing and leaves no task
        and no socket behind; so does cancelling it.

        Raises:
            ConnectError: The vendor refused or did not answer within `Options.start_timeout_s`.
            AgentStateError: Called a second time.
            AgentClosedError: Closed before or while starting.
        """

    @abstractmethod
    async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
        """
        Queue caller audio for the model. Keep pushing in silence: vendors measure time by received audio.

        Args:
            pcm: Signed 16-bit little-endian mono at `Options.input_sample_rate` Hz; whole samples, any
                length, 20 ms is usual; empty is ignored. Copied before the call returns.

        Audio pushed while `start` is still running is held, up to `Options.max_buffered_ms`, and sent
        when the session opens. When the connection is too slow, `Options.when_full` decides. Call it from one
        task at a time.

        Raises:
            ConfigError: An odd number of bytes.
            TypeError: Not bytes, bytearray or memoryview, a view of something else than bytes and 16-bit samples (such as
                floats), or one with gaps.
            AgentStateError: Before start.
            AgentClosedError: After close or a fatal error.
        """

    @abstractmethod
    async def commit_input_audio(self) -> None:
        """
        End the caller's turn and ask for the reply; only with manual turns, a no-op with server VAD.

        Under 100 ms of audio nothing is sent, and a non-fatal `ErrorEvent` says so.
        """

    @abstractmethod
    async def clear_input_audio(self) -> None:
        """Throw away caller audio that waits here, or that the vendor holds and has not taken as a turn yet."""

    @abstractmethod
    async def create_response(self, instructions: str | None = None) -> None:
        """
        Ask for a reply now: a greeting, or a reply on demand.

        Args:
            instructions: For this reply only; joined to the session's, not put in their place.
        """

    @abstractmethod
    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """
        Put a written message of the user into the conversation.

        Args:
            text: The message; blank is ignored.
            respond: Whether to ask for a reply.

        Raises:
            UnsupportedError: The model takes no text.
        """

    @abstractmethod
    async def cancel(self, *, played_ms: int | None = None) -> None:
        """
        Stop the running reply; nothing more of it is delivered.

        Args:
            played_ms: How much of the current reply, across its items, was heard, in ms; lets the model
                know where the vendor can be told. `None`: by `report_playback`, else by the clock.

        With nothing running and nothing audible it sends nothing and is no error.
        """

    @abstractmethod
    async def update_instructions(self, instructions: str) -> None:
        """
        Replace the application's instructions in the running session; the tenant's stay in front.

        Args:
            instructions: The new text; empty clears the application's part. Holds from the next reply.

        Raises:
            UnsupportedError: The vendor fixes instructions at the start.
        """

    @abstractmethod
    async def send_tool_result(self, call_id: str, output: str) -> None:
        """
        Answer a `ToolCall`, for applications without a handler.

        Args:
            call_id: Of the `ToolCall`.
            output: Text for the model.

        When all calls of that reply are answered and the reply has ended, a new reply is asked for.

        Raises:
            ConfigError: No call with this id waits for an answer.
        """

    @abstractmethod
    def report_playback(self, item_id: str, played_ms: int, *, final: bool = False) -> None:
        """
        Say what the person has really heard of a message item. Cheap, no I/O, never raises for old items.

        Args:
            item_id: Of the `AssistantAudio` played.
            played_ms: Heard so far of this item, in ms.
            final: Nothing more of it will be played.
        """

    def on_cut(self, listener: Callable[[], None]) -> None:
        """
        Be called whenever a reply is cut, by the caller's speech or by `cancel`: stop playing at once.

        Args:
            listener: A plain, fast function; called on the session's loop, before the event that tells of it. What
                it raises is logged and ends nothing. A `Playout` registers itself.
        """
        vars(self).setdefault("_cut_listeners", []).append(listener)

    def was_cut(self, response_id: str | None) -> bool:
        """
        Say whether audio of this reply is stale, as it is in the hands of whoever fetched it just before the cut.

        Args:
            response_id: Of the `AssistantAudio`.
        """
        return response_id in vars(self).get("_cut_replies", ())

    def tell_cut(self, *response_ids: str | None) -> None:
        """
        Call the listeners of `on_cut`; for providers, at the moment they cut a reply.

        Args:
            response_ids: Replies whose audio was delivered and may not be played any more.
        """
        cut = vars(self).setdefault("_cut_replies", deque(maxlen=_CUT_REMEMBERED))
        cut.extend(each for each in response_ids if each is not None)
        for listener in vars(self).get("_cut_listeners", ()):
            try:
                listener()
            except Exception:
                log = vars(self).get("_log") or logging.getLogger("realtime_core.session")
                log.exception("a listener of on_cut raised; the session goes on")

    @abstractmethod
    async def close(self) -> None:
        """
        End the session. Idempotent, in any state, at most about two seconds.

        Returns when all is torn down; from a tool handler or another task of the session it only requests
        that. Events not yet delivered are dropped, `SessionClose` is not.
        """

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[Event]:
        """
        Iterate over the events, ending after `SessionClose`; for one consumer.

        Raises:
            AgentStateError: `Options.on_event` is set, so events go there.
        """

    async def __aenter__(self) -> Self:
        """Start the session."""
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the session."""
        await self.close()
