"""The table `[server]` of the routing file: where to listen, whom to let in, how to stop."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from realtime_core.errors import ConfigError
from realtime_core.toml_file import Table
from realtime_telephony.audiosocket_frames import RATES_HZ
from realtime_telephony.environment import secret_named
from realtime_telephony.leg import FASTEST_HZ
from realtime_telephony.media_hang_up import VendorAccount
from realtime_telephony.media_signature import RequestCheck
from realtime_telephony.vendor_settings import is_plain_url, read_vendors

__all__ = [
    "DEFAULT_DRAIN_S",
    "DEFAULT_MOST_CALLS",
    "MIN_SECRET_LENGTH",
    "AudioSocketSettings",
    "HttpSettings",
    "Network",
    "ServerSettings",
    "read_server",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
"""A network whose peers may connect."""

DEFAULT_MOST_CALLS: Final = 20
"""Calls at a time, when nothing is said."""
DEFAULT_DRAIN_S: Final = 60.0
"""How long running calls may go on after the signal to stop, when nothing is said, in seconds."""
MIN_SECRET_LENGTH: Final = 16
"""Shorter shared secrets are refused."""
_MOST_CALLS: Final = 10_000
_LONGEST_DRAIN_S: Final = 86_400.0


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


@frozen(kw_only=True)
class AudioSocketSettings:
    """Where Asterisk's AudioSocket connects to."""

    host: str = "127.0.0.1"
    """Address."""
    port: int = 9092
    """TCP port; 0 chooses one."""
    allowed_peers: tuple[Network, ...] = ()
    """Who may connect; empty: everybody who can reach the address."""
    silent_rate_hz: int = 8000
    """Rate of a call whose phone is silent from the start."""

    def admits(self, peer: str) -> bool:
        """Whether an address may connect."""
        if not self.allowed_peers:
            return True
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.allowed_peers)


@frozen(kw_only=True)
class HttpSettings:
    """Where WebSockets connect to, and whoever asks how we are."""

    host: str = "127.0.0.1"
    """Address."""
    port: int = 8080
    """TCP port; 0 chooses one."""


@frozen(kw_only=True)
class ServerSettings:
    """What `[server]` says."""

    audiosocket: AudioSocketSettings | None = None
    """`None`: nobody listens."""
    http: HttpSettings | None = None
    """`None`: nobody listens."""
    most_calls: int = DEFAULT_MOST_CALLS
    """Calls at a time; further ones are refused."""
    drain_s: float = DEFAULT_DRAIN_S
    """How long running calls may go on after the signal to stop."""
    shared_secret: str | None = field(default=None, repr=False)
    """What Asterisk, vendors without signatures, and operators have to show."""
    public_url: str = ""
    """Under which vendors reach us, through a proxy."""
    accounts: Mapping[str, VendorAccount] = field(factory=dict, repr=False)
    """Credentials that end and transfer calls, by kind of leg."""
    signatures: Mapping[str, RequestCheck] = field(factory=dict, repr=False)
    """Checks of vendors' signatures, by kind of leg."""
    secrets_in_this_file: bool = False
    """Secrets may stand in inline credentials."""

    @property
    def exposed(self) -> bool:
        """Whether others than this machine can reach the HTTP port."""
        return self.http is not None and (not _is_loopback(self.http.host) or bool(self.public_url))


