"""From a credential to an agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from realtime_core.agent import Agent
from realtime_core.capabilities import Capabilities
from realtime_core.credentials import load_credential
from realtime_core.endpoint import headers_with, websocket_url
from realtime_core.errors import ConfigError
from realtime_core.options import Options
from realtime_core.wire import Dialect, OpenAIWire, SessionSettings
from realtime_openai._config import DEFAULT_BASE_URL, OpenAIConfig
from realtime_openai._dialect import AZURE_GA, OPENAI_BETA, OPENAI_GA, with_g711

__all__ = ["OpenAIProvider", "provide"]

_SLUG = "openai_realtime"
_AZURE_PREVIEW_PATH = "/openai/realtime"
_AZURE_PREVIEW_VERSION = "2025-04-01-preview"
# Azure's preview path names the model by `deployment`, a SIP sideband by `call_id`.
_NAMES_MODEL = frozenset({"model", "deployment", "call_id"})


def _dialect(config: OpenAIConfig) -> Dialect:
    dialect = AZURE_GA if config.is_azure else OPENAI_GA
    if config.dialect == "beta":
        dialect = OPENAI_BETA
    if config.wire_audio == "pcm":
        return dialect
    return with_g711(dialect, "ulaw" if config.wire_audio == "g711_ulaw" else "alaw")


def _endpoint(config: OpenAIConfig) -> str:
    """Complete the base URL (the rules stand on the provider's page of the documentation)."""
    path = config.url.path.rstrip("/")
    preview = config.is_azure and config.dialect == "beta"
    if not path.endswith("/realtime"):
        if config.is_azure and path in ("", "/openai"):
            path = "/openai" if preview else "/openai/v1"
        path = f"{path or '/v1'}/realtime"
    preview = preview and path == _AZURE_PREVIEW_PATH

    given = dict(parse_qsl(config.url.query, keep_blank_values=True))
    if config.is_azure and config.dialect == "ga" and "api-version" in given:
        raise ConfigError(
            "credential.baseUrl: expected no api-version on Azure's /openai/v1 path, which refuses it; "
            'drop it, or set "dialect": "beta" for the preview path'
        )
    query = {"api-version": _AZURE_PREVIEW_VERSION} if preview else {}
    if not given.keys() & _NAMES_MODEL and given.get("intent") != "transcription":
        query["deployment" if preview else "model"] = config.model
    return websocket_url(config.base_url, path=lambda _: path, query=query)


def _headers(config: OpenAIConfig) -> dict[str, str]:
    headers: dict[str, str] = {}
    if config.azure_token:
        headers["Authorization"] = f"Bearer {config.azure_token}"
    elif config.is_azure:
        headers["api-key"] = config.api_key
    elif config.api_key:
        headers["Authorization"] = f"Bearer {config.api_key}"
    optional = {
        "OpenAI-Organization": config.organization,
        "OpenAI-Project": config.project,
        "OpenAI-Safety-Identifier": config.safety_identifier,
    }
    headers.update({name: value for name, value in optional.items() if value})
    return headers_with(config.headers, headers)


def _check_key(config: OpenAIConfig) -> None:
    """Compatible servers may do without a key; OpenAI and Azure do not."""
    if config.api_key or config.azure_token:
        return
    if config.is_azure or config.host == urlsplit(DEFAULT_BASE_URL).hostname:
        raise ConfigError(
            "credential.apiKey: expected an API key, got none; put it into the credential "
            "or into the environment variable OPENAI_API_KEY"
        )


class OpenAIProvider:
    """Makes agents for OpenAI Realtime; `provide` is the one instance."""

    config: type[OpenAIConfig] = OpenAIConfig
    """Credential class, for `describe_providers`."""
    capabilities: Capabilities = OPENAI_GA.capabilities
    """Of the default dialect."""

    def __call__(self, credential: Mapping[str, Any], options: Options) -> Agent:
        """
        Make an agent; connects nothing.

        Args:
            credential: See `OpenAIConfig`.
            options: What the application asks for.

        Raises:
            ConfigError: The credential or an option is wrong for this vendor.
        """
        config = load_credential(OpenAIConfig, credential)
        _check_key(config)
        url = _endpoint(config)

        # Only an agent needs these; describing the provider loads no aiohttp and no soxr.
        from realtime_core.backends.agent import websocket_agent
        from realtime_core.backends.codec import FAST_CODEC

        wire = OpenAIWire(
            vendor=_SLUG,
            dialect=_dialect(config),
            settings=SessionSettings(
                voice=config.voice,
                instructions=config.instructions,
                transcription=config.transcription(),
            ),
            options=options,
            codec=FAST_CODEC,
            secrets=(config.api_key, config.azure_token, *config.headers.values()),
        )
        return websocket_agent(
            options=options,
            wire=wire,
            url=url,
            headers=_headers(config),
            dial_timeout_ms=config.dial_timeout_ms,
        )


provide: OpenAIProvider = OpenAIProvider()
"""The provider behind the slugs of this wheel."""
