"""Engines that fail, dawdle or are stopped: through the agent, as an application meets them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import numpy as np
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
    UserSpeechEnded,
    UserSpeechStarted,
    new_agent_from_credential,
)
from realtime_core.agent import Agent
from realtime_core.testing.recorder import Recorder, push, say
from realtime_core.testing.speech import silence, speech_like
from realtime_local.engines import CallTool, Heard, Say, SynthesisError, TurnRequest
from tests.local.doubles import RATE_HZ, Deaf, Humming, Told
from tests.local.sounds import needs_espeak_library, needs_flite


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


class NoRate(Humming):
    """Says no rate."""

    sample_rate_hz: Any = "16000"


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


async def test_a_replier_whose_own_work_is_cancelled_has_failed() -> None:
    class Cancelling(Told):
        async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
            work = asyncio.ensure_future(asyncio.sleep(10))
            work.cancel()
            await work
            yield Say(text="never")

    recorder = Recorder()
    async with agent_of(recorder, replier=Cancelling()) as agent:
        await agent.create_response()
        end = await recorder.wait_for(AssistantTurnEnd)
    assert end.status == "failed"
    assert [text.text for text in recorder.of(AssistantText) if text.final] == ["Sorry."]


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


async def test_the_words_of_a_speech_engine_that_failed_are_told() -> None:
    class Hoarse(Humming):
        def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
            raise SynthesisError("hoarse: no such voice")

    recorder = Recorder()
    async with agent_of(recorder, synthesiser=Hoarse()) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantTurnEnd)
    assert str(recorder.of(ErrorEvent)[0].error) == "hoarse: no such voice"


@pytest.mark.parametrize(
    "engine",
    [
        pytest.param("flite", marks=needs_flite),
        pytest.param("espeak-library", marks=needs_espeak_library),
    ],
)
def test_a_voice_that_is_not_there_refuses_the_start(engine: str) -> None:
    cfg = {"provider": "local", "synthesiser": engine, "recogniser": "tests.local.doubles:Deaf"}
    agent = new_agent_from_credential(cfg, Options(voice="alloy"))
    with pytest.raises(ConfigError, match="voice 'alloy' cannot be used: "):
        asyncio.run(agent.start())


class Giving(Humming):
    """Gives what it is told to."""

    def __init__(self, *chunks: Any) -> None:
        self.chunks = chunks

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        return iter(self.chunks)


WORD = speech_like(60, RATE_HZ)


async def test_a_voice_may_block_before_it_gives_an_iterator() -> None:
    class Blocking(Humming):
        threads: set[int] = set()  # noqa: RUF012 - of all of them

        def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
            self.threads.add(threading.get_ident())
            return iter([WORD])

    recorder = Recorder()
    async with agent_of(recorder, synthesiser=Blocking()) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantTurnEnd)
    assert Blocking.threads
    assert threading.get_ident() not in Blocking.threads


@pytest.mark.parametrize("rate_hz", [RATE_HZ, 24000])
@pytest.mark.parametrize(
    "chunks",
    [
        [WORD[:3], b"", WORD[3:10], WORD[10:]],
        [WORD, b"x"],
        [bytearray(WORD)],
        [memoryview(WORD)],
        [np.frombuffer(WORD, dtype="<i2")],
        [WORD[at : at + 1] for at in range(len(WORD))],
    ],
)
async def test_audio_is_taken_in_chunks_of_any_length(chunks: list[Any], rate_hz: int) -> None:
    recorder = Recorder()
    options = Options(
        on_event=recorder,
        output_sample_rate=rate_hz,
        vendor={"synthesiser": Giving(*chunks), "recogniser": Deaf, "replier": Told()},
    )
    async with new_agent_from_credential({"provider": "local"}, options) as agent:
        await agent.create_response()
        assert (await recorder.wait_for(AssistantTurnEnd)).status == "completed"
    heard = b"".join(audio.audio for audio in recorder.of(AssistantAudio))
    assert len(heard) == 2 * len(WORD) * rate_hz // RATE_HZ  # two sentences
    if rate_hz == RATE_HZ:
        assert heard == 2 * WORD


@pytest.mark.parametrize("chunk", [np.zeros(9, dtype=np.float32), None, "abc", 5])
async def test_what_is_no_audio_fails_the_reply(chunk: Any) -> None:
    recorder = Recorder()
    async with agent_of(recorder, synthesiser=Giving(chunk)) as agent:
        await agent.create_response()
        assert (await recorder.wait_for(AssistantTurnEnd)).status == "failed"
    assert [error.fatal for error in recorder.of(ErrorEvent)] == [False]


async def test_a_sentence_in_one_chunk_is_cut() -> None:
    recorder = Recorder()
    async with agent_of(recorder, synthesiser=Giving(WORD * 20)) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantTurnEnd)
    assert max(len(audio.audio) for audio in recorder.of(AssistantAudio)) <= 48 * 200


@pytest.mark.parametrize("part", ["detector", "recogniser"])
async def test_what_a_factory_made_is_checked_at_the_start(part: str) -> None:
    with pytest.raises(ConfigError, match=rf"\['{part}'\]: expected an object with .*str has no"):
        await agent_of(Recorder(), None, **{part: lambda *_: "nothing"}).start()

    def broken(*_: object) -> Any:
        raise KeyError("a secret")

    with pytest.raises(ConfigError, match=r"its factory failed: KeyError$"):
        await agent_of(Recorder(), None, **{part: broken}).start()


async def test_replies_in_text_alone_are_not_spoken_and_remembered_whole() -> None:
    recorder, replier = Recorder(), Told()
    engines = {"replier": replier, "recogniser": Deaf}
    options = Options(on_event=recorder, modalities=["text"], vendor=engines)
    cfg = {"provider": "local", "synthesiser": "no.such:voice"}  # none is looked for
    async with new_agent_from_credential(cfg, options) as agent:
        replier.hold = True
        await agent.send_text("hello")
        await recorder.wait_for(AssistantText, 2)
        await agent.cancel()
        await agent.send_text("and now?")
        await recorder.wait_for(AssistantTurnEnd, 2)
    assert not recorder.of(AssistantAudio)
    cut, whole = (text.text for text in recorder.of(AssistantText) if text.final)
    assert cut.startswith("This is what I have to say about that. And")
    assert whole == "This is what I have to say about that. Thank you."
    assert replier.requests[1].history[1].text == cut


async def test_a_voice_waits_for_a_loop_that_is_busy() -> None:
    class Counting(Humming):
        given = 0

        def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
            for _ in range(500):
                self.given += 1
                yield speech_like(20, RATE_HZ)

    recorder, voice = Recorder(), Counting()
    most = 0

    def look(event: Event) -> None:
        nonlocal most
        if isinstance(event, AssistantAudio):
            most = max(most, voice.given - len(recorder.of(AssistantAudio)))

    recorder.also = look
    async with agent_of(recorder, synthesiser=voice) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantAudio, 500)
    assert most <= 20


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


class Held(Slow):
    """Judges nothing before it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.asked = threading.Event()

    def is_speech(self, frame: bytes) -> bool:
        self.asked.set()
        self.may.wait(30)
        return any(frame)


