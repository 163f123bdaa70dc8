"""
Where the time goes between the caller's last word and the model's first, and between a barge-in and silence.

The real provider `local`, on the demonstration's script, is driven in real time: ten sentences of a voice that is not
its own are pushed in frames of 20 ms, and what it says is read from a playout as often. Each sentence is asked once
and waited for, then said again into the answer to another question.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final

from attrs import define, field

from benchmarks.local_engines import Marks, TimedRecogniser, TimedReplier, TimedSynthesiser
from benchmarks.local_figures import BargeInTimes, Turns, TurnTimes
from benchmarks.local_line import RATE_HZ, Line, Utterance
from realtime_core import Options, new_agent_from_credential
from realtime_core.agent import Agent
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.events import (
    AssistantAudio,
    AssistantTurnEnd,
    Event,
    UserSpeechEnded,
    UserSpeechStarted,
)
from realtime_core.playout import Playout
from realtime_local.engines import Synthesiser
from realtime_local.flite import FliteSynthesiser
from realtime_local.script_reading import demo_script
from realtime_local.script_replier import ScriptReplier
from realtime_local.synthesis import find_synthesiser
from tests.local.phrases import ON_SCRIPT

__all__ = ["Desk", "measure_turns", "sentences"]

_QUESTION: Final = "what are your opening hours"
_CALLER_VOICE: Final = "rms"
_LISTENED_S: Final = 1.0
"""How long the answer is listened to before it is interrupted."""
_QUIET_S: Final = 0.3
"""So long without sound is silence out of the playout."""
_LIMIT_S: Final = 15.0


@define
class Desk:
    """One session of the demonstration with stopwatches in it, and the line to it."""

    agent: Agent
    line: Line
    marks: Marks
    speech_started: float | None = None
    """When the session said that the caller speaks."""
    cut: float | None = None
    """When the audio that waited was dropped."""
    last_sound: float = 0.0
    """When a frame with sound in it was read last."""
    turns: int = 0
    """How many replies have ended."""
    changed: asyncio.Event = field(factory=asyncio.Event)

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something, not for ever."""
        async with asyncio.timeout(_LIMIT_S):
            while not reached():
                self.changed.clear()
                await self.changed.wait()

    async def is_quiet(self) -> None:
        """Wait until the model has said all it has to say."""
        await self.until(lambda: monotonic() - self.last_sound > _QUIET_S)

    def take(self, event: Event) -> None:
        """Note what the session tells."""
        now = monotonic()
        match event:
            case UserSpeechStarted():
                self.speech_started = now
            case UserSpeechEnded():
                self.marks.ended = now
            case AssistantAudio():
                self.marks.delivered = self.marks.delivered or now
            case AssistantTurnEnd():
                self.turns += 1
            case _:
                pass

    def heard(self, now: float, audible: bool) -> None:
        """Note what left the playout."""
        if audible:
            self.last_sound = now
            self.marks.audible = self.marks.audible or now
        self.changed.set()

    def clear(self) -> None:
        """Forget the marks of the last turn."""
        self.marks.clear()
        self.speech_started = self.cut = None


def sentences() -> list[Utterance]:
    """Give the ten sentences of the demonstration at 16 kHz, in a voice which is not the model's where there is one."""
    synthesiser = find_synthesiser()
    voice = _CALLER_VOICE if isinstance(synthesiser, FliteSynthesiser) else None
    return [_utterance(synthesiser, voice, text) for text in ON_SCRIPT]


def _utterance(synthesiser: Synthesiser, voice: str | None, text: str) -> Utterance:
    pcm = b"".join(synthesiser.speak(text, voice))
    if synthesiser.sample_rate_hz != RATE_HZ:
        resampler = SoxrResampler(synthesiser.sample_rate_hz, RATE_HZ)
        pcm = resampler.process(pcm) + resampler.flush()
    return Utterance.of(pcm)


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """Open a session and its line."""
    marks = Marks()
    told: list[Callable[[Event], None]] = []

    def on_event(event: Event) -> None:
        for tell in told:
            tell(event)

    options = Options(
        input_sample_rate=RATE_HZ,
        output_sample_rate=RATE_HZ,
        on_event=on_event,
        vendor={
            "recogniser": lambda grammar: TimedRecogniser(grammar, marks),
            "replier": TimedReplier(ScriptReplier(demo_script()), marks),
            "synthesiser": TimedSynthesiser(find_synthesiser(), marks),
        },
    )
    agent = new_agent_from_credential({"provider": "local"}, options)
    playout = Playout(agent)
    line = Line(agent, playout, lambda now, audible: session.heard(now, audible))
    session = Desk(agent, line, marks)
    told += [playout.feed, session.take]

    def on_cut() -> None:
        session.cut = monotonic()

    agent.on_cut(on_cut)
    async with agent:
        running = asyncio.create_task(line.run())
        try:
            await asyncio.sleep(0.5)
            yield session
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def _turn(session: Desk, utterance: Utterance) -> TurnTimes:
    await session.is_quiet()
    session.clear()
    marks = session.marks
    _, silent = await session.line.say(utterance)
    await session.until(lambda: marks.audible is not None)
    ended, recognised = marks.ended or silent, marks.recognised or silent
    times = TurnTimes(
        hang_over_ms=(ended - silent) * 1000,
        recognition_ms=max(0.0, recognised - ended) * 1000,
        reply_ms=((marks.said or 0.0) - (marks.asked or 0.0)) * 1000,
        synthesis_ms=((marks.spoken or 0.0) - (marks.synthesis or 0.0)) * 1000,
        delivered_ms=((marks.delivered or 0.0) - silent) * 1000,
        audible_ms=((marks.audible or 0.0) - silent) * 1000,
    )
    await session.agent.cancel()
    return times


async def _barge_in(session: Desk, utterance: Utterance) -> BargeInTimes:
    await session.is_quiet()
    session.clear()
    await session.agent.send_text(_QUESTION)
    await session.until(lambda: session.marks.audible is not None)
    await asyncio.sleep(_LISTENED_S)
    session.clear()
    talking = asyncio.create_task(session.line.say(utterance))
    await session.until(lambda: session.cut is not None)
    cut, started = session.cut or 0.0, session.speech_started or 0.0
    last_sound = session.last_sound
    onset, _ = await talking
    await session.until(lambda: session.marks.delivered is not None)
    await session.agent.cancel()
    return BargeInTimes(
        told_ms=(started - onset) * 1000,
        cut_ms=(cut - onset) * 1000,
        # The frame that was read last plays for its 20 ms.
        silent_ms=(max(last_sound, onset) - onset) * 1000 + 20,
    )


async def _measure(utterances: Iterable[Utterance]) -> Turns:
    async with desk() as session:
        spoken = list(utterances)
        await _turn(session, spoken[0])  # the first call of everything
        turns = [await _turn(session, utterance) for utterance in spoken]
        return Turns(turns=turns, cuts=[await _barge_in(session, each) for each in spoken])


def measure_turns(rounds: int) -> list[Turns]:
    """
    Measure all sentences, in a session a round.

    Args:
        rounds: How many.
    """
    utterances = sentences()
    return [asyncio.run(_measure(utterances)) for _ in range(rounds)]
