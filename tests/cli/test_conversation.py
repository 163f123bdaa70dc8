"""A conversation without its command: ended from outside, lost on the way, several turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np

from realtime_core import (
    AssistantAudio,
    Event,
    Options,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.cli.conversation import Conversation, Outcome
from realtime_core.cli.dialogue import Dialogue, Ear
from realtime_core.cli.handset import Handset, Player
from realtime_core.cli.narration import Line
from realtime_core.cli.wav import Recording
from realtime_core.testing import LoopbackVendor
from realtime_core.timeline import Timeline

RATE_HZ = 16000


class Watcher:
    """A view that acts on an event."""

    def __init__(self, act: Callable[[Event], None] = lambda event: None) -> None:
        self.act = act
        self.events: list[Event] = []
        self.told: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def event(self, t_ms: float, event: Event) -> None:
        self.events.append(event)
        self.act(event)

    def caller(self, pcm: bytes, sent_s: float) -> None:
        pass

    def heard(self, pcm: bytes) -> None:
        pass

    def tell(self, line: Line) -> None:
        self.told.append(str(line))

    def note(self, text: str) -> None:
        pass


class Unhurried:
    """Waits before every frame, so that a standstill is not made up for by frames that nobody can answer in time."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    @property
    def current(self) -> int:
        return self._dialogue.current

    @property
    def said_s(self) -> float:
        return self._dialogue.said_s

    @property
    def is_done(self) -> bool:
        return self._dialogue.is_done

    async def frame(self, ear: Ear) -> bytes:
        await asyncio.sleep(0.002)
        return self._dialogue.frame(ear)

    def play(self, frame: bytes) -> None:
        pass

    def hush(self) -> None:
        pass

    async def drain(self) -> None:
        pass


def speech(*, utterances: int = 1, pause_s: float = 1.5) -> Recording:
    """Make noise bursts of 600 ms with pauses: to a detector of levels that is speech."""
    noise = np.random.default_rng(7).integers(-8000, 8000, RATE_HZ * 6 // 10)
    pause = np.zeros(int(RATE_HZ * pause_s), dtype=np.int64)
    samples = np.concatenate([part for _ in range(utterances) for part in (pause, noise)])
    return Recording(
        name="speech", pcm=samples.astype("<i2").tobytes(), rate_hz=RATE_HZ, channels=1
    )


async def talk(
    vendor: LoopbackVendor, view: Watcher, recording: Recording, handset: Handset | None = None
) -> Outcome:
    conversation = Conversation(
        handset=handset or Player(Dialogue([recording]), 20.0),
        view=view,
        sinks=[],
        timeline=Timeline(),
        pace=20.0,
        timeout_s=50.0,
    )
    options = Options(on_event=conversation.on_event, when_full="wait")
    agent = new_agent_from_credential(vendor.credential("openai_ga"), options)
    return await conversation.run(agent)


async def test_cancelled_it_closes_the_session_and_still_gives_an_outcome() -> None:
    def act(event: Event) -> None:
        if isinstance(event, AssistantAudio):
            task.cancel()

    async with LoopbackVendor(speed=5) as vendor:
        task = asyncio.create_task(talk(vendor, Watcher(act), speech()))
        outcome = await task
    assert outcome.interrupted
    assert outcome.progress.statuses == ["cancelled"]
    assert outcome.progress.close is not None
    assert outcome.progress.close.initiator == "client"


async def test_a_session_lost_while_streaming_ends_it() -> None:
    def act(event: Event) -> None:
        if isinstance(event, UserSpeechStarted):
            vendor.sessions[0].abort()

    async with LoopbackVendor() as vendor:
        outcome = await talk(vendor, Watcher(act), speech(pause_s=0.5))
    assert outcome.progress.fatal is not None
    assert not outcome.progress.waiting
    assert outcome.opened
    assert not outcome.timed_out


async def test_every_utterance_is_waited_for() -> None:
    view, said = Watcher(), speech(utterances=3)
    async with LoopbackVendor() as vendor:
        outcome = await talk(vendor, view, said, Unhurried(Dialogue([said])))
        assert vendor.violations == []
    # The next utterance may interrupt a reply, as it may on the telephone.
    assert len(outcome.progress.statuses) == 3
    assert outcome.progress.statuses[-1] == "completed"
    assert len(outcome.latencies_ms) == 3
    assert sum(isinstance(event, UserSpeechStarted) for event in view.events) == 3
    assert outcome.stats.drops == {}
