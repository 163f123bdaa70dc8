"""Ten minutes, faster than real time: nothing is lost, and nothing drifts."""

from __future__ import annotations

import asyncio

import pytest

from realtime_core import AssistantAudio, Event, Options
from realtime_core.testing import LoopbackVendor
from tests.audio.scripted import WIRE_IN, WIRE_OUT, Name, Session, spoken
from tests.audio.signals import RATES, tone
from tests.core.live import opened

MINUTES_10_S = 600
CHUNK_MS = 200
CHUNKS = MINUTES_10_S * 1000 // CHUNK_MS
HELD_MS = 30
"""What a resampler may hold back."""

# Equal rates pass through; they are bit-exact elsewhere.
PAIRS_IN = [(name, hz) for name, wire_hz in WIRE_IN.items() for hz in RATES if hz != wire_hz]
PAIRS_OUT: list[tuple[Name, int]] = [("openai_ga", hz) for hz in RATES if hz != 24000]


@pytest.mark.parametrize(("dialect", "rate_hz"), PAIRS_IN)
async def test_ten_minutes_in_do_not_drift(dialect: Name, rate_hz: int) -> None:
    wire_hz, chunk = WIRE_IN[dialect], tone(rate_hz, CHUNK_MS / 1000)
    arrived = 0
    async with Session(dialect, from_hz=rate_hz, disable_server_vad=True) as session:
        for number in range(1, CHUNKS + 1):
            await session.agent.push_audio(chunk)
            if number % 60 == 0:
                arrived += session.sent_samples()
                late_ms = number * CHUNK_MS - arrived * 1000 / wire_hz
                assert 0 <= late_ms <= HELD_MS
        await session.agent.commit_input_audio()
        arrived += session.sent_samples()
        stats = session.agent.stats
    assert arrived == MINUTES_10_S * wire_hz
    assert stats.audio_in_ms == MINUTES_10_S * 1000
    assert stats.drops.get("input_full_ms", 0) == 0


@pytest.mark.parametrize(("dialect", "rate_hz"), PAIRS_OUT)
async def test_ten_minutes_out_do_not_drift(dialect: Name, rate_hz: int) -> None:
    frame = spoken(tone(WIRE_OUT[dialect], CHUNK_MS / 1000))
    arrived = 0
    async with Session(dialect, to_hz=rate_hz) as session:
        session.begins()
        for number in range(1, CHUNKS + 1):
            session.transport.feed(frame)
            await asyncio.sleep(0)
            if number % 60 == 0:
                await session.settle()
                arrived += len(session.heard_audio()) // 2
                late_ms = number * CHUNK_MS - arrived * 1000 / rate_hz
                assert 0 <= late_ms <= HELD_MS
        session.spoke()
        session.ends()
        await session.settle()
        arrived += len(session.heard_audio()) // 2
        stats = session.agent.stats
    assert arrived == MINUTES_10_S * rate_hz
    assert stats.audio_out_ms == MINUTES_10_S * 1000


@pytest.mark.parametrize(("dialect", "rate_hz"), [("openai_ga", 8000)])
async def test_ten_minutes_through_a_real_connection_arrive_whole(
    dialect: Name, rate_hz: int
) -> None:
    events: list[Event] = []
    options = Options(
        input_sample_rate=rate_hz,
        disable_server_vad=True,
        when_full="wait",
        on_event=events.append,
    )
    chunk = tone(rate_hz, CHUNK_MS / 1000)
    vendor = LoopbackVendor(voice=None)
    async with opened(dialect, options, vendor=vendor) as (agent, session):
        for _ in range(CHUNKS):
            await agent.push_audio(chunk)
        await agent.commit_input_audio()
        await session.wait_for("input_audio_buffer.commit", timeout_s=30)
        assert len(session.audio_in) == MINUTES_10_S * WIRE_IN[dialect] * 2
        assert agent.stats.drops.get("input_full_ms", 0) == 0
    assert not any(isinstance(event, AssistantAudio) for event in events)