async def test_clearing_waits_for_the_frames_that_are_being_judged() -> None:
    recorder, detector, replier = Recorder(), Held(), Told()
    async with agent_of(recorder, detector=lambda: detector, replier=replier) as agent:
        await agent.push_audio(speech_like(320, RATE_HZ))
        assert await asyncio.to_thread(detector.asked.wait, 30)
        await agent.push_audio(speech_like(320, RATE_HZ))
        await agent.clear_input_audio()
        detector.may.set()
        await recorder.wait_for(UserSpeechEnded)
        assert not replier.requests
        await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
    assert len(recorder.of(UserSpeechStarted)) == len(recorder.of(UserSpeechEnded)) == 2
    assert len(replier.requests) == 1


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


class Response:
    """An iterator that is no generator, such as the answer of a server."""

    def __init__(self, voice: Endless) -> None:
        self.close = voice.stopped.set

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return speech_like(100, RATE_HZ)


class EndlessResponse(Endless):
    """Speaks without a generator."""

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        return Response(self)


@pytest.mark.parametrize("kind", [Endless, EndlessResponse])
@pytest.mark.parametrize("how", ["speech", "cancel", "close"])
async def test_the_voice_is_stopped_in_mid_sentence(how: str, kind: type[Endless]) -> None:
    recorder, voice = Recorder(), kind()
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
        assert await asyncio.to_thread(voice.stopped.wait, 30)