def read_server(table: Table) -> ServerSettings:
    """
    Read the table.

    Raises:
        ConfigError: Something in it is wrong, or would let anybody on the network make calls.
    """
    public_url = _public_url(table)
    accounts, signatures = read_vendors(table, public_url)
    settings = ServerSettings(
        audiosocket=_audiosocket(table) if table.has("audiosocket") else None,
        http=_http(table) if table.has("http") else None,
        most_calls=table.whole("most_calls", 1, _MOST_CALLS, DEFAULT_MOST_CALLS),
        drain_s=table.number("drain_s", 0, _LONGEST_DRAIN_S, DEFAULT_DRAIN_S),
        shared_secret=_shared_secret(table),
        public_url=public_url,
        accounts=accounts,
        signatures=signatures,
        secrets_in_this_file=table.flag("secrets_in_this_file", False),
    )
    table.finish()
    if settings.audiosocket is None and settings.http is None:
        raise ConfigError(
            f"{table.source}: expected [server.audiosocket], [server.http] or both; nothing would listen"
        )
    ours, theirs = settings.audiosocket, settings.http
    if ours and theirs and ours.port and (ours.host, ours.port) == (theirs.host, theirs.port):
        raise ConfigError(
            f"{table.at('http', 'port')}: expected another port than {ours.port}, where AudioSocket listens"
        )
    if settings.exposed and settings.shared_secret is None and not signatures:
        host = settings.http.host if settings.http else ""
        where = f"host {host}" if not _is_loopback(host) else "a public_url"
        raise table.error(
            f"{where} lets anybody who reaches it make calls: expected server.shared_secret_env, "
            "or a vendor whose signature is checked ([server.twilio], [server.plivo])",
            "http",
        )
    return settings


def _shared_secret(table: Table) -> str | None:
    name = table.text("shared_secret_env", None)
    if table.has("shared_secret"):
        raise table.error(
            "the secret does not belong into the file; give shared_secret_env, the name of an environment variable",
            "shared_secret",
        )
    if name is None:
        return None
    secret = secret_named(name, table.at("shared_secret_env"))
    if len(secret) < MIN_SECRET_LENGTH or not (secret.isascii() and secret.isprintable()):
        raise table.error(
            f"expected at least {MIN_SECRET_LENGTH} characters in the environment variable {name}, of those that "
            "a header can carry: letters, digits and signs of ASCII",
            "shared_secret_env",
        )
    return secret


def _public_url(table: Table) -> str:
    value = table.text("public_url", "")
    if not value:
        return ""
    if not is_plain_url(value, ("ws", "wss", "http", "https")):
        raise table.error("expected a URL such as wss://calls.example.org", "public_url")
    return value.rstrip("/")


def _audiosocket(table: Table) -> AudioSocketSettings:
    inner = table.table("audiosocket")
    host, allowed = inner.text("host", "127.0.0.1"), list[Network]()
    for text in inner.texts("allowed_peers"):
        try:
            allowed.append(ipaddress.ip_network(text))
        except ValueError:
            raise inner.error(
                f'expected networks such as "10.0.0.0/24" or "10.0.0.5", got {text!r}',
                "allowed_peers",
            ) from None
    settings = AudioSocketSettings(
        host=_host(inner, host),
        port=inner.whole("port", 0, 65535, 9092),
        allowed_peers=tuple(allowed),
        silent_rate_hz=_silent_rate_hz(inner),
    )
    agreed = inner.flag("allow_unauthenticated_audiosocket", False)
    inner.finish()
    if not _is_loopback(host) and not (agreed and allowed):
        raise inner.error(
            f"AudioSocket has no authentication, and {host} is not loopback: expected "
            "allow_unauthenticated_audiosocket = true and allowed_peers, the networks of your Asterisk",
            "host",
        )
    return settings


def _silent_rate_hz(table: Table) -> int:
    rate_hz = table.raw("silent_rate_hz")
    if rate_hz is None:
        return 8000
    offered = [rate for rate in RATES_HZ.values() if rate <= FASTEST_HZ]
    if rate_hz not in offered or isinstance(rate_hz, bool):
        raise table.error(f"expected one of {', '.join(map(str, offered))}", "silent_rate_hz")
    return int(rate_hz)


def _http(table: Table) -> HttpSettings:
    inner = table.table("http")
    settings = HttpSettings(
        host=_host(inner, inner.text("host", "127.0.0.1")),
        port=inner.whole("port", 0, 65535, 8080),
    )
    inner.finish()
    return settings


def _host(table: Table, host: str) -> str:
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise table.error(
                f"expected an IP address or localhost, got {host!r}", "host"
            ) from None
    return host
