"""G.711 under the label of PCM is found, and nothing else is taken for it."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_core.g711 import alaw_encode, ulaw_encode
from realtime_telephony.audiosocket_codec import PACED, SURE, CodecWatch
from realtime_telephony.audiosocket_frames import Audio

RATE_HZ = 8_000
LAWS = {"ulaw": ulaw_encode, "alaw": alaw_encode}
Shape = Callable[[float], float]


def pcm(shape: Shape, seconds: float, *, peak: float, offset: float = 0, noise: float = 0) -> bytes:
    """Make a sound of a shape of -1 to 1 over time, cut off where it is too loud for 16 bits."""
    dice = random.Random(711)
    samples = (
        peak * shape(n / RATE_HZ) + offset + dice.gauss(0, noise)
        for n in range(round(seconds * RATE_HZ))
    )
    return array("h", (max(-32768, min(32767, round(sample))) for sample in samples)).tobytes()


def tone(hz: float) -> Shape:
    return lambda t: math.sin(math.tau * hz * t + 0.1)


def square(hz: float) -> Shape:
    return lambda t: math.copysign(1, math.sin(math.tau * hz * t + 0.1))


def words(t: float) -> float:
    """Something like speech: syllables of a voice that fade, and pauses."""
    loud = math.exp(-12 * (t % 0.3)) * (t % 1.5 < 1.2)
    return loud * sum(math.sin(math.tau * 120 * n * t + n) / n for n in range(1, 6)) / 2


def pieces(audio: bytes, size: int) -> Iterator[Audio]:
    for at in range(0, len(audio) - size + 1, size):
        yield Audio(audio[at : at + size], RATE_HZ)


def refusal(audio: bytes, size: int) -> str | None:
    watch = CodecWatch()
    return next(filter(None, (watch.take(piece, 0.0) for piece in pieces(audio, size))), None)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("packed_ms", [20, 40, 60])
@pytest.mark.parametrize("peak", [300, 3000, 30000])
@pytest.mark.parametrize("noise", [0, 10])
def test_speech_in_g711_is_found(law: str, packed_ms: int, peak: int, noise: int) -> None:
    audio = LAWS[law](pcm(words, 6, peak=peak, noise=noise))
    told = refusal(audio, packed_ms * RATE_HZ // 1000)
    assert told is not None
    assert "c(slin16)" in told


SHAPES = {
    "words": words,
    "low": tone(50),
    "dial": tone(440),
    "high": tone(3400),
    "square": square(440),
    "clicks": lambda t: float(t % 0.01 < 1 / RATE_HZ),
    "nothing": lambda _: 0.0,
}


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=25)
@given(
    peak=st.sampled_from([1, 30, 500, 5000, 16384, 20000, 32767, 100_000]),
    offset=st.integers(-33_000, 33_000) | st.integers(-600, 600),
    noise=st.sampled_from([0, 1, 20, 300, 5000, 20_000, 60_000]),
    size=st.sampled_from([160, 320, 480, 640]),
)
def test_no_sound_in_pcm_is_taken_for_g711(
    shape: str, peak: int, offset: int, noise: int, size: int
) -> None:
    audio = pcm(SHAPES[shape], 0.24, peak=peak, offset=offset, noise=noise)
    assert len(audio) % size == 0
    assert refusal(audio * SURE, size) is None  # not a single piece


def paced(piece: bytes, times_s: Iterable[float]) -> int | None:
    """Say at which piece a call was ended."""
    watch = CodecWatch()
    audio = Audio(piece, RATE_HZ)
    return next((n for n, at in enumerate(times_s, 1) if watch.take(audio, at) is not None), None)


CODECS = {"silence": b"\xff", "silence, A-law": b"\xd5", "G.722": bytes(range(0, 240, 3))}


@pytest.mark.parametrize("what", CODECS)
@pytest.mark.parametrize("packed_ms", [20, 40, 60])
def test_a_codec_of_half_the_bytes_is_found_by_its_pace(what: str, packed_ms: int) -> None:
    dice, size = random.Random(1), packed_ms * RATE_HZ // 1000
    piece = (CODECS[what] * size)[:size]
    times = ((n + dice.uniform(0, 0.2)) * packed_ms / 1000 for n in range(200))
    soon = packed_ms == 20 and what != "G.722"  # pieces of that size are looked at closely
    assert paced(piece, times) == (SURE if soon else PACED)


def every(ms: float, at_once: int = 1) -> Iterator[float]:
    return (n // at_once * at_once * ms / 1000 for n in range(1000))


def lossy(ms: float, share: float) -> Iterator[float]:
    dice = random.Random(2)
    return (n * ms / 1000 for n in range(2000) if dice.random() > share)


@pytest.mark.parametrize("packed_ms", [2.5, 5, 10, 20, 30, 40, 60])
def test_pcm_of_whatever_pace_is_taken_for_nothing_else(packed_ms: float) -> None:
    piece = bytes(round(packed_ms * 2 * RATE_HZ / 1000))
    for times in (
        every(packed_ms),
        every(packed_ms, at_once=2),  # by a bridge, or a loop, of half the pace
        every(packed_ms, at_once=7),
        every(packed_ms * 3),  # a phone that suppresses silence
        every(400),
        lossy(packed_ms, 0.3),
        lossy(packed_ms, 0.6),
    ):
        assert paced(piece, times) is None


def test_a_first_piece_of_no_length_of_pcm_is_another_codec() -> None:
    told = CodecWatch().take(Audio(bytes(20), RATE_HZ), 0.0)  # G.729
    assert told is not None
    assert "the first audio is 20 bytes" in told
