"""From a credential to an agent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from realtime_aliyun._config import AliyunConfig, default_voice
from realtime_aliyun._dialect import OMNI_FLAT, dialect_of
from realtime_core.agent import Agent
from realtime_core.capabilities import Capabilities
from realtime_core.credentials import load_credential
from realtime_core.endpoint import headers_with, websocket_url
from realtime_core.errors import ConfigError
from realtime_core.options import Options
from realtime_core.wire import OpenAIWire, SessionSettings

__all__ = ["AliyunProvider", "provide"]

_SLUG = "aliyun_omni"
_PATH = "/api-ws/v1/realtime"

_log = logging.getLogger("realtime_aliyun")


def _headers(config: AliyunConfig) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {config.api_key}"}
    if config.workspace:
        headers["X-DashScope-WorkSpace"] = config.workspace
    return headers_with(config.headers, headers)  # the tenant's win, as in the vendor's SDK


class AliyunProvider:
    """Makes agents for Qwen-Omni and Qwen-Audio; `provide` is the one instance."""

    config: type[AliyunConfig] = AliyunConfig
    """Credential class, for `describe_providers`."""
    capabilities: Capabilities = OMNI_FLAT.capabilities
    """Of the default model."""

    def __call__(self, credential: Mapping[str, Any], options: Options) -> Agent:
        """
        Make an agent; connects nothing.

        Args:
            credential: See `AliyunConfig`.
            options: What the application asks for.

        Raises:
            ConfigError: The credential or an option is wrong for this vendor.
        """
        config = load_credential(AliyunConfig, credential)
        if not config.api_key:
            raise ConfigError(
                "credential.apiKey: expected an API key, got none; put it into the credential "
                "or into the environment variable DASHSCOPE_API_KEY"
            )
        if config.model.startswith("qwen3.8-") and not (config.workspace or config.base_url):
            _log.warning("%s is served from a workspace's host only; set workspace", config.model)
        url = websocket_url(
            config.endpoint(),
            path=lambda given: given.rstrip("/") or _PATH,
            query={"model": config.model},
        )

        # Only an agent needs these; describing the provider loads no aiohttp and no soxr.
        from realtime_core.backends.agent import websocket_agent
        from realtime_core.backends.codec import FAST_CODEC

        transcription = {"model": config.transcription_model}
        wire = OpenAIWire(
            vendor=_SLUG,
            dialect=dialect_of(config.model),
            settings=SessionSettings(
                voice=config.voice or default_voice(config.model),
                instructions=config.instructions,
                transcription=transcription if config.transcription_model else None,
            ),
            options=options,
            codec=FAST_CODEC,
            secrets=(config.api_key, *config.headers.values()),
        )
        return websocket_agent(
            options=options,
            wire=wire,
            url=url,
            headers=_headers(config),
            dial_timeout_ms=config.dial_timeout_ms,
        )


provide: AliyunProvider = AliyunProvider()
"""The provider behind the slugs of this wheel."""
