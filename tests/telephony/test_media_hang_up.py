from __future__ import annotations

import asyncio
import logging
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from realtime_core import ConfigError, ConnectError
from realtime_core.credentials import load_credential
from realtime_core.errors import ErrorKind
from realtime_telephony.leg import LegClosed
from realtime_telephony.media_hang_up import (
    CallActions,
    PlivoAccount,
    TelnyxAccount,
    TwilioAccount,
    VendorAccount,
)
from realtime_telephony.media_stream import StreamLimits
from tests.telephony.fakes.media import (
    FakePlivo,
    FakeTelnyx,
    FakeTwilio,
    FakeVendor,
    eventually,
)
from tests.telephony.fakes.media_server import call, media_server

SECRET = "s3cret-of-the-tenant"
TWILIO_CALLS = "/2010-04-01/Accounts/AC1/Calls"


class Rest:
    """A vendor's REST interface: answers one thing, keeps what came."""

    def __init__(self, status: int = 200, body: Any = None, delay_s: float = 0.0) -> None:
        self.status, self.body, self.delay_s = status, body, delay_s
        self.requests: list[tuple[str, str, str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.authorization = ""
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.raw_path, await request.text()))
        self.authorization = request.headers.get("Authorization", "")
        await asyncio.sleep(self.delay_s)
        await self.may_answer.wait()
        headers = {"Location": "https://elsewhere.example/"} if self.status == 302 else {}
        if self.body is None:
            return web.Response(status=self.status, headers=headers)
        return web.json_response(self.body, status=self.status)


@asynccontextmanager
async def rest(*args: Any, **options: Any) -> AsyncIterator[Rest]:
    interface = Rest(*args, **options)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", interface.handle)
    async with TestServer(app) as server:
        interface.url = str(server.make_url("/")).rstrip("/")
        yield interface


def twilio(url: str = "http://localhost:1") -> TwilioAccount:
    return TwilioAccount(account_sid="AC1", auth_token=SECRET, base_url=url)


def telnyx(url: str = "http://localhost:1") -> TelnyxAccount:
    return TelnyxAccount(api_key=SECRET, base_url=url)


def plivo(url: str = "http://localhost:1") -> PlivoAccount:
    return PlivoAccount(auth_id="MA1", auth_token=SECRET, base_url=url)


async def test_twilio_completes_the_call() -> None:
    async with rest(200, {"status": "completed"}) as interface:
        await CallActions(twilio(interface.url)).hang_up("CA1")
        assert interface.requests == [("POST", f"{TWILIO_CALLS}/CA1.json", "Status=completed")]
        scheme, value = interface.authorization.split()
        assert (scheme, b64decode(value).decode()) == ("Basic", f"AC1:{SECRET}")


async def test_twilio_takes_an_api_key_too() -> None:
    async with rest() as interface:
        account = TwilioAccount(
            account_sid="AC1", api_key_sid="SK1", auth_token=SECRET, base_url=interface.url
        )
        await CallActions(account).hang_up("CA1")
        assert b64decode(interface.authorization.split()[1]).decode() == f"SK1:{SECRET}"
        assert interface.requests[0][1].startswith(TWILIO_CALLS)


async def test_telnyx_hangs_up_by_a_call_action() -> None:
    async with rest(200, {"data": {"result": "ok"}}) as interface:
        await CallActions(telnyx(interface.url)).hang_up("v3:a/b+c=")
        ((method, path, body),) = interface.requests
        assert (method, body) == ("POST", "{}")
        assert path.startswith("/v2/calls/v3")
        assert path.endswith("/actions/hangup")
        assert "a/b" not in path  # one segment, whatever the id holds
        assert interface.authorization == f"Bearer {SECRET}"


async def test_plivo_deletes_the_call() -> None:
    async with rest(204) as interface:
        await CallActions(plivo(interface.url)).hang_up("c1")
        assert interface.requests == [("DELETE", "/v1/Account/MA1/Call/c1/", "")]


