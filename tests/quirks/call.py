"""A call over a real socket: the agent, the vendor's side of it, and everything that was heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from attrs import define, field

from realtime_core import (
    Agent,
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    Options,
    UserSpeechEnded,
    UserSpeechStarted,
    VendorError,
    new_agent_from_credential,
)
from realtime_core.testing import DIALECTS, Faults, LoopbackSession, LoopbackVendor, Scenario
from realtime_core.testing.loopback import Reply, Speech
from realtime_core.testing.speech import silence, speech_like

__all__ = [
    "ALL",
    "DASHSCOPE",
    "HELD_MS",
    "OPENAI",
    "PATIENCE_S",
    "TOOLS",
    "TRUNCATING",
    "Call",
    "calling",
    "held",
    "spoken",
]

ALL = DIALECTS
OPENAI = ("openai_ga", "openai_beta", "azure_ga")
TRUNCATING = OPENAI
DASHSCOPE = ("dashscope_omni", "dashscope_omni_nested", "qwen_audio")
TOOLS = ALL

PATIENCE_S = 30.0
"""How long anything may take on this machine."""
HELD_MS = 420
"""What of a held reply comes before it waits: whole deltas, so a little more than asked for."""

E = TypeVar("E", bound=Event)


def held(ms: int = 2000, *, late_deltas: int = 0) -> Reply:
    """Make a reply that stays in progress after `HELD_MS` of its audio."""
    return Reply(
        parts=(Speech(ms=ms, transcript="Wait for it now.", hold_after_ms=400),),
        late_deltas=late_deltas,
    )


def spoken(*lengths_ms: int) -> Reply:
    """Make a reply with one spoken message of each length."""
    parts = tuple(Speech(ms=ms, transcript=f"For {ms} ms.") for ms in lengths_ms)
    return Reply(parts=parts)


@define
class Call:
    """Hears everything, and speaks."""

    events: list[Event] = field(factory=list)
    agent: Agent = field(init=False)
    vendor: LoopbackVendor = field(init=False)
    session: LoopbackSession = field(init=False)
    listeners: list[Callable[[Event], None]] = field(factory=list)
    """Called with every event, on the session's task, as an application would be."""
    _changed: asyncio.Event = field(factory=asyncio.Event)
    _marks: int = 0

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        for listener in self.listeners:
            listener(event)
        self._changed.set()

    # What was heard

    def of(self, kind: type[E]) -> list[E]:
        """Give the events of a class so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds of the events."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            shown = [event for event in self.events if not isinstance(event, AssistantAudio)]
            raise AssertionError(f"it never held; events so far: {shown[-20:]}") from None

    async def event(self, kind: type[E], count: int = 1) -> E:
        """Wait for the n-th event of a class."""
        await self.until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)[count - 1]

    def audio(self, response_id: str | None = None) -> bytes:
        """Join the audio heard, of one reply or of all."""
        pieces = self.of(AssistantAudio)
        return b"".join(piece.audio for piece in pieces if response_id in (None, piece.response_id))

    def audio_ms(self) -> float:
        """How much audio was heard in all."""
        return len(self.audio()) / 2 / self.agent.options.output_sample_rate * 1000

    def items(self) -> list[str]:
        """Items whose audio was heard, in order."""
        seen: list[str] = []
        for piece in self.of(AssistantAudio):
            if piece.item_id is not None and piece.item_id not in seen:
                seen.append(piece.item_id)
        return seen

    def kinds(self, start: int = 0) -> list[str]:
        """Names of the events from a place on, runs of the same collapsed, partial texts left out."""
        names: list[str] = []
        for event in self.events[start:]:
            if isinstance(event, AssistantText) and not event.final:
                continue
            name = type(event).__name__
            if not names or names[-1] != name:
                names.append(name)
        return names

    def errors(self) -> list[ErrorEvent]:
        """Give the errors the application was told of."""
        return self.of(ErrorEvent)

    # What the vendor saw

    def sent(self, kind: str) -> list[dict[str, Any]]:
        """Give the client's events of a type as the vendor received them."""
        return [event for event in self.session.received if event.get("type") == kind]

    def commands(self) -> list[str]:
        """Types of what the vendor received, but audio and settings."""
        kinds = [str(event.get("type")) for event in self.session.received]
        return [
            kind for kind in kinds if kind not in ("input_audio_buffer.append", "session.update")
        ]

    async def vendor_is_heard(self) -> None:
        """Return when the agent has taken in all that the vendor has sent so far."""
        self._marks += 1
        code = f"mark_{self._marks}"
        error = {
            "type": "invalid_request_error",
            "code": code,
            "message": "a mark",
            "param": None,
            "event_id": "event_of_nobody",
        }
        await self.session.send({"type": "error", "error": error})

        def is_mark(event: Event) -> bool:
            error = event.error if isinstance(event, ErrorEvent) else None
            return isinstance(error, VendorError) and error.code == code

        # A reply that is still being sent may have gone on behind it.
        await self.until(lambda: any(map(is_mark, self.events)))
        self.events[:] = [event for event in self.events if not is_mark(event)]

    async def agent_is_heard(self) -> None:
        """Return when the vendor has taken in all that the agent has sent so far."""
        count = len(self.sent("session.update"))
        await self.agent.update_instructions("")
        await self.session.wait_for("session.update", count=count + 1)

    async def all_is_heard(self) -> None:
        """Return when neither side has anything left to hear."""
        for _ in range(2):
            await self.agent_is_heard()
            await self.vendor_is_heard()
        await self.agent_is_heard()

    # What the person does

    async def push(self, pcm: bytes) -> None:
        """Give audio in frames of 20 ms, as a line does."""
        step = self.agent.options.input_sample_rate // 50 * 2
        for at in range(0, len(pcm), step):
            await self.agent.push_audio(pcm[at : at + step])

    async def speak(self, ms: int = 400) -> UserSpeechStarted:
        """Begin to speak and wait until the agent knows."""
        count = len(self.of(UserSpeechStarted)) + 1
        rate_hz = self.agent.options.input_sample_rate
        await self.push(silence(100, rate_hz) + speech_like(ms, rate_hz))
        return await self.event(UserSpeechStarted, count)

    async def fall_silent(self) -> None:
        """Stop speaking and wait until the agent knows."""
        count = len(self.of(UserSpeechEnded)) + 1
        await self.push(silence(1200, self.agent.options.input_sample_rate))
        await self.event(UserSpeechEnded, count)

    async def say(self, ms: int = 400) -> None:
        """Speak and stop."""
        await self.speak(ms)
        await self.fall_silent()

    async def turn_end(self, count: int = 1) -> AssistantTurnEnd:
        """Wait for the end of the n-th reply."""
        return await self.event(AssistantTurnEnd, count)

    async def greeting_audible(self, ms: float = HELD_MS) -> str:
        """Let the vendor speak first, wait for that much audio, and give the item's id."""
        await self.agent.create_response()
        await self.until(lambda: self.audio_ms() >= ms)
        return self.items()[-1]

    async def interrupted(self, count: int = 1) -> Interrupted:
        """Wait until the n-th cut is settled."""
        return await self.event(Interrupted, count)


