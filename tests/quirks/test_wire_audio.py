"""G.711 on the wire: an 8 kHz caller and no resampler."""

from __future__ import annotations

import pytest

from realtime_core import g711
from realtime_core.testing.speech import silence, speech_like
from tests.quirks.call import OPENAI, calling, spoken

LAWS = {
    "g711_ulaw": (g711.ulaw_encode, g711.ulaw_decode),
    "g711_alaw": (g711.alaw_encode, g711.alaw_decode),
}


@pytest.fixture
def no_resampler(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("nothing is to be resampled")

    monkeypatch.setattr("realtime_core.backends.agent.SoxrResampler", refuse)


@pytest.mark.usefixtures("no_resampler")
@pytest.mark.parametrize("dialect", OPENAI)
@pytest.mark.parametrize("wire_audio", LAWS)
async def test_an_utterance_comes_back_byte_for_byte(dialect: str, wire_audio: str) -> None:
    encode, decode = LAWS[wire_audio]
    async with calling(
        dialect,
        credential={"wire_audio": wire_audio},
        input_sample_rate=8000,
        output_sample_rate=8000,
    ) as call:
        await call.say()
        await call.turn_end()
        said = silence(100, 8000) + speech_like(400, 8000) + silence(1200, 8000)
        assert bytes(call.session.audio_in) == encode(said)
        assert call.session.turns[0].heard.coding == wire_audio.removeprefix("g711_")
        back = call.audio()
        assert 400 <= call.audio_ms() <= 700
        # From the padding in front to the last loud moment.
        assert back == decode(call.session.turns[0].audio)
        assert back in decode(encode(said))
        assert call.agent.capabilities.input_wire_rate_hz == 8000
        assert call.agent.capabilities.output_wire_rate_hz == 8000


@pytest.mark.parametrize("dialect", OPENAI)
@pytest.mark.parametrize("wire_audio", LAWS)
async def test_another_rate_is_resampled_on_our_side(dialect: str, wire_audio: str) -> None:
    async with calling(
        dialect,
        spoken(1000),
        credential={"wire_audio": wire_audio},
        input_sample_rate=16000,
        output_sample_rate=24000,
    ) as call:
        await call.agent.create_response()
        await call.turn_end()
        assert call.audio_ms() == 1000
        await call.push(silence(1000, 16000))
        await call.agent_is_heard()
        assert 7700 <= len(call.session.audio_in) <= 8000


@pytest.mark.parametrize("dialect", OPENAI)
@pytest.mark.parametrize("wire_audio", LAWS)
async def test_manual_turns_count_ms_of_g711(dialect: str, wire_audio: str) -> None:
    async with calling(
        dialect,
        credential={"wire_audio": wire_audio},
        input_sample_rate=8000,
        output_sample_rate=8000,
        disable_server_vad=True,
    ) as call:
        await call.push(silence(80, 8000))
        await call.agent.commit_input_audio()
        await call.agent_is_heard()
        assert call.commands() == []
        await call.push(silence(20, 8000))
        await call.agent.commit_input_audio()
        await call.turn_end()
        assert len(call.session.turns[0].audio) == 800
