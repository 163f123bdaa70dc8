"""The caller's audio on its way out: held, queued, dropped, waited with; and commands among it."""

from __future__ import annotations

import array
import asyncio
import json
from base64 import b64decode
from typing import Any

import pytest

from realtime_core.errors import AgentClosedError, ConfigError, ErrorKind
from realtime_core.events import ErrorEvent

from .kit import CREATED, GREETING, SETTLED, UPDATED, Line, audio, pcm, steps


def heard(line: Line) -> list[int]:
    """The value each frame of audio is filled with, in the order sent."""
    frames = [json.loads(frame) for frame in line.transport.sent]
    appended = [frame["audio"] for frame in frames if frame["type"] == "input_audio_buffer.append"]
    return [int.from_bytes(b64decode(each)[:2], "little") for each in appended]


def audio_of(line: Line) -> bytes:
    frames = [json.loads(frame) for frame in line.transport.sent]
    return b"".join(b64decode(frame["audio"]) for frame in frames if "audio" in frame)


def drop_notes(line: Line) -> list[ErrorEvent]:
    found = [event for event in line.events if isinstance(event, ErrorEvent)]
    assert all(event.error.kind is ErrorKind.OVERFLOW and not event.fatal for event in found)
    return found


async def push(line: Line, *values: int, ms: int = 20) -> None:
    for value in values:
        await line.agent.push_audio(pcm(ms, value=value))


async def test_audio_is_on_the_wire_before_push_returns() -> None:
    line = await Line().open()
    push_now = line.agent.push_audio(pcm(20, value=7))
    with pytest.raises(StopIteration):
        push_now.send(None)
    assert heard(line) == [7]
    await line.agent.close()


@pytest.mark.parametrize("size", [1, 3, 961])
async def test_half_a_sample_is_refused_by_its_size(size: int) -> None:
    line = Line()
    for chunk in (bytes(size), bytearray(size), memoryview(bytes(size))):
        with pytest.raises(ConfigError, match=f"got {size} bytes"):
            await line.agent.push_audio(chunk)
    await line.open()
    with pytest.raises(ConfigError, match=f"got {size} bytes"):
        await line.agent.push_audio(bytes(size))
    assert line.sent == ["session.update"]
    await line.agent.close()


@pytest.mark.parametrize("value", [None, "audio", 7, [1, 2], array.array("h", [1])])
async def test_what_is_no_bytes_is_refused(value: Any) -> None:
    line = await Line().open()
    with pytest.raises(TypeError, match="expected bytes"):
        await line.agent.push_audio(value)
    await line.agent.close()


async def test_nothing_is_ignored() -> None:
    line = await Line().open()
    await line.agent.push_audio(b"")
    assert line.sent == ["session.update"]
    await line.agent.close()


