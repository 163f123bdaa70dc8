"""The parts that need no socket: level detector, formats, checks, life cycle."""

from __future__ import annotations

from typing import Any

import aiohttp
import numpy as np
import pytest

import realtime_core.testing
from realtime_core.testing.loopback import FACTS, LoopbackVendor, WireFormat
from realtime_core.testing.loopback.ear import Ear
from realtime_core.testing.loopback.settings import TurnDetection
from realtime_core.testing.loopback.vad import EnergyVad
from realtime_core.testing.loopback.wireformat import convert

from .speech import silence, utterance

TURNS = TurnDetection(kind="server_vad", silence_ms=200, prefix_ms=300)


def samples(audio: bytes) -> Any:
    return np.frombuffer(audio, "<i2")


@pytest.mark.parametrize("piece", [1, 7, 160, 16000])
def test_vad_finds_the_same_edges_however_the_stream_is_cut(piece: int) -> None:
    vad, stream = EnergyVad(16000), samples(utterance(16000))
    changes: list[tuple[bool, int, int]] = []
    for at in range(0, stream.size, piece):
        changes += vad.feed(stream[at : at + piece], 200)
    assert changes == [(True, 8000, 8480), (False, 8000 + 19200, 8000 + 19200 + 3200)]


def test_vad_ignores_clicks_and_steady_noise() -> None:
    noise = (200 * np.random.default_rng(1).standard_normal(48000)).astype("<i2")
    vad = EnergyVad(16000)
    click = np.zeros(4800, "<i2")
    click[160:480] = 9000
    assert vad.feed(noise, 200) == []
    assert vad.feed(click, 200) == []


def test_ear_keeps_no_more_than_it_needs() -> None:
    ear = Ear(WireFormat("pcm", 16000), -42.0)
    for _ in range(200):
        assert ear.feed(silence(16000, ms=100), TURNS) == []
    assert ear.pending_ms < 5000
    heard = ear.feed(utterance(16000), TURNS)
    assert [each.began for each in heard] == [True, False]
    assert heard[0].at_ms == 20_000 + 500 - 300


def test_prefix_never_reaches_into_the_turn_before() -> None:
    ear = Ear(WireFormat("pcm", 16000), -42.0)
    short = utterance(16000, ms=200, lead_ms=0, tail_ms=250)
    heard = [each for _ in range(2) for each in ear.feed(short, TURNS)]
    assert len(heard[3].audio) == (250 - 200 + 200) * 32


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_g711_codes_survive_decoding(law: Any) -> None:
    wire = WireFormat(law, 8000)
    codes = bytes(range(256))
    again = wire.encode(wire.decode(codes))
    # mu-law has two zeros, 0x7F and 0xFF.
    assert [pair for pair in zip(codes, again, strict=True) if pair[0] != pair[1]] in (
        [],
        [(0x7F, 0xFF)],
        [(0xFF, 0x7F)],
    )
    levels = wire.decode(codes).astype(int)
    assert levels.max() == {"ulaw": 32124, "alaw": 32256}[law]
    assert levels.min() == -levels.max()


def test_g711_known_values() -> None:
    assert WireFormat("ulaw", 8000).decode(b"\xff\x80\x00").tolist() == [0, 32124, -32124]
    assert WireFormat("alaw", 8000).decode(b"\xd5\x55\xaa").tolist() == [8, -8, 32256]


def test_equal_formats_are_not_touched() -> None:
    audio = b"\x01\x02\x03\x04"
    assert convert(audio, WireFormat("pcm", 24000), WireFormat("pcm", 24000)) is audio


async def test_life_cycle() -> None:
    vendor = LoopbackVendor()
    with pytest.raises(RuntimeError, match="does not run"):
        vendor.url("openai_ga")
    await vendor.start()
    with pytest.raises(RuntimeError, match="runs already"):
        await vendor.start()
    url = vendor.url("openai_ga")
    await vendor.close()
    await vendor.close()
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.ws_connect(url)


def test_wrong_names_are_refused() -> None:
    with pytest.raises(ValueError, match="voice must be"):
        LoopbackVendor(voice="opera")
    with pytest.raises(AttributeError, match="no attribute"):
        _ = realtime_core.testing.Nothing


def test_public_names_are_reachable_from_testing() -> None:
    for name in ("DIALECTS", "SCENARIOS", "Faults", "LoopbackSession", "LoopbackVendor"):
        assert hasattr(realtime_core.testing, name)
    assert tuple(FACTS) == realtime_core.testing.DIALECTS
