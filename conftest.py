"""Fixtures for tests and for the code blocks of the documentation: no vendor keys, no network but loopback."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

VENDOR_VARIABLES = (
    "OPENAI_",
    "AZURE_OPENAI_",
    "DASHSCOPE_",
    "PLIVO_",
    "REALTIME_",
    "TELNYX_",
    "TWILIO_",
)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY", "NO_PROXY")

# Every Python block of the README and of the documentation is a test; a page may say `<!-- skip: next -->`.
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    excludes=["CHANGELOG.md", "changelog.d/*", "plugins/*"],
    fixtures=["clean_environment", "loopback_only", "at_root"],
).pytest()


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a page's programs where its reader would: in the repository."""
    monkeypatch.chdir(Path(__file__).parent)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the developer's own keys and proxies out of the environment."""
    keep = {"REALTIME_CALLS", "REALTIME_CALLS_CACHE", "REALTIME_CALLS_REQUIRED", "REALTIME_WHEELS"}
    for name in list(os.environ):
        if name in keep:
            continue
        if name.startswith(VENDOR_VARIABLES) or name.upper() in PROXY_VARIABLES:
            monkeypatch.delenv(name)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no name but localhost resolve, and fail a test which connects beyond loopback."""
    connect, connect_ex, getaddrinfo = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )
    strays: list[object] = []

    def leaves(sock: socket.socket, address: Any) -> bool:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or _is_loopback(address[0]):
            return False
        strays.append(address)
        return True

    def guarded_connect(sock: socket.socket, address: Any) -> None:
        if leaves(sock, address):
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
        return errno.ENETUNREACH if leaves(sock, address) else connect_ex(sock, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name:
            try:
                ipaddress.ip_address(name.partition("%")[0])
            except ValueError:
                if name != "localhost":
                    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    assert strays == [], f"the test connected beyond loopback: {strays}"
