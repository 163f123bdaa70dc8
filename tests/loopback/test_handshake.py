"""Who is let in, and how each dialect says no."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from realtime_core.testing.loopback import DIALECTS, LoopbackVendor

from .client import Client, connected, realtime_url

GOOD = {"Authorization": "Bearer loopback-key"}
BAD = {"Authorization": "Bearer wrong"}
BETA = {"OpenAI-Beta": "realtime=v1"}


@pytest.mark.parametrize(
    ("headers", "model", "code", "close_code", "reason"),
    [
        (BAD, "gpt-realtime-2.1", "invalid_api_key", 3000, "invalid_request_error.invalid_api_key"),
        ({}, "gpt-realtime-2.1", None, 3000, "invalid_request_error"),
        (GOOD, "gpt-4.1", "invalid_model", 4000, "invalid_request_error.invalid_model"),
        (GOOD, "", "missing_model", 4000, "invalid_request_error.missing_model"),
        (
            GOOD | BETA,
            "gpt-realtime-2.1",
            "beta_api_shape_disabled",
            4000,
            "invalid_request_error.beta_api_shape_disabled",
        ),
    ],
)
async def test_openai_refuses_on_the_open_socket(
    vendor: LoopbackVendor, headers: Any, model: str, code: str, close_code: int, reason: str
) -> None:
    url = realtime_url(vendor, "openai_ga")
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, params={"model": model} if model else {}, headers=headers) as socket,
    ):
        client = Client(socket)
        error = (await client.until("error"))["error"]
        await client.until_closed()
    assert (error["code"], client.close_code, client.close_reason) == (code, close_code, reason)
    assert vendor.sessions == []
    rules = [entry.rule for entry in vendor.violations]
    assert rules == (["beta-header"] if headers == GOOD | BETA else [])


@pytest.mark.parametrize(
    ("dialect", "headers", "params", "status"),
    [
        ("azure_ga", BAD, {"model": "m"}, 401),
        ("azure_ga", {}, {"model": "m"}, 401),
        ("azure_ga", {"api-key": "wrong"}, {"model": "m"}, 401),
        ("azure_ga", GOOD, {"model": "m", "api-version": "2025-04-01-preview"}, 401),
        ("azure_ga", GOOD, {}, 400),
        ("azure_ga", GOOD | BETA, {"model": "m"}, 400),
        ("dashscope_omni", BAD, {"model": "qwen3.5-omni-flash-realtime"}, 401),
        ("dashscope_omni", {}, {"model": "qwen3.5-omni-flash-realtime"}, 401),
        ("dashscope_omni", GOOD, {"model": "gpt-realtime"}, 404),
        ("qwen_audio", GOOD, {"model": "qwen3.5-omni-flash-realtime"}, 404),
        ("dashscope_omni_nested", GOOD, {"model": "qwen3.5-omni-flash-realtime"}, 404),
    ],
)
async def test_azure_and_dashscope_refuse_with_a_status(
    vendor: LoopbackVendor, dialect: str, headers: Any, params: Any, status: int
) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(realtime_url(vendor, dialect), params=params, headers=headers)
        assert caught.value.status == status
        async with http.get(
            realtime_url(vendor, dialect).replace("ws:", "http:"), params=params, headers=headers
        ) as answer:
            body = await answer.json()
    if dialect != "azure_ga":
        assert set(body) == {"code", "message", "request_id"}
    rules = [entry.rule for entry in vendor.violations[:1]]
    if "api-version" in params:
        assert rules == ["api-version"]
    elif headers == GOOD | BETA:
        assert rules == ["beta-header"]
    else:
        assert rules == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_credential_opens_its_dialect(vendor: LoopbackVendor, dialect: str) -> None:
    credential = vendor.credential(dialect)
    assert credential["baseUrl"] == vendor.url(dialect)
    assert credential.get("dialect") == ("beta" if dialect == "openai_beta" else None)
    assert credential.get("azure") == (True if dialect == "azure_ga" else None)
    async with connected(vendor, dialect) as client:
        created = await client.until("session.created")
        session = await vendor.session(0)
    assert created["session"]["model"] == credential["model"]
    assert session.query == {"model": credential["model"]}
    assert session.headers["authorization"] == "Bearer loopback-key"
    assert session.session_id == created["session"]["id"]


async def test_azure_takes_the_key_in_its_own_header(vendor: LoopbackVendor) -> None:
    async with connected(vendor, "azure_ga", headers={"api-key": "loopback-key"}) as client:
        await client.until("session.created")


async def test_browsers_may_bring_the_key_in_a_subprotocol(vendor: LoopbackVendor) -> None:
    offered = ("realtime", "openai-insecure-api-key.loopback-key")
    async with connected(vendor, "openai_ga", headers={}, protocols=offered) as client:
        await client.until("session.created")
        assert client.socket.protocol == "realtime"
    assert vendor.violations == []


@pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
async def test_undocumented_subprotocols_are_noted(vendor: LoopbackVendor, dialect: str) -> None:
    async with connected(vendor, dialect, protocols=("chat",)) as client:
        await client.until("session.created")
    assert [entry.rule for entry in vendor.violations] == ["subprotocol"]


async def test_compression_is_not_negotiated(vendor: LoopbackVendor) -> None:
    async with connected(vendor, "openai_ga", compress=15) as client:
        assert client.socket.compress == 0


async def test_the_models_may_be_listed() -> None:
    async with LoopbackVendor(models=frozenset({"mine"})) as vendor:
        async with connected(vendor, "azure_ga", model="mine") as client:
            await client.until("session.created")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with connected(vendor, "azure_ga", model="other"):
                pass
