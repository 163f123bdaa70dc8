"""OpenAI Realtime for `realtime-core`: OpenAI, Azure, and servers that speak the same wire."""

from realtime_openai._config import OpenAIConfig
from realtime_openai._provider import provide

__all__ = ["OpenAIConfig", "provide"]