@pytest.mark.parametrize(
    ("make", "status", "body"),
    [
        (twilio, 404, {"code": 20404, "message": "not found", "status": 404}),
        (telnyx, 422, {"errors": [{"code": "90018", "title": "Call has already ended"}]}),
        (plivo, 404, {"error": "not found"}),
    ],
)
async def test_a_call_that_has_ended_is_no_error(make: Any, status: int, body: Any) -> None:
    async with rest(status, body) as interface:
        await CallActions(make(interface.url)).hang_up("c1")


async def test_an_answer_that_comes_in_parts_is_read_whole() -> None:
    asked = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=404)
        await response.prepare(request)
        await response.write(b'{"code": 20')
        await asked.wait()  # by then the client has the first part
        await response.write(b'404, "status": 404}')
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        account = twilio(str(server.make_url("/")).rstrip("/"))
        hanging_up = asyncio.create_task(CallActions(account).hang_up("CA1"))
        await asyncio.wait([hanging_up], timeout=0.2)
        asked.set()
        await hanging_up


@pytest.mark.parametrize(
    ("make", "status", "body", "kind"),
    [
        (twilio, 404, {"code": 20003}, ErrorKind.VENDOR),
        (twilio, 401, {"code": 20003, "message": SECRET}, ErrorKind.AUTH),
        (twilio, 500, None, ErrorKind.VENDOR),
        (telnyx, 422, {"errors": [{"code": "10015"}]}, ErrorKind.VENDOR),
        (telnyx, 403, {"errors": "odd"}, ErrorKind.AUTH),
        (plivo, 302, None, ErrorKind.VENDOR),
    ],
)
async def test_a_refusal_names_status_and_code_and_no_secret(
    make: Any, status: int, body: Any, kind: ErrorKind
) -> None:
    async with rest(status, body) as interface:
        with pytest.raises(ConnectError, match=f"hang-up with HTTP {status}") as caught:
            await CallActions(make(interface.url)).hang_up("c1")
        assert caught.value.kind is kind
        assert caught.value.status == status
        assert SECRET not in repr(caught.value)
        assert len(interface.requests) == (2 if status == 500 else 1)  # no redirect is followed


async def test_a_vendor_in_trouble_is_asked_once_more_to_end_a_call() -> None:
    async with rest(503) as interface:

        async def recover() -> None:
            await eventually(lambda: len(interface.requests) == 1)
            interface.status = 200

        recovering = asyncio.create_task(recover())
        await CallActions(telnyx(interface.url)).hang_up("c1")
        await recovering
        assert len(interface.requests) == 2
        interface.status = 503
        with pytest.raises(ConnectError):
            await CallActions(telnyx(interface.url)).transfer("c1", "+15550100")
        assert len(interface.requests) == 3  # who knows what became of it


async def test_a_vendor_that_does_not_answer_has_a_limit() -> None:
    async with rest(delay_s=5) as interface:
        with pytest.raises(ConnectError, match=r"within 0\.05 s") as caught:
            await CallActions(twilio(interface.url), timeout_s=0.05).hang_up("CA1")
        assert caught.value.kind is ErrorKind.STALLED


async def test_a_vendor_that_cannot_be_reached_leaves_no_header_in_the_error() -> None:
    with pytest.raises(ConnectError) as caught:
        await CallActions(twilio("http://localhost:1")).hang_up("CA1")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    with pytest.raises(ConnectError, match="InvalidUrl"):
        await CallActions(twilio("localhost")).hang_up("CA1")


async def test_a_netrc_of_somebody_takes_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with rest() as interface:
        await CallActions(telnyx(interface.url)).hang_up("c1")
        assert interface.authorization == f"Bearer {SECRET}"


@pytest.mark.parametrize("make", [twilio, telnyx, plivo])
def test_secrets_have_no_repr(make: Any) -> None:
    account: VendorAccount = make()
    assert SECRET not in repr(account)
    assert SECRET not in repr(CallActions(account))


