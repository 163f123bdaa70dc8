"""The work every client does: who calls, at which rates, for how long, and what is written down of it."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from attrs import frozen

__all__ = [
    "CHUNK_MS",
    "DELTA_MS",
    "SCENARIOS",
    "WIRE_HZ",
    "Arrivals",
    "Caller",
    "Outcome",
    "Scenario",
    "percentile",
    "tone",
]

WIRE_HZ: Final = 24000
"""OpenAI's only PCM rate."""
CHUNK_MS: Final = 20
"""What a caller pushes at a time, as a telephone does."""
DELTA_MS: Final = 200
"""What the vendor sends at a time."""


@frozen
class Scenario:
    """A caller's rates, in Hz."""

    name: str
    input_hz: int
    output_hz: int
    about: str


SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario("24k", 24000, 24000, "24 kHz both ways, nothing resampled"),
        Scenario("16k", 16000, 24000, "16 kHz in, 24 kHz out (the default options)"),
        Scenario("8k", 8000, 8000, "8 kHz both ways (telephone)"),
    )
}


class Caller(Protocol):
    """One session of a client under measurement."""

    async def start(self) -> None:
        """Connect and configure."""

    async def push(self, pcm: bytes) -> None:
        """Send one chunk at the scenario's input rate."""

    async def close(self) -> None:
        """End the session."""


class Arrivals:
    """Where every client notes an audio delta, once its PCM is in hand at the caller's rate."""

    def __init__(self) -> None:
        self.latencies_ns: list[int] = []
        self.pcm_bytes = 0
        self._noted: set[str] = set()

    def note(self, item_id: str, pcm: bytes) -> None:
        """
        Take the time; the vendor's time of sending, of the same clock, is the item's id.

        What a resampler held back of an item comes when the next one begins, and is no answer to its own delta.
        """
        if item_id not in self._noted:
            self._noted.add(item_id)
            self.latencies_ns.append(time.monotonic_ns() - int(item_id[5:]))
        self.pcm_bytes += len(pcm)

    def clear(self) -> None:
        """Start the measured window."""
        self.latencies_ns.clear()
        self.pcm_bytes = 0


@frozen(kw_only=True)
class Outcome:
    """What one client process measured over its window."""

    client: str
    scenario: str
    sessions: int
    seconds: float
    cpu_ms: float
    """CPU of the client, user and system, in ms per session and second."""
    system_share: float
    """How much of it the kernel's."""
    busy: float
    """Share of its core the client used."""
    vendor_busy: float
    """Share of the other core the vendor used; near 1 it would be the bottleneck."""
    p50_ms: float
    """From the vendor's write of an audio delta to its PCM in the caller's hand."""
    p99_ms: float
    push_late_p99_ms: float
    """How late a chunk was pushed; a client that lags here is past its limit."""
    deltas: int
    """Audio deltas received in the window."""
    pushed: int
    """Chunks pushed, before the window and after it too; the vendor must have had as many."""
    heard_share: float
    """Audio received, as a share of what real time allows; about 1."""
    sent_share: float
    """Audio pushed, the same."""


def percentile(values: Sequence[float], share: float) -> float:
    """Give the nearest-rank percentile, 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def tone(rate_hz: int, duration_ms: int, hz: float = 440.0) -> bytes:
    """Make a sine as PCM16LE mono."""
    count = rate_hz * duration_ms // 1000
    samples = (round(12000 * math.sin(2 * math.pi * hz * n / rate_hz)) for n in range(count))
    return struct.pack(f"<{count}h", *samples)
