"""What `push_audio` takes."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from realtime_core import ConfigError
from tests.audio.scripted import WIRE_IN, Name, Session
from tests.audio.signals import noise

dialects = pytest.mark.parametrize("dialect", ["openai_ga", "dashscope_omni"])


@dialects
@pytest.mark.parametrize("same_rate", [True, False])
@pytest.mark.parametrize("size", [1, 321, 19201])
async def test_half_a_sample_is_refused_by_its_size_and_nothing_is_sent(
    dialect: Name, same_rate: bool, size: int
) -> None:
    rate_hz = WIRE_IN[dialect] if same_rate else 8000
    async with Session(dialect, from_hz=rate_hz) as session:
        session.sent_audio()
        with pytest.raises(ConfigError, match=f"whole PCM16 samples .*got {size} bytes"):
            await session.agent.push_audio(bytes(size))
        assert session.sent_audio() == b""
        assert session.agent.stats.audio_in_samples == 0
        await session.agent.push_audio(bytes(1920))
        assert session.sent_audio() != b""


@dialects
@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
async def test_an_empty_chunk_is_ignored(dialect: Name, rate_hz: int) -> None:
    async with Session(dialect, from_hz=rate_hz) as session:
        before = len(session.transport.sent)
        for empty in (b"", bytearray(), memoryview(b"")):
            await session.agent.push_audio(empty)
        assert len(session.transport.sent) == before
        assert session.agent.stats.audio_in_samples == 0


@pytest.mark.parametrize("wrong", ["abcd", [0, 0], None, 640, 1.5])
async def test_what_is_no_bytes_is_refused(wrong: Any) -> None:
    async with Session("openai_ga") as session:
        with pytest.raises(TypeError, match="expected bytes, bytearray or memoryview"):
            await session.agent.push_audio(wrong)


@pytest.mark.parametrize("kind", ["f", "d", "i", "H"])
async def test_a_view_of_other_numbers_is_refused(kind: str) -> None:
    """Their bytes would be taken for samples, and be noise."""
    async with Session("openai_ga") as session:
        with pytest.raises(TypeError, match=rf"bytes or of 16-bit samples, got format '{kind}'"):
            await session.agent.push_audio(memoryview(array(kind, [0] * 160)))


@pytest.mark.parametrize("rate_hz", [16000, 24000])
@pytest.mark.parametrize("milliseconds", [20, 1000])
async def test_bytes_bytearray_and_memoryview_are_the_same(rate_hz: int, milliseconds: int) -> None:
    pcm = noise(rate_hz * milliseconds // 1000)
    sent: list[bytes] = []
    for buffer in (pcm, bytearray(pcm), memoryview(pcm), memoryview(array("h", pcm))):
        async with Session("openai_ga", from_hz=rate_hz, disable_server_vad=True) as session:
            await session.agent.push_audio(buffer)
            await session.agent.commit_input_audio()
            sent.append(session.sent_audio())
    assert sent[0] == sent[1] == sent[2] == sent[3]


@pytest.mark.parametrize("rate_hz", [16000, 24000])
async def test_the_buffer_belongs_to_the_caller_again_at_once(rate_hz: int) -> None:
    pcm = noise(rate_hz // 50)
    async with Session("openai_ga", from_hz=rate_hz) as session:
        await session.agent.push_audio(pcm)
        expected = session.sent_audio()
    async with Session("openai_ga", from_hz=rate_hz) as session:
        session.transport.congested = True
        buffer = bytearray(pcm)
        await session.agent.push_audio(buffer)
        buffer[:] = bytes(len(buffer))
        session.transport.relieve()
        await session.settle()
        assert session.sent_audio() == expected


@pytest.mark.parametrize("milliseconds", [1, 20, 60, 200, 201, 1000, 1999])
async def test_a_long_chunk_is_sent_in_frames_of_at_most_200_ms(milliseconds: int) -> None:
    pcm = noise(24 * milliseconds)
    async with Session("openai_ga", from_hz=24000) as session:
        before = len(session.transport.sent)
        await session.agent.push_audio(pcm)
        frames = session.transport.sent[before:]
        assert session.sent_audio() == pcm
    longest = 200 * 48 * 4 // 3 + 100  # base64, and the frame around it
    assert max(map(len, frames)) <= longest


async def test_a_view_with_gaps_is_refused() -> None:
    pcm = noise(960)
    gaps = memoryview(array("h", pcm))[::2]
    async with Session("openai_ga", from_hz=24000) as session:
        session.sent_audio()
        with pytest.raises(TypeError, match="expected a contiguous memoryview"):
            await session.agent.push_audio(gaps)
        assert session.sent_audio() == b""


async def test_a_commit_counts_the_bytes_and_not_the_items_of_a_view() -> None:
    async with Session("openai_ga", from_hz=24000, disable_server_vad=True) as session:
        await session.agent.push_audio(memoryview(array("h", bytes(2 * 24 * 120))))
        await session.agent.commit_input_audio()
        kinds = [event["type"] for event in session.transport.events]
    assert "input_audio_buffer.commit" in kinds
