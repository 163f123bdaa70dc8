"""Engines that fail, dawdle or are stopped: through the agent, as an application meets them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ConfigError,
    ErrorEvent,
    Event,
    Options,
    SemanticVAD,
    ServerVAD,
    SessionClose,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.agent import Agent
from realtime_core.testing.recorder import Recorder, push, say
from realtime_core.testing.speech import silence, speech_like
from realtime_local.engines import Heard
from tests.local.doubles import RATE_HZ, Deaf, Humming, Told


def agent_of(
    recorder: Callable[[Event], None], options: Options | None = None, **engines: Any
) -> Agent:
    parts: dict[str, Any] = {
        "synthesiser": Humming(),
        "recogniser": Deaf,
        "replier": Told(),
        **engines,
    }
    options = options or Options()
    changed = Options(
        on_event=recorder,
        vendor=parts,
        vad=options.vad,
        disable_server_vad=options.disable_server_vad,
    )
    return new_agent_from_credential({"provider": "local"}, changed)


class Failing:
    """Fails whatever it is asked."""

    name = "failing"
    sample_rate_hz = RATE_HZ
    frame_ms = 20
    is_slow = False
    frames_to_start = 3

    def __init__(self, *_: object) -> None: ...

    def recognise(self, pcm: bytes) -> Heard:
        raise RuntimeError("no words")

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        yield speech_like(20, RATE_HZ)
        raise RuntimeError("no voice")

    def is_speech(self, frame: bytes) -> bool:
        raise RuntimeError("no ear")


async def test_a_recogniser_that_fails_is_told_and_the_turn_is_answered_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder, replier = Recorder(), Told()
    async with agent_of(recorder, recogniser=Failing, replier=replier) as agent:
        await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
    (error,) = recorder.of(ErrorEvent)
    assert not error.fatal
    assert "RuntimeError" in str(error.error)
    assert replier.requests[0].history[-1].text == ""
    assert "no words" in caplog.text


async def test_a_voice_that_fails_fails_the_reply_and_not_the_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder()
    async with agent_of(recorder, synthesiser=Failing()) as agent:
        await agent.create_response()
        end = await recorder.wait_for(AssistantTurnEnd)
        assert end.status == "failed"
        await agent.create_response()
        await recorder.wait_for(AssistantTurnEnd, 2)
    assert not any(error.fatal for error in recorder.of(ErrorEvent))
    assert "no voice" in caplog.text


async def test_a_replier_that_fails_is_apologised_for_aloud(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Mute(Told):
        def reply(self, request: object) -> Any:
            raise RuntimeError("no idea")

    recorder = Recorder()
    async with agent_of(recorder, replier=Mute()) as agent:
        await agent.create_response()
        end = await recorder.wait_for(AssistantTurnEnd)
    assert end.status == "failed"
    assert [text.text for text in recorder.of(AssistantText) if text.final] == ["Sorry."]
    assert recorder.of(AssistantAudio)
    assert len(recorder.of(ErrorEvent)) == 1
    assert "no idea" in caplog.text


async def test_a_detector_that_fails_ends_the_session_and_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder()
    async with agent_of(recorder, detector=Failing) as agent:
        await agent.push_audio(bytes(640))
        await recorder.wait_for(SessionClose)
    (error,) = recorder.of(ErrorEvent)
    assert error.fatal
    assert "detector" in str(error.error)
    assert "no ear" in caplog.text


class Slow:
    """A detector that is judged off the loop: hears what is loud."""

    frame_ms = 32
    is_slow = True
    frames_to_start = 2
    threads: set[int] = set()  # noqa: RUF012 - of all of them

    def is_speech(self, frame: bytes) -> bool:
        self.threads.add(threading.get_ident())
        return any(frame)


async def test_a_slow_detector_judges_off_the_event_loop() -> None:
    recorder = Recorder()
    Slow.threads.clear()
    async with agent_of(recorder, detector=Slow) as agent:
        await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
    assert Slow.threads
    assert threading.get_ident() not in Slow.threads
    (started,) = recorder.of(UserSpeechStarted)
    assert started.at_ms is not None
    assert abs(started.at_ms - 200) <= 32


class Endless(Humming):
    """Speaks until it is stopped."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        try:
            while True:
                yield speech_like(100, RATE_HZ)
        finally:
            self.stopped.set()


@pytest.mark.parametrize("how", ["speech", "cancel", "close"])
async def test_the_voice_is_stopped_in_mid_sentence(how: str) -> None:
    recorder, voice = Recorder(), Endless()
    async with agent_of(recorder, synthesiser=voice) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantAudio)
        if how == "cancel":
            await agent.cancel()
        elif how == "speech":
            await push(agent, silence(200, RATE_HZ) + speech_like(300, RATE_HZ))
            await recorder.wait_for(UserSpeechStarted)
        else:
            await agent.close()
        assert await asyncio.to_thread(voice.stopped.wait, 5)


async def test_closing_frees_the_replier_and_the_threads() -> None:
    before = threading.active_count()
    replier = Told()
    async with agent_of(Recorder(), replier=replier) as agent:
        await agent.create_response()
    assert replier.closed
    for _ in range(100):
        if threading.active_count() <= before:
            break
        await asyncio.sleep(0.02)
    assert threading.active_count() <= before


async def test_a_missing_engine_refuses_the_start_and_leaves_nothing() -> None:
    def missing(grammar: str | None) -> Any:
        raise ConfigError("recogniser: install it")

    recorder = Recorder()
    agent = agent_of(recorder, recogniser=missing)
    with pytest.raises(ConfigError, match="install it"):
        await agent.start()
    assert recorder.events == []


@pytest.mark.parametrize(
    ("credential", "options", "expected"),
    [
        ({"replier": "nonsense"}, Options(), "credential.replier"),
        ({"script": "/nowhere/x.toml"}, Options(), "x.toml"),
        ({"replier": "chat", "chatBaseUrl": "http://127.0.0.1:1/v1"}, Options(), "chatModel"),
        ({"detector": "no.such:thing"}, Options(), "credential.detector"),
        ({}, Options(vad=SemanticVAD()), "semantic"),
        ({}, Options(vad=ServerVAD(idle_timeout_ms=5000)), "idle timeout"),
        ({}, Options(vendor={"ear": 1}), "Options.vendor"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    credential: dict[str, Any], options: Options, expected: str
) -> None:
    cfg = {"provider": "local", "synthesiser": "tests.local.doubles:Humming", **credential}
    with pytest.raises(ConfigError, match=expected):
        new_agent_from_credential(cfg, options)
