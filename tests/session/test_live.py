"""The driver over real sockets, where the connection itself misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from realtime_core import Agent, Event, Options, new_agent_from_credential
from realtime_core.errors import ConnectError, ErrorKind, RemoteProtocolError
from realtime_core.events import AssistantAudio, ErrorEvent, SessionClose, UserSpeechStarted
from realtime_core.testing.loopback import (
    DIALECTS,
    SCENARIOS,
    Faults,
    LoopbackSession,
    LoopbackVendor,
)

from .kit import pcm

PATIENCE_S = 30.0
BOTH = pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])


class Call:
    """An agent in a conversation, and what it told."""

    def __init__(self, vendor: LoopbackVendor, dialect: str, **options: Any) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        self.agent: Agent = new_agent_from_credential(
            vendor.credential(dialect), Options(on_event=self._take, **options)
        )

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    @property
    def kinds(self) -> list[str]:
        return [event.type.value for event in self.events]

    async def until(self, happened: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not happened():
                self._changed.clear()
                await self._changed.wait()

    async def until_told(self, kind: str) -> None:
        await self.until(lambda: kind in self.kinds)


@asynccontextmanager
async def calling(
    dialect: str, *, faults: Faults | None = None, scenario: str = "plain", **options: Any
) -> AsyncIterator[tuple[Call, LoopbackSession]]:
    async with LoopbackVendor(faults=faults, scenario=SCENARIOS[scenario]) as vendor:
        call = Call(vendor, dialect, **options)
        async with call.agent:
            yield call, await vendor.session(0)
        assert vendor.violations == []
    assert call.kinds[0] == "session.open"
    assert call.kinds.count("session.close") == 1
    assert call.kinds[-1] == "session.close"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_reply_that_falls_silent_is_noticed_while_pings_are_answered(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.wire.openai_conversation.REPLY_SILENCE_LIMIT_S", 0.1)
    async with calling(dialect, faults=Faults(silent_after="response.created")) as (call, _):
        await call.agent.create_response()
        await call.until_told("session.close")
    assert call.kinds == ["session.open", "error", "assistant.turn.end", "session.close"]
    (_, error, _, close) = call.events
    assert isinstance(error, ErrorEvent)
    assert (error.fatal, error.error.kind) == (True, ErrorKind.STALLED)
    assert isinstance(close, SessionClose)
    assert close.initiator == "network"


@BOTH
async def test_a_vendor_that_stops_reading_is_noticed_by_its_missing_pongs(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.keepalive.PING_EVERY_S", 0.1)
    async with calling(dialect, faults=Faults(deaf_after="session.updated")) as (call, _):
        await call.until_told("session.close")
    assert call.kinds == ["session.open", "error", "session.close"]


@BOTH
async def test_a_vendor_that_stops_reading_costs_the_oldest_audio_and_no_command(
    dialect: str,
) -> None:
    faults = Faults(deaf_after="session.updated")
    async with calling(dialect, faults=faults, max_buffered_ms=400) as (call, session):
        second = pcm(1000, 16000, value=7)
        async with asyncio.timeout(PATIENCE_S):
            while call.agent.stats.drops.get("input_full_ms", 0) < 600:
                await call.agent.push_audio(second)
            await call.agent.create_response()
        assert call.agent.stats.drops.keys() == {"input_full_ms"}
        # The kernel may take some more before it is full for good: each stall is told of once.
        told = [event for event in call.events[1:] if isinstance(event, ErrorEvent)]
        assert len(told) == len(call.events) - 1
        assert {(event.error.kind, event.fatal) for event in told} == {(ErrorKind.OVERFLOW, False)}
        assert len(session.audio_in) == 0
        async with asyncio.timeout(10):
            await call.agent.close()


async def test_waiting_for_a_vendor_that_stops_reading_ends_with_the_session() -> None:
    faults = Faults(deaf_after="session.updated")
    options: dict[str, Any] = {"max_buffered_ms": 400, "when_full": "wait"}
    async with calling("openai_ga", faults=faults, **options) as (call, session):

        async def talk() -> None:
            while True:
                await call.agent.push_audio(pcm(200, 16000))

        talking = asyncio.create_task(talk())
        await asyncio.sleep(0.1)
        assert not talking.done()
        assert call.agent.stats.drops == {}
        session.abort()
        await asyncio.wait({talking}, timeout=PATIENCE_S)
        assert talking.done()
        assert "the session" in str(talking.exception())
        await call.until_told("session.close")


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_connection_that_breaks_in_the_middle_of_a_reply(dialect: str) -> None:
    async with calling(dialect, faults=Faults(drop_at="mid_audio")) as (call, session):
        await call.agent.create_response()
        await call.until_told("session.close")
        await session.closed.wait()
    kinds = [kind for kind in call.kinds if kind != "assistant.text"]
    assert kinds[-3:] == ["error", "assistant.turn.end", "session.close"]
    close = call.events[-1]
    assert isinstance(close, SessionClose)
    assert (close.code, close.initiator) == (1006, "network")


@BOTH
async def test_an_event_of_two_mebibytes(dialect: str) -> None:
    async with calling(dialect, scenario="large_event") as (call, _):
        await call.agent.create_response()
        await call.until_told("assistant.turn.end")
        assert "error" not in call.kinds
        assert any(isinstance(event, AssistantAudio) for event in call.events)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_binary_frames_and_garbage_are_reported_and_survived(dialect: str) -> None:
    faults = Faults(garbage_after="session.updated", binary_after="session.updated")
    async with calling(dialect, faults=faults) as (call, _):
        await call.until(lambda: call.kinds.count("error") == 2)
        for event in call.events:
            if isinstance(event, ErrorEvent):
                assert isinstance(event.error, RemoteProtocolError)
                assert not event.fatal
        await call.agent.create_response()
        await call.until_told("assistant.turn.end")


@BOTH
async def test_a_redirect_is_refused_and_the_key_travels_nowhere(dialect: str) -> None:
    asked: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(elsewhere, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, LoopbackVendor() as vendor:
        vendor.faults = Faults(redirect_to=f"http://{host}:{port}/realtime")
        call = Call(vendor, dialect)
        with pytest.raises(ConnectError, match="redirect") as caught:
            await call.agent.start()
        await asyncio.sleep(0.02)
    assert asked == []
    assert call.events == []
    assert caught.value.kind is ErrorKind.CONFIG
    assert vendor.api_key not in repr(caught.value)


@BOTH
async def test_a_slow_handshake_is_bounded_by_dial_timeout_ms(dialect: str) -> None:
    async with LoopbackVendor(faults=Faults(never_handshake=True)) as vendor:
        credential = {**vendor.credential(dialect), "dialTimeoutMs": 80}
        agent = new_agent_from_credential(credential, Options())
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(ConnectError, match=r"0\.08 s") as caught:
            await agent.start()
        assert 0.07 < loop.time() - began < PATIENCE_S
        assert (caught.value.kind, caught.value.retryable) == (ErrorKind.STALLED, True)


@BOTH
async def test_a_start_given_up_at_any_moment_leaves_nothing(dialect: str) -> None:
    async with LoopbackVendor() as vendor:
        for count in range(1, 60, 2):
            agent = new_agent_from_credential(vendor.credential(dialect), Options())
            start = asyncio.create_task(agent.start())
            for _ in range(count):
                await asyncio.sleep(0)
            start.cancel()
            await asyncio.gather(start, return_exceptions=True)
            await agent.close()
        for session in vendor.sessions:
            await asyncio.wait_for(session.closed.wait(), PATIENCE_S)


@pytest.mark.parametrize("scenario", ["session_expired", "session_ended", "connection_lost"])
@BOTH
async def test_the_vendor_ends_the_session(dialect: str, scenario: str) -> None:
    async with LoopbackVendor(scenario=SCENARIOS[scenario]) as vendor:
        call = Call(vendor, dialect)
        await call.agent.start()
        await call.until_told("session.close")
        await call.agent.close()
    # DashScope tells a refused request and the end of a session apart by the close alone.
    assert call.kinds[0] == "session.open"
    assert call.kinds[-2:] == ["error", "session.close"]
    lost, close = call.events[-2:]
    assert isinstance(lost, ErrorEvent)
    assert lost.fatal
    assert isinstance(close, SessionClose)
    expected = {"session_expired": 1001, "session_ended": 1000, "connection_lost": 1006}
    assert close.code == expected[scenario]
    assert close.initiator == ("network" if scenario == "connection_lost" else "vendor")


@BOTH
async def test_a_barge_in_delivers_nothing_stale(dialect: str) -> None:
    async with calling(dialect, scenario="late_deltas") as (call, session):
        await call.agent.create_response()
        await call.until_told("assistant.audio")
        item = {"item_id": "item_U9", "audio_start_ms": 5}
        await session.send({"type": "input_audio_buffer.speech_started", **item})
        await call.until(lambda: any(isinstance(e, UserSpeechStarted) for e in call.events))
        await session.cancel()
        await call.until_told("assistant.turn.end")
        await session.send({"type": "vendor.flush"})
        await session.wait_sent("vendor.flush")
    told = call.kinds
    assert "assistant.audio" not in told[told.index("user.speech.started") :]


async def test_twenty_agents_share_a_loop_and_leave_nothing() -> None:
    async with LoopbackVendor(voice="tone") as vendor:
        calls = [Call(vendor, DIALECTS[number % len(DIALECTS)]) for number in range(20)]
        await asyncio.gather(*(call.agent.start() for call in calls))
        await asyncio.gather(*(call.agent.create_response() for call in calls))
        await asyncio.gather(*(call.until_told("assistant.turn.end") for call in calls))
        await asyncio.gather(*(call.agent.close() for call in calls))
        assert vendor.violations == []
        for call in calls:
            assert call.kinds[-1] == "session.close"
            assert json.dumps(dict(call.agent.stats.drops)) == "{}"
