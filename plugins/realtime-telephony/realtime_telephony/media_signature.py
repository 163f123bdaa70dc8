"""Who may open a media stream: a vendor's signature or a shared token, checked before the upgrade."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from aiohttp import web
from attrs import field, frozen

from realtime_core.errors import ConfigError

__all__ = [
    "MIN_TOKEN_LENGTH",
    "PlivoSignature",
    "RequestCheck",
    "SharedToken",
    "TwilioSignature",
    "any_of",
    "plivo_signature_v3",
    "twilio_signature",
]

RequestCheck = Callable[[web.BaseRequest], bool]
"""Says whether a request may be upgraded; takes constant time for equal lengths."""

MIN_TOKEN_LENGTH: Final = 16
"""Shorter shared tokens are refused."""
_PORTS: Final = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_SCHEMES: Final = ("wss", "https", "ws", "http")


def twilio_signature(auth_token: str, url: str, params: Mapping[str, str] | None = None) -> str:
    """
    Compute `X-Twilio-Signature` ("Webhooks Security").

    Args:
        auth_token: Of the account.
        url: The whole URL, as the vendor requested it.
        params: Of a posted form.
    """
    signed = url + "".join(key + value for key, value in sorted((params or {}).items()))
    digest = hmac.new(auth_token.encode(), _bytes(signed), hashlib.sha1).digest()
    return b64encode(digest).decode()


def plivo_signature_v3(
    auth_token: str, url: str, nonce: str, params: Mapping[str, str] | None = None
) -> str:
    """
    Compute `X-Plivo-Signature-V3` of a GET, as plivo-python does.

    Args:
        auth_token: Of the account.
        url: The whole URL, as the vendor requested it.
        nonce: `X-Plivo-Signature-V3-Nonce`.
        params: Further parameters of the query.
    """
    parts = urlsplit(url)
    base = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return _plivo_digest(auth_token, base, _plivo_pairs(parts.query, params or {}), nonce)


def _plivo_pairs(query: str, params: Mapping[str, str]) -> str:
    values = {**{key: [value] for key, value in params.items()}, **parse_qs(query, True)}
    return "&".join(f"{key}={value}" for key in sorted(values) for value in sorted(values[key]))


def _plivo_digest(auth_token: str, base: str, pairs: str, nonce: str) -> str:
    signed = f"{base}?{pairs}" if pairs else base
    digest = hmac.new(auth_token.encode(), _bytes(f"{signed}.{nonce}"), hashlib.sha256).digest()
    return b64encode(digest).decode()


def _bytes(text: str) -> bytes:
    """Write out text; where a request holds bytes that are no UTF-8, aiohttp gives half characters."""
    return text.encode("utf-8", "surrogatepass")


def _requested(request: web.BaseRequest, public_url: str) -> str:
    """Give the URL as the vendor saw it; headers of proxies are not believed, whoever writes them could choose the URL."""
    base = public_url.rstrip("/") or f"wss://{request.host}"
    return base + request.raw_path


def _spellings(url: str) -> list[str]:
    """Give the ways vendors spell a URL when they sign it: any scheme, the port or none; none of what is no URL."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    except ValueError:  # the host is the peer's word where there is no `public_url`
        return []
    return [
        urlunsplit((scheme, netloc, parts.path, parts.query, ""))
        for scheme in _SCHEMES
        for netloc in dict.fromkeys((parts.netloc, host, f"{host}:{_PORTS[scheme]}"))
    ]


def _need(name: str, token: str, length: int = 1) -> None:
    if len(token) < length:
        raise ConfigError(f"{name}: expected a secret of at least {length} characters")


@final
@frozen
class TwilioSignature:
    """
    Checks `X-Twilio-Signature` of the upgrade.

    Args:
        auth_token: Of the account; an API key's secret does not sign.
        public_url: Scheme, host and path prefix under which the vendor reaches us, such as `wss://voice.example.com`, when a
            proxy stands before us; without it `wss` and the request's own host.
    """

    auth_token: str = field(repr=False)
    public_url: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse an empty token."""
        _need("TwilioSignature", self.auth_token)

    def __call__(self, request: web.BaseRequest) -> bool:
        """Check a request."""
        given = request.headers.get("X-Twilio-Signature", "")
        url = _requested(request, self.public_url)
        # Spellings are what Twilio's own validators try; a slash at the end of a wss URL is what its advice on failing
        # checks of media streams says, so that is tried too.
        tried = [*_spellings(url), *(spelling + "/" for spelling in _spellings(url))]
        return _any_equal(
            (twilio_signature(self.auth_token, spelling) for spelling in tried), given
        )


@final
@frozen
class PlivoSignature:
    """
    Checks `X-Plivo-Signature-V3` of the upgrade.

    The vendor's overview says that the upgrade is signed where that is configured, and not how the URL is spelt. A guess: as
    for its webhooks, or as the handler of its own plivo-stream-sdk 0.1.1 checks it, which is `http` with `/websocket` behind
    the path. A shared token is the surer way.

    Args:
        auth_token: Of the account.
        public_url: As of `TwilioSignature`.
    """

    auth_token: str = field(repr=False)
    public_url: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse an empty token."""
        _need("PlivoSignature", self.auth_token)

    def __call__(self, request: web.BaseRequest) -> bool:
        """Check a request; one of several signatures set apart by commas is enough, as in plivo-python."""
        nonce = request.headers.get("X-Plivo-Signature-V3-Nonce", "")
        given = request.headers.get("X-Plivo-Signature-V3", "").split(",")[:4]
        if not nonce:
            return False
        url = _requested(request, self.public_url)
        path, _, query = url.partition("?")
        tried = [*_spellings(path), *_spellings(f"{path}/websocket")]
        # Once for all spellings: a stranger's query may have thousands of parts, and calls wait meanwhile.
        pairs = _plivo_pairs(query, {})
        expected = [_plivo_digest(self.auth_token, each, pairs, nonce) for each in tried]
        return _any_equal((each.strip() for each in given), *expected)


def _any_equal(many: Iterator[str], *few: str) -> bool:
    found = False
    for one in many:
        for other in few:
            found |= hmac.compare_digest(_bytes(other), _bytes(one))
    return found


@final
@frozen
class SharedToken:
    """
    Checks a secret of our own: in the path (a route `/media/{token}`), the query, or a header.

    Twilio takes no query in a stream's URL: use the path there. What stands in a URL may stand in logs of proxies.

    Args:
        token: At least 16 characters.
        name: Of the query's parameter and of the path's part.
        header: Looked at beside `Authorization: Bearer`.
    """

    token: str = field(repr=False)
    name: str = "token"
    header: str = "X-Media-Token"

    def __attrs_post_init__(self) -> None:
        """Refuse a token that can be guessed."""
        _need("SharedToken", self.token, MIN_TOKEN_LENGTH)

    def __call__(self, request: web.BaseRequest) -> bool:
        """Check a request."""
        in_path = getattr(request, "match_info", None) or {}
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given: Sequence[str] = (
            in_path.get(self.name, ""),
            request.query.get(self.name, ""),
            request.headers.get(self.header, ""),
            bearer.strip() if scheme.lower() == "bearer" else "",
        )
        return _any_equal(iter(given), self.token)


def any_of(*checks: RequestCheck) -> RequestCheck:
    """Let a request pass that one of the checks lets pass; none of none."""

    def check(request: web.BaseRequest) -> bool:
        passed = False
        for each in checks:
            passed |= each(request)
        return passed

    return check