@asynccontextmanager
async def calling(
    dialect: str,
    *replies: Reply,
    scenario: Scenario | None = None,
    faults: Faults | None = None,
    provoked: tuple[str, ...] = (),
    credential: dict[str, Any] | None = None,
    speed: float | None = None,
    models: frozenset[str] | None = None,
    **options: Any,
) -> AsyncIterator[Call]:
    """
    Hold a call with the loopback vendor, which must have nothing to complain about.

    Args:
        dialect: One of `DIALECTS`.
        replies: The first answers.
        scenario: A whole script instead.
        faults: What goes wrong.
        provoked: Rules of the vendor's that this call breaks on purpose.
        credential: Changes of the credential.
        speed: Pace of the vendor's audio, times real time.
        models: What the vendor accepts instead of the dialect's own.
        options: Of `Options`.
    """
    call = Call()
    vendor = call.vendor = LoopbackVendor(
        scenario=scenario or Scenario(replies=replies),
        faults=faults,
        speed=speed,
        models=models,
    )
    async with vendor:
        cfg = {**vendor.credential(dialect), **(credential or {})}
        # Speech is pushed faster than real time here, so pushing waits where a call would drop.
        chosen: dict[str, Any] = {"on_event": call, "when_full": "wait", **options}
        call.agent = new_agent_from_credential(cfg, Options(**chosen))
        async with call.agent:
            call.session = await vendor.session(0)
            yield call
        complaints = [fault for fault in vendor.violations if fault.rule not in provoked]
        assert not complaints, complaints