async def test_closing_frees_the_replier_and_the_threads() -> None:
    before = threading.active_count()
    replier = Told()
    async with agent_of(Recorder(), replier=replier) as agent:
        await agent.create_response()
    assert replier.closed
    for _ in range(1500):
        if threading.active_count() <= before:
            break
        await asyncio.sleep(0.02)
    assert threading.active_count() <= before


async def test_a_reply_that_will_not_end_keeps_nobody_from_closing() -> None:
    class Stubborn(Told):
        ended = asyncio.Event()

        async def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
            yield Say(text="And another thing.")
            while not self.ended.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await self.ended.wait()

    before = threading.active_count()
    recorder, replier = Recorder(), Stubborn()
    async with agent_of(recorder, replier=replier) as agent:
        await agent.create_response()
        await recorder.wait_for(AssistantAudio)
    assert replier.closed
    replier.ended.set()
    for _ in range(1500):
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
        ({"replier": "parot"}, Options(), "credential.replier: expected script, chat, parrot or a"),
        (
            {"replier": "os:getcwd"},
            Options(),
            "'os:getcwd': expected an object with reply, phrases",
        ),
        ({"replier": "math:sqrt"}, Options(), "'math:sqrt': its factory failed: TypeError"),
        ({"script": " "}, Options(), "credential.script: expected the path of a file, or"),
        ({"synthesiser": "flit"}, Options(), "credential.synthesiser: expected flite, espeak-ng"),
        ({"synthesiser": "math:pi"}, Options(), "'math:pi': expected a factory"),
        ({"synthesiser": f"{__name__}:NoRate"}, Options(), "as its sample_rate_hz"),
        ({"detector": "webrt"}, Options(), "credential.detector: expected webrtc, silero or a"),
        ({"detector": "math:pi"}, Options(), "expected a factory, called once a session"),
        ({"recogniser": "sphinx"}, Options(), "credential.recogniser: expected a name like"),
        ({}, Options(vendor={"replier": 42}), r"vendor\['replier'\]: expected an object with"),
        ({}, Options(vendor={"synthesiser": 42}), r"vendor\['synthesiser'\]: expected an object"),
        ({}, Options(vendor={"detector": 42}), r"vendor\['detector'\]: expected a factory"),
        ({}, Options(vendor={"recogniser": "x"}), r"vendor\['recogniser'\]: expected a factory"),
        ({}, Options(vad=ServerVAD(threshold=0.5)), "threshold: expected 0, 1, 2 or 3"),
        ({"detector": "silero"}, Options(vad=ServerVAD(threshold=2)), "between 0 and 1"),
        ({}, Options(vad=ServerVAD(silence_ms=0)), "silence_ms: expected 100 to 10000"),
        ({}, Options(vad=ServerVAD(silence_ms=40_000)), "silence_ms: expected 100 to 10000"),
        ({}, Options(vad=ServerVAD(prefix_padding_ms=6000)), "prefix_padding_ms: expected 0 to"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    credential: dict[str, Any], options: Options, expected: str
) -> None:
    cfg = {"provider": "local", "synthesiser": "tests.local.doubles:Humming", **credential}
    with pytest.raises(ConfigError, match=expected):
        new_agent_from_credential(cfg, options)
