"""How OpenAI says no: an error and a close behind the 101; Azure by HTTP status."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime_core import (
    ConnectError,
    ErrorKind,
    Event,
    Options,
    SessionOpen,
    VendorError,
    new_agent_from_credential,
)
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.session import SessionAgent
from realtime_core.testing import Faults, LoopbackVendor
from realtime_core.testing.clock import ManualClock
from realtime_core.testing.scripted import ScriptedTransport
from realtime_core.wire import OpenAIWire, SessionSettings
from realtime_openai._dialect import OPENAI_BETA
from tests.core.live import PATIENCE_S, nothing_left_behind


async def refused(dialect: str, faults: Faults | None = None, **credential: Any) -> ConnectError:
    events: list[Event] = []
    async with LoopbackVendor(faults=faults) as vendor:
        cfg = {**vendor.credential(dialect), **credential}
        agent = new_agent_from_credential(cfg, Options(on_event=events.append))
        async with nothing_left_behind():
            with pytest.raises(ConnectError) as caught:
                await agent.start()
        assert vendor.sessions == []
    assert events == []
    return caught.value


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta"])
@pytest.mark.parametrize(
    ("why", "kind", "code"),
    [
        ("auth", ErrorKind.AUTH, "invalid_api_key"),
        ("no_auth", ErrorKind.AUTH, None),
        ("model", ErrorKind.MODEL, "invalid_model"),
        ("no_model", ErrorKind.MODEL, "missing_model"),
        ("quota", ErrorKind.QUOTA, "insufficient_quota"),
        ("server_error", ErrorKind.VENDOR, None),
    ],
)
async def test_an_error_and_a_close_behind_the_101(
    dialect: str, why: Any, kind: ErrorKind, code: str | None
) -> None:
    error = await refused(dialect, Faults(refuse=why))
    assert (error.kind, error.status) == (kind, None)
    assert isinstance(error.__cause__, VendorError)
    assert error.__cause__.code == code


async def test_trouble_of_the_vendor_may_be_over_later() -> None:
    error = await refused("openai_ga", Faults(refuse="server_error"))
    assert error.retryable


async def test_a_wrong_key_is_refused_behind_the_101() -> None:
    error = await refused("openai_ga", apiKey="wrong")
    assert (error.kind, error.status, error.retryable) == (ErrorKind.AUTH, None, False)


async def test_a_model_that_is_not_realtime_is_refused_behind_the_101() -> None:
    error = await refused("openai_ga", model="gpt-9-text")
    assert (error.kind, error.status, error.retryable) == (ErrorKind.MODEL, None, False)


async def test_a_beta_header_of_the_tenants_is_refused_by_ga() -> None:
    async with LoopbackVendor() as vendor:
        cfg = {**vendor.credential("openai_ga"), "headers": {"OpenAI-Beta": "realtime=v1"}}
        with pytest.raises(ConnectError, match="beta_api_shape_disabled") as caught:
            await new_agent_from_credential(cfg, Options()).start()
    assert caught.value.kind is ErrorKind.CONFIG


async def test_azure_refuses_a_wrong_key_with_401() -> None:
    error = await refused("azure_ga", apiKey="wrong")
    assert (error.kind, error.status) == (ErrorKind.AUTH, 401)


async def test_azure_refuses_an_unknown_deployment_with_400() -> None:
    async with LoopbackVendor(models=frozenset({"another"})) as vendor:
        with pytest.raises(ConnectError, match="check the model") as caught:
            await new_agent_from_credential(vendor.credential("azure_ga"), Options()).start()
    assert caught.value.status == 400


# Compatible servers that never acknowledge


class Beta:
    """An agent of the beta dialect, on a clock moved by hand."""

    def __init__(self, **options: Any) -> None:
        self.events: list[Event] = []
        self.clock, self.transport = ManualClock(), ScriptedTransport()
        chosen = Options(on_event=self.events.append, **options)
        wire = OpenAIWire(
            vendor="openai_realtime",
            dialect=OPENAI_BETA,
            settings=SessionSettings(),
            options=chosen,
        )
        self.agent = SessionAgent(
            options=chosen,
            wire=wire,
            transport=self.transport,
            resampler=SoxrResampler,
            clock=self.clock,
        )

    async def greeted(self) -> asyncio.Task[None]:
        """Start, up to the first `session.update`."""
        starting = asyncio.create_task(self.agent.start())
        self.transport.feed({"type": "session.created", "session": {"id": "sess_1"}})
        async with asyncio.timeout(PATIENCE_S):
            while not self.transport.sent:  # noqa: ASYNC110
                await asyncio.sleep(0)
        return starting


async def test_beta_opens_when_the_acknowledgement_does_not_come_in_time() -> None:
    beta = Beta()
    starting = await beta.greeted()
    beta.clock.advance(OPENAI_BETA.acknowledge_within_s - 0.01)
    await asyncio.sleep(0)
    assert not starting.done()
    assert beta.events == []

    beta.clock.advance(0.02)
    await starting

    assert beta.events == [SessionOpen(vendor="openai_realtime", session_id="sess_1")]
    beta.transport.feed({"type": "session.updated", "session": {"id": "sess_1"}})
    await asyncio.sleep(0)
    assert len(beta.events) == 1
    await beta.agent.close()


async def test_beta_opens_at_once_when_the_acknowledgement_comes() -> None:
    beta = Beta()
    starting = await beta.greeted()
    beta.transport.feed({"type": "session.updated", "session": {"id": "sess_2"}})
    await starting
    assert beta.events == [SessionOpen(vendor="openai_realtime", session_id="sess_2")]
    await beta.agent.close()
    assert beta.clock.pending == 0


async def test_beta_fails_when_its_update_is_refused_in_time() -> None:
    beta = Beta()
    starting = await beta.greeted()
    beta.transport.feed({"type": "error", "error": {"message": "Unknown voice."}})
    with pytest.raises(ConnectError, match="Unknown voice"):
        await starting
    assert beta.events == []
    assert beta.clock.pending == 0


async def test_the_bound_of_the_start_holds_for_beta_too() -> None:
    beta = Beta(start_timeout_s=2.0)
    starting = await beta.greeted()
    beta.clock.advance(2.1)
    with pytest.raises(ConnectError, match="start_timeout_s") as caught:
        await starting
    assert caught.value.kind is ErrorKind.STALLED
    assert beta.transport.closed_with is not None
