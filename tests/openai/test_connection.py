"""Where an agent connects to, and with which headers."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from realtime_core import ConfigError
from tests.core.live import Connect, connections, opened

PREVIEW = "openai/realtime?api-version=2025-04-01-preview&deployment=voice"
AZURE = "https://res.openai.azure.com"


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    return connections(monkeypatch, "openai")


URLS: list[tuple[dict[str, Any], str]] = [
    ({}, "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
    ({"model": "gpt-realtime-2"}, "wss://api.openai.com/v1/realtime?model=gpt-realtime-2"),
    ({"baseUrl": "https://api.openai.com"}, "wss://api.openai.com/v1/realtime?model=m"),
    ({"baseUrl": "https://api.openai.com/"}, "wss://api.openai.com/v1/realtime?model=m"),
    ({"baseUrl": "https://api.openai.com/v1/"}, "wss://api.openai.com/v1/realtime?model=m"),
    ({"baseUrl": "wss://host/v1/realtime"}, "wss://host/v1/realtime?model=m"),
    ({"baseUrl": "wss://host/v1/realtime/"}, "wss://host/v1/realtime?model=m"),
    ({"baseUrl": "http://localhost:8000"}, "ws://localhost:8000/v1/realtime?model=m"),
    ({"baseUrl": "http://localhost:8000/v1"}, "ws://localhost:8000/v1/realtime?model=m"),
    ({"baseUrl": "https://host/api/v3"}, "wss://host/api/v3/realtime?model=m"),
    ({"baseUrl": "wss://host/v1?model=mine"}, "wss://host/v1/realtime?model=mine"),
    ({"baseUrl": "wss://host/v1?key=a%26b"}, "wss://host/v1/realtime?key=a%26b&model=m"),
    ({"baseUrl": "wss://host/v1?call_id=rtc_1"}, "wss://host/v1/realtime?call_id=rtc_1"),
    # Azure
    ({"baseUrl": AZURE}, "wss://res.openai.azure.com/openai/v1/realtime?model=m"),
    ({"baseUrl": f"{AZURE}/"}, "wss://res.openai.azure.com/openai/v1/realtime?model=m"),
    ({"baseUrl": f"{AZURE}/openai"}, "wss://res.openai.azure.com/openai/v1/realtime?model=m"),
    ({"baseUrl": f"{AZURE}/openai/v1"}, "wss://res.openai.azure.com/openai/v1/realtime?model=m"),
    (
        {"baseUrl": f"{AZURE}/openai/v1/realtime"},
        "wss://res.openai.azure.com/openai/v1/realtime?model=m",
    ),
    (
        {"baseUrl": "https://res.services.ai.azure.com"},
        "wss://res.services.ai.azure.com/openai/v1/realtime?model=m",
    ),
    (
        {"baseUrl": "https://gateway.example", "azure": True},
        "wss://gateway.example/openai/v1/realtime?model=m",
    ),
    ({"baseUrl": AZURE, "azure": False}, "wss://res.openai.azure.com/v1/realtime?model=m"),
    (
        {"baseUrl": "https://RES.OpenAI.Azure.com"},
        "wss://RES.OpenAI.Azure.com/openai/v1/realtime?model=m",
    ),
    (
        {"baseUrl": f"{AZURE}?x=1"},
        "wss://res.openai.azure.com/openai/v1/realtime?x=1&model=m",
    ),
    # Azure's preview path
    (
        {"baseUrl": f"{AZURE}/{PREVIEW}", "dialect": "beta"},
        f"wss://res.openai.azure.com/{PREVIEW}",
    ),
    (
        {"baseUrl": AZURE, "dialect": "beta"},
        "wss://res.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=m",
    ),
    (
        {"baseUrl": f"{AZURE}/openai/realtime?api-version=2024-10-01-preview", "dialect": "beta"},
        "wss://res.openai.azure.com/openai/realtime?api-version=2024-10-01-preview&deployment=m",
    ),
    (
        {"baseUrl": f"{AZURE}?deployment=mine", "dialect": "beta"},
        "wss://res.openai.azure.com/openai/realtime?deployment=mine&api-version=2025-04-01-preview",
    ),
    (
        {"baseUrl": "https://gateway.example/openai", "azure": True, "dialect": "beta"},
        "wss://gateway.example/openai/realtime?api-version=2025-04-01-preview&deployment=m",
    ),
    (
        {"baseUrl": f"{AZURE}/openai/v1", "dialect": "beta"},
        "wss://res.openai.azure.com/openai/v1/realtime?model=m",
    ),
    # A transcription session takes no model; a key that only contains another is not that key.
    (
        {"baseUrl": "wss://host/v1?intent=transcription"},
        "wss://host/v1/realtime?intent=transcription",
    ),
    (
        {"baseUrl": "wss://host/v1?intent=conversation"},
        "wss://host/v1/realtime?intent=conversation&model=m",
    ),
    (
        {"baseUrl": "wss://host/v1?my_deployment=x"},
        "wss://host/v1/realtime?my_deployment=x&model=m",
    ),
    (
        {"baseUrl": f"{AZURE}?my-api-version=1"},
        "wss://res.openai.azure.com/openai/v1/realtime?my-api-version=1&model=m",
    ),
]


@pytest.mark.parametrize(("credential", "url"), URLS)
def test_the_base_url_is_completed(connect: Connect, credential: dict[str, Any], url: str) -> None:
    given = {"model": "m", **credential}
    assert connect(**(given if credential else {})).url == url


def test_an_api_version_on_azures_ga_path_is_refused(connect: Connect) -> None:
    with pytest.raises(ConfigError, match=r"credential\.baseUrl: expected no api-version"):
        connect(baseUrl=f"{AZURE}/openai/v1?api-version=preview")


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL"])
def test_the_base_url_may_come_from_the_environment(
    connect: Connect, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://localhost:8000/v1")
    assert connect(model="m").url == "ws://localhost:8000/v1/realtime?model=m"


HEADERS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({}, {"Authorization": "Bearer the-key"}),
    ({"baseUrl": AZURE}, {"api-key": "the-key"}),
    ({"baseUrl": AZURE, "azureToken": "entra"}, {"Authorization": "Bearer entra"}),
    ({"baseUrl": AZURE, "azureToken": "entra", "apiKey": ...}, {"Authorization": "Bearer entra"}),
    ({"baseUrl": AZURE, "azure": False}, {"Authorization": "Bearer the-key"}),
    ({"baseUrl": "wss://host", "azure": True}, {"api-key": "the-key"}),
    ({"baseUrl": f"{AZURE}/{PREVIEW}", "dialect": "beta"}, {"api-key": "the-key"}),
    ({"dialect": "beta", "baseUrl": "ws://localhost"}, {"Authorization": "Bearer the-key"}),
    ({"baseUrl": "ws://localhost", "apiKey": ...}, {}),
    (
        {"organization": "org", "project": "proj", "safetyIdentifier": "caller-7"},
        {
            "Authorization": "Bearer the-key",
            "OpenAI-Organization": "org",
            "OpenAI-Project": "proj",
            "OpenAI-Safety-Identifier": "caller-7",
        },
    ),
    (
        {"headers": {"X-Trace": "1", "Authorization": "Basic mine"}},
        {"Authorization": "Basic mine", "X-Trace": "1"},
    ),
]


@pytest.mark.parametrize(("credential", "headers"), HEADERS)
def test_the_headers_are_those_of_the_server(
    connect: Connect, credential: dict[str, Any], headers: dict[str, str]
) -> None:
    assert connect(**credential).headers == headers


def test_the_tenants_own_header_wins_whatever_its_case(connect: Connect) -> None:
    connection = connect(headers={"authorization": "Basic mine"})
    assert {name.lower(): value for name, value in connection.headers.items()} == {
        "authorization": "Basic mine"
    }
    assert len(connection.headers) == 1


@pytest.mark.parametrize("dialect", ["openai_ga", "azure_ga", "openai_beta"])
async def test_the_server_receives_the_key_and_no_beta_header(dialect: str) -> None:
    async with opened(dialect, headers={"X-Trace": "7"}) as (_, session):
        headers = session.headers
    assert "openai-beta" not in headers
    assert headers["x-trace"] == "7"
    if dialect == "azure_ga":
        assert headers["api-key"] == "loopback-key"
        assert "authorization" not in headers
    else:
        assert headers["authorization"] == "Bearer loopback-key"
        assert "api-key" not in headers


async def test_azure_takes_an_entra_token_as_bearer() -> None:
    async with opened("azure_ga", apiKey="", azureToken="loopback-key") as (_, session):
        assert session.headers["authorization"] == "Bearer loopback-key"
        assert "api-key" not in session.headers


@pytest.mark.parametrize(
    "credential",
    [
        {"apiKey": ...},
        {"apiKey": "", "baseUrl": AZURE},
        {"apiKey": ..., "baseUrl": "wss://api.openai.com/v1"},
    ],
)
def test_openai_and_azure_need_a_key(connect: Connect, credential: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"credential\.apiKey: expected an API key"):
        connect(**credential)


@pytest.mark.parametrize(
    "base_url", ["https://api.openai.com/v1", "wss://api.openai.com", "wss://api.openai.com/v1/"]
)
def test_openai_needs_a_key_however_its_url_is_written(connect: Connect, base_url: str) -> None:
    with pytest.raises(ConfigError, match=r"credential\.apiKey"):
        connect(apiKey=..., baseUrl=base_url)


@pytest.mark.parametrize("key", ["the-key\n", " the-key "])
def test_blanks_around_a_key_do_not_reach_the_headers(connect: Connect, key: str) -> None:
    assert connect(apiKey=key).headers == {"Authorization": "Bearer the-key"}


def test_blanks_around_a_key_of_the_environment_do_not_reach_the_headers(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "the-key\n")
    for given in (..., "", " \n"):
        assert connect(apiKey=given).headers == {"Authorization": "Bearer the-key"}


def test_blanks_around_what_else_goes_into_a_header_do_not_reach_it(connect: Connect) -> None:
    headers = connect(organization="org\n", project=" p ", safetyIdentifier=" ").headers
    assert headers == {
        "Authorization": "Bearer the-key",
        "OpenAI-Organization": "org",
        "OpenAI-Project": "p",
    }


@pytest.mark.parametrize(
    "credential",
    [
        {"apiKey": "the\r\nX-Evil: key"},
        {"azureToken": "the\0key"},
        {"organization": "acme\nX-Evil: key"},
        {"headers": {"X-Trace": "a\r\nX-Evil: key"}},
        {"headers": {"X-Trace\n": "a"}},
    ],
)
def test_a_line_end_within_a_header_is_refused_by_name(
    connect: Connect, credential: dict[str, Any]
) -> None:
    (name,) = credential
    with pytest.raises(ConfigError, match=rf"credential\.{name}: expected no control") as caught:
        connect(**credential)
    assert "key" not in str(caught.value).replace("apiKey", "")


def test_the_tenants_bound_of_the_connect_is_handed_on(connect: Connect) -> None:
    assert connect().dial_timeout_ms is None
    assert connect(dialTimeoutMs=700).dial_timeout_ms == 700


def test_nothing_shows_the_key(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    connection = connect(apiKey="hunter2", headers={"X-Key": "hunter2"}, azureToken="hunter2")
    assert "hunter2" not in repr(connection)
    assert "hunter2" not in connection.url
    assert "hunter2" not in caplog.text
