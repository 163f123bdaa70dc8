"""From an upgrade request to a session, past the faults and the checks of the handshake."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import final

from aiohttp import web
from attrs import define

from .books import Books
from .connection import Connection
from .dialects import DialectFacts
from .faults import Faults
from .handshake import Greeting, check_http, check_socket, refused_socket, subprotocol
from .mind import Mind
from .refusal import Violation
from .reply import Voice
from .scenario import Scenario
from .session import LoopbackSession

__all__ = ["FrontDoor", "Terms"]

_CLOSE_S = 2.0
_LOOK_S = 0.05  # how often a stalled handshake looks whether the client is still there


@define(kw_only=True)
class Terms:
    """
    What the next connection meets; the fields are `LoopbackVendor`'s arguments.

    Attributes:
        scenario: The script.
        faults: The faults.
        api_key: The key accepted.
        models: The models accepted, None for what looks like one.
        voice: Who answers.
        level_dbfs: Level of speech, None to hear none.
        speed: Pace of answers, times real time.
        ping_every_s: Seconds between pings.
    """

    scenario: Scenario
    faults: Faults
    api_key: str
    models: frozenset[str] | None
    voice: Voice
    level_dbfs: float | None
    speed: float | None
    ping_every_s: float | None


@final
class FrontDoor:
    """
    Lets clients in.

    Args:
        terms: What they meet.
        books: Where it is written down.
        stopping: Set when the server closes.
    """

    def __init__(self, terms: Terms, books: Books, stopping: asyncio.Event) -> None:
        self._terms = terms
        self._books = books
        self._stopping = stopping

    async def admit(self, facts: DialectFacts, request: web.Request) -> web.StreamResponse:
        """Answer an upgrade request; returns when its connection is gone."""
        terms, faults = self._terms, self._terms.faults
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
        self._inspect(facts, headers, query)
        key, models = terms.api_key, terms.models
        refused = check_http(facts, headers, query, api_key=key, models=models)
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
        greeting = check_socket(facts, headers, query, api_key=key, models=models)
        if faults.refuse is not None:
            greeting = refused_socket(faults.refuse)
        if greeting is None:
            await self._serve(facts, request, socket, headers, query)
        else:
            await _turn_away(socket, greeting)
        return socket

    def _inspect(
        self, facts: DialectFacts, headers: Mapping[str, str], query: Mapping[str, str]
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
            self._books.report(
                Violation(
                    session=self._books.opened,
                    dialect=facts.name,
                    rule=rule,
                    expected=expected,
                    got=got,
                )
            )

    async def _serve(
        self,
        facts: DialectFacts,
        request: web.Request,
        socket: web.WebSocketResponse,
        headers: Mapping[str, str],
        query: Mapping[str, str],
    ) -> None:
        terms, books = self._terms, self._books
        scenario, number = terms.scenario, books.opened
        books.opened += 1
        wake, gone = asyncio.Event(), asyncio.Event()

        def cut() -> None:
            gone.set()
            _abort(request)

        mind = Mind(
            facts,
            query.get("model", facts.model),
            number,
            voice=terms.voice,
            level_dbfs=terms.level_dbfs,
            faults=terms.faults,
            replies=scenario.replies,
            rewrite=scenario.rewrite,
            invalid_turns=scenario.invalid_turns,
            speed=terms.speed,
            clock=time.monotonic,
            report=lambda violation, benign: books.report(
                violation, session=session, benign=benign
            ),
        )
        session = LoopbackSession(
            number, mind, headers=headers, query=query, wake=wake.set, abort=cut
        )
        connection = Connection(
            socket,
            mind,
            session,
            scenario=scenario,
            faults=terms.faults,
            ping_every_s=terms.ping_every_s,
            wake=wake,
            gone=gone,
        )
        await books.enter(session)
        books.errors.extend(await connection.run())

    async def _stall(self, request: web.Request, seconds: float | None) -> None:
        """Wait with the handshake; ends early when the client or this server goes."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self._stopping.is_set():
            transport = request.transport
            if transport is None or transport.is_closing():
                return
            left = _LOOK_S if end is None else min(_LOOK_S, end - time.monotonic())
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
