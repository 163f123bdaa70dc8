"""The server over real sockets on loopback: routes, limits, access, drain, and that one call never disturbs another."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from realtime_core import (
    Agent,
    AgentClosedError,
    Event,
    Interrupted,
    Options,
    RealtimeError,
    SessionStats,
    UserSpeechEnded,
)
from realtime_core.clock import LoopClock
from realtime_core.errors import ConfigError
from realtime_core.testing import LoopbackDouble
from realtime_core.testing.speech import silence, speech_like
from realtime_telephony import CallControl, CallInfo, CallLeg, CallReport, DigitPressed
from realtime_telephony.call_record import CallRecord, Figures, RefusedCall
from realtime_telephony.desk import Attach, Desk
from realtime_telephony.leg import LegClosed
from realtime_telephony.media_signature import twilio_signature
from realtime_telephony.routing import Routing, read_routing
from realtime_telephony.server import CallServer, ListenError
from realtime_telephony.unavailable import UnavailableAgent
from tests.telephony.fakes.asterisk import AudioSocketCaller, WebSocketChannel
from tests.telephony.fakes.media import FakeTwilio, eventually
from tests.telephony.kit import THEY_PACE, WE_PACE, StubAgent, StubLeg

UUID_1 = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
SECRET = "correct horse battery staple"
TOKEN = "vendor-token-1234567890"
OnRecord = Callable[[CallRecord | RefusedCall], None]
KEY = 'credential = { provider = "openai", apiKey = "${OPENAI_API_KEY}" }\n'
PORTS = "[server.audiosocket]\nport = 0\n[server.http]\nport = 0\n"
ROUTES = (
    f'[[route]]\nname = "lift"\nuuid = "{UUID_1}"\n{KEY}'
    f'[[route]]\nname = "shop"\nparameters = {{ shop = "north" }}\n{KEY}'
    f'[[route]]\nname = "desk"\ndialled = "100"\n{KEY}'
    f'[[route]]\nname = "any"\nuuid = "*"\n{KEY}'
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("CALLS_SECRET", SECRET)
    monkeypatch.setenv("SID", "AC0123456789")
    monkeypatch.setenv("TOKEN", TOKEN)


def routing(server: str = "", routes: str = ROUTES, ports: str = PORTS) -> Routing:
    return read_routing(f"[server]\n{server}\n{ports}{routes}", file="calls.toml", folder=Path())


class Talk:
    """Stands in for `attach`: a call lasts until its leg ends, and is reported."""

    def __init__(self) -> None:
        self.legs: list[CallLeg] = []
        self.files: list[tuple[Path | None, Path | None, Path | None]] = []
        self.fails: dict[str, Exception] = {}
        """What a call raises, by its id, once."""

    async def __call__(
        self,
        agent: Agent,
        leg: CallLeg,
        *,
        control: CallControl | None,
        greeting: str | None,
        on_event: Callable[[Event | DigitPressed], None] | None,
        fallback: Path | None,
        record: Path | None,
        picture: Path | None,
    ) -> CallReport:
        self.files.append((fallback, record, picture))
        failure = self.fails.pop(leg.info.call_id, None)
        if failure is not None:
            raise failure
        self.legs.append(leg)
        try:
            while True:
                event = await leg.receive()
                if isinstance(event, LegClosed):
                    break
        finally:
            await leg.close()
            await agent.close()
        return CallReport(
            ended_by="us" if event.reason == "us" else "caller",
            detail=event.detail,
            duration_s=1.0,
            stats=SessionStats(turns=3, drops={"late_audio": 2}),
            digits="1234",
        )


class Served:
    """A running server and what became of its calls."""

    def __init__(
        self, rules: Routing, join: Attach | None, on_record: OnRecord | None = None
    ) -> None:
        self.talk = Talk()
        self.records: list[CallRecord | RefusedCall] = []
        self.server = CallServer(
            rules, join=join or self.talk, on_record=on_record or self.records.append
        )

    @property
    def audiosocket(self) -> int:
        assert self.server.audiosocket_port is not None
        return self.server.audiosocket_port

    @property
    def http(self) -> int:
        assert self.server.http_port is not None
        return self.server.http_port

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.http}{path}"

    async def up(self, count: int) -> None:
        await eventually(lambda: len(self.talk.legs) == count)

    async def over(self, count: int = 1) -> list[CallRecord | RefusedCall]:
        await eventually(lambda: len(self.records) >= count)
        return self.records

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as client,
            client.get(self.url(path), headers=headers) as response,
        ):
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text())


@asynccontextmanager
async def served(
    rules: Routing | None = None,
    *,
    join: Attach | None = None,
    on_record: OnRecord | None = None,
) -> AsyncIterator[Served]:
    """Run a server; in the end nothing of it may be left."""
    before = set(asyncio.all_tasks())
    ours = Served(rules or routing(), join, on_record)
    await ours.server.start()
    try:
        yield ours
    finally:
        await ours.server.close()
        await ours.server.close()
    await eventually(lambda: set(asyncio.all_tasks()) <= before)


def of_calls(records: list[CallRecord | RefusedCall]) -> list[CallRecord]:
    return [record for record in records if isinstance(record, CallRecord)]


def refusals(records: list[CallRecord | RefusedCall]) -> list[tuple[str, str]]:
    return [(each.call.leg, each.why) for each in records if isinstance(each, RefusedCall)]


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"asterisk:{password}".encode()).decode()


# Calls


async def test_each_kind_of_leg_finds_its_route() -> None:
    async with served() as ours:
        twilio = FakeTwilio()
        async with (
            AudioSocketCaller(ours.audiosocket, uuid=UUID_1) as lift,
            WebSocketChannel(ours.http, "/asterisk?dialled=100") as desk,
        ):
            await twilio.dial(ours.url("/media", "ws"))
            await twilio.begin()
            await ours.up(3)
            assert {call.route.name for call in ours.server.calls} == {"lift", "desk", "shop"}
            lift.hang_up()
            desk.hang_up()
            await twilio.hang_up()
            records = of_calls(await ours.over(3))
        await twilio.leave()
    assert {(record.call.leg, record.route) for record in records} == {
        ("audiosocket", "lift"),
        ("asterisk", "desk"),
        ("twilio", "shop"),
    }
    assert {record.ended_by for record in records} == {"caller"}


async def test_a_call_that_fits_no_route_is_refused() -> None:
    async with served() as ours:
        async with WebSocketChannel(ours.http, "/asterisk?dialled=999") as caller:
            await caller.wait_ended()
            assert caller.hung_up
        assert refusals(await ours.over()) == [("asterisk", "no_route")]
        assert ours.talk.legs == []


async def test_further_calls_go_by_new_routes_and_those_that_are_up_stay() -> None:
    async with served(routing("most_calls = 2")) as ours:
        async with AudioSocketCaller(ours.audiosocket):
            await ours.up(1)
            assert ours.server.reroute(
                routing("most_calls = 2", routes=f"[default]\nname = 'new'\n{KEY}")
            )
            # Another [server] is not followed.
            assert not ours.server.reroute(
                routing("most_calls = 3", routes=f"[default]\nname = 'newer'\n{KEY}")
            )
            async with AudioSocketCaller(ours.audiosocket):
                await ours.up(2)
                assert [call.route.name for call in ours.server.calls] == ["any", "newer"]
                assert (await ours.get("/healthz"))[1]["most_calls"] == 2
        await ours.over(2)


async def test_beyond_most_calls_a_call_is_refused_in_the_words_of_its_leg() -> None:
    async with served(routing("most_calls = 1")) as ours:
        async with AudioSocketCaller(ours.audiosocket) as first:
            await ours.up(1)
            async with AudioSocketCaller(ours.audiosocket) as second:
                await second.wait_ended()
                assert second.hung_up  # 0x00: the dialplan goes on
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await FakeTwilio().dial(ours.url("/media", "ws"))
            assert refused.value.status == 503
            with pytest.raises(AssertionError, match="refused with 503"):
                await WebSocketChannel(ours.http).__aenter__()
            assert refusals(await ours.over(3)) == [
                ("audiosocket", "busy"),
                ("media", "busy"),
                ("asterisk", "busy"),
            ]
            first.hang_up()
            await ours.over(4)
        async with AudioSocketCaller(ours.audiosocket):
            await ours.up(2)


async def test_a_call_that_raises_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as ours:
        ours.talk.fails[str(UUID_1)] = ValueError("sk-in-an-error")
        async with AudioSocketCaller(ours.audiosocket) as other:
            await ours.up(1)
            async with AudioSocketCaller(ours.audiosocket, uuid=UUID_1) as broken:
                await broken.wait_ended()
                assert broken.hung_up
            (record,) = of_calls(await ours.over())
            assert (record.ended_by, record.error) == ("failure", "ValueError")
            assert "sk-in-an-error" not in record.line()
            assert not other.ended
            assert len(ours.server.calls) == 1
        status, health = await ours.get("/healthz")
        assert (status, health["served"] >= 1, health["failed"]) == (200, True, 1)
    assert f"call {UUID_1} failed" in caplog.text


async def test_files_that_cannot_be_written_do_not_end_a_call(tmp_path: Path) -> None:
    rules = routing(routes=f"[default]\nrecord = '{tmp_path}'\npicture = '{tmp_path}'\n{KEY}")
    async with served(rules) as ours:
        ours.talk.fails[str(UUID_1)] = ConfigError("record: the disk is full")
        async with AudioSocketCaller(ours.audiosocket, uuid=UUID_1):
            await ours.up(1)
        await ours.over()
        (_, record, picture), without = ours.talk.files
        assert record is not None
        assert picture is not None
        assert (record.parent, record.suffix, picture.suffix) == (tmp_path, ".wav", ".svg")
        assert without == (None, None, None)


async def test_an_on_record_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(record: CallRecord | RefusedCall) -> None:
        raise OSError("a broken pipe")

    async with served(on_record=broken) as ours:
        async with AudioSocketCaller(ours.audiosocket):
            await ours.up(1)
        await eventually(lambda: ours.server.calls == ())
    assert "on_record failed" in caplog.text


async def test_by_itself_a_record_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "realtime_telephony.calls")
    talk = Talk()
    async with CallServer(routing(), join=talk) as server:
        assert server.audiosocket_port is not None
        async with AudioSocketCaller(server.audiosocket_port, uuid=UUID_1):
            await eventually(lambda: len(talk.legs) == 1)
        await eventually(lambda: server.calls == ())
    assert f"call leg=audiosocket id={UUID_1} route=lift provider=openai" in caplog.text


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\x02ab", b"\xff" * 4096])
async def test_garbage_on_audiosocket_is_no_call(data: bytes) -> None:
    async with served(routing("most_calls = 1")) as ours:
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.audiosocket)
        writer.write(data)
        with suppress(ConnectionError):  # unread bytes turn a close into a reset
            assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        async with AudioSocketCaller(ours.audiosocket):
            await ours.up(1)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/asterisk", 400, "no call from 127.0.0.1: expected a WebSocket with sub-protocol media"),
        ("/astersik/sk-secret", 404, "asked for another path than /asterisk or /media"),
    ],
)
async def test_why_a_websocket_was_refused_stands_in_the_log(
    path: str, status: int, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served() as ours, aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(ours.url(path, "ws"))
        assert refused.value.status == status
        assert (await ours.get("/nothing"))[0] == 404
    assert says in caplog.text
    assert "sk-secret" not in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize("path", ["/asterisk", "/media"])
async def test_a_websocket_that_says_nonsense_is_no_call(path: str) -> None:
    async with served(routing("most_calls = 1")) as ours, aiohttp.ClientSession() as client:
        for _ in range(2):  # its seat is free again
            async with client.ws_connect(ours.url(path, "ws"), protocols=("media",)) as ws:
                for _ in range(20):
                    await ws.send_str("nonsense")
                while not ws.closed:
                    await ws.receive(30)
            await eventually(lambda: ours.server._desk._seated == 0)
        assert (await client.get(ours.url(path))).status == 400
        assert ours.records == []


class RudeLeg(StubLeg):
    """Ends with errors."""

    async def hang_up(self) -> None:
        await super().hang_up()
        raise OSError("no hang-up")

    async def close(self) -> None:
        await super().close()
        raise OSError("no close")


async def test_a_leg_that_ends_with_errors_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    records: list[CallRecord | RefusedCall] = []

    async def join(agent: Agent, leg: CallLeg, **_: Any) -> CallReport:
        await leg.receive()
        raise ValueError

    desk = Desk(routing(routes=f"[default]\n{KEY}"), on_record=records.append, join=join)
    leg = RudeLeg(THEY_PACE, LoopClock())
    call = asyncio.create_task(desk.take(leg))
    await eventually(lambda: len(desk.calls) == 1)
    await desk.hang_up_all()
    await call
    assert leg.closed
    assert [record.ended_by for record in of_calls(records)] == ["failure"]
    assert "hang_up failed" in caplog.text
    assert "close failed" in caplog.text


async def test_cancelling_who_waits_for_a_call_hangs_up() -> None:
    records: list[CallRecord | RefusedCall] = []
    talk = Talk()
    desk = Desk(routing(routes=f"[default]\n{KEY}"), on_record=records.append, join=talk)
    leg = StubLeg(WE_PACE, LoopClock())
    call = asyncio.create_task(desk.take(leg))
    await eventually(lambda: len(talk.legs) == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert leg.hung_up
    assert leg.closed
    assert [record.ended_by for record in of_calls(records)] == ["us"]


async def test_what_stands_in_for_an_agent_only_refuses() -> None:
    failure = RealtimeError("not today")
    agent = UnavailableAgent(failure, Options())
    with pytest.raises(RealtimeError, match="not today"):
        await agent.start()
    for refused in (
        agent.push_audio(b""),
        agent.commit_input_audio(),
        agent.clear_input_audio(),
        agent.create_response(),
        agent.send_text(""),
        agent.cancel(),
        agent.update_instructions(""),
        agent.send_tool_result("", ""),
    ):
        with pytest.raises(AgentClosedError):
            await refused
    with pytest.raises(AgentClosedError):
        aiter(agent)
    agent.report_playback("", 0)
    await agent.close()
    assert agent.capabilities.tools is False
    assert agent.stats.turns == 0


# The end


async def test_a_drain_lets_calls_end_and_takes_no_new_ones() -> None:
    files_before = _open_files()
    async with served() as ours:
        async with AudioSocketCaller(ours.audiosocket) as caller:
            await ours.up(1)
            port, drain = ours.audiosocket, asyncio.create_task(ours.server.drain(60))
            await eventually(lambda: ours.server.draining)
            assert (await ours.get("/healthz")) == (
                503,
                {"status": "draining", "calls": 1, "most_calls": 20, "served": 0, "failed": 0, "refused": 0},
            )  # fmt: skip
            with pytest.raises(AssertionError, match="refused with 503"):
                await WebSocketChannel(ours.http).__aenter__()
            await eventually(lambda: not _accepts(port))
            assert not caller.ended
            assert not drain.done()
            caller.hang_up()
            await asyncio.wait_for(drain, 30)
        records = ours.records
        assert refusals(records) == [("asterisk", "draining")]
        assert [record.ended_by for record in of_calls(records)] == ["caller"]
        assert ours.server.listening == ()
    gc.collect()
    await eventually(lambda: _open_files() <= files_before)


async def test_after_drain_s_calls_are_hung_up_and_reported() -> None:
    async with served(routing("drain_s = 0")) as ours:
        async with (
            AudioSocketCaller(ours.audiosocket) as one,
            WebSocketChannel(ours.http, "/asterisk?dialled=100") as other,
        ):
            await ours.up(2)
            await asyncio.wait_for(ours.server.drain(), 30)
            await one.wait_ended()
            await other.wait_ended()
            assert one.hung_up
            assert other.hung_up
        records = of_calls(ours.records)
        assert [(record.ended_by, record.turns) for record in records] == [("us", 3), ("us", 3)]


async def test_a_second_signal_ends_a_drain_at_once() -> None:
    async with served() as ours:
        async with AudioSocketCaller(ours.audiosocket) as caller:
            await ours.up(1)
            drain = asyncio.create_task(ours.server.drain(600))
            await eventually(lambda: ours.server.draining)
            ours.server.end_now()
            await asyncio.wait_for(drain, 30)
            await caller.wait_ended()
        (record,) = of_calls(ours.records)
        assert (record.ended_by, record.detail) == ("us", "cancelled")


async def test_a_call_that_comes_up_while_draining_is_refused() -> None:
    async with served() as ours:
        twilio = FakeTwilio()
        await twilio.dial(
            ours.url("/media", "ws")
        )  # upgraded, but it has not said which call it is
        await eventually(lambda: ours.server._desk._seated == 1)
        ours.server._desk.accepting = False
        await twilio.begin()
        assert refusals(await ours.over()) == [("twilio", "draining")]
        await asyncio.wait_for(twilio.closed.wait(), 30)
        await twilio.leave()


async def test_close_waits_for_no_start_message() -> None:
    async with served() as ours:
        twilio = FakeTwilio()
        await twilio.dial(ours.url("/media", "ws"))
        await asyncio.wait_for(ours.server.close(), 4)
        await twilio.leave()


async def test_a_call_that_does_not_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("realtime_telephony.server.TEAR_DOWN_S", 0.05)
    monkeypatch.setattr("realtime_telephony.desk.HANG_UP_S", 0.05)
    release = asyncio.Event()

    async def stubborn(agent: Agent, leg: CallLeg, **_: Any) -> CallReport:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError

    async with served(join=stubborn) as ours, AudioSocketCaller(ours.audiosocket):
        await eventually(lambda: len(ours.server.calls) == 1)
        closing = asyncio.create_task(ours.server.drain(0))
        await eventually(lambda: "1 calls do not end" in caplog.text)
        release.set()
        await asyncio.wait_for(closing, 30)


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("taken", ["audiosocket", "http"])
async def test_an_address_in_use_is_told_and_nothing_listens(taken: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        free = "http" if taken == "audiosocket" else "audiosocket"
        ports = f"[server.{taken}]\nport = {port}\n[server.{free}]\nport = 0\n"
        server = CallServer(routing(ports=ports))
        with pytest.raises(ListenError, match="cannot listen"):
            await server.start()
    assert server.listening == ()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_one_port_is_enough() -> None:
    async with CallServer(routing(ports="[server.audiosocket]\nport = 0\n")) as server:
        assert server.http_port is None
        assert len(server.listening) == 1
    async with CallServer(routing(ports="[server.http]\nport = 0\nhost = '::1'\n")) as server:
        assert server.audiosocket_port is None
        assert server.listening[0] == f"Asterisk WebSocket  ws://[::1]:{server.http_port}/asterisk"


# Access


async def test_with_a_secret_nobody_comes_in_without_it() -> None:
    paths = (
        "/asterisk",
        "/media",
        "/media/wrong-wrong-wrong-w",
        "/calls",
        "/api/tenant/voice/providers",
    )
    async with served(routing("shared_secret_env = 'CALLS_SECRET'")) as ours:
        for path in paths:
            for header in (
                "",
                "Bearer wrong",
                basic("wrong"),
                "Basic !",
                basic(SECRET)[:-4],
                "Bearer",
            ):
                assert (await ours.get(path, Authorization=header))[0] == 403, (path, header)
        assert (await ours.get("/healthz"))[0] == 200
        for header in (f"Bearer {SECRET}", basic(SECRET)):
            assert (await ours.get("/calls", Authorization=header)) == (200, [])
            assert (await ours.get("/asterisk", Authorization=header))[
                0
            ] == 400  # let in: no WebSocket
        twilio = FakeTwilio()
        await twilio.dial(ours.url(f"/media/{SECRET}", "ws"))
        await twilio.begin()
        await ours.up(1)
        await twilio.leave()


async def test_a_vendors_signature_lets_its_stream_in_and_nobody_else() -> None:
    server = "public_url = 'wss://calls.example.org'"
    vendor = "[server.twilio]\naccount_sid_env = 'SID'\nauth_token_env = 'TOKEN'\n"
    async with served(routing(server, ports=PORTS + vendor)) as ours:
        for path in ("/asterisk", "/calls", "/api/tenant/voice/providers", "/media"):
            assert (await ours.get(path))[0] == 403
        twilio = FakeTwilio()
        signature = twilio_signature(TOKEN, "wss://calls.example.org/media")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await twilio.dial(ours.url("/media", "ws"), {"X-Twilio-Signature": signature[::-1]})
        assert refused.value.status == 403
        await twilio.dial(ours.url("/media", "ws"), {"X-Twilio-Signature": signature})
        await twilio.begin()
        await ours.up(1)
        assert ours.talk.legs[0].capabilities.hang_up
        # Its REST interface is beyond loopback: the caller hangs up.
        await twilio.hang_up()
        await ours.over()
        await twilio.leave()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /media HTTP/1.1\r\nHost: \xff\r\nX-Plivo-Signature-V3-Nonce: 1\r\n",
        b"GET /media HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: \xff\r\n",
        b"GET /media HTTP/1.1\r\nHost: x\r\nX-Plivo-Signature-V3: \xff\r\nX-Plivo-Signature-V3-Nonce: \xff\r\n",
    ],
)
async def test_bytes_that_are_no_text_are_no_signature(
    head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    vendors = (
        "[server.twilio]\naccount_sid_env = 'SID'\nauth_token_env = 'TOKEN'\n"
        "[server.plivo]\nauth_id_env = 'SID'\nauth_token_env = 'TOKEN'\n"
    )
    async with served(routing(vendors)) as ours:
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.http)
        writer.write(head + b"\r\n")
        assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 403")
        writer.close()
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("header", "value"),
    [("Origin", "https://evil.example"), ("X-Forwarded-For", "203.0.113.9"), ("Via", "1.1 x")],
)
async def test_neither_a_web_page_nor_a_proxy_can_reach_an_open_loopback(
    header: str, value: str
) -> None:
    async with served() as ours:
        for path in ("/asterisk", "/media", "/calls", "/api/tenant/voice/providers"):
            status, why = await ours.get(path, **{header: value})
            assert (status, "without a shared secret" in why) == (403, True)
        assert (await ours.get("/calls"))[0] == 200


async def test_peers_not_allowed_are_not_heard() -> None:
    ports = "[server.audiosocket]\nport = 0\nallowed_peers = '10.0.0.0/8'\n"
    async with served(routing(ports=ports)) as ours:
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.audiosocket)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        assert ours.talk.legs == []


async def test_peers_allowed_are_heard() -> None:
    ports = "[server.audiosocket]\nport = 0\nallowed_peers = ['127.0.0.0/8']\n"
    async with served(routing(ports=ports)) as ours, AudioSocketCaller(ours.audiosocket):
        await ours.up(1)


@pytest.mark.parametrize(
    "said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
)  # fmt: skip
async def test_a_connection_that_asks_nothing_more_is_closed(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_telephony.http_door.IDLE_S", 0.2)
    async with served() as ours:
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.http)
        writer.write(said)
        answer = await asyncio.wait_for(reader.read(), 30)
        assert answer.startswith(b"HTTP/1.1 200 OK") or said[-4:] != b"\r\n\r\n"
        writer.close()


async def test_a_connection_gets_one_answer_however_much_it_asks() -> None:
    async with served() as ours:
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.http)
        server = ours.server._http._runner.server  # type: ignore[union-attr]
        assert server is not None
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        with suppress(ConnectionError):
            answer = await asyncio.wait_for(reader.read(), 30)
            assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b"Connection: close\r\n") == 1
        await eventually(lambda: not server.connections)
        writer.close()


async def test_who_goes_before_sending_what_was_announced_leaves_nothing() -> None:
    async with served() as ours:
        reader, writer = await asyncio.open_connection("127.0.0.1", ours.http)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert await reader.readuntil(b"}")
        writer.close()


async def test_of_what_is_no_request_the_log_holds_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "secret-of-somebody"
    wrong = (
        f"GET /media HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\x01\r\n\r\n",
        f"GET /media/{secret} HTTP/9\r\n\r\n",
        f"G=T /media/{secret} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /{secret * 500} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
    )
    async with served() as ours:
        for said in wrong:
            reader, writer = await asyncio.open_connection("127.0.0.1", ours.http)
            writer.write(said.encode())
            with suppress(ConnectionError):
                assert b" 400 " in await asyncio.wait_for(reader.read(), 30) or "gzip" in said
            writer.close()
    assert secret not in caplog.text
    assert "Traceback" not in caplog.text
    told = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.getMessage() for each in told] == [
        "Error handling request from 127.0.0.1: BadHttpMessage"  # once in a while
    ]


async def test_a_call_outlasts_the_limit_of_idle_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_telephony.http_door.IDLE_S", 0.1)
    async with served() as ours, WebSocketChannel(ours.http, "/asterisk?dialled=100") as caller:
        await ours.up(1)
        await asyncio.sleep(0.4)  # several limits
        assert not caller.ended


async def test_further_connections_are_closed_unread_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("realtime_telephony.http_door.SPARE_CONNECTIONS", 1)
    async with served(routing("most_calls = 1")) as ours:
        first = [await asyncio.open_connection("127.0.0.1", ours.http) for _ in range(2)]
        server = ours.server._http._runner.server  # type: ignore[union-attr]
        assert server is not None
        await eventually(lambda: len(server.connections) == 2)
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", ours.http)
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
        first[0][1].close()
        await eventually(lambda: len(server.connections) == 1)
        assert (await ours.get("/healthz"))[0] == 200
        first[1][1].close()
    assert caplog.text.count("2 connections are open on the HTTP port") == 1


# Questions


async def test_figures_are_there_for_prometheus() -> None:
    async with served() as ours:
        async with AudioSocketCaller(ours.audiosocket):
            await ours.up(1)
            ours.server._desk.counts.update(served=3, failed=1, refused=2)
            status, text = await ours.get("/metrics")
        await ours.over()
    assert status == 200
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "realtime_calls 1",
        "realtime_calls_limit 20",
        "realtime_accepting 1",
        'realtime_calls_total{outcome="ended"} 2',
        'realtime_calls_total{outcome="failed"} 1',
        'realtime_calls_total{outcome="refused"} 2',
    ]


async def test_running_calls_are_listed_without_numbers() -> None:
    async with (
        served() as ours,
        WebSocketChannel(ours.http, "/asterisk?dialled=100&caller=%2B15550100") as caller,
    ):
        await ours.up(1)
        status, (entry,) = await ours.get("/calls")
        assert status == 200
        assert entry["duration_s"] >= 0
        assert entry["started_at"].endswith("+00:00")
        assert {key: entry[key] for key in ("leg", "call_id", "route", "provider")} == {
            "leg": "asterisk",
            "call_id": caller.channel_id,
            "route": "desk",
            "provider": "openai",
        }
        assert "15550100" not in str(entry)
        caller.hang_up()
        await ours.over()


async def test_providers_are_described_once_and_off_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from realtime_core.describe import describe_providers

    threads: list[bool] = []

    def described() -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            threads.append(True)
        return describe_providers()

    monkeypatch.setattr("realtime_telephony.introspection.describe_providers", described)
    async with served() as ours:
        path = "/api/tenant/voice/providers"
        (status, infos), again = await asyncio.gather(ours.get(path), ours.get(path))
        assert (status, again) == (200, (200, infos))
    assert threads == [True]
    openai = next(info for info in infos if "openai" in info["slugs"])
    assert openai["distribution"] == "realtime-openai"
    assert openai["version"]
    assert openai["error"] is None
    assert openai["capabilities"]["truncation"] is True
    assert openai["credential_schema"]["properties"]["apiKey"]["writeOnly"] is True


async def test_a_provider_that_hangs_in_its_import_holds_up_neither_asker_nor_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forever = threading.Event()
    monkeypatch.setattr("realtime_telephony.introspection.describe_providers", forever.wait)
    monkeypatch.setattr("realtime_telephony.introspection.DESCRIBE_LIMIT_S", 0.05)
    try:
        async with asyncio.timeout(30), served() as ours:
            for _ in range(2):
                status, said = await ours.get("/api/tenant/voice/providers")
                assert (status, said) == (
                    503,
                    {"error": "a provider does not let itself be imported"},
                )
    finally:
        forever.set()


# With the real attach


def loopback(vendor: LoopbackDouble, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> str:
    """Give a route to the loopback vendor; the key comes from the environment, as it should."""
    credential = {**vendor.credential, **changes}
    monkeypatch.setenv("LOOPBACK_KEY", str(credential.pop("apiKey")))
    lines = "".join(
        f"{key} = {value!r}\n" for key, value in credential.items() if value is not None
    )
    return f"[default.credential]\napiKey = '${{LOOPBACK_KEY}}'\n{lines}"


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_a_call_is_answered_and_written_down(
    dialect: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records: list[CallRecord | RefusedCall] = []
    async with LoopbackDouble(dialect) as vendor:
        routes = f"[default]\nrecord = '{tmp_path}'\npicture = '{tmp_path}'\n" + loopback(
            vendor, monkeypatch
        )
        rules = routing(routes=routes)
        await asyncio.to_thread(rules.check)
        async with CallServer(rules, on_record=records.append) as server:
            assert server.audiosocket_port is not None
            async with AudioSocketCaller(server.audiosocket_port, uuid=UUID_1) as caller:
                await eventually(lambda: bool(caller.heard))
                for audio in (speech_like(500, 8000), silence(900, 8000)):
                    for at in range(0, len(audio), 320):
                        caller.say(audio[at : at + 320])
                # Some of the answer, so that the agent has been told that it is heard.
                await caller.wait_for(lambda: len(bytes(caller.heard).strip(b"\0")) > 3200, 30)
                caller.hang_up()
                await eventually(lambda: len(records) == 1)
        assert vendor.violations == []
    (record,) = of_calls(records)
    assert record.ended_by == "caller"
    assert record.latency_ms is not None
    assert 0 < record.latency_ms < 5000
    assert record.turns == 1
    assert f"latency_ms={record.latency_ms:.0f} " in record.line()
    assert sorted(Path(name).suffix for name in os.listdir(tmp_path)) == [".svg", ".wav"]


async def test_the_line_of_a_call_cut_by_a_second_signal_has_its_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records: list[CallRecord | RefusedCall] = []
    async with LoopbackDouble("openai_ga") as vendor:
        rules = routing(routes=loopback(vendor, monkeypatch))
        await asyncio.to_thread(rules.check)
        async with CallServer(rules, on_record=records.append) as server:
            assert server.audiosocket_port is not None
            async with AudioSocketCaller(server.audiosocket_port, uuid=UUID_1) as caller:
                await eventually(lambda: bool(caller.heard))
                caller.send_raw(bytes.fromhex("05000100"))  # of a type nobody knows
                for audio in (speech_like(500, 8000), silence(900, 8000)):
                    for at in range(0, len(audio), 320):
                        caller.say(audio[at : at + 320])
                await caller.wait_for(lambda: len(bytes(caller.heard).strip(b"\0")) > 3200, 30)
                server.end_now()
                await eventually(lambda: len(records) == 1)
                await caller.wait_ended()
    (record,) = of_calls(records)
    assert (record.ended_by, record.detail, record.turns) == ("us", "cancelled", 1)
    assert record.latency_ms is not None
    assert record.drops["leg_unknown_type"] == 1
    assert record.line().endswith(" stalls=-")


async def test_a_caller_hears_the_fallback_when_no_agent_can_be_made() -> None:
    records: list[CallRecord | RefusedCall] = []
    rules = routing(routes="[default]\ncredential = { provider = 'nobody' }\n")
    with pytest.raises(ConfigError, match="no provider is installed"):
        rules.check()
    async with CallServer(rules, on_record=records.append) as server:
        assert server.audiosocket_port is not None
        async with AudioSocketCaller(server.audiosocket_port) as caller:
            await caller.wait_for(lambda: any(caller.heard), 30)
            await server.drain(0)
    (record,) = of_calls(records)
    assert "no provider is installed for slug 'nobody'" in record.line()


async def test_a_tool_function_that_raises_is_apologised_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "broken_tools.py").write_text("def of(call):\n    raise OSError('sk-secret')\n")
    records: list[CallRecord | RefusedCall] = []
    text = f"[server]\n{PORTS}[default]\ntools = 'broken_tools:of'\n{KEY}"
    rules = await asyncio.to_thread(read_routing, text, file="calls.toml", folder=tmp_path)
    async with CallServer(rules, on_record=records.append) as server:
        assert server.audiosocket_port is not None
        async with AudioSocketCaller(server.audiosocket_port) as caller:
            await caller.wait_for(lambda: any(caller.heard), 30)
            await server.drain(0)
    (record,) = of_calls(records)
    assert record.error == "OSError"
    assert "sk-secret" not in record.line()


HANGING_TOOLS = """
import threading