@pytest.mark.parametrize("chunk_ms", [1, 20, 200, 201, 5000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_any_length_arrives_whole_and_in_pieces_the_vendor_likes(
    chunk_ms: int, kind: Any
) -> None:
    line = await Line().open()
    sound = bytes(range(256)) * (chunk_ms * 48 // 256 + 1)
    sound = sound[: chunk_ms * 48]
    await line.agent.push_audio(kind(sound))
    assert audio_of(line) == sound
    assert max(map(len, line.transport.sent[1:])) < 200 * 48 * 4 / 3 + 100
    await line.agent.close()


async def test_samples_of_an_array_are_counted_as_samples() -> None:
    line = await Line(disable_server_vad=True).open()
    samples = array.array("h", pcm(150, value=7))
    await line.agent.push_audio(memoryview(samples))
    await line.agent.commit_input_audio()
    assert audio_of(line) == samples.tobytes()
    assert line.sent[-2:] == ["input_audio_buffer.commit", "response.create"]
    await line.agent.close()


async def test_the_buffer_may_be_reused_after_push() -> None:
    line = await Line().open()
    line.transport.congested = True
    buffer = bytearray(pcm(20, value=1))
    for value in (1, 2, 3):
        buffer[:] = pcm(20, value=value)
        await line.agent.push_audio(buffer)
    line.transport.relieve()
    await steps(SETTLED)
    assert heard(line) == [1, 2, 3]
    await line.agent.close()


async def test_audio_pushed_while_starting_is_held_and_sent_when_open() -> None:
    line = Line()
    line.transport.hold_connect()
    start = asyncio.create_task(line.agent.start())
    await steps(2)
    await push(line, 1, 2)
    line.transport.allow_connect()
    line.transport.feed(GREETING)
    await steps(SETTLED)
    await push(line, 3)
    assert line.sent == ["session.update"]
    line.transport.feed(UPDATED)
    await start
    await push(line, 4)
    await steps(SETTLED)
    assert heard(line) == [1, 2, 3, 4]
    assert drop_notes(line) == []
    await line.agent.close()


async def test_what_is_held_while_starting_is_bounded_and_its_loss_told_at_the_opening() -> None:
    line = Line(max_buffered_ms=100)
    start = asyncio.create_task(line.agent.start())
    await steps(2)
    await push(line, *range(1, 11))
    line.transport.feed(GREETING, UPDATED)
    await start
    await steps(SETTLED)
    assert heard(line) == [6, 7, 8, 9, 10]
    assert line.kinds == ["session.open", "error"]
    assert len(drop_notes(line)) == 1
    assert line.agent.stats.drops == {"input_full_ms": 100}
    await line.agent.close()
    line.assert_nothing_left()


async def test_waiting_for_room_while_starting_ends_with_the_opening() -> None:
    line = Line(max_buffered_ms=40, when_full="wait")
    start = asyncio.create_task(line.agent.start())
    await steps(2)
    pushing = asyncio.create_task(push(line, 1, 2, 3, 4))
    await steps(SETTLED)
    assert not pushing.done()
    line.transport.feed(GREETING, UPDATED)
    await asyncio.gather(start, pushing)
    await steps(SETTLED)
    assert heard(line) == [1, 2, 3, 4]
    await line.agent.close()


async def test_waiting_for_room_ends_when_the_start_fails() -> None:
    line = Line(max_buffered_ms=40, when_full="wait")
    start = asyncio.create_task(line.agent.start())
    await steps(2)
    pushing = asyncio.create_task(push(line, 1, 2, 3))
    await steps(SETTLED)
    line.transport.end(1011)
    started, pushed = await asyncio.gather(start, pushing, return_exceptions=True)
    assert started is not None
    assert isinstance(pushed, AgentClosedError)
    line.assert_nothing_left()


async def test_a_congested_connection_drops_the_oldest_and_says_so_once_a_stall() -> None:
    line = await Line(max_buffered_ms=100).open()
    for stall in (1, 2):
        line.transport.sent.clear()
        line.transport.congested = True
        await push(line, *range(1, 11))
        assert heard(line) == []
        line.transport.relieve()
        await steps(SETTLED)
        assert heard(line) == [6, 7, 8, 9, 10]
        assert len(drop_notes(line)) == stall
        assert line.agent.stats.drops == {"input_full_ms": 100 * stall}
        await push(line, 11)
        assert heard(line)[-1] == 11
    await line.agent.close()
    line.assert_nothing_left()


async def test_commands_keep_their_place_and_are_never_dropped() -> None:
    line = await Line(max_buffered_ms=100, disable_server_vad=True).open()
    await push(line, *range(1, 6))
    line.transport.congested = True
    await push(line, 6, 7)
    await line.agent.commit_input_audio()
    await push(line, 8, 9, 10, 11, 12, 13)
    await line.agent.update_instructions("x")
    await push(line, 14)
    line.transport.relieve()
    await steps(SETTLED)
    assert line.sent[6:] == [
        "input_audio_buffer.commit",
        "response.create",
        *["input_audio_buffer.append"] * 4,
        "session.update",
        "input_audio_buffer.append",
    ]
    assert heard(line)[5:] == [10, 11, 12, 13, 14]
    await line.agent.close()
    line.assert_nothing_left()


async def test_cleared_audio_that_waits_is_not_sent_any_more() -> None:
    """Sent all the same, it would reach a vendor's turn detection before the clear does."""
    line = await Line(disable_server_vad=True).open()
    await push(line, *range(1, 6))
    line.transport.congested = True
    await push(line, 6)
    await line.agent.commit_input_audio()
    await push(line, 7, 8)
    await line.agent.clear_input_audio()
    await push(line, 9)
    line.transport.relieve()
    await steps(SETTLED)
    assert heard(line) == [1, 2, 3, 4, 5, 6, 9]
    assert line.sent[7:] == [
        "input_audio_buffer.commit",
        "response.create",
        "input_audio_buffer.clear",
        "input_audio_buffer.append",
    ]
    assert line.agent.stats.drops == {}
    await line.agent.close()
    line.assert_nothing_left()


async def test_clearing_makes_room_for_a_caller_who_waits() -> None:
    line = await Line(max_buffered_ms=40, when_full="wait").open()
    line.transport.congested = True
    await push(line, 1, 2)
    waiting = asyncio.create_task(push(line, 3))
    await steps(SETTLED)
    assert not waiting.done()
    await line.agent.clear_input_audio()
    await asyncio.wait_for(waiting, 30)
    line.transport.relieve()
    await steps(SETTLED)
    assert heard(line) == [3]
    await line.agent.close()
    line.assert_nothing_left()


async def test_what_a_cut_tells_the_vendor_overtakes_the_callers_audio() -> None:
    line = await Line(output_sample_rate=24000).open()
    await line.say(CREATED, audio(pcm(500)), audio(pcm(500), item="A2"))
    line.transport.congested = True
    await push(line, 1, 2, 3)
    await line.agent.update_instructions("x")
    await line.agent.cancel(played_ms=100)
    await line.agent.close()
    assert line.sent[1:] == [
        "response.cancel",
        "conversation.item.truncate",
        "conversation.item.delete",
    ]


@pytest.mark.parametrize(
    "frame_ms",
    [
        pytest.param(
            frame_ms,
        )
        for frame_ms in (20, 30, 70)
    ],
)
async def test_waiting_for_room_drops_nothing(frame_ms: int) -> None:
    line = await Line(max_buffered_ms=100, when_full="wait").open()
    line.transport.congested = True
    values = list(range(1, 13))
    pushing = asyncio.create_task(push(line, *values, ms=frame_ms))
    await steps(SETTLED)
    assert not pushing.done()
    assert line.agent._uplink._queued_ms <= 100 + frame_ms
    line.transport.relieve()
    await pushing
    await steps(SETTLED)
    assert heard(line) == values
    assert drop_notes(line) == []
    assert line.agent.stats.drops == {}
    await line.agent.close()
    line.assert_nothing_left()


async def test_a_chunk_longer_than_the_bound_gets_through_when_waited_with() -> None:
    line = await Line(max_buffered_ms=50, when_full="wait").open()
    line.transport.congested = True
    pushing = asyncio.create_task(push(line, 1, 2, ms=150))
    await steps(SETTLED)
    line.transport.relieve()
    async with asyncio.timeout(30):
        await pushing
    await steps(SETTLED)
    assert heard(line) == [1, 2]
    await line.agent.close()


@pytest.mark.parametrize("when_full", ["drop_oldest", "wait"])
async def test_closing_a_congested_session_leaves_nothing(when_full: str) -> None:
    line = await Line(max_buffered_ms=40, when_full=when_full).open()
    line.transport.congested = True
    pushing = asyncio.create_task(push(line, 1, 2, 3, 4))
    await steps(SETTLED)
    await line.agent.close()
    (outcome,) = await asyncio.gather(pushing, return_exceptions=True)
    assert outcome is None if when_full == "drop_oldest" else isinstance(outcome, AgentClosedError)
    line.assert_nothing_left()


async def test_a_vendor_that_goes_while_we_wait_for_room_lets_go() -> None:
    line = await Line(max_buffered_ms=40, when_full="wait").open()
    line.transport.congested = True
    pushing = asyncio.create_task(push(line, 1, 2, 3, 4))
    await steps(SETTLED)
    line.transport.end(1006)
    with pytest.raises(AgentClosedError):
        await pushing
    await steps(SETTLED)
    line.assert_nothing_left()
    line.assert_told_in_order()


async def test_a_push_given_up_while_waiting_leaves_the_session_alone() -> None:
    line = await Line(max_buffered_ms=40, when_full="wait").open()
    line.transport.congested = True
    await push(line, 1, 2)
    pushing = asyncio.create_task(push(line, 3))
    await steps(2)
    pushing.cancel()
    await asyncio.gather(pushing, return_exceptions=True)
    line.transport.relieve()
    await push(line, 4)
    await steps(SETTLED)
    assert heard(line) == [1, 2, 4]
    await line.agent.close()
    line.assert_nothing_left()


async def test_a_commit_sends_what_the_resampler_holds_and_a_clear_forgets_it() -> None:
    line = await Line(input_sample_rate=16000, disable_server_vad=True).open()
    sound = pcm(150, value=7)
    await line.agent.push_audio(sound)
    await line.agent.commit_input_audio()
    assert audio_of(line) == sound
    line.transport.sent.clear()
    await line.agent.push_audio(pcm(1, 16000, value=1)[:2])  # all of it is held
    await line.agent.clear_input_audio()
    await line.agent.push_audio(sound)
    await line.agent.commit_input_audio()
    assert audio_of(line) == sound
    await line.agent.close()


async def test_a_commit_of_too_little_commits_nothing_and_says_so() -> None:
    line = await Line(input_sample_rate=16000, disable_server_vad=True).open()
    await line.agent.push_audio(pcm(20, 16000, value=7))
    await line.agent.commit_input_audio()
    assert set(line.sent[1:]) == {"input_audio_buffer.append"}
    assert line.kinds == ["session.open", "error"]
    await line.agent.close()


async def test_a_commit_with_server_vad_is_nothing() -> None:
    line = await Line().open()
    await push(line, 1, ms=150)
    line.transport.sent.clear()
    await line.agent.commit_input_audio()
    assert line.sent == []
    assert line.kinds == ["session.open"]
    await line.agent.close()


async def test_a_blank_text_is_ignored() -> None:
    line = await Line().open()
    await line.agent.send_text("  \n")
    await line.agent.send_text("Hi", respond=False)
    assert line.sent == ["session.update", "conversation.item.create"]
    await line.agent.close()


async def test_a_result_for_no_call_is_refused() -> None:
    line = await Line().open()
    with pytest.raises(ConfigError):
        await line.agent.send_tool_result("C9", "x")
    await line.agent.close()
