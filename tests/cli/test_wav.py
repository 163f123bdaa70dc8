"""Reading and writing recordings."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from realtime_core.cli.wav import Recording, WavError, WavWriter, read_wav

ONE, TWO = struct.pack("<h", 1000), struct.pack("<h", -3000)


def riff(fmt: bytes, data: bytes, *, size: int | None = None, extra: bytes = b"") -> bytes:
    body = b"WAVE" + extra + b"fmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fmt(tag: int = 1, *, channels: int = 1, rate_hz: int = 8000, bits: int = 16) -> bytes:
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * block, block, bits)


def extensible(tag: int, bits: int = 16) -> bytes:
    return (
        fmt(0xFFFE, bits=bits)
        + struct.pack("<HHI", 22, bits, 4)
        + struct.pack("<H", tag)
        + bytes(14)
    )


@pytest.mark.parametrize(
    ("data", "pcm"),
    [
        pytest.param(riff(fmt(), ONE + TWO), ONE + TWO, id="mono"),
        pytest.param(
            riff(fmt(channels=2), ONE + TWO), struct.pack("<h", -1000), id="stereo is averaged"
        ),
        pytest.param(
            riff(fmt(channels=2), struct.pack("<2h", -32768, -32768)),
            struct.pack("<h", -32768),
            id="loud stereo does not wrap around",
        ),
        pytest.param(riff(extensible(1), ONE), ONE, id="extensible"),
        pytest.param(riff(fmt(), ONE, size=0xFFFFFFFF), ONE, id="length left open by a streamer"),
        pytest.param(riff(fmt(), ONE, size=100), ONE, id="cut off"),
        pytest.param(riff(fmt(), ONE + b"\x01"), ONE, id="half a sample at the end"),
        pytest.param(
            riff(fmt(), ONE, extra=b"LIST\x03\x00\x00\x00abc\x00"), ONE, id="other chunks, padded"
        ),
    ],
)
def test_what_is_read(data: bytes, pcm: bytes, tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(data)
    assert read_wav(path).pcm == pcm


@pytest.mark.parametrize(
    ("data", "came"),
    [
        (b"", "is empty"),
        (b"hello", "is no WAV file"),
        (b"fLaC\x00", "is a FLAC file"),
        (b"OggS\x00", "is an Ogg file"),
        (b"FORM\x00", "is an AIFF file"),
        (b"RF64\x00", "is an RF64 file"),
        (b"RIFF\x04\x00\x00\x00WAVE", "is a damaged WAV file, without a format or without data"),
        (b"RIFF\x04\x00\x00\x00AVI ", "is no WAV file"),
        (riff(fmt()[:8], ONE), "is a damaged WAV file, without a format or without data"),
        (riff(fmt(3, bits=32), bytes(4)), "holds 32-bit float"),
        (riff(fmt(7, bits=8), b"\xff"), "holds 8-bit \u00b5-law"),
        (riff(fmt(0x1234), ONE), "holds 16-bit encoding 0x1234"),
        (riff(extensible(3, 32), bytes(4)), "holds 32-bit float"),
        (riff(fmt(bits=8), b"\x80"), "holds 8-bit PCM"),
        (riff(fmt(bits=24), bytes(3)), "holds 24-bit PCM"),
        (riff(fmt(channels=3), bytes(6)), "has 3 channels"),
        (riff(fmt(rate_hz=0), ONE), "has a sample rate of 0"),
        (riff(fmt(), b""), "holds no audio"),
        (riff(fmt(), b"\x01"), "holds no audio"),
    ],
)
def test_what_is_refused(data: bytes, came: str, tmp_path: Path) -> None:
    path = tmp_path / "recording.wav"
    path.write_bytes(data)
    with pytest.raises(WavError) as refusal:
        read_wav(path)
    assert str(refusal.value).startswith(f"recording.wav {came}; expected a WAV file of 16-bit PCM")


def test_frames_are_whole_but_for_the_last() -> None:
    recording = Recording(name="x", pcm=bytes(1000), rate_hz=8000, channels=1)
    assert [len(frame) for frame in recording.frames(20)] == [320, 320, 320, 40]


def test_resampling_keeps_length_and_pitch() -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(4000) / 4000)).astype("<i2").tobytes()
    recording = Recording(name="x", pcm=tone, rate_hz=4000, channels=1)
    assert recording.resampled(4000) is recording
    up = recording.resampled(16000)
    assert up.rate_hz == 16000
    assert up.duration_s == pytest.approx(1.0)
    spectrum = np.abs(np.fft.rfft(np.frombuffer(up.pcm, dtype="<i2").astype(np.float64)))
    assert int(np.argmax(spectrum)) == 440


def test_a_file_being_written_is_whole_after_every_piece(tmp_path: Path) -> None:
    path = tmp_path / "reply.wav"
    writer = WavWriter(path, 8000)
    with pytest.raises(WavError, match="holds no audio"):
        read_wav(path)
    writer.write(ONE)
    assert read_wav(path).pcm == ONE
    writer.write(TWO)
    assert read_wav(path).pcm == ONE + TWO
    writer.close()
    assert read_wav(path) == Recording(name="reply.wav", pcm=ONE + TWO, rate_hz=8000, channels=1)
