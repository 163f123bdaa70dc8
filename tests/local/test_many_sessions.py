"""Twenty sessions of the model in the box in one process: each gets its own answers, and nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantTurnEnd,
    Options,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.testing.recorder import Recorder, push, say
from realtime_core.testing.speech import silence, speech_like
from realtime_local.flite import FliteSynthesiser
from tests.local.doubles import RATE_HZ, Deaf, Humming, Told
from tests.local.sounds import children_of, needs_flite

SESSIONS = 20


def children() -> set[int]:
    """Processes that this one started and that are not reaped yet."""
    return set(children_of(os.getpid()))


async def conversation(number: int) -> Told:
    """Two turns, a barge-in, and in every second session an end in the middle of a reply."""
    recorder, replier = Recorder(), Told()
    engines = {"synthesiser": Humming(), "recogniser": Deaf, "replier": replier}
    options = Options(on_event=recorder, vendor=engines)
    async with new_agent_from_credential({"provider": "local"}, options) as agent:
        await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)), speech_ms=400)
        await agent.send_text(f"I am number {number}.")
        await recorder.wait_for(AssistantTurnEnd, 2)
        await push(agent, silence(200, RATE_HZ) + speech_like(300, RATE_HZ))
        await recorder.wait_for(UserSpeechStarted, 2)
        if number % 2:
            await agent.create_response()
    assert replier.closed
    return replier


async def run_all() -> list[Told]:
    return await asyncio.gather(*(conversation(number) for number in range(SESSIONS)))


async def settled(reached: Callable[[], bool]) -> bool:
    for _ in range(1500):
        if reached():
            return True
        await asyncio.sleep(0.02)
    return False


async def test_twenty_sessions_at_once_leave_no_task_no_thread_and_no_process() -> None:
    threads, tasks = threading.active_count(), asyncio.all_tasks()
    repliers = await run_all()
    for number, replier in enumerate(repliers):
        said = [line.text for line in replier.requests[1].history if line.role == "user"]
        assert said[-1] == f"I am number {number}."
        assert len(said) == 2
    assert await settled(lambda: threading.active_count() <= threads)
    assert await settled(lambda: asyncio.all_tasks() <= tasks)


@pytest.fixture
def flite() -> FliteSynthesiser:
    return FliteSynthesiser()


@needs_flite
async def test_sessions_that_end_in_mid_sentence_leave_no_process(flite: FliteSynthesiser) -> None:
    async def cut_short() -> None:
        recorder = Recorder()
        engines = {"replier": Told(), "recogniser": Deaf, "synthesiser": flite}
        options = Options(on_event=recorder, vendor=engines)
        async with new_agent_from_credential({"provider": "local"}, options) as agent:
            await agent.create_response()
            await recorder.wait_for(AssistantAudio)

    before = await asyncio.to_thread(children)
    await asyncio.gather(*(cut_short() for _ in range(5)))
    left = before
    for _ in range(1500):
        left = await asyncio.to_thread(children)
        if left <= before:
            break
        await asyncio.sleep(0.02)
    assert left <= before


def kept() -> int:
    """How many objects of ours there are."""
    gc.collect()
    return sum(str(type(each).__module__).startswith("realtime_") for each in gc.get_objects())


async def test_nothing_is_kept_of_sessions_that_were() -> None:
    threads = threading.active_count()

    async def all_over() -> None:
        await run_all()
        # A thread that comes to its end holds what it worked for.
        assert await settled(lambda: threading.active_count() <= threads)

    await all_over()
    first = kept()
    await all_over()
    assert await settled(lambda: kept() <= first + SESSIONS)  # some are kept once, for all
