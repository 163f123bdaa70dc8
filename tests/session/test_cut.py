"""A cut reply is silent at once, whoever listens and whatever was fetched."""

from __future__ import annotations

import logging

import pytest

from realtime_core.events import AssistantAudio, ErrorEvent, Event, Interrupted
from realtime_core.playout import Playout

from .kit import CANCELLED, CREATED, DONE, Line, audio, pcm

SPEECH = {"type": "input_audio_buffer.speech_started", "item_id": "U1"}


def fails() -> None:
    raise RuntimeError("the sound card is gone")


async def test_a_listener_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    line = await Line().open()
    told: list[str] = []
    line.agent.on_cut(fails)
    line.agent.on_cut(lambda: told.append("cut"))
    await line.say(CREATED, audio(pcm(500)), SPEECH, CANCELLED)
    line.clock.advance(0.2)
    assert line.kinds == [
        "session.open",
        "assistant.audio",
        "user.speech.started",
        "assistant.interrupted",
        "assistant.turn.end",
    ]
    assert told == ["cut"]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage() == "[test S1] a listener of on_cut raised; the session goes on"
    assert record.exc_info is not None
    await line.agent.close()


async def test_a_listener_that_raises_is_nothing_to_whoever_cancels() -> None:
    line = await Line().open()
    line.agent.on_cut(fails)
    await line.say(CREATED, audio(pcm(500)))
    await line.agent.cancel()
    await line.say(CANCELLED)
    line.clock.advance(0.2)
    assert line.kinds[-2:] == ["assistant.interrupted", "assistant.turn.end"]
    await line.agent.close()


async def test_what_is_to_be_done_behind_a_step_that_raises_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = await Line().open()
    await line.say(CREATED, audio(pcm(500)))
    with monkeypatch.context() as broken:
        broken.setattr(line.agent, "tell_cut", lambda *_: fails())
        with pytest.raises(RuntimeError, match="sound card"):
            await line.agent.cancel(played_ms=100)
    await line.say(CANCELLED)
    (cut,) = [event for event in line.events if isinstance(event, Interrupted)]
    assert (cut.heard_ms, line.kinds[-1]) == (100, "assistant.turn.end")
    assert not [event for event in line.events if isinstance(event, ErrorEvent)]
    await line.agent.close()


@pytest.mark.parametrize("chunks", [1, 3])
async def test_audio_that_was_fetched_before_the_cut_is_not_played(chunks: int) -> None:
    line = await Line(listening=False).open()
    playout = Playout(line.agent)
    await line.say(CREATED, *[audio(pcm(100, value=5))] * chunks)
    events = aiter(line.agent)
    fetched: list[Event] = []
    while len(fetched) < chunks:
        event = await anext(events)
        if isinstance(event, AssistantAudio):
            fetched.append(event)
    for event in fetched[:-1]:
        playout.feed(event)
    await line.agent.cancel()  # while the application awaits something else
    playout.feed(fetched[-1])
    assert (playout.buffered_ms, set(playout.read())) == (0, {0})
    await line.say(CANCELLED)
    cut = await anext(events)
    assert isinstance(cut, Interrupted)
    assert (cut.heard_ms, cut.cut_ms) == (0, 100 * chunks)  # the output side has said so
    playout.feed(cut)
    # The next reply is heard.
    await line.say({"type": "response.created", "response": {"id": "R2"}})
    await line.say(audio(pcm(40, value=5), "R2", "A2"))
    while not isinstance(event := await anext(events), AssistantAudio):
        playout.feed(event)
    playout.feed(event)
    assert playout.buffered_ms == 40
    await line.agent.close()


async def test_a_reply_that_was_only_heard_is_stale_when_it_is_cut() -> None:
    line = await Line().open()
    await line.say(CREATED, audio(pcm(500)), DONE)
    assert not line.agent.was_cut("R1")
    await line.say(SPEECH)
    assert line.agent.was_cut("R1")
    assert not line.agent.was_cut("R2")
    assert not line.agent.was_cut(None)
    await line.agent.close()


async def test_replies_without_an_id_are_never_taken_for_stale() -> None:
    line = await Line().open()
    await line.say({"type": "response.created", "response": {}})
    await line.say({"type": "response.output_audio.delta", "delta": "AAAA"}, SPEECH)
    assert not line.agent.was_cut(None)
    await line.agent.close()
