"""
Doubles for tests of applications and of vendors: public, documented, kept like the rest.

Names are imported when they are first used, so that one double does not load what only another
needs (the loopback vendor wants the extra `ws`).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .clock import ManualClock as ManualClock
    from .conformance import AgentConformance as AgentConformance
    from .conformance import VendorDouble as VendorDouble
    from .double import LoopbackDouble as LoopbackDouble
    from .loopback import DIALECTS as DIALECTS
    from .loopback import SCENARIOS as SCENARIOS
    from .loopback import Faults as Faults
    from .loopback import LoopbackSession as LoopbackSession
    from .loopback import LoopbackVendor as LoopbackVendor
    from .loopback import Scenario as Scenario
    from .scripted import ScriptedTransport as ScriptedTransport

_HOMES = {
    "DIALECTS": "loopback",
    "AgentConformance": "conformance",
    "LoopbackDouble": "double",
    "ManualClock": "clock",
    "ScriptedTransport": "scripted",
    "VendorDouble": "conformance",
    "SCENARIOS": "loopback",
    "Faults": "loopback",
    "LoopbackSession": "loopback",
    "LoopbackVendor": "loopback",
    "Scenario": "loopback",
}

__all__ = [
    "DIALECTS",
    "SCENARIOS",
    "AgentConformance",
    "Faults",
    "LoopbackDouble",
    "LoopbackSession",
    "LoopbackVendor",
    "ManualClock",
    "Scenario",
    "ScriptedTransport",
    "VendorDouble",
]


def __getattr__(name: str) -> object:
    """Import the module a public name lives in."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
