"""A vendor nobody has heard of, whose server speaks the wire most compatible servers speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from realtime_core import Agent, Capabilities, ConfigError, ErrorKind, Options
from realtime_core.credentials import Credential, load_credential, secret, setting
from realtime_core.endpoint import websocket_url
from realtime_core.wire import Dialect, ErrorTable, OpenAIWire, SessionSettings, VadRules

__all__ = ["ParrotConfig", "provide"]

DIALECT = Dialect(
    name="parrot",
    paths={
        "modalities": ("modalities",),
        "instructions": ("instructions",),
        "voice": ("voice",),
        "input_format": ("input_audio_format",),
        "output_format": ("output_audio_format",),
        "transcription": ("input_audio_transcription",),
        "turn_detection": ("turn_detection",),
    },
    input_format="pcm16",
    output_format="pcm16",
    input_rate_hz=24000,
    output_rate_hz=24000,
    modalities={"audio": ("text", "audio"), "text": ("text",)},
    vad=VadRules(threshold=0.5, threshold_range=(0.0, 1.0), prefix_padding_ms=300, silence_ms=500),
    tool_style="flat",
    errors=ErrorTable(
        kinds={"invalid_api_key": ErrorKind.AUTH}, fatal=frozenset({"invalid_api_key"})
    ),
    capabilities=Capabilities(truncation=True, text_input=True),
)


@frozen(kw_only=True)
class ParrotConfig(Credential):
    """What a tenant stores for the parrot."""

    api_key: str = secret("Key of the parrot.", env="PARROT_API_KEY")
    base_url: str = setting("wss://parrot.example/v1", "Where the parrot sits.")
    model: str = setting("gpt-4o-realtime-preview", "Which parrot.")


class ParrotProvider:
    """Makes agents that speak to the parrot."""

    config = ParrotConfig
    capabilities = DIALECT.capabilities

    def __call__(self, credential: Mapping[str, Any], options: Options) -> Agent:
        """Make an agent; connects nothing."""
        config = load_credential(ParrotConfig, credential)
        if not config.api_key:
            raise ConfigError("credential.apiKey: expected the parrot's key, got none")

        from realtime_core.backends.agent import websocket_agent
        from realtime_core.backends.codec import FAST_CODEC

        wire = OpenAIWire(
            vendor="parrot",
            dialect=DIALECT,
            settings=SessionSettings(voice=config.voice, instructions=config.instructions),
            options=options,
            codec=FAST_CODEC,
            secrets=(config.api_key,),
        )
        return websocket_agent(
            options=options,
            wire=wire,
            url=websocket_url(
                config.base_url, path=lambda path: f"{path}/realtime", query={"model": config.model}
            ),
            headers={"Authorization": f"Bearer {config.api_key}"},
            dial_timeout_ms=config.dial_timeout_ms,
        )


provide = ParrotProvider()
