"""What the resampler behind every agent promises."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_core.audio import Resampler
from realtime_core.backends.soxr import SoxrResampler
from tests.audio.signals import RATES, chunks_of, noise, same_sound, tone

EVEN = list(permutations(RATES, 2))
UNEVEN = [(hz, wire) for hz in (11025, 12000, 22050, 32000, 44100) for wire in (16000, 24000)]
PAIRS = EVEN + UNEVEN + [(wire, hz) for hz, wire in UNEVEN]
HELD_MS = 30


def whole(resampler: Resampler, pcm: bytes) -> bytes:
    return resampler.process(pcm) + resampler.flush()


def cut(pcm: bytes, sizes: list[int]) -> list[bytes]:
    """Cut into chunks of so many samples each; the rest is the last."""
    pieces: list[bytes] = []
    at = 0
    for size in sizes:
        pieces.append(pcm[at : at + 2 * size])
        at += 2 * size
    return [*pieces, pcm[at:]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    pair=st.sampled_from(PAIRS),
    length=st.integers(0, 6000),
    sizes=st.lists(st.one_of(st.integers(0, 4), st.integers(0, 2000)), max_size=30),
    seed=st.integers(0, 3),
)
def test_cutting_the_input_otherwise_changes_nothing(
    pair: tuple[int, int], length: int, sizes: list[int], seed: int
) -> None:
    pcm = noise(length, seed)
    resampler = SoxrResampler(*pair)
    got = b"".join([*map(resampler.process, cut(pcm, sizes)), resampler.flush()])
    assert same_sound(got, whole(SoxrResampler(*pair), pcm))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("chunk_ms", [10, 20, 60])
def test_it_holds_back_at_most_thirty_ms(pair: tuple[int, int], chunk_ms: int) -> None:
    from_hz, to_hz = pair
    resampler = SoxrResampler(from_hz, to_hz)
    taken = given_out = 0
    for chunk in chunks_of(tone(from_hz, 2.0), from_hz, chunk_ms):
        taken += len(chunk) // 2
        given_out += len(resampler.process(chunk)) // 2
        # Compared in whole numbers: samples at the product of both rates.
        held = taken * to_hz - given_out * from_hz
        assert held * 1000 <= HELD_MS * from_hz * to_hz + 1000 * from_hz
        assert held >= 0


@pytest.mark.parametrize("pair", EVEN)
def test_it_delivers_with_every_chunk_once_it_has_begun(pair: tuple[int, int]) -> None:
    from_hz, to_hz = pair
    resampler = SoxrResampler(from_hz, to_hz)
    sizes = [len(resampler.process(c)) for c in chunks_of(tone(from_hz, 1.0), from_hz)]
    steady = sizes[3:]
    assert set(steady) == {to_hz * 20 // 1000 * 2}


@pytest.mark.parametrize("pair", PAIRS)
def test_totals_are_exact(pair: tuple[int, int]) -> None:
    from_hz, to_hz = pair
    for length in (0, 1, 160, 4321, from_hz):
        got = len(whole(SoxrResampler(*pair), noise(length))) / 2
        assert abs(got - length * to_hz / from_hz) <= 1


@pytest.mark.parametrize("pair", [(8000, 24000), (24000, 8000), (44100, 16000)])
def test_a_flushed_one_is_as_new(pair: tuple[int, int]) -> None:
    pcm = noise(3000)
    resampler = SoxrResampler(*pair)
    expected = whole(SoxrResampler(*pair), pcm)
    for _ in range(3):
        assert same_sound(whole(resampler, pcm), expected)


@pytest.mark.parametrize("pair", [(8000, 24000), (24000, 8000), (44100, 16000)])
def test_a_cleared_one_is_as_new(pair: tuple[int, int]) -> None:
    pcm = noise(3000)
    resampler = SoxrResampler(*pair)
    resampler.process(noise(4000, seed=1))
    resampler.clear()
    assert same_sound(whole(resampler, pcm), whole(SoxrResampler(*pair), pcm))


def test_flushing_what_is_empty_gives_nothing() -> None:
    resampler = SoxrResampler(8000, 24000)
    assert resampler.flush() == b""
    resampler.process(noise(100))
    resampler.clear()
    assert resampler.flush() == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_do_and_none_are_kept(kind: type[bytes]) -> None:
    pcm = noise(500)
    buffer = kind(pcm)
    resampler = SoxrResampler(8000, 24000)
    first = resampler.process(buffer)
    if isinstance(buffer, bytearray):
        buffer[:] = bytes(len(buffer))
    assert first + resampler.flush() == whole(SoxrResampler(8000, 24000), pcm)
