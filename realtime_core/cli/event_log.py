"""The files of a conversation: its events as JSON lines, the assistant's voice as WAV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any, Protocol

import attrs

from realtime_core.audio import pcm_ms
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.cli.wav import WavWriter
from realtime_core.errors import RealtimeError
from realtime_core.events import AssistantAudio, Event
from realtime_core.recording import StereoRecording

__all__ = ["CallFile", "EventLog", "ReplyFile", "Sink", "event_as_json"]


class Sink(Protocol):
    """A file of a conversation; it comes into being with the first event."""

    path: Path

    def take(self, t_ms: float, event: Event) -> None:
        """Write what is its own of an event, at once; raises `OSError`."""

    def line(self, caller: bytes, heard: bytes) -> None:
        """Write what is its own of 20 ms of the line, both ways; raises `OSError`."""

    def close(self) -> None:
        """Finish the file, if there is one; idempotent."""


def event_as_json(t_ms: float, event: Event, rate_hz: int) -> dict[str, Any]:
    """
    Give an event as a JSON object: its time, its type and all its fields.

    Audio is counted (`audio_bytes`, `audio_ms`), an error is told by class, kind and message.

    Args:
        t_ms: Since the session opened.
        event: Any event.
        rate_hz: Of its audio.
    """
    out: dict[str, Any] = {"t_ms": round(t_ms, 1), "type": event.type.value}
    for name, value in attrs.asdict(event, recurse=False).items():
        if isinstance(value, bytes):
            out["audio_bytes"] = len(value)
            out["audio_ms"] = round(pcm_ms(len(value), rate_hz), 1)
        elif isinstance(value, RealtimeError):
            out["error"] = {
                "class": type(value).__name__,
                "kind": value.kind.value,
                "message": str(value),
                "retryable": value.retryable,
            }
        elif attrs.has(type(value)):
            out[name] = attrs.asdict(value)
        elif name != "raw" or value is not None:
            out[name] = value
    return out


class EventLog:
    """
    JSON lines, one an event, each on the disk before the next comes.

    Args:
        path: The file; overwritten.
        rate_hz: Of the assistant's audio.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._file: IO[str] | None = None

    def take(self, t_ms: float, event: Event) -> None:
        """Write a line."""
        if self._file is None:
            # Half a surrogate pair is written as JSON's own escape of it.
            self._file = self.path.open("w", -1, "utf-8", "backslashreplace", "\n")
        line = json.dumps(event_as_json(t_ms, event, self._rate_hz), ensure_ascii=False)
        self._file.write(line + "\n")
        self._file.flush()

    def line(self, caller: bytes, heard: bytes) -> None:
        """The line is no event."""

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class ReplyFile:
    """
    The assistant's audio, one reply after the other as delivered.

    Args:
        path: The file; overwritten.
        rate_hz: Of the assistant's audio.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._wav: WavWriter | None = None

    def take(self, t_ms: float, event: Event) -> None:
        """Write the audio of an event; the file is there from the first event on, whatever it is."""
        if self._wav is None:
            self._wav = WavWriter(self.path, self._rate_hz)
        if isinstance(event, AssistantAudio):
            self._wav.write(event.audio)

    def line(self, caller: bytes, heard: bytes) -> None:
        """The reply is written as it comes, not as it is heard."""

    def close(self) -> None:
        """Finish the file."""
        if self._wav is not None:
            self._wav.close()


class CallFile:
    """
    Both sides of the call in stereo, as they were on the line.

    Args:
        path: The file; overwritten.
        caller_rate_hz: Of the caller's audio.
        rate_hz: Of the assistant's audio and of the file.
    """

    def __init__(self, path: Path, caller_rate_hz: int, rate_hz: int) -> None:
        self.path = path
        self._caller_rate_hz, self._rate_hz = caller_rate_hz, rate_hz
        self._recording: StereoRecording | None = None

    def take(self, t_ms: float, event: Event) -> None:
        """Begin the file."""
        if self._recording is None:
            self._recording = StereoRecording(
                self.path,
                self._rate_hz,
                caller_rate_hz=self._caller_rate_hz,
                resampler=SoxrResampler,
            )

    def line(self, caller: bytes, heard: bytes) -> None:
        """Write both sides."""
        if self._recording is not None:
            self._recording.caller(caller)
            self._recording.heard(heard)

    def close(self) -> None:
        """Finish the file."""
        if self._recording is not None:
            self._recording.close()
