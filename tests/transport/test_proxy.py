"""The proxy comes from the environment, by the names everybody sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from realtime_core import Options, new_agent_from_credential
from realtime_core.testing import LoopbackVendor


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def _proxy(seen: list[str]) -> AsyncIterator[str]:
    """A forward proxy for one request a connection: absolute-form request line, then bytes both ways."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode()
        method, target, version = line.split()
        seen.append(f"{method} {target}")
        parts = urlsplit(target)
        up_reader, up_writer = await asyncio.open_connection(parts.hostname, parts.port)
        path = f"{parts.path}?{parts.query}"
        up_writer.write(f"{method} {path} {version}\r\n".encode())
        both: list[Awaitable[None]] = [_copy(reader, up_writer), _copy(up_reader, writer)]
        await asyncio.gather(*both, return_exceptions=True)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("name", ["http_proxy", "ws_proxy", "all_proxy"])
async def test_a_session_goes_through_the_proxy_of_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    async with LoopbackVendor() as vendor, _proxy(seen) as proxy:
        monkeypatch.setenv(name, proxy)
        async with new_agent_from_credential(vendor.credential("openai_ga"), Options()):
            pass
    assert [line.split("?")[0].partition("/openai_ga")[2] for line in seen] == ["/v1/realtime"]


async def test_no_proxy_is_respected(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port_factory: Callable[[], int]
) -> None:
    async with LoopbackVendor() as vendor:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_tcp_port_factory()}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with new_agent_from_credential(vendor.credential("openai_ga"), Options()):
            pass
    assert vendor.violations == []