def test_accounts_are_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    account = load_credential(TwilioAccount, {"accountSid": "AC1", "authToken": " x "})
    assert (account.account_sid, account.auth_token) == ("AC1", "x")
    monkeypatch.setenv("TELNYX_API_KEY", "from the environment")
    assert load_credential(TelnyxAccount, {}).api_key == "from the environment"
    with pytest.raises(ConfigError, match="authId"):
        load_credential(PlivoAccount, {"authToken": "x"})


@pytest.mark.parametrize(
    ("target", "dialled"),
    [
        ("+15550100", "%2B15550100"),
        ("sip:help@example.com", "%3CSip%3Esip%3Ahelp%40example.com%3C%2FSip%3E"),
    ],
)
async def test_twilio_transfers_by_twiml(target: str, dialled: str) -> None:
    async with rest() as interface:
        await CallActions(twilio(interface.url)).transfer("CA1", target)
        ((_, _, form),) = interface.requests
        assert form == f"Twiml=%3CResponse%3E%3CDial%3E{dialled}%3C%2FDial%3E%3C%2FResponse%3E"


async def test_telnyx_and_plivo_transfer() -> None:
    async with rest() as interface:
        await CallActions(telnyx(interface.url)).transfer("c1", "+15550100")
        await CallActions(plivo(interface.url)).transfer("c1", "https://a.example/dial.xml")
        assert interface.requests == [
            ("POST", "/v2/calls/c1/actions/transfer", '{"to": "+15550100"}'),
            (
                "POST",
                "/v1/Account/MA1/Call/c1/",
                '{"legs": "aleg", "aleg_url": "https://a.example/dial.xml", "aleg_method": "GET"}',
            ),
        ]


@pytest.mark.parametrize(
    ("make", "target"),
    [
        (twilio, "</Dial><Hangup/>"),
        (twilio, "sip:a@b</Sip>"),
        (twilio, ""),
        (telnyx, "nobody"),
        (plivo, "+15550100"),
        (plivo, "http://a.example/"),
    ],
)
async def test_a_target_the_vendor_does_not_take_is_refused_before_anything_is_sent(
    make: Any, target: str
) -> None:
    async with rest() as interface:
        with pytest.raises(ConfigError, match="transfer: expected"):
            await CallActions(make(interface.url)).transfer("c1", target)
        assert interface.requests == []


@pytest.mark.parametrize(
    ("fake", "make"), [(FakeTwilio, twilio), (FakeTelnyx, telnyx), (FakePlivo, plivo)]
)
async def test_a_leg_hangs_up_by_its_account(fake: type[FakeVendor], make: Any) -> None:
    vendor = fake()
    async with (
        rest(204) as interface,
        call(vendor, accounts={vendor.name: make(interface.url)}) as (leg, _),
    ):
        assert leg.capabilities.hang_up
        assert leg.capabilities.transfer
        await leg.hang_up()
        await leg.hang_up()
        assert await leg.receive() == LegClosed("us")
        assert len(interface.requests) == 1
        await asyncio.wait_for(vendor.closed.wait(), 30)


async def test_a_stop_while_we_hang_up_is_our_hang_up() -> None:
    vendor = FakeTwilio()
    async with (
        rest() as interface,
        call(vendor, accounts={"twilio": twilio(interface.url)}) as (leg, _),
    ):
        interface.may_answer.clear()
        hanging_up = asyncio.create_task(leg.hang_up())
        await eventually(lambda: len(interface.requests) == 1)
        leaving = asyncio.create_task(vendor.hang_up())
        closed = await leg.receive()
        assert isinstance(closed, LegClosed)
        assert closed.reason == "us"
        interface.may_answer.set()
        await asyncio.gather(hanging_up, leaving)