begun, go_on = threading.Semaphore(0), threading.Event()

def hangs(call):
    begun.release()
    go_on.wait()
    return []

def quits(call):
    raise SystemExit(3)
"""


@pytest.fixture
def hanging_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import importlib
    import sys

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hanging_tools.py").write_text(HANGING_TOOLS)
    module = importlib.import_module("hanging_tools")
    yield module
    module.go_on.set()
    del sys.modules["hanging_tools"]


async def test_an_agent_that_is_not_made_in_time_is_apologised_for(
    hanging_tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_telephony.desk.MAKING_LIMIT_S", 0.05)
    records: list[CallRecord | RefusedCall] = []
    routes = f"[default]\ntools = 'hanging_tools:hangs'\n{KEY}"
    rules = await asyncio.to_thread(routing, "most_calls = 1", routes)
    async with CallServer(rules, on_record=records.append) as server:
        assert server.audiosocket_port is not None
        for number in (1, 2, 3):  # the third does not even get a thread: two hang
            async with AudioSocketCaller(server.audiosocket_port) as caller:
                await caller.wait_for(lambda caller=caller: any(caller.heard), 30)
                caller.hang_up()
                await eventually(lambda number=number: len(records) == number)
    assert {record.error for record in of_calls(records)} == {
        "no agent was made within 0.05 s: the provider, or a function for tools, hangs"
    }
    assert hanging_tools.begun.acquire(blocking=False)
    assert hanging_tools.begun.acquire(blocking=False)
    assert not hanging_tools.begun.acquire(blocking=False)


async def test_a_tool_function_that_ends_the_program_ends_a_call_only(hanging_tools: Any) -> None:
    records: list[CallRecord | RefusedCall] = []
    rules = await asyncio.to_thread(
        routing, routes=f"[default]\ntools = 'hanging_tools:quits'\n{KEY}"
    )
    async with CallServer(rules, on_record=records.append) as server:
        assert server.audiosocket_port is not None
        async with AudioSocketCaller(server.audiosocket_port) as caller:
            await caller.wait_for(lambda: any(caller.heard), 30)
            await server.drain(0)
    (record,) = of_calls(records)
    assert record.error == "RuntimeError"


# Lines


def test_a_line_says_the_figures_and_nothing_a_peer_could_forge() -> None:
    record = CallRecord(
        call=CallInfo(leg="asterisk", call_id="1\ncall leg=x id=" + "y" * 100, caller="+15550100"),
        route="a b",
        provider="openai",
        duration_s=63.24,
        ended_by="network",
        detail='closed with "1006"\n',
        turns=5,
        barge_ins=2,
        latency_ms=640.4,
        drops={"late_audio": 3, "undelivered": 0},
        stalls=1,
    )
    assert record.line() == (
        "call leg=asterisk id=1_call_leg=x_id="
        + "y" * 64
        + " route=a_b provider=openai duration_s=63.2 "
        "ended_by=network turns=5 barge_ins=2 latency_ms=640 drops=late_audio:3 stalls=1 "
        'detail="closed with \\"1006\\"\\n"'
    )
    refused = RefusedCall(call=CallInfo(leg="media", call_id=""), why="busy")
    assert refused.line() == "refused leg=media id=- why=busy"


def test_barge_ins_are_counted_as_they_come() -> None:
    figures = Figures(StubAgent())
    for event in (
        UserSpeechEnded(vendor="stub", item_id="1", at_ms=1),
        Interrupted(vendor="stub"),
        Interrupted(vendor="stub"),
    ):
        figures.take(event)
    assert figures.barge_ins == 2


def test_the_latency_is_the_median_of_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = StubAgent()
    figures = iter([None, 500.0, 500.0, 900.0, 700.0, 700.0])
    now: list[float | None] = [None]
    monkeypatch.setattr(
        StubAgent, "stats", property(lambda _: SessionStats(last_playout_latency_ms=now[0]))
    )
    figures_so_far = Figures(agent)
    assert figures_so_far.median_ms() is None
    for figure in figures:
        now[0] = figure
        figures_so_far.take(UserSpeechEnded(vendor="stub", item_id="1", at_ms=1))
    assert figures_so_far.median_ms() == 700.0
