"""Who may use which path of the HTTP port."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final, final

from aiohttp import web
from attrs import field, frozen

from realtime_telephony.media_signature import RequestCheck, SharedToken, any_of
from realtime_telephony.server_settings import ServerSettings

__all__ = ["SecretCheck", "nobody", "operator_check", "stream_check", "what_is_missing"]


@final
@frozen
class SecretCheck:
    """
    Checks the shared secret in `Authorization`: as a bearer token, or as the password of HTTP Basic under any user name.

    Takes the same time wherever a wrong secret differs.

    Args:
        secret: The secret.
    """

    secret: str = field(repr=False)

    def __call__(self, request: web.BaseRequest) -> bool:
        """Check a request."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        kind = scheme.lower()
        if kind == "basic":
            given = _password(given)
        elif kind != "bearer":
            given = ""
        expected = self.secret.encode()
        return hmac.compare_digest(expected, given.strip().encode("utf-8", "surrogatepass"))


def _password(text: str) -> str:
    try:
        decoded = base64.b64decode(text.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return decoded.partition(":")[2]


def nobody(_request: web.BaseRequest) -> bool:
    """Let nobody pass."""
    return False


_FOREIGN_HEADERS: Final = (
    "Origin",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Real-IP",
    "Via",
)


def _of_this_machine(request: web.BaseRequest) -> bool:
    """
    Keep out what only seems to come from loopback.

    Browsers say where a page is from, and telephone peers have no page; proxies and tunnels say for whom they ask.
    """
    return not any(name in request.headers for name in _FOREIGN_HEADERS)


def operator_check(settings: ServerSettings) -> RequestCheck:
    """Give the check of what is not a media stream: the secret, without one loopback's own."""
    if settings.shared_secret is not None:
        return SecretCheck(settings.shared_secret)
    return nobody if settings.exposed else _of_this_machine


def stream_check(settings: ServerSettings) -> RequestCheck:
    """Give the check of media streams: a vendor's signature or the secret, without either loopback's own."""
    checks = list(settings.signatures.values())
    if settings.shared_secret is not None:
        checks.append(SharedToken(settings.shared_secret))
    if checks:
        return any_of(*checks)
    return nobody if settings.exposed else _of_this_machine


def what_is_missing(settings: ServerSettings) -> str:
    """Say why a request was refused, as far as strangers may know."""
    if settings.exposed or settings.shared_secret is not None or settings.signatures:
        return "no valid secret or signature"
    return (
        "without a shared secret this machine alone may ask, and not through a browser or a proxy"
    )
