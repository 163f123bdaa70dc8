"""The model in the box keeps the rules of every provider."""

from __future__ import annotations

from realtime_core.testing.conformance import AgentConformance
from tests.local.doubles import LocalDouble


class TestLocal(AgentConformance):
    def vendor(self) -> LocalDouble:
        return LocalDouble()
