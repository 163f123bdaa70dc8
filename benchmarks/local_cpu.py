"""CPU of a session of the model in the box, beside a loop that only asks webrtcvad about the same frames."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import suppress
from statistics import median
from time import monotonic
from typing import Final

import webrtcvad

from benchmarks.local_figures import LocalCpu
from benchmarks.local_line import FRAME_MS, RATE_HZ, Line, Utterance
from benchmarks.local_turns import Desk, desk, sentences
from benchmarks.machine import cpu_seconds_of_children

__all__ = ["measure_cpu"]

_AGGRESSIVENESS: Final = 2
_PAUSE_S: Final = 2.5
"""How long the caller listens before the next sentence: the shorter answers to their end."""


def _cpu_s() -> float:
    """CPU time of this process and of those it started."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used) + cpu_seconds_of_children()


async def _cpu_ms_a_second(work: Callable[[], Awaitable[None]]) -> float:
    began, used = monotonic(), _cpu_s()
    await work()
    return (_cpu_s() - used) * 1000 / (monotonic() - began)


class _Bare:
    """A detector and nothing around it, on the same schedule."""

    def __init__(self, frames: list[bytes]) -> None:
        self._vad = webrtcvad.Vad(_AGGRESSIVENESS)
        self._frames = frames

    async def run(self) -> None:
        begun = monotonic()
        for count, frame in enumerate(self._frames, 1):
            self._vad.is_speech(frame, RATE_HZ)
            await asyncio.sleep(max(0.0, begun + count * FRAME_MS / 1000 - monotonic()))


def _frames_of(said: list[Utterance], seconds: float) -> list[bytes]:
    """Give what the line carries: hiss, and every sentence with a pause behind it."""
    pause = Line.hiss(_PAUSE_S)
    pcm = b"".join(utterance.pcm + pause for utterance in said) or Line.hiss(seconds)
    size = RATE_HZ * FRAME_MS // 1000 * 2
    return [pcm[at : at + size] for at in range(0, len(pcm) // size * size, size)]


async def _talk(session: Desk, said: list[Utterance]) -> None:
    for utterance in said:
        await session.line.say(utterance)
        await asyncio.sleep(_PAUSE_S)


async def _round(said: list[Utterance], seconds: float) -> tuple[float, float]:
    """Measure the bare loop, then the session; gives both in ms a second."""
    bare = _Bare(_frames_of(said, seconds))
    bare_ms = await _cpu_ms_a_second(bare.run)
    async with desk() as session:

        async def work() -> None:
            await (_talk(session, said) if said else asyncio.sleep(seconds))

        session_ms = await _cpu_ms_a_second(work)
        with suppress(TimeoutError):
            await session.is_quiet()
    return bare_ms, session_ms


def measure_cpu(rounds: int, seconds: float) -> list[LocalCpu]:
    """
    Measure a caller who listens and one who talks.

    Args:
        rounds: How often each; the medians count.
        seconds: How long the listening one listens.
    """
    said = sentences()
    kinds: tuple[tuple[str, list[Utterance]], ...] = (("listening", []), ("talking", said))
    found: list[LocalCpu] = []
    for kind, spoken in kinds:
        measured = [asyncio.run(_round(spoken, seconds)) for _ in range(rounds)]
        bare_ms = median(bare for bare, _ in measured)
        session_ms = median(ours for _, ours in measured)
        found.append(LocalCpu(kind=kind, bare_ms=bare_ms, session_ms=session_ms))
    return found