@pytest.mark.parametrize("how", ["break_off", "garbage", "silence"])
@pytest.mark.parametrize(
    ("fake", "make"), [(FakeTwilio, twilio), (FakeTelnyx, telnyx), (FakePlivo, plivo)]
)
async def test_a_call_that_lost_its_stream_is_not_left_in_silence(
    fake: type[FakeVendor], make: Any, how: str
) -> None:
    vendor = fake()
    limits = StreamLimits(bad_messages=0, idle_s=0.05 if how == "silence" else 30)
    async with (
        rest(204) as interface,
        call(vendor, accounts={vendor.name: make(interface.url)}, limits=limits) as (leg, _),
    ):
        if how == "break_off":
            await vendor.break_off()
        elif how == "garbage":
            await vendor.send("{")
        closed = await leg.receive()
        assert isinstance(closed, LegClosed)
        assert closed.reason in ("network", "protocol", "timeout")
        await leg.hang_up()
        await leg.hang_up()
        assert len(interface.requests) == 1


@pytest.mark.parametrize(("status", "logged"), [(200, False), (401, True)])
async def test_a_call_that_cannot_be_carried_is_ended(
    status: int, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Wideband(FakeTelnyx):
        encoding = "G722"

    vendor = Wideband()
    async with (
        rest(status) as interface,
        media_server(accounts={"telnyx": telnyx(interface.url)}) as server,
    ):
        await vendor.dial(server.url())
        await vendor.begin()
        refused = await asyncio.wait_for(server.refused.get(), 30)
        assert "PCMU" in str(refused)
        assert [path.rpartition("/")[2] for _, path, _ in interface.requests] == ["hangup"]
        await vendor.leave()
        assert ("the stream is closed instead" in caplog.text) == logged
        assert ("call v3:" in caplog.text) == logged


async def test_a_call_without_an_id_is_refused_and_nobody_asked() -> None:
    vendor = FakeTwilio()
    async with (
        rest() as interface,
        media_server(accounts={"twilio": twilio(interface.url)}) as server,
    ):
        await vendor.dial(server.url())
        await vendor.begin(callSid="../Calls")
        await asyncio.wait_for(server.refused.get(), 30)
        assert interface.requests == []
        await vendor.leave()


async def test_a_call_that_was_transferred_is_left_alone_when_its_stream_breaks() -> None:
    vendor = FakeTelnyx()
    async with (
        rest() as interface,
        call(vendor, accounts={"telnyx": telnyx(interface.url)}) as (leg, _),
    ):
        interface.may_answer.clear()
        transferring = asyncio.create_task(leg.transfer("+15550100"))
        await eventually(lambda: len(interface.requests) == 1)
        await vendor.break_off()
        assert (await leg.receive()).reason == "network"  # type: ignore[union-attr]
        interface.may_answer.set()
        await transferring
        await leg.hang_up()
        assert [path.rpartition("/")[2] for _, path, _ in interface.requests] == ["transfer"]


async def test_a_caller_who_hung_up_is_not_hung_up() -> None:
    vendor = FakeTwilio()
    async with (
        rest() as interface,
        call(vendor, accounts={"twilio": twilio(interface.url)}) as (leg, _),
    ):
        await vendor.hang_up()
        assert (await leg.receive()).reason == "caller"  # type: ignore[union-attr]
        await leg.hang_up()
        assert interface.requests == []


async def test_a_failed_hang_up_closes_the_stream_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vendor = FakeTwilio()
    async with (
        rest(500) as interface,
        call(vendor, accounts={"twilio": twilio(interface.url)}) as (leg, _),
    ):
        await leg.hang_up()
        assert await leg.receive() == LegClosed("us")
        await asyncio.wait_for(vendor.closed.wait(), 30)
    # Whoever reads it has to end that call by hand.
    assert f"call {vendor.call}: 127.0.0.1:" in caplog.text
    assert "refused the hang-up with HTTP 500" in caplog.text
    assert SECRET not in caplog.text


async def test_a_leg_transfers_and_lets_go(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vendor = FakeTelnyx()
    async with (
        rest() as interface,
        call(vendor, accounts={"telnyx": telnyx(interface.url)}) as (leg, _),
    ):
        with pytest.raises(ConfigError):
            await leg.transfer("nobody")
        await leg.transfer("+15550100")
        assert await leg.receive() == LegClosed("us", "transferred")
        await leg.transfer("+15550100")
        assert len(interface.requests) == 1
    assert SECRET not in caplog.text
