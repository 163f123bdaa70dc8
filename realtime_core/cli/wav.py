"""Recordings: 16-bit PCM WAV in, and out again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from os import SEEK_END
from pathlib import Path
from shlex import quote

import numpy as np
import soxr
from attrs import evolve, frozen

from realtime_core.audio import BYTES_PER_SAMPLE

__all__ = ["Recording", "WavError", "WavWriter", "read_wav"]

_PCM, _EXTENSIBLE = 1, 0xFFFE
_ENCODINGS = {2: "ADPCM", 3: "float", 6: "A-law", 7: "\u00b5-law", 17: "ADPCM", 85: "MP3"}
_MAGIC = (
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
    (b"\xff\xfb", "an MP3 file"),
    (b"FORM", "an AIFF file"),
    (b"RF64", "an RF64 file"),
    (b"RIFX", "a big-endian RIFX file"),
)


class WavError(Exception):
    """The file is no WAV that can be streamed; says what came, what was expected, what to do."""


@frozen(kw_only=True)
class Recording:
    """A recording in memory."""

    name: str
    """Of the file."""
    pcm: bytes
    """PCM16LE mono."""
    rate_hz: int
    """Sample rate."""
    channels: int
    """In the file; two were mixed to one."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / BYTES_PER_SAMPLE / self.rate_hz

    def frames(self, frame_ms: int) -> Iterator[bytes]:
        """Cut it into frames; the last may be shorter."""
        step = self.rate_hz * frame_ms // 1000 * BYTES_PER_SAMPLE
        for at in range(0, len(self.pcm), step):
            yield self.pcm[at : at + step]

    def resampled(self, rate_hz: int) -> Recording:
        """Give the same at another rate."""
        if rate_hz == self.rate_hz:
            return self
        samples = np.frombuffer(self.pcm, dtype="<i2")
        pcm: bytes = soxr.resample(samples, self.rate_hz, rate_hz, "HQ").astype("<i2").tobytes()
        return evolve(self, pcm=pcm, rate_hz=rate_hz)


def read_wav(path: Path) -> Recording:
    """
    Read a WAV of 16-bit PCM, mono or stereo, at any rate.

    A length field that a streaming writer left open, or a cut file, means: up to the end of the file.

    Raises:
        WavError: Anything else.
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        came = next((kind for magic, kind in _MAGIC if data.startswith(magic)), "no WAV file")
        raise _unfit(path, "is empty" if not data else f"is {came}")
    chunks = dict(_chunks(data))
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise _unfit(path, "is a damaged WAV file, without a format or without data")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if tag == _EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        (tag,) = struct.unpack_from("<H", chunks[b"fmt "], 24)  # head of the sub-format's GUID
    encoding = "PCM" if tag == _PCM else _ENCODINGS.get(tag, f"encoding {tag:#06x}")
    if (encoding, bits) != ("PCM", 16):
        raise _unfit(path, f"holds {bits}-bit {encoding}")
    if channels not in (1, 2):
        raise _unfit(path, f"has {channels} channels")
    if not rate_hz:
        raise _unfit(path, "has a sample rate of 0")
    pcm = chunks[b"data"]
    pcm = pcm[: len(pcm) // (BYTES_PER_SAMPLE * channels) * BYTES_PER_SAMPLE * channels]
    if not pcm:
        raise _unfit(path, "holds no audio")
    if channels == 2:
        pairs = np.frombuffer(pcm, dtype="<i2").reshape(-1, 2)
        pcm = (pairs.sum(axis=1, dtype=np.int32) >> 1).astype("<i2").tobytes()
    return Recording(name=path.name, pcm=pcm, rate_hz=rate_hz, channels=channels)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _unfit(path: Path, came: str) -> WavError:
    return WavError(
        f"{path.name} {came}; expected a WAV file of 16-bit PCM, mono or stereo. "
        f"Convert it: ffmpeg -i {quote(str(path))} -c:a pcm_s16le -ac 1 -ar 16000 converted.wav"
    )


class WavWriter:
    """
    Writes PCM16LE mono as WAV; what is on the disk is a whole file after every piece.

    Args:
        path: The file; overwritten.
        rate_hz: Sample rate.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._bytes = 0
        self._file = path.open("wb")
        try:
            self.write(b"")
        except OSError:
            with suppress(OSError):  # it tries to write the rest once more
                self.close()
            raise

    def write(self, pcm: bytes) -> None:
        """Append audio."""
        self._bytes += len(pcm)
        rate_hz, block = self._rate_hz, BYTES_PER_SAMPLE
        self._file.seek(0)
        self._file.write(struct.pack("<4sI8sI", b"RIFF", 36 + self._bytes, b"WAVEfmt ", 16))
        self._file.write(
            struct.pack("<HHIIHH", _PCM, 1, rate_hz, rate_hz * block, block, 8 * block)
        )
        self._file.write(struct.pack("<4sI", b"data", self._bytes))
        self._file.seek(0, SEEK_END)
        self._file.write(pcm)
        self._file.flush()

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
