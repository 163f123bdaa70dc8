"""The credential of DashScope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from realtime_core.credentials import Credential, secret, setting
from realtime_core.errors import ConfigError

__all__ = ["DEFAULT_MODEL", "AliyunConfig", "default_voice"]

DEFAULT_MODEL = "qwen3.5-omni-flash-realtime"
"""Stable, calls tools, served from the shared hosts."""

_SHARED_HOSTS = {
    "cn-beijing": "dashscope.aliyuncs.com",
    "ap-southeast-1": "dashscope-intl.aliyuncs.com",
}

# The service's own default was found unusable by one project, so one is always named; longest prefix first.
_VOICES = (
    ("qwen-audio-3.1", "longanqian_v3.1"),
    ("qwen-audio-", "longanqian"),
    ("qwen3.8-", "Tina"),
    ("qwen3.5-", "Tina"),
    ("qwen3-omni", "Cherry"),
    ("qwen-omni-turbo", "Chelsie"),
)


def default_voice(model: str) -> str | None:
    """Give a voice that fits the model's family; `None` for a family we do not know."""
    return next((voice for prefix, voice in _VOICES if model.startswith(prefix)), None)


@frozen(kw_only=True)
class AliyunConfig(Credential):
    """What a tenant stores for Qwen-Omni or Qwen-Audio."""

    api_key: str = secret(
        "API key or temporary token; belongs to one region.", env="DASHSCOPE_API_KEY"
    )
    model: str = setting(DEFAULT_MODEL, "Realtime model; its name decides the dialect.")
    base_url: str | None = setting(
        None, "Where the service is; wins over workspace and region. wss, ws, https or http."
    )
    workspace: str | None = setting(
        None, "Workspace id; with it the workspace's own host is used.", env="DASHSCOPE_WORKSPACE"
    )
    region: Literal["cn-beijing", "ap-southeast-1"] = setting(
        "cn-beijing", "Region the key belongs to.", env="DASHSCOPE_REGION"
    )
    transcription_model: str | None = setting(
        "qwen3-asr-flash-realtime", "Transcribes the caller; null or empty: no user transcripts."
    )
    headers: Mapping[str, str] = secret(
        "More headers for the upgrade; may hold secrets.", default={}
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a workspace that would not make a host name."""
        super().__attrs_post_init__()
        if self.workspace and not self.workspace.replace("-", "").isalnum():
            raise ConfigError("credential.workspace: expected letters, digits and hyphens")

    def endpoint(self) -> str:
        """Give the base URL: explicit, else the workspace's host, else the region's shared one."""
        if self.base_url:
            return self.base_url
        if self.workspace:
            return f"wss://{self.workspace}.{self.region}.maas.aliyuncs.com/api-ws/v1/realtime"
        return f"wss://{_SHARED_HOSTS[self.region]}/api-ws/v1/realtime"
