"""The credential of OpenAI, Azure and compatible servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from realtime_core.credentials import Credential, secret, setting

__all__ = ["DEFAULT_BASE_URL", "DEFAULT_MODEL", "OpenAIConfig"]

DEFAULT_BASE_URL = "wss://api.openai.com/v1"
"""OpenAI's own service."""
DEFAULT_MODEL = "gpt-realtime-2.1"
"""The current speech model (OpenAI, Models, read 2026-11)."""
DEFAULT_TRANSCRIPTION_MODEL = "gpt-4o-mini-transcribe"
"""Still the default of the vendor's own agents package; to move before its shutdown on 2027-02-26."""


@frozen(kw_only=True)
class OpenAIConfig(Credential):
    """What a tenant stores for OpenAI Realtime."""

    api_key: str = secret("API key or client secret.", env="OPENAI_API_KEY")
    model: str = setting(DEFAULT_MODEL, "Model; on Azure the name of the deployment.")
    base_url: str = setting(
        DEFAULT_BASE_URL, "Where the service is; wss, ws, https or http.", env="OPENAI_BASE_URL"
    )
    dialect: Literal["ga", "beta"] = setting(
        "ga", "Wire of the server; beta for compatible servers and Azure's preview path."
    )
    wire_audio: Literal["pcm", "g711_ulaw", "g711_alaw"] = setting(
        "pcm", "Audio on the wire; G.711 spares an 8 kHz caller both resamplers."
    )
    azure: bool | None = setting(
        None, "Whether it is Azure, with its header and path; null tells it by the host."
    )
    azure_token: str = secret("Entra token, sent as Bearer instead of the API key.")
    transcription_model: str | None = setting(
        DEFAULT_TRANSCRIPTION_MODEL,
        "Transcribes the caller; null or empty: no user transcripts. On Azure a deployment.",
    )
    transcription_language: str | None = setting(None, "ISO-639-1 code, helps the transcription.")
    transcription_prompt: str | None = setting(None, "Words to expect in the transcription.")
    organization: str | None = setting(None, "OpenAI organization to bill.", header=True)
    project: str | None = setting(None, "OpenAI project to bill.", header=True)
    safety_identifier: str | None = setting(
        None, "Stable id of the end user that gives no name away.", header=True
    )
    headers: Mapping[str, str] = secret(
        "More headers for the upgrade; may hold secrets.", default={}
    )

    @property
    def is_azure(self) -> bool:
        """Whether the service is Azure's."""
        if self.azure is not None:
            return self.azure
        return self.host.endswith((".openai.azure.com", ".services.ai.azure.com"))

    @property
    def url(self) -> SplitResult:
        """The base URL in parts; all are empty when it is none, which `websocket_url` refuses."""
        try:
            return urlsplit(self.base_url.strip())
        except ValueError:
            return urlsplit("")

    @property
    def host(self) -> str:
        """Host of the base URL in lower case; empty when it has none."""
        return self.url.hostname or ""

    def transcription(self) -> dict[str, Any] | None:
        """Write the transcription setting as the session object wants it."""
        if not self.transcription_model:
            return None
        entry = {
            "model": self.transcription_model,
            "language": self.transcription_language,
            "prompt": self.transcription_prompt,
        }
        return {key: value for key, value in entry.items() if value}
