"""The front door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from realtime_core.agent import Agent
from realtime_core.errors import ConfigError, UnknownProviderError
from realtime_core.options import Options
from realtime_core.registry import lookup, normalised_slug, registered_providers

__all__ = ["new_agent_from_credential"]


def new_agent_from_credential(cfg: Mapping[str, Any], options: Options) -> Agent:
    """
    Make an agent from a tenant's credential. Connects nothing; `Agent.start` does.

    The first call in a process reads the installed wheels' metadata and imports the vendor with its WebSocket and
    resampler libraries, about half a second in all; a server that takes calls makes one agent before it listens.

    Args:
        cfg: Parsed JSON such as `{"provider": "openai", "apiKey": "..."}`; keys in camelCase or snake_case,
            the rest as the provider's page says.
        options: What the application asks of the session.

    Raises:
        UnknownProviderError: No slug, or one that nobody offers.
        ConfigError: The credential or the options are wrong for this provider.
        ProviderConflictError: Two distributions offer the slug.
        ProviderLoadError: The provider's wheel cannot be imported.
    """
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"credential: expected a mapping, got {type(cfg).__name__}")
    if not isinstance(options, Options):
        raise ConfigError(f"options: expected Options, got {type(options).__name__}")
    slug = cfg.get("provider")
    if slug is None:
        raise UnknownProviderError("", registered_providers())
    name = normalised_slug(slug)
    provider = lookup(name) if name else None
    if provider is None:
        raise UnknownProviderError(name, registered_providers())
    return provider(cfg, options)
