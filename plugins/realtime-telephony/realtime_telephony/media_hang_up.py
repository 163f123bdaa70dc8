"""
Ending and transferring a call at the vendor, by its REST interface.

A vendor is a credential class that writes the two requests and knows which answers mean that the call had ended already.
Nothing of a credential, a response body or a target is in an error or a log.
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Final, final
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

import aiohttp
from attrs import field, frozen

from realtime_core.credentials import secret, setting
from realtime_core.errors import ConfigError, ConnectError, ErrorKind

__all__ = [
    "REST_TIMEOUT_S",
    "RETRY_AFTER_S",
    "CallActions",
    "PlivoAccount",
    "RestRequest",
    "TelnyxAccount",
    "TwilioAccount",
    "VendorAccount",
]

REST_TIMEOUT_S: Final = 3.0
"""Bound of a request, in seconds; the close of the stream afterwards has its own."""
RETRY_AFTER_S: Final = 0.3
"""How long after a vendor's trouble it is asked once more to end a call."""
_MAX_ANSWER_BYTES: Final = 64 * 1024
_NUMBER: Final = re.compile(r"\+?[0-9]{2,20}", re.ASCII)
_SIP: Final = re.compile(r"sips?:[^\s<>\"'&]{1,200}", re.ASCII)


@frozen(kw_only=True)
class RestRequest:
    """A request to the vendor, without its authentication."""

    method: str
    """HTTP method."""
    path: str
    """Below the base URL, escaped."""
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """A form to post."""
    body: Mapping[str, str] | None = field(default=None, repr=False)
    """A JSON object to post."""


@frozen(kw_only=True)
class VendorAccount(ABC):
    """
    Who pays for the call: a credential for `load_credential`, with the vendor's requests.

    `base_url` is the vendor's, to be set for tests and for relays.
    """

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the vendor's interface is."""

    @property
    @abstractmethod
    def authorization(self) -> str:
        """The header; shown nowhere."""

    @abstractmethod
    def hang_up(self, call_id: str) -> RestRequest:
        """Write the request that ends a call."""

    @abstractmethod
    def transfer(self, call_id: str, target: str) -> RestRequest:
        """
        Write the request that sends a caller elsewhere.

        Raises:
            ConfigError: A target the vendor does not take; named by what was expected.
        """

    @abstractmethod
    def had_ended(self, status: int, codes: frozenset[str]) -> bool:
        """Whether an answer says that the call is over already."""


def _need(**values: str) -> None:
    for name, value in values.items():
        if not value:
            raise ConfigError(f"credential.{name}: expected a text that is not empty")


def _segment(text: str) -> str:
    return quote(text, safe="")


def _number_or_sip(target: str) -> str:
    if not _NUMBER.fullmatch(target) and not _SIP.fullmatch(target):
        raise ConfigError("transfer: expected a number such as +15550100 or a sip: address")
    return target


@final
@frozen(kw_only=True)
class TwilioAccount(VendorAccount):
    """Twilio: account SID and auth token, or a pair of API key SID and secret beside the account SID."""

    account_sid: str = setting("", "Account SID.", env="TWILIO_ACCOUNT_SID")
    auth_token: str = secret("Auth token, or the API key's secret.", env="TWILIO_AUTH_TOKEN")
    api_key_sid: str = setting("", "API key SID; without it the auth token is the account's.")
    base_url: str = setting("https://api.twilio.com", "Base URL.")

    def __attrs_post_init__(self) -> None:
        """Refuse empty credentials."""
        _need(accountSid=self.account_sid, authToken=self.auth_token)

    @property
    def url(self) -> str:
        """Where the vendor's interface is."""
        return self.base_url

    @property
    def authorization(self) -> str:
        """The header."""
        return aiohttp.encode_basic_auth(self.api_key_sid or self.account_sid, self.auth_token)

    def _call(self, call_id: str, form: Mapping[str, str]) -> RestRequest:
        account, call = _segment(self.account_sid), _segment(call_id)
        path = f"/2010-04-01/Accounts/{account}/Calls/{call}.json"
        return RestRequest(method="POST", path=path, form=form)

    def hang_up(self, call_id: str) -> RestRequest:
        """Complete the call."""
        return self._call(call_id, {"Status": "completed"})

    def transfer(self, call_id: str, target: str) -> RestRequest:
        """Give the call other TwiML: a dial to a number or a sip: address."""
        where = escape(_number_or_sip(target))
        if target.startswith("sip"):
            where = f"<Sip>{where}</Sip>"
        return self._call(call_id, {"Twiml": f"<Response><Dial>{where}</Dial></Response>"})

    def had_ended(self, status: int, codes: frozenset[str]) -> bool:
        """404 with 20404."""
        return status == 404 and "20404" in codes


