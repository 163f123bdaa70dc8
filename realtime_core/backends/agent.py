"""Puts the pieces of a WebSocket vendor together."""

from __future__ import annotations

from collections.abc import Mapping

from realtime_core.agent import Agent
from realtime_core.backends.aiohttp import AiohttpTransport
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.options import Options
from realtime_core.session import SessionAgent
from realtime_core.wire import WireProtocol

__all__ = ["websocket_agent"]


def websocket_agent(
    *,
    options: Options,
    wire: WireProtocol,
    url: str,
    headers: Mapping[str, str],
    dial_timeout_ms: int | None = None,
) -> Agent:
    """
    Make an agent that speaks a wire over aiohttp, resampled by soxr where rates differ.

    Args:
        options: What the application asks for.
        wire: The vendor's protocol.
        url: `ws` or `wss`, with its query.
        headers: For the upgrade, the key among them.
        dial_timeout_ms: Bound of the connect, in ms; `None` is ten seconds.
    """
    dial_timeout_s = None if dial_timeout_ms is None else dial_timeout_ms / 1000
    transport = AiohttpTransport(url, headers, dial_timeout_s=dial_timeout_s)
    return SessionAgent(options=options, wire=wire, transport=transport, resampler=SoxrResampler)
