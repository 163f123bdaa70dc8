"""A leg without a peer and an agent without a model, for tests of what stands between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from realtime_core import Agent, Capabilities, Event, Options, SessionStats
from realtime_core.clock import Clock
from realtime_core.events import AssistantAudio
from realtime_core.meter import Meter
from realtime_core.usage import Transcription
from realtime_telephony import CallInfo, CallLeg, LegCapabilities
from realtime_telephony.leg import CallerAudio, LegClosed, LegEvent

RATE_HZ = 8000

WE_PACE = LegCapabilities(
    owns_clock=False,
    ahead_ms=20,
    flush=False,
    marks=False,
    needs_silence=True,
    dtmf=True,
    hang_up=True,
)
THEY_PACE = LegCapabilities(
    owns_clock=True,
    ahead_ms=200,
    flush=True,
    marks=True,
    needs_silence=False,
    dtmf=True,
    hang_up=True,
    transfer=True,
)
BOTH = {"we_pace": WE_PACE, "they_pace": THEY_PACE}


def pcm(ms: int, value: int = 0x0303) -> bytes:
    return value.to_bytes(2, "little", signed=True) * (RATE_HZ * ms // 1000)


def spoken(ms: int, item_id: str = "A1", reply: str = "R1") -> AssistantAudio:
    return AssistantAudio(vendor="stub", audio=pcm(ms), item_id=item_id, response_id=reply)


async def until(check: Callable[[], bool]) -> None:
    """Wait for what another task does; the test's own limit bounds it."""
    while not check():  # noqa: ASYNC110 - there is nothing to wait on in the product
        await asyncio.sleep(0.005)


class StubLeg(CallLeg):
    """Plays what it is given, at once or at the pace of its clock."""

    def __init__(self, capabilities: LegCapabilities, clock: Clock) -> None:
        self.info = CallInfo(leg="stub", call_id="call-1")
        self.capabilities = capabilities
        self.sample_rate_hz = RATE_HZ
        self.codec = "pcm"
        self.clock = clock
        self.given = bytearray()
        self.pieces: list[int] = []
        """Length of each piece, in ms."""
        self.hung_up = self.closed = False
        self.transferred_to: str | None = None
        self._inbox: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._base = 0
        self._base_at = 0.0

    # What a test does

    def say(self, event: LegEvent) -> None:
        self._inbox.put_nowait(event)

    def says(self, audio: bytes) -> None:
        for at in range(0, len(audio), 320):
            self.say(CallerAudio(audio[at : at + 320]))

    @property
    def heard(self) -> bytes:
        """What was played, silence left out at both ends."""
        return bytes(self.given).strip(b"\0")

    # The leg

    async def receive(self) -> LegEvent:
        return await self._inbox.get()

    def play(self, pcm: bytes) -> None:
        if self.played_samples() >= self._samples:
            self._base, self._base_at = self._samples, self.clock.now()
        self.given += pcm
        self.pieces.append(len(pcm) // 16)

    @property
    def _samples(self) -> int:
        return len(self.given) // 2

    def played_samples(self) -> int:
        if not self.capabilities.owns_clock:
            return self._samples
        since = int((self.clock.now() - self._base_at) * RATE_HZ + 1e-6)
        return min(self._samples, self._base + since)

    async def flush(self) -> int:
        played = self.played_samples()
        del self.given[played * 2 :]
        await asyncio.sleep(0)
        return played

    async def drained(self, timeout_s: float) -> bool:
        return self.played_samples() >= self._samples

    async def hang_up(self) -> None:
        self.hung_up = True
        self.say(LegClosed("us"))

    async def transfer(self, target: str) -> None:
        self.transferred_to = target

    async def close(self) -> None:
        self.closed = True


class StubAgent(Agent):
    """Notes what it is told; everything else is not there."""

    vendor = "stub"

    def __init__(self) -> None:
        self.options = Options(input_sample_rate=RATE_HZ, output_sample_rate=RATE_HZ)
        self.reports: list[tuple[str, int, bool]] = []
        self.pushed = bytearray()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    @property
    def stats(self) -> SessionStats:
        return Meter(RATE_HZ, RATE_HZ).snapshot(
            audio_in_bytes=0,
            frames_sent=0,
            frames_ignored=0,
            transcription=Transcription(),
            drops={},
        )

    async def start(self) -> None: ...

    async def push_audio(self, pcm: bytes | bytearray | memoryview) -> None:
        self.pushed += pcm

    async def commit_input_audio(self) -> None: ...

    async def clear_input_audio(self) -> None: ...

    async def create_response(self, instructions: str | None = None) -> None: ...

    async def send_text(self, text: str, *, respond: bool = True) -> None: ...

    async def cancel(self, *, played_ms: int | None = None) -> None: ...

    async def update_instructions(self, instructions: str) -> None: ...

    async def send_tool_result(self, call_id: str, output: str) -> None: ...

    def report_playback(self, item_id: str, played_ms: int, *, final: bool = False) -> None:
        self.reports.append((item_id, played_ms, final))

    async def close(self) -> None: ...

    def __aiter__(self) -> AsyncIterator[Event]:
        raise NotImplementedError
