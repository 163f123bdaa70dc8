"""
A vendor on this machine: every wire, strict about its clients, and as unreliable as wanted.

It is written from the vendors' documents and shares no code with the clients it tests.
"""

from . import edits
from .dialects import DIALECTS, FACTS, DialectFacts
from .faults import Drop, Faults, Refused
from .frames import Event, Rewrite
from .refusal import Violation
from .reply import Call, Part, Reply, Speech, Text, Turn, Voice
from .scenario import Scenario, Step, TurnStep
from .scenarios import SCENARIOS
from .session import LoopbackSession
from .vendor import LoopbackVendor
from .wireformat import WireFormat

__all__ = [
    "DIALECTS",
    "FACTS",
    "SCENARIOS",
    "Call",
    "DialectFacts",
    "Drop",
    "Event",
    "Faults",
    "LoopbackSession",
    "LoopbackVendor",
    "Part",
    "Refused",
    "Reply",
    "Rewrite",
    "Scenario",
    "Speech",
    "Step",
    "Text",
    "Turn",
    "TurnStep",
    "Violation",
    "Voice",
    "WireFormat",
    "edits",
]
