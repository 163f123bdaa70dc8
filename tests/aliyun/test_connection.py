"""Where an agent connects to, and with which headers."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from realtime_core import ConfigError
from tests.core.live import Connect, connections, opened

PATH = "/api-ws/v1/realtime"
DEFAULT = "qwen3.5-omni-flash-realtime"
WORKSPACE = "wss://ws-7.{}.maas.aliyuncs.com/api-ws/v1/realtime?model={}"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    return connections(monkeypatch, "aliyun_omni")


URLS: list[tuple[dict[str, Any], str]] = [
    ({}, f"wss://dashscope.aliyuncs.com{PATH}?model={DEFAULT}"),
    ({"region": "cn-beijing"}, f"wss://dashscope.aliyuncs.com{PATH}?model={DEFAULT}"),
    ({"region": "ap-southeast-1"}, f"wss://dashscope-intl.aliyuncs.com{PATH}?model={DEFAULT}"),
    ({"workspace": "ws-7"}, WORKSPACE.format("cn-beijing", DEFAULT)),
    (
        {"workspace": "ws-7", "region": "ap-southeast-1", "model": "qwen3.8-omni-flash-realtime"},
        WORKSPACE.format("ap-southeast-1", "qwen3.8-omni-flash-realtime"),
    ),
    ({"baseUrl": "wss://host"}, f"wss://host{PATH}?model={DEFAULT}"),
    ({"baseUrl": "https://host/"}, f"wss://host{PATH}?model={DEFAULT}"),
    ({"baseUrl": "http://localhost:8000"}, f"ws://localhost:8000{PATH}?model={DEFAULT}"),
    ({"baseUrl": f"wss://host{PATH}"}, f"wss://host{PATH}?model={DEFAULT}"),
    ({"baseUrl": "wss://host/gateway/qwen"}, f"wss://host/gateway/qwen?model={DEFAULT}"),
    ({"baseUrl": f"wss://host{PATH}?model=mine"}, f"wss://host{PATH}?model=mine"),
    ({"baseUrl": "wss://host", "workspace": "ws-7"}, f"wss://host{PATH}?model={DEFAULT}"),
]


@pytest.mark.parametrize(("credential", "url"), URLS)
def test_the_url_is_that_of_the_base_url_the_workspace_or_the_region(
    connect: Connect, credential: dict[str, Any], url: str
) -> None:
    assert connect(**credential).url == url


def test_workspace_and_region_may_come_from_the_environment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_WORKSPACE", "ws-7")
    monkeypatch.setenv("DASHSCOPE_REGION", "ap-southeast-1")
    connection = connect()
    assert connection.url == WORKSPACE.format("ap-southeast-1", DEFAULT)
    assert connection.headers["X-DashScope-WorkSpace"] == "ws-7"


@pytest.mark.parametrize("workspace", ["evil.example/", "a b", "ws.7", "@host", "-"])
def test_a_workspace_that_makes_no_host_name_is_refused(connect: Connect, workspace: str) -> None:
    with pytest.raises(ConfigError, match=r"credential\.workspace: expected letters, digits"):
        connect(workspace=workspace)


def test_an_unknown_region_is_refused(connect: Connect) -> None:
    with pytest.raises(ConfigError, match=r"credential\.region: expected one of 'cn-beijing'"):
        connect(region="eu-central-1")


def test_a_model_of_the_workspace_hosts_alone_is_warned_about(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connect(model="qwen3.8-omni-flash-realtime", workspace="ws-7")
    connect(model="qwen3.8-omni-flash-realtime", baseUrl="wss://host")
    assert caplog.records == []
    connect(model="qwen3.8-omni-flash-realtime")
    (record,) = caplog.records
    assert "workspace" in record.getMessage()


HEADERS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"Authorization": "Bearer the-key"}),
    (
        {"workspace": "ws-7"},
        {"Authorization": "Bearer the-key", "X-DashScope-WorkSpace": "ws-7"},
    ),
    (
        {"workspace": "ws-7", "baseUrl": "wss://host"},
        {"Authorization": "Bearer the-key", "X-DashScope-WorkSpace": "ws-7"},
    ),
    (
        {"headers": {"X-DashScope-DataInspection": "enable", "authorization": "Bearer mine"}},
        {"X-DashScope-DataInspection": "enable", "authorization": "Bearer mine"},
    ),
    (
        {"workspace": "ws-7", "headers": {"x-dashscope-workspace": "other"}},
        {"Authorization": "Bearer the-key", "x-dashscope-workspace": "other"},
    ),
]


@pytest.mark.parametrize(("credential", "headers"), HEADERS)
def test_the_headers_hold_the_key_the_workspace_and_the_tenants_own_which_win(
    connect: Connect, credential: dict[str, Any], headers: dict[str, str]
) -> None:
    assert connect(**credential).headers == headers


async def test_the_server_receives_them_and_no_beta_header() -> None:
    async with opened(
        "dashscope_omni", workspace="ws-7", headers={"X-DashScope-DataInspection": "enable"}
    ) as (_, session):
        headers = session.headers
    assert headers["authorization"] == "Bearer loopback-key"
    assert headers["x-dashscope-workspace"] == "ws-7"
    assert headers["x-dashscope-datainspection"] == "enable"
    assert not {"openai-beta", "x-dashscope-omnirealtime"} & headers.keys()


@pytest.mark.parametrize("key", [..., "", None])
def test_a_key_is_needed(connect: Connect, key: Any) -> None:
    with pytest.raises(ConfigError, match=r"credential\.apiKey: expected"):
        connect(apiKey=key)


def test_the_tenants_bound_of_the_connect_is_handed_on(connect: Connect) -> None:
    assert connect(dialTimeoutMs=700).dial_timeout_ms == 700


def test_nothing_shows_the_key(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connection = connect(apiKey="hunter2", headers={"X-Key": "hunter2"})
    assert "hunter2" not in connection.url
    assert "hunter2" not in caplog.text