@final
@frozen(kw_only=True)
class TelnyxAccount(VendorAccount):
    """Telnyx: an API key."""

    api_key: str = secret("API key.", env="TELNYX_API_KEY")
    base_url: str = setting("https://api.telnyx.com", "Base URL.")

    def __attrs_post_init__(self) -> None:
        """Refuse an empty key."""
        _need(apiKey=self.api_key)

    @property
    def url(self) -> str:
        """Where the vendor's interface is."""
        return self.base_url

    @property
    def authorization(self) -> str:
        """The header."""
        return f"Bearer {self.api_key}"

    def hang_up(self, call_id: str) -> RestRequest:
        """Call action `hangup`."""
        path = f"/v2/calls/{_segment(call_id)}/actions/hangup"
        return RestRequest(method="POST", path=path, body={})

    def transfer(self, call_id: str, target: str) -> RestRequest:
        """Call action `transfer`, to a number or a sip: address."""
        path = f"/v2/calls/{_segment(call_id)}/actions/transfer"
        return RestRequest(method="POST", path=path, body={"to": _number_or_sip(target)})

    def had_ended(self, status: int, codes: frozenset[str]) -> bool:
        """422 with 90018."""
        return status == 422 and "90018" in codes


@final
@frozen(kw_only=True)
class PlivoAccount(VendorAccount):
    """Plivo: auth id and auth token."""

    auth_id: str = setting("", "Auth id.", env="PLIVO_AUTH_ID")
    auth_token: str = secret("Auth token.", env="PLIVO_AUTH_TOKEN")
    base_url: str = setting("https://api.plivo.com", "Base URL.")

    def __attrs_post_init__(self) -> None:
        """Refuse empty credentials."""
        _need(authId=self.auth_id, authToken=self.auth_token)

    @property
    def url(self) -> str:
        """Where the vendor's interface is."""
        return self.base_url

    @property
    def authorization(self) -> str:
        """The header."""
        return aiohttp.encode_basic_auth(self.auth_id, self.auth_token)

    def _path(self, call_id: str) -> str:
        return f"/v1/Account/{_segment(self.auth_id)}/Call/{_segment(call_id)}/"

    def hang_up(self, call_id: str) -> RestRequest:
        """Delete the call."""
        return RestRequest(method="DELETE", path=self._path(call_id))

    def transfer(self, call_id: str, target: str) -> RestRequest:
        """Give the caller's leg other XML: the target is the https URL it is fetched from, by GET."""
        try:
            parts = urlsplit(target)
            is_one = parts.scheme == "https" and bool(parts.hostname)
        except ValueError:  # brackets that do not match
            is_one = False
        if not is_one:
            raise ConfigError(
                "transfer: expected the https URL of a Plivo XML document with a Dial"
            )
        body = {"legs": "aleg", "aleg_url": target, "aleg_method": "GET"}
        return RestRequest(method="POST", path=self._path(call_id), body=body)

    def had_ended(self, status: int, codes: frozenset[str]) -> bool:
        """404."""
        return status == 404


