"""Alibaba Cloud Model Studio (DashScope) for `realtime-core`: Qwen-Omni and Qwen-Audio."""

from realtime_aliyun._config import AliyunConfig
from realtime_aliyun._provider import provide

__all__ = ["AliyunConfig", "provide"]
