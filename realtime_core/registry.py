"""
Which providers exist: those registered by hand and those installed as wheels.

A wheel offers providers by entry points of the group `realtime.providers`, one line a slug. They are read
once, lazily, and a provider is imported only when its slug is asked for. Explicit registrations win.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen

from realtime_core.agent import Agent
from realtime_core.errors import ConfigError, ProviderConflictError, ProviderLoadError
from realtime_core.options import Options

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "ENTRY_POINT_GROUP",
    "InstalledProvider",
    "Provider",
    "explicit_registrations",
    "installed_providers",
    "lookup",
    "normalised_slug",
    "register",
    "registered_providers",
    "unregister",
]

ENTRY_POINT_GROUP = "realtime.providers"
"""Entry-point group a provider's wheel declares its slugs in."""

Provider = Callable[[Mapping[str, Any], Options], Agent]
"""
Makes an agent from a credential and options; a plain callable is enough. It may carry two attributes for
`describe_providers`: `config`, the attrs class of its credential, and `capabilities`.
"""


@frozen
class InstalledProvider:
    """One slug that one installed distribution offers."""

    slug: str
    """Lower-cased and trimmed."""
    distribution: str
    """Name of the wheel."""
    version: str
    """Version of the wheel."""
    entry_point: EntryPoint
    """Where it is."""

    def load(self) -> Provider:
        """
        Import the provider.

        Raises:
            ProviderLoadError: The import failed, whatever it raised, or gave something not callable.
        """
        try:
            provider = self.entry_point.load()
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ProviderLoadError(self.slug, self.distribution, reason) from error
        if not callable(provider):
            reason = f"{self.entry_point.value} is not callable"
            raise ProviderLoadError(self.slug, self.distribution, reason)
        return cast("Provider", provider)


_registered: dict[str, Provider] = {}
_installed: dict[str, tuple[InstalledProvider, ...]] | None = None


def normalised_slug(slug: object) -> str:
    """
    Lower-case and trim a slug.

    Raises:
        ConfigError: Not a string.
    """
    if not isinstance(slug, str):
        raise ConfigError(f"provider: expected a slug as a string, got {type(slug).__name__}")
    return slug.strip().lower()


def _wheel_of(entry_point: EntryPoint) -> tuple[str, str]:
    """Give name and version; a removal that was cut short may have left neither."""
    dist = entry_point.dist
    if dist is None or "Name" not in dist.metadata:
        return "an unnamed distribution", ""
    return dist.name, dist.version


def installed_providers() -> Mapping[str, tuple[InstalledProvider, ...]]:
    """
    Read what the installed wheels offer, by slug; imports none of them.

    Returns:
        The distributions behind each slug; more than one is a conflict.
    """
    global _installed  # the scan is done once a process
    if _installed is None:
        from importlib.metadata import entry_points  # costs 20 ms; only when somebody asks

        found: dict[str, dict[str, InstalledProvider]] = {}
        for entry_point in entry_points(group=ENTRY_POINT_GROUP):
            slug = normalised_slug(entry_point.name)
            name, version = _wheel_of(entry_point)
            offers = found.setdefault(slug, {})
            offers.setdefault(
                name.lower().replace("_", "-"),
                InstalledProvider(slug, name, version, entry_point),
            )
        _installed = {
            slug: tuple(offers[name] for name in sorted(offers)) for slug, offers in found.items()
        }
    return _installed


def register(provider: Provider, *slugs: str) -> None:
    """
    Offer a provider under some slugs in this process; wins over installed wheels.

    Args:
        provider: Makes the agent.
        slugs: Lower-cased and trimmed; blank ones are skipped; taken ones are overwritten.

    Raises:
        ConfigError: A slug is not a string, or the provider is not callable.
    """
    if not callable(provider):
        raise ConfigError(f"register: expected a callable provider, got {type(provider).__name__}")
    names = [normalised_slug(slug) for slug in slugs]  # all or none
    _registered.update({name: provider for name in names if name})


def unregister(*slugs: str) -> None:
    """Take explicit registrations back; unknown slugs are ignored, installed wheels stay."""
    for slug in map(normalised_slug, slugs):
        _registered.pop(slug, None)


def explicit_registrations() -> Mapping[str, Provider]:
    """Give the providers registered in this process, by slug."""
    return dict(_registered)


def lookup(slug: str) -> Provider | None:
    """
    Find the provider of a slug, importing its wheel at the first use.

    Args:
        slug: Any case, surrounding blanks ignored.

    Returns:
        The provider, or `None` where nobody offers the slug.

    Raises:
        ConfigError: The slug is not a string.
        ProviderConflictError: Two distributions offer it.
        ProviderLoadError: Its wheel cannot be imported.
    """
    name = normalised_slug(slug)
    if name in _registered:
        return _registered[name]
    offers = installed_providers().get(name, ())
    if len(offers) > 1:
        raise ProviderConflictError(name, [offer.distribution for offer in offers])
    return offers[0].load() if offers else None


def registered_providers() -> list[str]:
    """Give all slugs, registered or installed, sorted; imports no provider."""
    return sorted({*_registered, *installed_providers()})
