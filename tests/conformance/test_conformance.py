"""Every dialect of both vendors, against the loopback vendor over real sockets."""

from __future__ import annotations

from realtime_core.testing.conformance import AgentConformance
from realtime_core.testing.double import LoopbackDouble


class TestOpenAI(AgentConformance):
    def vendor(self) -> LoopbackDouble:
        return LoopbackDouble("openai_ga")


class TestOpenAIBeta(AgentConformance):
    def vendor(self) -> LoopbackDouble:
        return LoopbackDouble("openai_beta")


class TestAzure(AgentConformance):
    def vendor(self) -> LoopbackDouble:
        return LoopbackDouble("azure_ga")


class TestQwenOmni(AgentConformance):
    def vendor(self) -> LoopbackDouble:
        return LoopbackDouble("dashscope_omni")


class TestQwenOmniNested(AgentConformance):
    def vendor(self) -> LoopbackDouble:
        return LoopbackDouble("dashscope_omni_nested")


class TestQwenAudio(AgentConformance):
    def vendor(self) -> LoopbackDouble:
        return LoopbackDouble("qwen_audio")
