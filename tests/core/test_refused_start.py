"""What every dialect does when the session does not open."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from realtime_core import (
    Agent,
    AgentClosedError,
    ConnectError,
    ErrorKind,
    Event,
    Options,
    new_agent_from_credential,
)
from realtime_core.testing import DIALECTS, Faults, LoopbackSession, LoopbackVendor, Scenario
from tests.core.live import PATIENCE_S, nothing_left_behind
from tests.core.test_credentials import whole_chain

KEY = "loopback-key-to-hide"


async def refused(
    dialect: str, faults: Faults, *, start_timeout_s: float = PATIENCE_S, **credential: Any
) -> ConnectError:
    """Start an agent that cannot open, and check that nothing of it is left."""
    events: list[Event] = []
    async with LoopbackVendor(faults=faults, api_key=KEY) as vendor:
        cfg = {**vendor.credential(dialect), **credential}
        options = Options(on_event=events.append, start_timeout_s=start_timeout_s)
        agent = new_agent_from_credential(cfg, options)
        async with nothing_left_behind():
            with pytest.raises(ConnectError) as caught:
                await agent.start()
        for session in vendor.sessions:
            async with asyncio.timeout(PATIENCE_S):
                await session.closed.wait()
        assert vendor.violations == []
    assert events == []
    await is_over(agent)
    return caught.value


async def is_over(agent: Agent) -> None:
    """Check that a failed agent says so, and can be closed."""
    with pytest.raises(AgentClosedError):
        await agent.push_audio(bytes(640))
    with pytest.raises(AgentClosedError):
        await agent.create_response()
    with pytest.raises(AgentClosedError):
        await agent.start()
    await agent.close()


STATUSES = [
    (400, ErrorKind.CONFIG, False),
    (401, ErrorKind.AUTH, False),
    (402, ErrorKind.QUOTA, False),
    (403, ErrorKind.AUTH, False),
    (404, ErrorKind.MODEL, False),
    (418, ErrorKind.PROTOCOL, False),
    (429, ErrorKind.RATE_LIMIT, True),
    (500, ErrorKind.VENDOR, True),
    (503, ErrorKind.VENDOR, True),
]


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga", "dashscope_omni"])
@pytest.mark.parametrize(("status", "kind", "retryable"), STATUSES)
async def test_an_http_status_at_the_handshake(
    dialect: str, status: int, kind: ErrorKind, retryable: bool
) -> None:
    error = await refused(dialect, Faults(status=status))
    assert (error.status, error.kind, error.retryable) == (status, kind, retryable)
    assert re.search(rf"^127\.0\.0\.1:\d+ answered the handshake with HTTP {status}: ", str(error))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_first_update_that_is_refused(dialect: str) -> None:
    error = await refused(dialect, Faults(reject_update="unknown_parameter"))
    assert (error.kind, error.status, error.retryable) == (ErrorKind.CONFIG, None, False)
    assert "The session update was rejected: unknown_parameter" in str(error)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_vendor_that_never_greets(dialect: str) -> None:
    faults = Faults(withhold=frozenset({"session.created"}))
    error = await refused(dialect, faults, start_timeout_s=0.1)
    assert (error.kind, error.status, error.retryable) == (ErrorKind.STALLED, None, True)
    assert "Options.start_timeout_s" in str(error)


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "openai_beta"])
async def test_a_vendor_that_greets_and_never_acknowledges(dialect: str) -> None:
    faults = Faults(withhold=frozenset({"session.updated"}))
    error = await refused(dialect, faults, start_timeout_s=0.1)
    assert (error.kind, error.retryable) == (ErrorKind.STALLED, True)


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_a_handshake_that_is_never_answered(dialect: str) -> None:
    error = await refused(dialect, Faults(never_handshake=True), dialTimeoutMs=100)
    assert (error.kind, error.retryable) == (ErrorKind.STALLED, True)
    assert "within 0.1 s" in str(error)


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
@pytest.mark.parametrize("drop_at", ["before_101", "after_101", "before_created", "before_updated"])
async def test_a_connection_that_breaks_while_starting(dialect: str, drop_at: Any) -> None:
    error = await refused(dialect, Faults(drop_at=drop_at))
    assert (error.kind, error.status, error.retryable) == (ErrorKind.TRANSPORT, None, True)


@pytest.mark.parametrize(
    ("dialect", "code", "kind"),
    [
        ("openai_ga", 1011, ErrorKind.VENDOR),
        ("openai_ga", 3000, ErrorKind.AUTH),
        ("openai_ga", 4000, ErrorKind.CONFIG),
        ("openai_ga", 1013, ErrorKind.RATE_LIMIT),
        ("dashscope_omni", 1011, ErrorKind.VENDOR),
        ("dashscope_omni", 1007, ErrorKind.TRANSPORT),
        ("dashscope_omni", 1000, ErrorKind.TRANSPORT),
    ],
)
async def test_a_close_instead_of_a_greeting(dialect: str, code: int, kind: ErrorKind) -> None:
    error = await refused(dialect, Faults(close_before_created=code))
    assert (error.kind, error.status) == (kind, None)
    assert f"code {code}" in str(error)


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_garbage_before_the_greeting_is_answered_is_survived(dialect: str) -> None:
    faults = Faults(garbage_after="session.created", binary_after="session.created")
    async with LoopbackVendor(faults=faults) as vendor:
        async with new_agent_from_credential(vendor.credential(dialect), Options()):
            pass
        assert vendor.violations == []


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga", "dashscope_omni"])
async def test_a_redirect_is_refused_and_the_key_stays(dialect: str) -> None:
    async with LoopbackVendor() as elsewhere:
        target = elsewhere.url(dialect).replace("ws://", "http://")
        error = await refused(dialect, Faults(redirect_to=f"{target}/realtime?model=x"))
        assert error.kind is ErrorKind.CONFIG
        assert "redirect" in str(error)
        assert elsewhere.sessions == []


@pytest.mark.parametrize("provider", ["openai", "aliyun_omni"])
async def test_a_port_where_nobody_listens(provider: str) -> None:
    with socket.socket() as taken:  # so that nobody else listens there meanwhile
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}"
        cfg = {"provider": provider, "apiKey": KEY, "baseUrl": url}
        agent = new_agent_from_credential(cfg, Options())
        async with nothing_left_behind():
            with pytest.raises(ConnectError, match="cannot connect to 127") as caught:
                await agent.start()
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.TRANSPORT, True)
    await is_over(agent)


@pytest.mark.parametrize("provider", ["openai", "aliyun_omni"])
async def test_a_host_that_has_no_address(provider: str) -> None:
    cfg = {"provider": provider, "apiKey": KEY, "baseUrl": "wss://nobody.invalid/v1"}
    agent = new_agent_from_credential(cfg, Options())
    with pytest.raises(ConnectError, match=r"cannot connect to nobody\.invalid") as caught:
        await agent.start()
    assert caught.value.kind is ErrorKind.TRANSPORT


FAULTS = {
    "status": Faults(status=401),
    "redirect": Faults(redirect_to="http://127.0.0.1:9/"),
    "error": Faults(reject_update="invalid_value"),
    "close": Faults(close_before_created=1011),
}


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga", "dashscope_omni"])
@pytest.mark.parametrize("name", FAULTS)
async def test_no_refusal_shows_the_key_in_its_chain_or_the_log(
    dialect: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = await refused(dialect, FAULTS[name])
    assert KEY not in whole_chain(error)
    assert KEY not in caplog.text


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
async def test_no_refusal_quotes_the_url(faults: Faults) -> None:
    error = await refused("openai_ga", faults)
    assert "gpt-realtime" not in whole_chain(error)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_vendor_that_quotes_the_key_is_not_quoted(dialect: str) -> None:
    async def quotes(session: LoopbackSession) -> None:
        error = {"type": f"a {KEY}", "code": f"of {KEY}", "message": f"Wrong key {KEY}."}
        await session.send({"type": "error", "error": error})

    greeting = Scenario(on_connect=quotes)
    async with LoopbackVendor(scenario=greeting, api_key=KEY) as vendor:
        agent = new_agent_from_credential(vendor.credential(dialect), Options())
        with pytest.raises(ConnectError, match="Wrong key") as caught:
            await agent.start()
    assert KEY not in whole_chain(caught.value)


@pytest.mark.parametrize("value", ["1", "a", "true"])
async def test_a_short_header_does_not_blot_the_vendors_words(value: str) -> None:
    said = f"1 parameter is a lie: {value}."

    async def objects(session: LoopbackSession) -> None:
        await session.send({"type": "error", "error": {"message": said}})

    async with LoopbackVendor(scenario=Scenario(on_connect=objects)) as vendor:
        cfg = {**vendor.credential("openai_ga"), "headers": {"X-Debug": value}}
        with pytest.raises(ConnectError, match=said):
            await new_agent_from_credential(cfg, Options()).start()


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_a_netrc_of_the_user_changes_nothing(
    dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with LoopbackVendor() as vendor:
        agent = new_agent_from_credential(vendor.credential(dialect), Options())
        try:
            await agent.start()
        finally:
            await agent.close()


async def test_a_netrc_of_the_user_is_not_sent_to_azure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with LoopbackVendor() as vendor:
        agent = new_agent_from_credential(vendor.credential("azure_ga"), Options())
        async with agent:
            assert "authorization" not in vendor.sessions[0].headers
