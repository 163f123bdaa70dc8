"""Engines of others that are late, stuck, cancelled or tell nothing: through the agent, as an application meets them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_core import (
    AssistantTurnEnd,
    ErrorEvent,
    Options,
    RealtimeError,
    ServerVAD,
    SessionClose,
    UserTranscript,
    new_agent_from_credential,
)
from realtime_core.agent import Agent
from realtime_core.testing.recorder import Recorder, push, say
from realtime_core.testing.speech import silence, speech_like
from realtime_local._understanding import UTTERANCE_LIMIT_S
from realtime_local._wire import ENGINE_SILENCE_LIMIT_S
from realtime_local.engines import Heard
from tests.local.chat_server import HELLO, serving
from tests.local.doubles import CREDENTIAL, RATE_HZ, Humming, Told

LIMIT = "realtime_local._understanding.UTTERANCE_LIMIT_S"


class Stuck:
    """Is stuck in what it hears first, until it is let."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()
        self.has_ended = threading.Event()
        self.asked = 0

    def recognise(self, pcm: bytes) -> Heard:
        self.asked += 1
        if self.asked == 1:
            self.has_begun.set()
            self.may_end.wait()
            self.has_ended.set()
        return Heard(text=f"utterance {self.asked}")


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    recogniser = Stuck()
    yield recogniser
    recogniser.may_end.set()


def agent_of(recorder: Recorder, recogniser: Any, replier: Told) -> Agent:
    engines = {
        "synthesiser": Humming(),
        "recogniser": lambda _: recogniser,
        "replier": replier,
    }
    options = Options(on_event=recorder, vendor=engines, vad=ServerVAD(silence_ms=1000))
    return new_agent_from_credential({"provider": "local"}, options)


async def turn(agent: Agent, recorder: Recorder, count: int) -> None:
    """Speak, and hear the end of the answer."""
    await say(agent, lambda: len(recorder.of(AssistantTurnEnd)) >= count)


async def stuck_turn(
    agent: Agent, recorder: Recorder, stuck: Stuck, patch: pytest.MonkeyPatch
) -> None:
    """Speak, and have it given up as soon as it is over."""
    await push(agent, silence(200, RATE_HZ) + speech_like(800, RATE_HZ) + silence(600, RATE_HZ))
    assert await asyncio.to_thread(stuck.has_begun.wait, 30)  # in the pause
    patch.setattr(LIMIT, 0.01)
    await push(agent, silence(600, RATE_HZ))
    await recorder.wait_for(AssistantTurnEnd)


def test_an_utterance_is_given_up_before_the_session_is() -> None:
    assert UTTERANCE_LIMIT_S < ENGINE_SILENCE_LIMIT_S


async def test_an_utterance_that_takes_too_long_is_answered_as_one_not_understood(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, replier = Recorder(), Told()
    async with agent_of(recorder, stuck, replier) as agent:
        with monkeypatch.context() as patch:
            await stuck_turn(agent, recorder, stuck, patch)
        (error,) = recorder.of(ErrorEvent)
        assert (error.fatal, error.error.kind) == (False, "stalled")
        assert "gave no answer within 0.01 s" in str(error.error)
        assert replier.requests[0].history[-1].text == ""

        stuck.may_end.set()
        assert stuck.has_ended.wait(30)
        await turn(agent, recorder, 2)
    (said,) = recorder.of(UserTranscript)
    assert said.text.startswith("utterance ")
    assert len(recorder.of(ErrorEvent)) == 1


async def test_a_recogniser_that_is_still_stuck_in_the_next_turn_ends_the_session(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    async with agent_of(recorder, stuck, Told()) as agent:
        await stuck_turn(agent, recorder, stuck, monkeypatch)
        monkeypatch.setattr("realtime_local._wire.ENGINE_SILENCE_LIMIT_S", 0.1)
        await say(agent, lambda: bool(recorder.of(SessionClose)))
    told, last = recorder.of(ErrorEvent)
    assert not told.fatal
    assert (last.fatal, last.error.kind) == (True, "stalled")


async def test_a_recogniser_whose_own_work_was_cancelled_has_failed() -> None:
    class Cancelled:
        def recognise(self, pcm: bytes) -> Heard:
            raise concurrent.futures.CancelledError

    recorder, replier = Recorder(), Told()
    async with agent_of(recorder, Cancelled(), replier) as agent:
        await turn(agent, recorder, 1)
    (error,) = recorder.of(ErrorEvent)
    assert not error.fatal
    assert "CancelledError" in str(error.error)
    assert replier.requests[0].history[-1].text == ""


@pytest.mark.parametrize("told", [None, "hello", Heard(text=None)])  # type: ignore[arg-type]
async def test_a_recogniser_that_tells_no_text_has_failed_once_and_not_for_ever(told: Any) -> None:
    answers = [told]

    class Wordless:
        def recognise(self, pcm: bytes) -> Any:
            return answers.pop() if answers else Heard(text="hello")

    recorder = Recorder()
    async with serving() as server:
        server.stream(HELLO)
        cfg = {**CREDENTIAL, "replier": "chat", "chatBaseUrl": server.url, "chatModel": "m"}
        options = Options(on_event=recorder, vendor={"recogniser": lambda _: Wordless()})
        async with new_agent_from_credential(cfg, options) as agent:
            await turn(agent, recorder, 1)
            await turn(agent, recorder, 2)
    (error,) = recorder.of(ErrorEvent)
    assert not error.fatal
    assert "expected one, empty where nothing was understood" in str(error.error)
    assert [end.status for end in recorder.of(AssistantTurnEnd)] == ["completed", "completed"]


async def test_a_slow_detector_whose_own_work_was_cancelled_ends_the_session() -> None:
    class Cancelled:
        frame_ms = 32
        is_slow = True
        frames_to_start = 2

        def is_speech(self, frame: bytes) -> bool:
            raise concurrent.futures.CancelledError

    recorder = Recorder()
    options = Options(on_event=recorder, vendor={"detector": Cancelled, "replier": Told()})
    async with new_agent_from_credential(CREDENTIAL, options) as agent:
        await agent.push_audio(bytes(2048))
        await recorder.wait_for(SessionClose)
    (error,) = recorder.of(ErrorEvent)
    assert error.fatal
    assert "the speech detector failed: CancelledError" in str(error.error)


async def test_a_voice_whose_own_work_was_cancelled_fails_the_reply_and_not_the_session() -> None:
    class Cancelled(Humming):
        def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
            raise concurrent.futures.CancelledError

    recorder = Recorder()
    options = Options(on_event=recorder, vendor={"synthesiser": Cancelled(), "replier": Told()})
    async with new_agent_from_credential(CREDENTIAL, options) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantTurnEnd)
        await agent.create_response()
        await recorder.wait_for(AssistantTurnEnd, 2)
    assert [end.status for end in recorder.of(AssistantTurnEnd)] == ["failed", "failed"]
    assert not any(error.fatal for error in recorder.of(ErrorEvent))


async def test_an_engine_that_is_cancelled_while_it_is_made_is_no_end_by_the_application() -> None:
    def cancelled(grammar: str | None) -> Any:
        raise asyncio.CancelledError

    options = Options(vendor={"recogniser": cancelled, "replier": Told()})
    agent = new_agent_from_credential(CREDENTIAL, options)
    with pytest.raises(RealtimeError, match="an engine was cancelled while it was made"):
        await agent.start()
