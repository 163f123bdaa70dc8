"""The tables `[server.twilio]`, `[server.telnyx]` and `[server.plivo]` of the routing file: credentials and signatures of vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from realtime_core.toml_file import Table
from realtime_telephony.environment import secret_named
from realtime_telephony.media_hang_up import (
    PlivoAccount,
    TelnyxAccount,
    TwilioAccount,
    VendorAccount,
)
from realtime_telephony.media_signature import PlivoSignature, RequestCheck, TwilioSignature

__all__ = ["is_plain_url", "read_vendors"]


def is_plain_url(value: str, schemes: Sequence[str]) -> bool:
    """Whether it is a URL of scheme, host, port and path alone, in characters a URL may have."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:  # brackets that do not match, a port beyond 65535
        return False
    further = parts.query or parts.fragment or parts.username or parts.password or port == 0
    printable = value.isascii() and value.isprintable() and " " not in value
    return parts.scheme in schemes and bool(parts.hostname) and printable and not further


def _base_url(table: Table, default: str) -> str:
    value = table.text("base_url", default)
    if not is_plain_url(value, ("http", "https")):
        raise table.error(f"expected a URL such as {default}", "base_url")
    return value.rstrip("/")


def read_vendors(
    table: Table, public_url: str
) -> tuple[dict[str, VendorAccount], dict[str, RequestCheck]]:
    """
    Read `[server.twilio]`, `[server.telnyx]` and `[server.plivo]`.

    Args:
        table: `[server]`.
        public_url: Under which vendors reach us; they sign it.

    Returns:
        Credentials that end and transfer calls, and checks of signatures, each by kind of leg.

    Raises:
        ConfigError: Something in them is wrong.
    """
    accounts: dict[str, VendorAccount] = {}
    signatures: dict[str, RequestCheck] = {}
    for name, read in _READERS.items():
        if table.has(name):
            inner = table.table(name)
            accounts[name], signature = read(inner, public_url)
            if signature is not None:
                signatures[name] = signature
            inner.finish()
    return accounts, signatures


def _named(table: Table, key: str) -> str:
    name = table.text(key, None)
    if name is None:
        raise table.error("expected the name of an environment variable", key)
    return secret_named(name, table.at(key))


def _twilio(table: Table, public_url: str) -> tuple[VendorAccount, RequestCheck]:
    token = _named(table, "auth_token_env")
    key_sid, key_secret = "", token
    if table.has("api_key_sid_env") or table.has("api_key_secret_env"):
        key_sid = _named(table, "api_key_sid_env")
        key_secret = _named(table, "api_key_secret_env")
    account = TwilioAccount(
        account_sid=_named(table, "account_sid_env"),
        auth_token=key_secret,
        api_key_sid=key_sid,
        base_url=_base_url(table, "https://api.twilio.com"),
    )
    return account, TwilioSignature(token, public_url)


def _telnyx(table: Table, _public_url: str) -> tuple[VendorAccount, None]:
    account = TelnyxAccount(
        api_key=_named(table, "api_key_env"),
        base_url=_base_url(table, "https://api.telnyx.com"),
    )
    return account, None


def _plivo(table: Table, public_url: str) -> tuple[VendorAccount, RequestCheck]:
    token = _named(table, "auth_token_env")
    account = PlivoAccount(
        auth_id=_named(table, "auth_id_env"),
        auth_token=token,
        base_url=_base_url(table, "https://api.plivo.com"),
    )
    return account, PlivoSignature(token, public_url)


_READERS: Final[Mapping[str, Callable[[Table, str], tuple[VendorAccount, RequestCheck | None]]]] = {
    "twilio": _twilio,
    "telnyx": _telnyx,
    "plivo": _plivo,
}
