"""Whom a recording is sent to: a vendor, or the loopback vendor behind a vendor's wheel."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import click
from attrs import frozen

from realtime_core.credentials import credential_schema
from realtime_core.errors import RealtimeError, UnknownProviderError
from realtime_core.registry import lookup, registered_providers

__all__ = ["Partner", "choose_partner", "read_credential"]

_ANSWER_SPEED = 2.0
"""How fast the loopback vendor answers, times the pace of the caller: vendors are faster than real time."""
_DEFAULT = "local"
_VENDORS = ("openai", "aliyun_omni")
_OF_THE_TENANT = ("voice", "instructions", "dialTimeoutMs", "dial_timeout_ms")


def read_credential(path: Path) -> dict[str, Any]:
    """
    Read a credential as a control plane stores it.

    Args:
        path: A file of JSON; `-` is standard input.

    Raises:
        click.BadParameter: It cannot be read, or is no JSON object. The content is not quoted.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        if str(path) == "-":
            data = b"" if sys.stdin is None else sys.stdin.buffer.read()  # closed: <&-
        else:
            data = path.read_bytes()
        credential = json.loads(data.decode("utf-8-sig"))
    except OSError as error:
        problem = f"{name} cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        problem = f"{name} is not UTF-8 text"
    except json.JSONDecodeError as error:
        problem = f"{name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    else:
        if isinstance(credential, dict):
            return credential
        problem = f"{name} holds JSON, but no object"
    raise click.BadParameter(
        f'{problem}; expected an object such as {{"provider": "openai", "apiKey": "..."}}',
        param_hint="--credential",
    )


@frozen(kw_only=True)
class Partner:
    """The other side of the conversation."""

    credential: Mapping[str, Any] = attrs.field(repr=False)
    """For `new_agent_from_credential`; without address and key when it is the loopback vendor."""
    dialect: str | None = None
    """The loopback vendor's, when it is the one."""
    is_default: bool = False
    """Nobody was named: it is the provider that needs neither key nor network."""

    @property
    def provider(self) -> str:
        """The slug."""
        return str(self.credential.get("provider", ""))

    @property
    def name(self) -> str:
        """Slug and model."""
        model = self.credential.get("model") or self._default("model")
        return f"{self.provider}, {model}" if model else self.provider

    @property
    def title(self) -> str:
        """The name, and whether it is the loopback vendor."""
        return self.name if self.dialect is None else f"{self.name}, on the loopback vendor"

    @property
    def hints(self) -> Sequence[str]:
        """Sentences for somebody who did not choose it, or who hears the loopback vendor."""
        if self.is_default:
            vendors = [name for name in _VENDORS if name in registered_providers()]
            return (
                f"No vendor is contacted: the provider {self.provider} answers, on this machine.",
                *(_for_a_vendor(Partner(credential={"provider": name})) for name in vendors[:1]),
            )
        if self.dialect is not None:
            return (
                "No vendor is contacted: the loopback vendor, on this machine, answers with what it heard.",
                _for_a_vendor(self),
            )
        return ()

    @property
    def key_variable(self) -> str | None:
        """The environment variable the provider reads its key from."""
        config = _config(self.provider)
        properties = credential_schema(config)["properties"].values() if config else ()
        secrets = (entry for entry in properties if entry.get("writeOnly") and "x-env" in entry)
        return next((str(entry["x-env"]) for entry in secrets), None)

    def _default(self, name: str) -> str | None:
        config = _config(self.provider)
        found = attrs.fields_dict(config).get(name) if config else None
        return found.default if found is not None and isinstance(found.default, str) else None

    @asynccontextmanager
    async def connected(self, pace: float) -> AsyncIterator[Mapping[str, Any]]:
        """
        Give the whole credential, and run the loopback vendor as long as it is used.

        Args:
            pace: Of the caller, times real time.
        """
        if self.dialect is None:
            yield self.credential
            return
        from realtime_core.testing import LoopbackVendor  # brings aiohttp along

        async with LoopbackVendor(speed=_ANSWER_SPEED * pace) as vendor:
            yield {**self.credential, **vendor.credential(self.dialect), "provider": self.provider}


def _for_a_vendor(partner: Partner) -> str:
    key = partner.key_variable
    where = f"in {key} or in --credential" if key else "in --credential"
    return f"For a real one: --provider {partner.provider}, its key {where}."


def _config(slug: str) -> type[attrs.AttrsInstance] | None:
    try:
        config = getattr(lookup(slug), "config", None)
    except RealtimeError:  # told when the agent is made
        return None
    return config if isinstance(config, type) and attrs.has(config) else None


def choose_partner(
    credential: Mapping[str, Any],
    *,
    loopback: bool,
    dialect: str | None,
) -> Partner:
    """
    Decide whom to talk to: with nothing said the provider `local`, or the loopback vendor where it is not installed.

    Args:
        credential: With a `provider`, or empty.
        loopback: Put the loopback vendor behind the provider, whose own address and key are left out.
        dialect: The loopback vendor's; `None` is the provider's usual one.

    Raises:
        click.UsageError: The loopback vendor does not speak for this provider.
        RealtimeError: There is no such provider, or it cannot be loaded.
    """
    named = credential.get("provider") is not None
    nothing_said = not (loopback or dialect or named or credential)
    if nothing_said and _DEFAULT in registered_providers():
        return Partner(credential={"provider": _DEFAULT}, is_default=True)
    if not (loopback or dialect or nothing_said):
        return Partner(credential=credential)
    from realtime_core.testing.loopback.dialects import FACTS  # brings aiohttp along

    spoken = {name: facts.provider for name, facts in FACTS.items()}
    if named:
        slug = credential["provider"]
    elif dialect:
        slug = spoken[dialect]
    else:
        slug = _first_installed(spoken.values())
    fitting = [name for name, provider in spoken.items() if _is_same(slug, provider)]
    if not fitting:
        known = ", ".join(dict.fromkeys(spoken.values()))
        raise click.UsageError(f"the loopback vendor speaks for {known}, not for {slug!r}")
    chosen = dialect or fitting[0]
    if chosen not in fitting:
        raise click.UsageError(
            f"--dialect {chosen} is {spoken[chosen]}'s; for {slug!r} it is one of {', '.join(fitting)}"
        )
    kept = {key: credential[key] for key in _OF_THE_TENANT if key in credential}
    model = FACTS[chosen].model
    return Partner(credential={**kept, "provider": slug, "model": model}, dialect=chosen)


def _first_installed(providers: Iterable[str]) -> str:
    installed = registered_providers()
    for provider in providers:
        if provider in installed:
            return provider
    raise click.UsageError(
        "no provider is installed that could answer: pip install 'realtime-local[espeak]', which does so on this "
        "machine; for the loopback vendor pip install realtime-openai, or pip install realtime-aliyun"
    )


def _is_same(slug: str, provider: str) -> bool:
    """Compare by what makes the agent: aliases are the same provider."""
    found = lookup(slug)
    if found is None:
        raise UnknownProviderError(slug, registered_providers())
    return provider in registered_providers() and found is lookup(provider)
