"""Base URLs and headers of WebSocket vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from realtime_core.errors import ConfigError

__all__ = ["headers_with", "websocket_url"]

_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_NO_HOST = "credential.baseUrl: expected a URL with a host and a valid port"


def websocket_url(
    base_url: str,
    *,
    path: Callable[[str], str] = lambda path: path,
    query: Mapping[str, str] | None = None,
) -> str:
    """
    Make the URL to connect to from a credential's base URL.

    Args:
        base_url: `http` becomes `ws`, `https` becomes `wss`.
        path: Completes the path the way the vendor wants it.
        query: Added where the base URL does not have the key already.

    Raises:
        ConfigError: Another scheme, no host, or a user and a password, which would meet the key in one header; the
            URL itself is not quoted, it may hold a key.
    """
    parts: SplitResult | None
    try:
        parts = urlsplit(base_url.strip())
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        parts = None  # refused out here, so that this error, which quotes the URL, does not travel along
    if parts is None:
        raise ConfigError(_NO_HOST)
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None:
        came = f"{parts.scheme!r}" if parts.scheme else "none"
        raise ConfigError(
            f"credential.baseUrl: expected a URL with scheme wss, ws, https or http, got {came}"
        )
    if not parts.hostname:
        raise ConfigError(_NO_HOST)
    if "@" in parts.netloc:
        raise ConfigError(
            "credential.baseUrl: expected a URL without user and password; "
            "put what the server wants into credential.apiKey or credential.headers"
        )
    given = parse_qsl(parts.query, keep_blank_values=True)
    have = {key for key, _ in given}
    added = [(key, value) for key, value in (query or {}).items() if key not in have]
    return urlunsplit((scheme, parts.netloc, path(parts.path), urlencode(given + added), ""))


def headers_with(given: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """
    Join a vendor's headers with the tenant's, which win, whatever their case.

    Args:
        given: The tenant's, from `credential.headers`.
        own: The vendor's.
    """
    names = {name.lower() for name in given}
    return {**{name: value for name, value in own.items() if name.lower() not in names}, **given}
