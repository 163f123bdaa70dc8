"""A call as a stereo file: the caller left, what the caller heard right, sample by sample on one clock."""

from __future__ import annotations

import math
import struct
from array import array
from os import SEEK_END, PathLike
from typing import IO, final

from attrs import define, field

from realtime_core.audio import BYTES_PER_SAMPLE, Resampler, ResamplerFactory
from realtime_core.errors import ConfigError

__all__ = ["StereoRecording"]

_PCM, _CHANNELS = 1, 2
_FRAME_BYTES = _CHANNELS * BYTES_PER_SAMPLE
_HEADER_BYTES = 44
_MOST_BYTES = 0xFFFF_FFFF - _HEADER_BYTES - _FRAME_BYTES
_WRITE_EVERY_S = 1.0
_MOST_AHEAD_S = 2.0
_JITTER_MS = 100.0


@define
class _Side:
    rate_hz: int
    resampler: Resampler | None
    waiting: bytearray = field(factory=bytearray)
    """At the file's rate, not written yet."""
    taken: int = 0
    """Samples taken, at its own rate; what was filled with silence counts."""

    def take(self, pcm: bytes) -> None:
        self.taken += len(pcm) // BYTES_PER_SAMPLE
        self.waiting += pcm if self.resampler is None else self.resampler.process(pcm)


