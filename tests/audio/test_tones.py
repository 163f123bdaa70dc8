"""A tone through a real agent and a real WebSocket stays the tone it was, at every rate."""

from __future__ import annotations

import asyncio

import pytest

from realtime_core import AssistantAudio, AssistantTurnEnd, Event, Options
from realtime_core.testing import LoopbackVendor
from realtime_core.testing.loopback import Reply, Speech
from tests.audio.scripted import WIRE_IN, WIRE_OUT, Name
from tests.audio.signals import (
    LOUD,
    RATES,
    chunks_of,
    level_and_rest_db,
    loudest_hz,
    noise,
    samples_of,
    tone,
)
from tests.core.live import PATIENCE_S, opened

dialects = pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])
SECOND = 1.0


async def received(dialect: Name, rate_hz: int, pcm: bytes, chunk_ms: int = 20) -> bytes:
    """Push audio, and give it as the vendor received it."""
    options = Options(input_sample_rate=rate_hz, disable_server_vad=True)
    async with opened(dialect, options) as (agent, session):
        for chunk in chunks_of(pcm, rate_hz, chunk_ms):
            await agent.push_audio(chunk)
        await agent.commit_input_audio()
        await session.wait_for("input_audio_buffer.commit")
        assert agent.stats.audio_in_samples == len(pcm) // 2
        assert agent.stats.audio_in_ms == len(pcm) / 2 / rate_hz * 1000
        assert agent.stats.drops.get("input_full_ms", 0) == 0
        return bytes(session.audio_in)


async def delivered(dialect: Name, rate_hz: int, pcm: bytes) -> bytes:
    """Let the vendor say something, and give it as the application received it."""
    events: list[Event] = []
    ended = asyncio.Event()

    def on_event(event: Event) -> None:
        events.append(event)
        if isinstance(event, AssistantTurnEnd):
            ended.set()

    options = Options(output_sample_rate=rate_hz, on_event=on_event)
    async with opened(dialect, options, vendor=LoopbackVendor(voice=None)) as (agent, session):
        await session.respond(Reply(parts=(Speech(audio=pcm, transcript="a"),)))
        async with asyncio.timeout(PATIENCE_S):
            await ended.wait()
        audio = b"".join(event.audio for event in events if isinstance(event, AssistantAudio))
        assert agent.stats.audio_out_samples == len(audio) // 2
        return audio


@dialects
@pytest.mark.parametrize("rate_hz", RATES)
async def test_a_tone_arrives_at_the_vendor_at_the_wires_rate(dialect: Name, rate_hz: int) -> None:
    wire_hz = WIRE_IN[dialect]
    heard = await received(dialect, rate_hz, tone(rate_hz, SECOND))
    assert len(samples_of(heard)) == wire_hz * SECOND
    assert loudest_hz(heard, wire_hz) == pytest.approx(440, abs=0.2)
    level, rest_db = level_and_rest_db(heard, wire_hz, 440)
    assert level == pytest.approx(LOUD, rel=0.005)
    assert rest_db < -70


@dialects
@pytest.mark.parametrize("rate_hz", RATES)
async def test_a_tone_arrives_at_the_application_at_its_rate(dialect: Name, rate_hz: int) -> None:
    heard = await delivered(dialect, rate_hz, tone(WIRE_OUT[dialect], SECOND))
    assert len(samples_of(heard)) == rate_hz * SECOND
    assert loudest_hz(heard, rate_hz) == pytest.approx(440, abs=0.2)
    level, rest_db = level_and_rest_db(heard, rate_hz, 440)
    assert level == pytest.approx(LOUD, rel=0.005)
    assert rest_db < -70


@pytest.mark.parametrize("rate_hz", [11025, 22050, 44100])
async def test_uneven_rates_keep_the_tone_too(rate_hz: int) -> None:
    heard = await received("openai_ga", rate_hz, tone(rate_hz, SECOND), chunk_ms=40)
    assert loudest_hz(heard, 24000) == pytest.approx(440, abs=0.2)
    assert abs(len(samples_of(heard)) - 24000) <= 1


async def test_what_the_lower_rate_cannot_hold_is_gone_and_not_folded_back() -> None:
    heard = await received("dashscope_omni", 48000, tone(48000, SECOND, hz=11000))
    middle = samples_of(heard)[1600:-1600]
    assert abs(middle).max() <= 4


@pytest.mark.parametrize(("dialect", "rate_hz"), WIRE_IN.items())
@pytest.mark.parametrize("chunk_ms", [20, 1000])
async def test_equal_rates_are_bit_exact_on_the_way_in(
    dialect: Name, rate_hz: int, chunk_ms: int
) -> None:
    pcm = noise(rate_hz)
    assert await received(dialect, rate_hz, pcm, chunk_ms) == pcm


@pytest.mark.parametrize(("dialect", "rate_hz"), WIRE_OUT.items())
async def test_equal_rates_are_bit_exact_on_the_way_out(dialect: Name, rate_hz: int) -> None:
    pcm = noise(rate_hz)
    assert await delivered(dialect, rate_hz, pcm) == pcm
