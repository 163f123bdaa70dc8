"""What it means when a chat-completions server refuses: status and body in, an error without a secret out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from realtime_core.errors import ErrorKind, RealtimeError, VendorError

__all__ = ["body_error", "status_error", "unreachable"]

_KINDS: Final[Mapping[int, ErrorKind]] = {
    400: ErrorKind.CONFIG,
    401: ErrorKind.AUTH,
    402: ErrorKind.QUOTA,
    403: ErrorKind.AUTH,
    404: ErrorKind.MODEL,
    405: ErrorKind.CONFIG,
    408: ErrorKind.STALLED,
    413: ErrorKind.CONFIG,
    415: ErrorKind.CONFIG,
    422: ErrorKind.CONFIG,
    429: ErrorKind.RATE_LIMIT,
}
_ADVICE: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.AUTH: "check chatApiKey and its rights",
    ErrorKind.CONFIG: "check chatModel, chatBaseUrl and the tools",
    ErrorKind.MODEL: "check chatModel and the path of chatBaseUrl",
    ErrorKind.QUOTA: "check the account's balance",
    ErrorKind.RATE_LIMIT: "too many requests; try again later",
    ErrorKind.STALLED: "the server was too slow; try again later",
    ErrorKind.VENDOR: "the server has trouble; try again later",
}
_QUOTA_CODES: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_MODEL_CODES: Final = frozenset({"model_not_found"})
_KEY = re.compile(r"\b(?:sk|pk|key|gsk|xai)[-_][\w*-]{4,}|Bearer\s+\S+", re.IGNORECASE)
_LONGEST_QUOTE = 200


def status_error(host: str, status: int, body: bytes, api_key: str) -> VendorError:
    """
    Make an error of an answer that is not 200.

    Args:
        host: The server.
        status: Of the answer.
        body: As much of it as was read.
        api_key: Not to be quoted, wherever it stands.
    """
    if 300 <= status < 400:
        return VendorError(
            f"{host} redirects elsewhere (HTTP {status}), which is refused so that the key travels nowhere else; "
            "give the final chatBaseUrl",
            kind=ErrorKind.CONFIG,
        )
    kind = _KINDS.get(status, ErrorKind.VENDOR if status >= 500 else ErrorKind.PROTOCOL)
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    return _error(
        f"{host} answered HTTP {status}", kind, status == 429 or status >= 500, parsed, api_key
    )


def body_error(host: str, body: Mapping[str, Any], api_key: str) -> VendorError:
    """Make an error of one that came in the middle of a stream."""
    return _error(f"{host} broke the reply off", ErrorKind.VENDOR, True, body, api_key)


def _error(what: str, kind: ErrorKind, retryable: bool, body: Any, api_key: str) -> VendorError:
    problem = body.get("error") if isinstance(body, Mapping) else None
    fields = problem if isinstance(problem, Mapping) else {"message": problem}
    code, type_ = _plain(fields.get("code"), api_key), _plain(fields.get("type"), api_key)
    if code in _QUOTA_CODES or type_ in _QUOTA_CODES:
        kind, retryable = ErrorKind.QUOTA, False
    elif code in _MODEL_CODES:
        kind, retryable = ErrorKind.MODEL, False
    quote = ""
    if kind is not ErrorKind.AUTH:  # there the server's words quote the key, or half of it
        quote = _plain(fields.get("message"), api_key) or ""
    message = f"{what}: {quote}" if quote else what
    return VendorError(
        f"{message} ({_ADVICE[kind]})" if kind in _ADVICE else message,
        kind=kind,
        retryable=retryable,
        code=code,
        type=type_,
    )


def _plain(value: Any, api_key: str) -> str | None:
    """Give a text of the server's that may be shown: short, on one line, without the key."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    text = value.replace(api_key, "***") if api_key else value
    text = " ".join(_KEY.sub("***", text).split())
    text = "".join(char for char in text if char.isprintable())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "..."


def unreachable(message: str, kind: ErrorKind = ErrorKind.TRANSPORT) -> RealtimeError:
    """Make an error of a server that cannot be reached, breaks off or stays silent."""
    return RealtimeError(message, kind=kind, retryable=True)