@final
class StereoRecording:
    """
    Writes both sides of a call into one WAV, while it runs.

    Where a piece belongs follows from the samples counted before it, so both sides stay aligned whatever the event
    loop does; a side that says nothing is silent. About every second what came is written, and then the header is set
    right: a process that dies leaves a whole file that lacks the last second at most. Little is held in memory: a side
    that is 2 s behind the other is filled with silence, and what comes of it later follows behind.

    Args:
        path: The file; overwritten.
        sample_rate_hz: Of the file.
        caller_rate_hz: Of the audio given to `caller`; `None` is the file's.
        heard_rate_hz: Of the audio given to `heard`; `None` is the file's.
        resampler: Makes resamplers where a side has another rate than the file.

    Raises:
        ConfigError: A rate below 1, or a side has another rate than the file and there is no resampler.
        OSError: The file cannot be written. So do `caller`, `heard` and `close`.

    A WAV ends at 4 GiB (6 h at 48 kHz); what comes later is counted in `dropped_s` and not written.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        sample_rate_hz: int,
        *,
        caller_rate_hz: int | None = None,
        heard_rate_hz: int | None = None,
        resampler: ResamplerFactory | None = None,
    ) -> None:
        self._rate_hz = sample_rate_hz
        self._caller = self._side("caller_rate_hz", caller_rate_hz, resampler)
        self._heard = self._side("heard_rate_hz", heard_rate_hz, resampler)
        self._written = 0
        self._dropped = 0
        self._is_closed = False
        self._file: IO[bytes] = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by close()
        try:
            self._write_header()
        except OSError:
            self._file.close()
            raise

    def _side(self, name: str, rate_hz: int | None, resampler: ResamplerFactory | None) -> _Side:
        rate_hz = self._rate_hz if rate_hz is None else rate_hz
        if min(rate_hz, self._rate_hz) < 1:
            raise ConfigError(
                f"StereoRecording: expected sample rates above 0, got {self._rate_hz} and {rate_hz} Hz"
            )
        if rate_hz == self._rate_hz:
            return _Side(rate_hz, None)
        if resampler is None:
            raise ConfigError(
                f"StereoRecording: {name} is {rate_hz} Hz and the file {self._rate_hz} Hz; give a resampler, "
                "such as realtime_core.backends.soxr.SoxrResampler, or the same rate"
            )
        return _Side(rate_hz, resampler(rate_hz, self._rate_hz))

    @property
    def duration_s(self) -> float:
        """How long the file is, in seconds, without what still waits to be written."""
        return self._written / _FRAME_BYTES / self._rate_hz

    @property
    def dropped_s(self) -> float:
        """How much was not written because a WAV cannot be longer, in seconds."""
        return self._dropped / _FRAME_BYTES / self._rate_hz

    def caller(self, pcm: bytes, t_ms: float | None = None) -> None:
        """
        Take what the caller said.

        Args:
            pcm: PCM16LE mono, whole samples, at the caller's rate; silence too, where there is any.
            t_ms: When it began, on the call's clock: a gap of 100 ms and more before it is filled with silence.
                `None` is right behind the last.

        Raises:
            ConfigError: Half a sample.
            OSError: The file cannot be written.

        Ignored after `close`.
        """
        self._take("caller", self._caller, pcm, t_ms)

    def heard(self, pcm: bytes, t_ms: float | None = None) -> None:
        """
        Take what the caller heard, such as the frames of a `Playout`; otherwise like `caller`.

        Args:
            pcm: PCM16LE mono, whole samples, at the assistant's rate.
            t_ms: When it began.
        """
        self._take("heard", self._heard, pcm, t_ms)

    def _take(self, name: str, side: _Side, pcm: bytes, t_ms: float | None) -> None:
        if self._is_closed:
            return
        if len(pcm) % BYTES_PER_SAMPLE:
            raise ConfigError(
                f"StereoRecording.{name}: expected whole PCM16 samples (an even number of bytes), got {len(pcm)} bytes"
            )
        if t_ms is not None:
            self._fill_up_to(side, t_ms)
        side.take(pcm)
        self._write_ready()

    def _fill_up_to(self, side: _Side, t_ms: float) -> None:
        missing = round(t_ms * side.rate_hz / 1000) - side.taken
        if missing * 1000 < _JITTER_MS * side.rate_hz:
            return
        while missing > 0:  # in pieces: a gap may be long
            piece = min(missing, side.rate_hz)
            side.take(bytes(piece * BYTES_PER_SAMPLE))
            missing -= piece
            self._write_ready()

    def _write_ready(self) -> None:
        sides = (self._caller, self._heard)
        longest = max(len(side.waiting) for side in sides)
        most = int(_MOST_AHEAD_S * self._rate_hz) * BYTES_PER_SAMPLE
        if longest > most:
            for side in sides:
                missing = (longest - most // 2 - len(side.waiting)) // BYTES_PER_SAMPLE
                # Only what is whole samples at both rates: a rest, left out every second, would add up.
                common = math.gcd(side.rate_hz, self._rate_hz)
                pieces = missing * common // self._rate_hz
                if pieces > 0:
                    side.waiting += bytes(pieces * self._rate_hz // common * BYTES_PER_SAMPLE)
                    side.taken += pieces * side.rate_hz // common
        ready = min(len(side.waiting) for side in sides)
        if ready >= int(_WRITE_EVERY_S * self._rate_hz) * BYTES_PER_SAMPLE:
            self._write(ready)

    def _write(self, size: int) -> None:
        """Write so many bytes of each side, data first: the header never promises what is not there."""
        both = array("h", bytes(2 * size))
        both[0::2] = array("h", bytes(self._caller.waiting[:size]))
        both[1::2] = array("h", bytes(self._heard.waiting[:size]))
        del self._caller.waiting[:size], self._heard.waiting[:size]
        data = both.tobytes()
        room = min(len(data), _MOST_BYTES - self._written)
        room -= room % _FRAME_BYTES
        self._dropped += len(data) - room
        if room:
            self._file.seek(0, SEEK_END)
            self._write_all(data[:room])
            self._written += room
            self._write_header()

    def _write_header(self) -> None:
        rate_hz = self._rate_hz
        self._file.seek(0)
        self._write_all(
            struct.pack("<4sI8sI", b"RIFF", 36 + self._written, b"WAVEfmt ", 16)
            + struct.pack("<HHII", _PCM, _CHANNELS, rate_hz, rate_hz * _FRAME_BYTES)
            + struct.pack("<HH", _FRAME_BYTES, 8 * BYTES_PER_SAMPLE)
            + struct.pack("<4sI", b"data", self._written)
        )

    def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Write what waits, the shorter side filled with silence, and close the file; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        sides = (self._caller, self._heard)
        try:
            for side in sides:
                if side.resampler is not None:
                    side.waiting += side.resampler.flush()
            longest = max(len(side.waiting) for side in sides)
            for side in sides:
                side.waiting += bytes(longest - len(side.waiting))
            self._write(longest)
        finally:
            self._file.close()
