"""How events reach the application: by callback, or by iteration."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from realtime_core.delivery import QUEUE_LIMIT_MS
from realtime_core.errors import AgentStateError, ErrorKind
from realtime_core.events import AssistantAudio, ErrorEvent, Event, SessionClose

from .kit import CREATED, DONE, SETTLED, HoldingResampler, Line, audio, pcm, said, steps

TURN = [CREATED, said("Hi"), audio(b"\1\2"), audio(b"\3\4"), DONE]
KINDS = [
    "session.open",
    "assistant.text",
    "assistant.audio",
    "assistant.audio",
    "assistant.text",
    "assistant.turn.end",
    "session.close",
]


async def test_a_callback_gets_every_event_in_order() -> None:
    line = await Line().open()
    await line.say(*TURN)
    await line.agent.close()
    assert line.kinds == KINDS


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        pytest.param(
            asyncio.CancelledError(),  # as `future.result()` of a cancelled one raises
        ),
    ],
)
async def test_a_callback_that_raises_ends_nothing(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        raise error

    line = Line(on_event=on_event)
    await line.open()
    await line.say(*TURN)
    await line.agent.close()
    assert [event.type.value for event in events] == KINDS
    assert "on_event raised" in caplog.text
    line.assert_nothing_left()


async def test_a_callback_that_returns_an_awaitable_is_told_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        raise AssertionError("never run")

    line = Line(on_event=lambda _: work())
    await line.open()
    await line.agent.close()
    # pytest turns "never awaited" into an error.
    assert "returned an awaitable" in caplog.text


async def test_a_slow_callback_is_warned_about_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.delivery._SLOW_CALLBACK_S", 0.05)
    took = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: took.__setitem__(0, took[0] + 0.2) or took[0])
    line = await Line().open()
    await line.say(*TURN)
    await line.agent.close()
    warnings = [record for record in caplog.records if "keep it short" in record.message]
    assert len(warnings) == 1
    assert warnings[0].levelno == logging.WARNING
    assert "200 ms" in warnings[0].message


async def test_commands_given_by_a_callback_take_effect_behind_it() -> None:
    tasks: list[asyncio.Task[Any]] = []

    def on_event(event: Event) -> None:
        line.events.append(event)
        if event.type == "session.open":
            tasks.append(asyncio.create_task(line.agent.create_response("Greet.")))
        if event.type == "assistant.audio":
            tasks.append(asyncio.create_task(line.agent.cancel()))

    line = Line(on_event=on_event)
    await line.open()
    await line.say()
    assert line.sent == ["session.update", "response.create"]
    await line.say(line.created(), audio())
    assert line.sent[2:] == ["response.cancel"]
    await line.say(audio(), DONE)
    assert line.kinds == ["session.open", "assistant.audio"]
    line.clock.advance(0.15)  # nobody reported what was heard
    assert line.kinds[2:] == ["assistant.interrupted", "assistant.turn.end"]
    await asyncio.gather(*tasks)
    await line.agent.close()
    line.assert_nothing_left()


async def test_iteration_gives_every_event_and_ends_after_the_close() -> None:
    line = Line(listening=False)

    async def read() -> list[str]:
        return [event.type.value async for event in line.agent]

    early = asyncio.create_task(read())  # before the start
    await line.open()
    await line.say(*TURN)
    await line.agent.close()
    assert await early == KINDS


async def test_iteration_after_the_end_gives_what_was_not_fetched() -> None:
    line = await Line(listening=False).open()
    await line.say(*TURN)
    line.transport.end(1000)
    await steps(SETTLED)
    kinds = [event.type.value async for event in line.agent]
    assert kinds == [*KINDS[:-1], "error", "session.close"]
    assert [event async for event in line.agent] == []
    await line.agent.close()


async def test_close_drops_what_was_not_fetched_but_not_the_close() -> None:
    line = await Line(listening=False).open()
    await line.say(*TURN)
    await line.agent.close()
    assert [event.type.value async for event in line.agent] == ["session.close"]
    assert line.agent.stats.drops == {"undelivered": 6}


async def test_iteration_of_an_agent_that_never_opened_ends() -> None:
    line = Line(listening=False)
    line.transport.end(1011)
    read = asyncio.create_task(anext(aiter(line.agent), None))
    with pytest.raises(Exception, match="1011"):
        await line.agent.start()
    assert await read is None
    line = Line(listening=False)
    await line.agent.close()
    assert [event async for event in line.agent] == []


async def test_iterating_beside_a_callback_is_refused() -> None:
    line = Line()
    with pytest.raises(AgentStateError, match="on_event"):
        aiter(line.agent)


async def test_an_interruption_overtakes_audio_that_was_not_fetched() -> None:
    line = await Line(listening=False).open()
    await line.say(CREATED, said("Hi"), audio(), audio())
    await line.say({"type": "input_audio_buffer.speech_started", "item_id": "U1"})
    await line.say(audio(), DONE)
    line.clock.advance(0.15)  # nobody reported what was heard
    await line.agent.cancel()
    line.transport.end(1000)
    kinds = [event.type.value async for event in line.agent]
    assert kinds == [
        "session.open",
        "assistant.text",
        "user.speech.started",
        "assistant.text",
        "assistant.interrupted",
        "assistant.turn.end",
        "error",
        "session.close",
    ]


async def test_ten_minutes_of_audio_nobody_fetches_end_the_session() -> None:
    line = await Line(listening=False).open()
    minute = audio(pcm(60_000))
    await line.say(CREATED, *[minute] * 10)
    assert line.agent.stats.drops == {}
    await line.say(minute)
    events = [event async for event in line.agent]
    heard = sum(len(event.audio) for event in events if isinstance(event, AssistantAudio))
    assert heard == QUEUE_LIMIT_MS * 48
    assert [event.type.value for event in events[-3:]] == [
        "error",
        "assistant.turn.end",
        "session.close",
    ]
    (fatal,) = [event for event in events if isinstance(event, ErrorEvent)]
    assert fatal.fatal
    assert fatal.error.kind is ErrorKind.OVERFLOW
    assert line.agent.stats.drops == {"undelivered": 1}
    line.assert_nothing_left()


async def test_fetching_makes_room() -> None:
    line = await Line(listening=False).open()
    minute = audio(pcm(60_000))
    fetched = 0

    async def read() -> None:
        nonlocal fetched
        async for event in line.agent:
            fetched += isinstance(event, AssistantAudio)

    reader = asyncio.create_task(read())
    await line.say(CREATED)
    for _ in range(25):
        await line.say(minute)
    assert fetched == 25
    await line.agent.close()
    await reader


async def test_audio_of_an_item_is_whole_whatever_the_resampler_holds() -> None:
    line = await Line(output_sample_rate=8000).open()
    end = {"type": "response.output_audio.done", "response_id": "R1", "item_id": "A1"}
    await line.say(CREATED, audio(b"\1\1\2\2"), audio(b"\3\3"), end, DONE)
    pieces = [event.audio for event in line.events if isinstance(event, AssistantAudio)]
    assert b"".join(pieces) == b"\1\1\2\2\3\3"
    await line.agent.close()


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed", "incomplete"])
async def test_a_reply_never_begins_with_the_rest_of_another(status: str) -> None:
    line = await Line(output_sample_rate=8000).open()
    end = {"type": "response.done", "response": {"id": "R1", "status": status}}
    await line.say(CREATED, audio(b"\1\1\2\2"), end)
    await line.say({"type": "response.created", "response": {"id": "R2"}})
    await line.say(audio(b"\3\3\4\4", reply="R2", item="A2"))
    second = [e for e in line.events if isinstance(e, AssistantAudio) and e.response_id == "R2"]
    assert b"".join(event.audio for event in second) == b"\3\3"
    await line.agent.close()


async def test_an_item_never_begins_with_the_rest_of_another() -> None:
    line = await Line(output_sample_rate=8000).open()
    await line.say(CREATED, audio(b"\1\1\2\2", item="A1"), audio(b"\3\3\4\4", item="A2"), DONE)
    heard: dict[str | None, bytes] = {}
    for event in line.events:
        if isinstance(event, AssistantAudio):
            heard[event.item_id] = heard.get(event.item_id, b"") + event.audio
    assert heard == {"A1": b"\1\1\2\2", "A2": b"\3\3\4\4"}
    await line.agent.close()


async def test_a_cut_reply_leaves_nothing_in_the_resampler() -> None:
    line = await Line(output_sample_rate=8000).open()
    await line.say(CREATED, audio(b"\1\1\2\2"))
    await line.agent.cancel()
    await line.say(audio(b"\5\5\5\5"), DONE, {"type": "response.created", "response": {"id": "R2"}})
    await line.say(audio(b"\3\3\4\4", reply="R2"))
    last = line.events[-1]
    assert isinstance(last, AssistantAudio)
    assert last.audio == b"\3\3"
    resampler = line.agent._downlink.resampler
    assert isinstance(resampler, HoldingResampler)
    assert resampler.held == b"\4\4"
    await line.agent.close()


async def test_a_bug_in_the_resampler_ends_the_session_loudly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = await Line(output_sample_rate=8000).open()

    def broken(self: object, pcm: bytes) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(HoldingResampler, "process", broken)
    await line.say(CREATED, audio())
    assert line.kinds == ["session.open", "error", "assistant.turn.end", "session.close"]
    assert isinstance(line.events[-1], SessionClose)
    line.assert_nothing_left()


async def test_the_figures_of_a_turn() -> None:
    line = await Line().open()
    stopped = {"type": "input_audio_buffer.speech_stopped", "item_id": "U1"}
    await line.agent.push_audio(pcm(40))
    await line.say(stopped)
    line.clock.advance(0.25)
    usage = {"input_tokens": 10, "output_tokens": 5}
    end = {"type": "response.done", "response": {"id": "R1", "usage": usage}}
    await line.say(CREATED, audio(pcm(20)), audio(pcm(20)), end, {"type": "vendor.news"})
    await line.agent.close()
    stats = line.agent.stats
    assert (stats.audio_in_ms, stats.audio_out_ms) == (40, 40)
    assert (stats.audio_in_samples, stats.audio_out_samples) == (960, 960)
    assert stats.last_response_latency_ms == 250
    assert stats.turns == 1
    assert stats.usage.input_tokens == 10
    assert stats.frames_received == 8
    assert stats.frames_ignored == 1
    assert stats.frames_sent == 2
    assert stats.events == len(line.events)
    assert stats.time_to_session_ms == 0
    assert stats.drops == {}
