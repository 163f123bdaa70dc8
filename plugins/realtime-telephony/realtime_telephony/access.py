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

__all__ = ["SecretCheck", "nobody", "operator_check", "stream_check"]


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


_BROWSER_HEADER: Final = "Origin"


def _no_browser(request: web.BaseRequest) -> bool:
    """Keep out web pages that reach for loopback: browsers say where a page is from, telephone peers have no page."""
    return _BROWSER_HEADER not in request.headers


def operator_check(settings: ServerSettings) -> RequestCheck:
    """Give the check of what is not a media stream: the secret, without one loopback's own."""
    if settings.shared_secret is not None:
        return SecretCheck(settings.shared_secret)
    return nobody if settings.exposed else _no_browser


def stream_check(settings: ServerSettings) -> RequestCheck:
    """Give the check of media streams: a vendor's signature or the secret, without either loopback's own."""
    checks = list(settings.signatures.values())
    if settings.shared_secret is not None:
        checks.append(SharedToken(settings.shared_secret))
    if checks:
        return any_of(*checks)
    return nobody if settings.exposed else _no_browser
