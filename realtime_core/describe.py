"""What a control plane wants to know of the providers on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen

from realtime_core.capabilities import Capabilities
from realtime_core.errors import ProviderConflictError, ProviderLoadError, RealtimeError
from realtime_core.registry import Provider, explicit_registrations, installed_providers

__all__ = ["ProviderInfo", "describe_providers"]


@frozen(kw_only=True)
class ProviderInfo:
    """One provider and all its slugs."""

    slugs: tuple[str, ...]
    """All slugs it answers to, sorted."""
    distribution: str | None = None
    """The wheel it comes from; `None` when registered in this process."""
    version: str | None = None
    """The wheel's version."""
    credential_schema: Mapping[str, Any] | None = None
    """JSON Schema of its credential, secrets `writeOnly`; `None` when it does not say."""
    capabilities: Capabilities | None = None
    """What it can do with its default model; `None` when it does not say."""
    load_error: RealtimeError | None = None
    """
    What is wrong with it: it does not import, its credential cannot be described, or another wheel offers the same
    slug.
    """

    def as_json(self) -> dict[str, Any]:
        """Write it as plain values, as `realtime providers --json` and the call server do."""
        error = self.load_error
        return {
            "slugs": list(self.slugs),
            "distribution": self.distribution,
            "version": self.version,
            "credential_schema": self.credential_schema,
            "capabilities": None if self.capabilities is None else asdict(self.capabilities),
            "error": None
            if error is None
            else {"class": type(error).__name__, "kind": error.kind.value, "message": str(error)},
        }


@frozen
class _Source:
    distribution: str | None
    version: str | None
    provider: Provider | None
    error: RealtimeError | None = field(default=None)

    def is_same(self, other: _Source) -> bool:
        """Whether both are one provider, or fail alike."""
        if (self.distribution, self.version) != (other.distribution, other.version):
            return False
        if isinstance(self.error, ProviderLoadError) and isinstance(other.error, ProviderLoadError):
            return self.error.reason == other.error.reason
        return self.provider is other.provider and self.error is None and other.error is None

    def info(self, slugs: list[str]) -> ProviderInfo:
        config = getattr(self.provider, "config", None)
        schema: Mapping[str, Any] | None = None
        error = self.error
        if isinstance(config, type):
            from realtime_core.credentials import credential_schema  # brings cattrs along

            try:
                schema = credential_schema(config)
            except Exception as problem:  # noqa: BLE001 - it is a third party's class
                reason = f"its credential cannot be described: {type(problem).__name__}: {problem}"
                error = ProviderLoadError(min(slugs), self.distribution or "this process", reason)
                error.__cause__ = problem
        capabilities = getattr(self.provider, "capabilities", None)
        return ProviderInfo(
            slugs=tuple(sorted(slugs)),
            distribution=self.distribution,
            version=self.version,
            credential_schema=schema,
            capabilities=capabilities if isinstance(capabilities, Capabilities) else None,
            load_error=error,
        )


def describe_providers() -> list[ProviderInfo]:
    """
    Describe every registered or installed provider. Imports them, which the listing alone does not.

    A provider that cannot be imported or described, or whose slug two wheels offer, is listed with its error; the
    others are unaffected. Connects nowhere.

    Returns:
        One entry a provider, sorted by first slug; slugs of a wheel that fail alike share one.
    """
    groups: list[tuple[_Source, list[str]]] = []

    def add(source: _Source, slug: str) -> None:
        for known, slugs in groups:
            if known.is_same(source):
                slugs.append(slug)
                return
        groups.append((source, [slug]))

    explicit = explicit_registrations()
    for slug, provider in explicit.items():
        add(_Source(None, None, provider), slug)
    for slug, offers in installed_providers().items():
        if slug in explicit:
            continue
        if len(offers) > 1:
            conflict = ProviderConflictError(slug, [offer.distribution for offer in offers])
            for offer in offers:
                add(_Source(offer.distribution, offer.version, None, conflict), slug)
            continue
        for offer in offers:
            try:
                source = _Source(offer.distribution, offer.version, offer.load())
            except ProviderLoadError as error:
                source = _Source(offer.distribution, offer.version, None, error)
            add(source, slug)
    return sorted((source.info(slugs) for source, slugs in groups), key=lambda info: info.slugs)
