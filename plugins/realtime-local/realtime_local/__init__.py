"""A voice model in the box for `realtime-core`: no vendor, no key, no network."""

from realtime_local._config import LocalConfig
from realtime_local._provider import provide

__all__ = ["LocalConfig", "provide"]
