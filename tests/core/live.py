"""Agents on the loopback vendor, and what they may not leave behind."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import define, field

from realtime_core import Agent, Options, new_agent_from_credential
from realtime_core.testing import LoopbackSession, LoopbackVendor

PATIENCE_S = 30.0
"""How long anything may take on this machine."""


@asynccontextmanager
async def opened(
    dialect: str,
    options: Options | None = None,
    *,
    vendor: LoopbackVendor | None = None,
    **credential: Any,
) -> AsyncIterator[tuple[Agent, LoopbackSession]]:
    """Hold a session with the loopback vendor, which must have nothing to complain about."""
    server = vendor or LoopbackVendor()
    async with server:
        cfg = {**server.credential(dialect), **credential}
        async with new_agent_from_credential(cfg, options or Options()) as agent:
            yield agent, await server.session(0)
        assert server.violations == []


async def first_update(
    dialect: str, options: Options | None = None, **credential: Any
) -> dict[str, Any]:
    """Give the session object of the first `session.update` as the vendor received it."""
    async with opened(dialect, options, **credential) as (_, session):
        assert [event["type"] for event in session.received] == ["session.update"]
        (event,) = session.received
        assert set(event) == {"type", "event_id", "session"}
        update: dict[str, Any] = event["session"]
        return update


def changed(session: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give a session object with other values at dotted paths; `...` takes a key away."""
    out: dict[str, Any] = {
        key: changed(value, {}) if isinstance(value, Mapping) else value
        for key, value in session.items()
    }
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = out
        for key in parents:
            place = place.setdefault(key, {})
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return out


def _sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return count


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[None]:
    """Wait until there are no more tasks and no more sockets than at the beginning."""
    tasks, sockets = asyncio.all_tasks(), _sockets()
    yield
    ours = {task for task in asyncio.all_tasks() - tasks if task.get_name().startswith("realtime")}
    assert not ours, "the session's own tasks end before the command returns"
    try:
        async with asyncio.timeout(PATIENCE_S):
            # The loopback vendor's side of the connection ends a moment later.
            while asyncio.all_tasks() - tasks or _sockets() > sockets:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        left = asyncio.all_tasks() - tasks
        pytest.fail(f"left behind: {left}, sockets {sockets} -> {_sockets()}")


@define
class Connection:
    """What a provider would have connected to."""

    url: str = ""
    headers: dict[str, str] = field(factory=dict, repr=False)
    dial_timeout_ms: int | None = None


Connect = Callable[..., Connection]


def connections(monkeypatch: pytest.MonkeyPatch, provider: str) -> Connect:
    """
    Give a function which says where an agent of a credential would connect to.

    The seam between vendors and backends takes its place; hosts of the real vendors are never reached.
    """
    made = Connection()

    def websocket_agent(
        *, url: str, headers: Mapping[str, str], dial_timeout_ms: int | None, **_: Any
    ) -> Connection:
        made.url, made.headers, made.dial_timeout_ms = url, dict(headers), dial_timeout_ms
        return made

    monkeypatch.setattr("realtime_core.backends.agent.websocket_agent", websocket_agent)

    def connect(**credential: Any) -> Connection:
        cfg = {"provider": provider, "apiKey": "the-key", **credential}
        cfg = {key: value for key, value in cfg.items() if value is not ...}
        new_agent_from_credential(cfg, Options())
        return made

    return connect


def make_ready() -> None:
    """Let the scan of installed wheels and the imports, which block, happen outside of any loop."""
    for provider in ("openai", "aliyun_omni"):
        new_agent_from_credential({"provider": provider, "apiKey": "k"}, Options())