@final
class CallActions:
    """
    Sends the requests of an account.

    Args:
        account: Whose call it is.
        timeout_s: Bound of a request, in seconds.
    """

    def __init__(self, account: VendorAccount, *, timeout_s: float = REST_TIMEOUT_S) -> None:
        self._account = account
        self._timeout_s = timeout_s
        self._host = urlsplit(account.url).netloc.rpartition("@")[2]

    def __repr__(self) -> str:
        """Name the host only."""
        return f"<CallActions at {self._host}>"

    async def hang_up(self, call_id: str) -> None:
        """
        End a call; one that has ended is no error.

        A vendor that is in trouble is asked once more, within the same bound: a call that stays up is one with nobody to
        speak to.

        Raises:
            ConnectError: The vendor refused, or could not be reached.
        """
        request = self._account.hang_up(call_id)
        clock = asyncio.get_running_loop().time
        ends_at = clock() + self._timeout_s
        try:
            await self._send(request, "hang-up", self._timeout_s)
            return
        except ConnectError as error:
            failure = error
        left_s = ends_at - clock() - RETRY_AFTER_S
        if not failure.retryable or left_s <= 0:
            raise failure
        await asyncio.sleep(RETRY_AFTER_S)
        await self._send(request, "hang-up", left_s)

    async def transfer(self, call_id: str, target: str) -> None:
        """
        Send the caller elsewhere.

        Args:
            call_id: The vendor's id of the call.
            target: As the account's `transfer` wants it.

        Raises:
            ConfigError: A target the vendor does not take.
            ConnectError: The vendor refused, or could not be reached.
        """
        await self._send(self._account.transfer(call_id, target), "transfer", self._timeout_s)

    async def _send(self, request: RestRequest, what: str, limit_s: float) -> None:
        failure: ConnectError | None = None
        status, codes = 0, frozenset[str]()
        try:
            async with asyncio.timeout(limit_s):
                status, codes = await self._exchange(request)
        except TimeoutError:
            failure = ConnectError(
                f"{self._host} did not answer the {what} within {limit_s:.2g} s",
                kind=ErrorKind.STALLED,
                retryable=True,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = type(error).__name__
            failure = ConnectError(f"{self._host}: the {what} failed: {reason}", retryable=True)
        if failure is not None:
            # Raised out here: aiohttp's errors hold the request's headers, and with them the credential.
            raise failure
        if not 200 <= status < 300 and not self._account.had_ended(status, codes):
            refused = status in (401, 403)
            named = ", ".join(sorted(codes)) or "no code"
            advice = ": check the account's credential" if refused else ""
            raise ConnectError(
                f"{self._host} refused the {what} with HTTP {status} ({named}){advice}",
                kind=ErrorKind.AUTH if refused else ErrorKind.VENDOR,
                retryable=status == 429 or status >= 500,
                status=status,
            )

    async def _authorize(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # Here and not among the headers: with the environment's proxies comes its .netrc, and aiohttp refuses to choose.
        request.headers["Authorization"] = self._account.authorization
        return await send(request)

    async def _exchange(self, request: RestRequest) -> tuple[int, frozenset[str]]:
        session = aiohttp.ClientSession(
            trust_env=True, cookie_jar=aiohttp.DummyCookieJar(), middlewares=(self._authorize,)
        )
        async with (
            session,
            session.request(
                request.method,
                self._account.url.rstrip("/") + request.path,
                data=request.form,
                json=request.body,
                allow_redirects=False,  # the credential travels nowhere else
            ) as response,
        ):
            answer = bytearray()
            # A code may stand in any part of an answer that comes in several; nobody asks for one where all went well.
            while (
                not response.ok
                and len(answer) < _MAX_ANSWER_BYTES
                and not response.content.at_eof()
            ):
                answer += await response.content.readany()
            return response.status, _codes(answer)


def _codes(answer: bytes | bytearray) -> frozenset[str]:
    """Find the vendor's error codes: `code` at the top, or in a list of `errors`."""
    try:
        parsed: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return frozenset()
    found: list[Any] = [parsed]
    if isinstance(parsed, dict) and isinstance(parsed.get("errors"), list):
        found += parsed["errors"]
    codes = (item.get("code") for item in found if isinstance(item, dict))
    return frozenset(str(code)[:20] for code in codes if isinstance(code, (str, int)))
