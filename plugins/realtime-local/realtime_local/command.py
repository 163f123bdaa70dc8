"""A command that writes a WAV to its standard output, read as it comes."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Final

from .engines import SynthesisError
from .watchdog import SILENCE_LIMIT_S, Watchdog

__all__ = ["speak_by_command"]

_CHUNK_BYTES: Final = 4096
_TOLD_BYTES: Final = 300
"""So much of what a command said last goes into the error."""
_MAX_HEADER: Final = 64
_MAX_HEADER_BYTES: Final = 64 * 1024
_LONGEST_S: Final = 120
"""What is spoken at once takes some 20 s; a command that goes on for so long has lost its way."""
_GRACE_S: Final = 1.0
"""How long a command that wrote no WAV has to say why by its exit status."""


def speak_by_command(
    name: str, command: Sequence[str], text: bytes | None, sample_rate_hz: int
) -> Iterator[bytes]:
    """
    Run a command and give the samples of the WAV it writes; closing the iterator kills it.

    Args:
        name: Of the engine, for errors.
        command: Program and arguments; no shell sees them.
        text: For its standard input, short enough for a pipe (60 KB); `None` for an empty one.
        sample_rate_hz: What is wanted; a WAV of another rate is resampled.

    Raises:
        SynthesisError: It cannot be started, fails, writes something else, or writes nothing for 10 s.
    """
    with tempfile.TemporaryFile() as told:
        try:
            process = subprocess.Popen(  # noqa: S603 - arguments of ours, no shell
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told,
                process_group=0,  # a terminal's Ctrl-C is for the application, which may have a last word to say
            )  # fmt: skip
        except OSError as error:
            raise SynthesisError(f"{name} cannot be started: {error}") from error
        with process, Watchdog(process) as watchdog:
            try:
                yield from _samples(name, process, watchdog, text, sample_rate_hz)
            except BaseException:  # also when the iterator is closed
                process.kill()
                raise
        if watchdog.has_bitten:
            raise SynthesisError(f"{name} was silent for {SILENCE_LIMIT_S:g} s")
        if process.returncode:
            raise SynthesisError(f"{name} failed with {process.returncode}: {_last_words(told)}")


def _samples(
    name: str,
    process: subprocess.Popen[bytes],
    watchdog: Watchdog,
    text: bytes | None,
    sample_rate_hz: int,
) -> Iterator[bytes]:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError):  # it failed at once; its exit status says so
        process.stdin.write(text or b"")
        process.stdin.close()
    out = process.stdout
    rate_hz = watchdog.wait_for(lambda: _header(out))
    if rate_hz is None:
        with suppress(subprocess.TimeoutExpired):
            if process.wait(_GRACE_S) or watchdog.has_bitten:
                return  # its exit status says more
        raise SynthesisError(f"{name} wrote something else than a WAV of PCM16 mono")
    from realtime_core.backends.soxr import SoxrResampler

    resampler = SoxrResampler(rate_hz, sample_rate_hz) if rate_hz != sample_rate_hz else None
    half, left = b"", _LONGEST_S * rate_hz * 2
    while chunk := watchdog.wait_for(lambda: out.read1(_CHUNK_BYTES)):  # type: ignore[attr-defined]
        left -= len(chunk)
        if left < 0:
            raise SynthesisError(f"{name} does not come to an end within {_LONGEST_S} s of speech")
        chunk = half + chunk
        half = chunk[len(chunk) // 2 * 2 :]
        whole = chunk[: len(chunk) // 2 * 2]
        if pcm := resampler.process(whole) if resampler else whole:
            yield pcm
    if resampler and (rest := resampler.flush()):
        yield rest


def _header(wav: IO[bytes]) -> int | None:
    """Read up to the samples and give their rate; the lengths in a header written to a pipe mean nothing."""
    riff = wav.read(12)
    if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
        return None
    rate_hz: int | None = None
    for _ in range(_MAX_HEADER):
        kind, size = wav.read(4), int.from_bytes(wav.read(4), "little")
        if kind == b"data":
            return rate_hz
        if size > _MAX_HEADER_BYTES:
            return None
        body = wav.read(size + size % 2) if kind else b""
        if kind == b"fmt ":
            is_pcm16_mono = body[:4] == b"\x01\0\x01\0" and body[14:16] == b"\x10\0"
            rate_hz = int.from_bytes(body[4:8], "little") if is_pcm16_mono else None
        if not body:
            return None
    return None


def _last_words(told: IO[bytes]) -> str:
    told.seek(0)
    return " ".join(told.read().decode("utf-8", "replace").split())[-_TOLD_BYTES:] or "no message"
