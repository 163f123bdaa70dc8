"""The loopback vendor: a WebSocket server on this machine that speaks the vendors' wires."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self, final

from aiohttp import web

from .connection import Connection
from .dialects import FACTS, DialectFacts
from .faults import Faults
from .handshake import Greeting, check_http, check_socket, refused_socket, subprotocol
from .mind import Mind
from .refusal import Violation
from .reply import Voice
from .scenario import Scenario
from .session import LoopbackSession
from .voice import voice_named

__all__ = ["LoopbackVendor"]

_MAX_SESSIONS = 1000
_MAX_VIOLATIONS = 10_000
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
        self.scenario = scenario
        self.faults = faults or Faults()
        self.api_key = api_key
        self.models = models
        self.speed = speed
        self.ping_every_s = ping_every_s
        self.sessions: list[LoopbackSession] = []
        """The connections that passed the handshake, newest last; the last thousand are kept."""
        self.violations: list[Violation] = []
        """What clients did against the vendors' documents, in order; empty for correct ones."""
        self.benign: list[Violation] = []
        """Innocent races, e.g. a cancellation that crossed the end of its response."""
        self._voice = voice_named(voice)
        self._level_dbfs = None if voice is None else level_dbfs
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._count = 0
        self._arrived = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._script_errors: list[Exception] = []

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
        self._stopping.clear()
        app = web.Application()
        for facts in FACTS.values():
            tail = "/realtime" if facts.appends_realtime else ""
            app.router.add_get(f"/{facts.path}{tail}", self._route(facts))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def close(self) -> None:
        """
        Cut every connection and stop listening; idempotent, takes two seconds at most.

        Raises:
            ExceptionGroup: What scripts of scenarios raised.
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
        errors, self._script_errors = self._script_errors, []
        if errors:
            raise ExceptionGroup("scripts of loopback scenarios failed", errors)

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
            async with asyncio.timeout(timeout_s), self._arrived:
                await self._arrived.wait_for(lambda: len(self.sessions) > number)
        except TimeoutError:
            message = f"no session {number} within {timeout_s} s; {len(self.sessions)} connected"
            raise TimeoutError(message) from None
        return self.sessions[number]

    # -- connections ---------------------------------------------------------------------------

    def _route(self, facts: DialectFacts) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                return await self._handle(facts, request)
            finally:
                self._tasks.discard(task)

        return handle

    async def _handle(self, facts: DialectFacts, request: web.Request) -> web.StreamResponse:
        faults = self.faults
        headers = {name.lower(): value for name, value in request.headers.items()}
        query = dict(request.query)
        if faults.never_handshake or faults.handshake_delay_s:
            await self._stall(request, None if faults.never_handshake else faults.handshake_delay_s)
        if faults.drop_at == "before_101":
            _abort(request)
            return web.Response()
        if faults.redirect_to is not None:
            return web.Response(status=302, headers={"Location": faults.redirect_to})
        if faults.status is not None:
            return web.json_response({"error": "injected"}, status=faults.status)
        self._inspect_handshake(facts, headers, query)
        refused = check_http(facts, headers, query, api_key=self.api_key, models=self.models)
        if refused is not None:
            return refused
        protocol, _ = subprotocol(facts, headers)
        socket = web.WebSocketResponse(
            autoping=False,
            compress=False,
            max_msg_size=0,
            timeout=_CLOSE_S,
            protocols=() if protocol is None else (protocol,),
        )
        await socket.prepare(request)
        if faults.drop_at == "after_101":
            _abort(request)
            return socket
        greeting = check_socket(facts, headers, query, api_key=self.api_key, models=self.models)
        if faults.refuse is not None:
            greeting = refused_socket(faults.refuse)
        if greeting is not None:
            await _turn_away(socket, greeting)
            return socket
        await self._serve(facts, request, socket, headers, query)
        return socket

    async def _serve(
        self,
        facts: DialectFacts,
        request: web.Request,
        socket: web.WebSocketResponse,
        headers: dict[str, str],
        query: dict[str, str],
    ) -> None:
        scenario, faults = self.scenario or Scenario(), self.faults
        number, self._count = self._count, self._count + 1
        wake, gone = asyncio.Event(), asyncio.Event()

        def cut() -> None:
            gone.set()
            _abort(request)

        mind = Mind(
            facts,
            query.get("model", facts.model),
            number,
            voice=self._voice,
            level_dbfs=self._level_dbfs,
            faults=faults,
            replies=scenario.replies,
            rewrite=scenario.rewrite,
            invalid_turns=scenario.invalid_turns,
            speed=self.speed,
            clock=time.monotonic,
            report=lambda violation, benign: self._report(session, violation, benign),
        )
        session = LoopbackSession(
            number,
            mind,
            headers=headers,
            query=query,
            wake=wake.set,
            abort=cut,
        )
        connection = Connection(
            socket,
            mind,
            session,
            scenario=scenario,
            faults=faults,
            ping_every_s=self.ping_every_s,
            wake=wake,
            gone=gone,
        )
        self.sessions.append(session)
        del self.sessions[:-_MAX_SESSIONS]
        async with self._arrived:
            self._arrived.notify_all()
        try:
            await connection.run()
        finally:
            self._script_errors.extend(connection.script_errors)

    def _report(self, session: LoopbackSession, violation: Violation, benign: bool) -> None:
        for book in (
            (session.benign, self.benign) if benign else (session.violations, self.violations)
        ):
            book.append(violation)
            del book[:-_MAX_VIOLATIONS]

    def _inspect_handshake(
        self, facts: DialectFacts, headers: dict[str, str], query: dict[str, str]
    ) -> None:
        found: list[tuple[str, str, str]] = []
        if facts.ga_session and "openai-beta" in headers:
            found.append(("beta-header", "no OpenAI-Beta header", headers["openai-beta"]))
        if facts.azure and "api-version" in query:
            found.append(("api-version", "no api-version on the GA path", query["api-version"]))
        _, strange = subprotocol(facts, headers)
        if strange:
            found.append(("subprotocol", "no undocumented subprotocol", ", ".join(strange)))
        for rule, expected, got in found:
            violation = Violation(
                session=self._count, dialect=facts.name, rule=rule, expected=expected, got=got
            )
            self.violations.append(violation)

    async def _stall(self, request: web.Request, seconds: float | None) -> None:
        """Wait with the handshake; ends early when the client or this server goes."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self._stopping.is_set():
            transport = request.transport
            if transport is None or transport.is_closing():
                return
            left = 0.05 if end is None else min(0.05, end - time.monotonic())
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._stopping.wait()
            except TimeoutError:
                continue


async def _turn_away(socket: web.WebSocketResponse, greeting: Greeting) -> None:
    await socket.send_json({"type": "error", "event_id": "event_refused", "error": greeting.error})
    await socket.close(code=greeting.close_code, message=greeting.close_reason.encode())


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
