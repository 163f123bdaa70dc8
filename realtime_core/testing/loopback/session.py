"""One client's session as a test sees it: what came, what was sent, and levers to pull."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import final

from attrs import define

from .frames import Event
from .mind import Mind
from .refusal import Violation
from .reply import Reply, Turn

__all__ = ["LoopbackSession"]

_MAX_EVENTS = 50_000
_MAX_AUDIO_MS = 15 * 60 * 1000


@define(eq=False)
class _Watcher:
    kind: str
    sent: bool
    missing: int
    found: asyncio.Future[Event]


@final
class LoopbackSession:
    """
    A connection to the loopback vendor, kept readable after it closed.

    Belongs to the event loop of its `LoopbackVendor`.

    Attributes:
        number: Its number on this vendor, from 0.
        dialect: The wire it speaks.
        headers: The handshake's headers, names in lower case.
        query: The query of the URL.
        received: Client events in order; `audio` and `image` hold byte counts. The oldest of
            more than 50 000 are forgotten.
        sent: Types of the events sent, in order, with the same bound.
        audio_in: Audio received, in the input format; the newest 15 minutes.
        violations: What this client did against the vendor's documents.
        benign: Innocent races, answered with the vendor's error all the same.
        closed: Set when the connection is gone.
        close_code: The close code, whichever side sent it; None for a broken connection.
        close_reason: Its text.
        closed_by: `client`, `vendor` or `network`.
        pongs: Answers to the vendor's pings.
    """

    def __init__(
        self,
        number: int,
        mind: Mind,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        wake: Callable[[], None],
        abort: Callable[[], None],
    ) -> None:
        self._mind = mind
        self._wake = wake
        self._abort = abort
        self._watchers: list[_Watcher] = []
        self.number = number
        self.dialect: str = mind.facts.name
        self.headers: dict[str, str] = dict(headers)
        self.query: dict[str, str] = dict(query)
        self.received: list[Event] = []
        self.sent: list[str] = []
        self.audio_in: bytearray = bytearray()
        self.violations: list[Violation] = []
        self.benign: list[Violation] = []
        self.closed: asyncio.Event = asyncio.Event()
        self.close_code: int | None = None
        self.close_reason: str = ""
        self.closed_by: str | None = None
        self.pongs = 0

    # -- looking -------------------------------------------------------------------------------

    @property
    def config(self) -> Event:
        """The effective session object, as the last `session.updated` showed it."""
        return self._mind.config

    @property
    def session_id(self) -> str:
        """The id in `session.created`."""
        return self._mind.session_id

    @property
    def turns(self) -> list[Turn]:
        """What was answered, in order, with the audio heard; the newest thousand."""
        return self._mind.turns

    async def wait_for(self, kind: str, *, count: int = 1, timeout_s: float = 5.0) -> Event:
        """
        Return the client's event of a type, waiting for it if it has not come yet.

        Args:
            kind: The event type.
            count: Which one of them, from 1.
            timeout_s: Seconds to wait.

        Raises:
            TimeoutError: It did not come; the message lists what did.
        """
        return await self._watch(kind, count, timeout_s, sent=False)

    async def wait_sent(self, kind: str, *, count: int = 1, timeout_s: float = 5.0) -> None:
        """
        Wait until the vendor has sent an event of a type.

        Args:
            kind: The event type.
            count: How many of them.
            timeout_s: Seconds to wait.

        Raises:
            TimeoutError: It was not sent.
        """
        await self._watch(kind, count, timeout_s, sent=True)

    async def _watch(self, kind: str, count: int, timeout_s: float, *, sent: bool) -> Event:
        seen = [event for event in self.received if event.get("type") == kind]
        have = self.sent.count(kind) if sent else len(seen)
        if have >= count:
            return {} if sent else seen[count - 1]
        watcher = _Watcher(kind, sent, count - have, asyncio.get_running_loop().create_future())
        self._watchers.append(watcher)
        try:
            async with asyncio.timeout(timeout_s):
                return await watcher.found
        except TimeoutError:
            side = self.sent if sent else [str(event.get("type")) for event in self.received]
            side = [name for name in side if name != "input_audio_buffer.append"]
            verb = "sent" if sent else "received"
            message = f"{kind!r} was not {verb} within {timeout_s} s; {verb}: {side[-30:]}"
            raise TimeoutError(message) from None
        finally:
            self._watchers.remove(watcher)

    # -- acting --------------------------------------------------------------------------------

    async def send(self, event: Event) -> None:
        """
        Send an event as the vendor; an `event_id` is added where there is none.

        Returns once it is queued. The scenario's `rewrite` sees it like any other.

        Args:
            event: With `type`.
        """
        self._mind.extend([event])
        self._wake()

    async def respond(self, reply: Reply) -> str:
        """
        Begin a response and return its id.

        Args:
            reply: What to answer; parts left open are filled in from the newest turn.
        """
        performance = self._mind.respond(reply)
        self._wake()
        return performance.id

    async def release(self) -> None:
        """Let every held response go on."""
        for performance in self._mind.running:
            performance.release()
        self._wake()

    async def cancel(self, reason: str = "turn_detected") -> None:
        """Cancel the response in progress as the vendor would; nothing when there is none."""
        active = self._mind.active
        if active is not None:
            self._mind.cancel(active, reason)
            self._wake()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """
        Send what is queued, then close; returns once the client is gone.

        Args:
            code: Close code.
            reason: Close reason, at most 123 bytes of UTF-8.
        """
        self._mind.close_wanted = (code, reason)
        self._wake()
        await self.closed.wait()

    def abort(self) -> None:
        """Cut the TCP connection, without a close frame."""
        self.note_closed("network", None, "")
        self._abort()

    # -- told by the connection ----------------------------------------------------------------

    def note_received(self, event: Event) -> None:
        """Record a client event."""
        self.received.append(event)
        del self.received[:-_MAX_EVENTS]
        self._tell(event.get("type"), event, sent=False)

    def note_sent(self, kind: str) -> None:
        """Record a server event."""
        self.sent.append(kind)
        del self.sent[:-_MAX_EVENTS]
        self._tell(kind, {}, sent=True)

    def note_audio(self, audio: bytes) -> None:
        """Record audio received."""
        self.audio_in += audio
        spare = len(self.audio_in) - _MAX_AUDIO_MS * self._mind.settings.heard.bytes_per_ms
        if spare > 0:
            del self.audio_in[:spare]

    def note_closed(self, by: str, code: int | None, reason: str) -> None:
        """Record the end; the first call counts."""
        if self.closed_by is None:
            self.closed_by, self.close_code, self.close_reason = by, code, reason

    def _tell(self, kind: object, event: Event, *, sent: bool) -> None:
        for watcher in self._watchers:
            if watcher.kind == kind and watcher.sent == sent:
                watcher.missing -= 1
                if watcher.missing == 0 and not watcher.found.done():
                    watcher.found.set_result(event)
