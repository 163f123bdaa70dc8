"""The loopback vendor: a WebSocket server on this machine that speaks the vendors' wires."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self, final

from aiohttp import web
from aiohttp.typedefs import Handler

from .books import Books
from .dialects import FACTS, DialectFacts
from .faults import Faults
from .frontdoor import FrontDoor, Terms
from .refusal import Violation
from .reply import Voice
from .scenario import Scenario
from .session import LoopbackSession
from .voice import voice_named

__all__ = ["LoopbackVendor"]

_CLOSE_S = 2.0


@final
class LoopbackVendor:
    """
    A speech-to-speech vendor on 127.0.0.1, for tests and demonstrations without a key.

    One server speaks every dialect of `DIALECTS`, each under its own URL. It hears speech by its
    level and answers with audio, checks everything a client sends against the vendors'
    documents, and misbehaves on request.

    Use it as an async context manager, or call `start` and `close`; all of it belongs to one
    event loop.

    Args:
        voice: Who answers: `"parrot"` says back the utterance it heard, sample for sample where
            the rates agree; `"tone"` says 440 Hz for a second; a function makes a `Reply` of a
            `Turn`; None hears no speech at all, only scripts and `response.create` speak.
        scenario: The script of every session; also settable later, for the next connections.
        faults: The faults; also settable later, for the next connections.
        api_key: The key accepted.
        models: The models accepted; None accepts what looks like one of the dialect's.
        level_dbfs: RMS level below which nothing is speech, in dB of full scale.
        speed: Pace of answers, times real time; None sends each in one burst.
        ping_every_s: Seconds between the vendor's pings (OpenAI: 20); None sends none.
    """

    def __init__(
        self,
        *,
        voice: str | Voice | None = "parrot",
        scenario: Scenario | None = None,
        faults: Faults | None = None,
        api_key: str = "loopback-key",
        models: frozenset[str] | None = None,
        level_dbfs: float = -42.0,
        speed: float | None = None,
        ping_every_s: float | None = None,
    ) -> None:
        self._terms = Terms(
            scenario=scenario or Scenario(),
            faults=faults or Faults(),
            api_key=api_key,
            models=models,
            voice=voice_named(voice),
            level_dbfs=None if voice is None else level_dbfs,
            speed=speed,
            ping_every_s=ping_every_s,
        )
        self._books = Books()
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    # -- settings and records ------------------------------------------------------------------

    @property
    def scenario(self) -> Scenario:
        """The script of the next connections; set it to change it, None for no script."""
        return self._terms.scenario

    @scenario.setter
    def scenario(self, scenario: Scenario | None) -> None:
        self._terms.scenario = scenario or Scenario()

    @property
    def faults(self) -> Faults:
        """The faults of the next connections; set it to change them."""
        return self._terms.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._terms.faults = faults

    @property
    def api_key(self) -> str:
        """The key accepted."""
        return self._terms.api_key

    @property
    def sessions(self) -> list[LoopbackSession]:
        """The connections that passed the handshake, newest last; the last thousand are kept."""
        return self._books.sessions

    @property
    def violations(self) -> list[Violation]:
        """What clients did against the vendors' documents, in order; empty for correct ones."""
        return self._books.violations

    @property
    def benign(self) -> list[Violation]:
        """Innocent races, e.g. a cancellation that crossed the end of its response."""
        return self._books.benign

    # -- life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start the server."""
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the server; a script's fault does not hide the test's own."""
        try:
            await self.close()
        except* Exception:
            if error is None:
                raise

    async def start(self) -> None:
        """
        Listen on a free port of 127.0.0.1.

        Raises:
            RuntimeError: It runs already.
        """
        if self._runner is not None:
            message = "the loopback vendor runs already"
            raise RuntimeError(message)
        self._stopping = asyncio.Event()
        door = FrontDoor(self._terms, self._books, self._stopping)
        app = web.Application()
        for facts in FACTS.values():
            tail = "/realtime" if facts.appends_realtime else ""
            app.router.add_get(f"/{facts.path}{tail}", self._handler(door, facts))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def close(self) -> None:
        """
        Cut every connection and stop listening; idempotent, takes a few seconds at most.

        Raises:
            ExceptionGroup: What scripts of scenarios raised, or the vendor itself.
        """
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._stopping.set()
        for session in self.sessions:
            if not session.closed.is_set():
                session.abort()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
        await runner.cleanup()
        errors, self._books.errors = self._books.errors, []
        if errors:
            raise ExceptionGroup("the loopback vendor or a script of its scenario failed", errors)

    def _handler(self, door: FrontDoor, facts: DialectFacts) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None, "a request is handled in a task"
            self._tasks.add(task)
            try:
                return await door.admit(facts, request)
            finally:
                self._tasks.discard(task)

        return handle

    # -- addresses -----------------------------------------------------------------------------

    def url(self, dialect: str) -> str:
        """
        Return the base URL of a dialect, as a client's base URL option wants it.

        Args:
            dialect: One of `DIALECTS`.
        """
        if self._runner is None:
            message = "the loopback vendor does not run: use `async with` or `await start()`"
            raise RuntimeError(message)
        return f"ws://127.0.0.1:{self._port}/{FACTS[dialect].path}"

    def credential(self, dialect: str) -> dict[str, Any]:
        """
        Return a credential for `new_agent_from_credential`.

        Args:
            dialect: One of `DIALECTS`.
        """
        facts = FACTS[dialect]
        credential: dict[str, Any] = {
            "provider": facts.provider,
            "apiKey": self.api_key,
            "baseUrl": self.url(dialect),
            "model": facts.model,
        }
        if dialect == "openai_beta":
            credential["dialect"] = "beta"
        if facts.azure:
            credential["azure"] = True
        return credential

    async def session(self, number: int, *, timeout_s: float = 5.0) -> LoopbackSession:
        """
        Return a session by its place in `sessions`, waiting for it to connect.

        Args:
            number: Its place, from 0.
            timeout_s: Seconds to wait.

        Raises:
            TimeoutError: Nobody connected.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._books.arrived(number)
        except TimeoutError:
            message = f"no session {number} within {timeout_s} s; {len(self.sessions)} connected"
            raise TimeoutError(message) from None
