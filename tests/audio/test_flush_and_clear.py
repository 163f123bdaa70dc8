"""A resampler's memory ends where the audio does, and never reaches into the next."""

from __future__ import annotations

from itertools import pairwise

import pytest

from realtime_core import AssistantAudio, Event, Interrupted, UserSpeechStarted
from tests.audio.scripted import WIRE_IN, Name, Session
from tests.audio.signals import DITHER, noise, peak, same_sound, samples_of, tone

dialects = pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
RATES = [8000, 16000, 48000]


# Out


@pytest.mark.parametrize("rate_hz", RATES)
async def test_the_end_of_an_item_delivers_all_of_it(rate_hz: int) -> None:
    async with Session("openai_ga", to_hz=rate_hz) as session:
        session.begins()
        session.speaks(tone(24000, 0.5))
        await session.settle()
        before = len(samples_of(session.heard_audio()))
        assert before < rate_hz // 2
        session.spoke()
        await session.settle()
        assert before + len(samples_of(session.heard_audio())) == rate_hz // 2


@pytest.mark.parametrize("rate_hz", RATES)
async def test_each_item_is_whole_and_named_by_its_own_id(rate_hz: int) -> None:
    async with Session("openai_ga", to_hz=rate_hz) as session:
        session.begins()
        for item in "ab":
            session.speaks(tone(24000, 0.3), item=item)
            session.spoke(item=item)
        session.ends()
        await session.settle()
        for item in "ab":
            pieces = [
                event.audio
                for event in session.events
                if isinstance(event, AssistantAudio) and event.item_id == f"item_1{item}"
            ]
            assert len(samples_of(b"".join(pieces))) == rate_hz * 3 // 10


@pytest.mark.parametrize("rate_hz", RATES)
async def test_an_item_whose_end_is_not_reported_is_whole_at_the_end_of_the_reply(
    rate_hz: int,
) -> None:
    async with Session("openai_ga", to_hz=rate_hz) as session:
        session.begins()
        session.speaks(tone(24000, 0.3))
        session.ends()
        await session.settle()
        assert len(samples_of(session.heard_audio())) == rate_hz * 3 // 10


@dialects
@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("by", ["speech", "cancel"])
async def test_nothing_of_a_cut_reply_is_heard_in_the_next(
    dialect: Name, rate_hz: int, by: str
) -> None:
    async with Session(dialect, to_hz=rate_hz) as session:
        session.begins(1)
        session.speaks(noise(12000), 1)
        await session.settle()
        assert peak(session.heard_audio()) > 10000

        if by == "speech":
            session.transport.feed(
                {"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": 1}
            )
        else:
            await session.agent.cancel()
        session.speaks(noise(12000), 1)  # late, dropped
        session.ends(1, "cancelled")
        await session.settle()
        after = list(session.events)
        assert not any(isinstance(event, AssistantAudio) for event in after)
        session.events.clear()

        session.clock.advance(2.0)
        session.begins(2)
        session.speaks(bytes(24000), 2)
        session.spoke(2)
        session.ends(2)
        await session.settle()
        heard = session.heard_audio()
        assert len(samples_of(heard)) == rate_hz // 2
        assert peak(heard) <= DITHER
        if by == "speech":
            assert _interrupts(after)


def _interrupts(events: list[Event]) -> bool:
    return any(
        isinstance(event, Interrupted)
        or (isinstance(event, UserSpeechStarted) and event.interrupts)
        for event in events
    )


@pytest.mark.parametrize("rate_hz", RATES)
async def test_a_reply_that_follows_another_is_the_same_as_if_it_were_the_first(
    rate_hz: int,
) -> None:
    heard: list[bytes] = []
    async with Session("openai_ga", to_hz=rate_hz) as session:
        for number in (1, 2):
            session.begins(number)
            session.speaks(noise(7000), number)
            session.spoke(number)
            session.ends(number)
            await session.settle()
            heard.append(session.heard_audio())
            session.clock.advance(1.0)
    assert heard[0]
    assert same_sound(*heard)


# In


@dialects
@pytest.mark.parametrize("rate_hz", RATES)
async def test_a_commit_sends_all_of_the_turn_before_it(dialect: Name, rate_hz: int) -> None:
    wire_hz = WIRE_IN[dialect]
    async with Session(dialect, from_hz=rate_hz, disable_server_vad=True) as session:
        for _ in range(2):
            session.sent_audio()
            for _ in range(10):
                await session.agent.push_audio(noise(rate_hz // 50))
            await session.agent.commit_input_audio()
            kinds = [event["type"] for event in session.transport.events]
            assert kinds.index("input_audio_buffer.commit") > 0
            assert kinds[-1] != "input_audio_buffer.append"
            assert len(samples_of(session.sent_audio())) == wire_hz // 5


@dialects
@pytest.mark.parametrize("rate_hz", RATES)
async def test_nothing_of_a_turn_is_heard_in_the_next(dialect: Name, rate_hz: int) -> None:
    async with Session(dialect, from_hz=rate_hz, disable_server_vad=True) as session:
        await session.agent.push_audio(noise(rate_hz // 2))
        await session.agent.commit_input_audio()
        assert peak(session.sent_audio()) > 10000
        await session.agent.push_audio(bytes(rate_hz))
        await session.agent.commit_input_audio()
        assert peak(session.sent_audio()) <= DITHER


@dialects
@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("manual", [True, False])
async def test_nothing_from_before_a_clear_is_sent_after_it(
    dialect: Name, rate_hz: int, manual: bool
) -> None:
    async with Session(dialect, from_hz=rate_hz, disable_server_vad=manual) as session:
        await session.agent.push_audio(noise(rate_hz // 2))
        await session.agent.clear_input_audio()
        assert peak(session.sent_audio()) > 10000
        await session.agent.push_audio(bytes(rate_hz))
        quiet = session.sent_audio()
        assert len(quiet) > 0
        assert peak(quiet) <= DITHER


@pytest.mark.parametrize("rate_hz", RATES)
async def test_with_server_vad_a_commit_sends_nothing(rate_hz: int) -> None:
    async with Session("openai_ga", from_hz=rate_hz) as session:
        await session.agent.push_audio(noise(rate_hz // 2))
        before = len(session.transport.sent)
        await session.agent.commit_input_audio()
        assert len(session.transport.sent) == before


# What vendors were seen to cut


@pytest.mark.parametrize("rate_hz", [16000, 24000])
async def test_deltas_that_split_a_sample_are_joined(rate_hz: int) -> None:
    pcm = noise(6000)
    heard: list[bytes] = []
    for cuts in ((), (101, 102, 999), (1, 2, 3)):
        async with Session("openai_ga", to_hz=rate_hz) as session:
            session.begins()
            for start, end in pairwise((0, *cuts, len(pcm))):
                session.speaks(pcm[start:end])
            session.speaks(b"")
            session.spoke()
            session.ends()
            await session.settle()
            heard.append(session.heard_audio())
    assert len(samples_of(heard[0])) == 6000 * rate_hz // 24000
    assert same_sound(heard[0], heard[1])
    assert same_sound(heard[0], heard[2])


async def test_half_a_sample_at_the_end_of_an_item_is_not_carried_into_the_next() -> None:
    pcm = noise(6000)
    async with Session("openai_ga", to_hz=24000) as session:
        session.begins()
        session.speaks(pcm + b"\x7f", item="a")
        session.spoke(item="a")
        session.speaks(pcm, item="b")
        session.spoke(item="b")
        session.ends()
        await session.settle()
        assert session.heard_audio() == pcm + pcm
