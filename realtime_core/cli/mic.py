"""
A microphone and a speaker as a handset, by the library sounddevice (extra `mic`), imported when one is opened.

The library calls back on threads of its own. They only move bytes in and out of two bounded buffers.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Self, final

from realtime_core.audio import BYTES_PER_SAMPLE
from realtime_core.cli.dialogue import FRAME_MS, Ear
from realtime_core.cli.handset import HandsetError

__all__ = ["ECHO_CAVEAT", "SoundCard"]

ECHO_CAVEAT = "Use headphones, or the microphone hears the assistant, who then interrupts itself."
"""Printed before a call with a microphone."""

_MOST_HEARD_FRAMES = 50
_MOST_TO_PLAY_MS = 200
_SILENT_S = 3.0
_MOST_LATENCY_S = 0.5


@final
class SoundCard:
    """
    Default microphone and speaker; a context manager, entered on the event loop that uses it.

    Its microphone gives the pace of the call. Up to a second of the caller waits when the event loop is late, then
    the oldest is dropped; up to 200 ms wait to be played, which count as heard.

    Args:
        input_rate_hz: Of the microphone.
        output_rate_hz: Of the speaker.

    Raises:
        HandsetError: The library or PortAudio is missing; on entering, a device is.
    """

    def __init__(self, input_rate_hz: int, output_rate_hz: int) -> None:
        self._library = _library()
        self._input_rate_hz, self._output_rate_hz = input_rate_hz, output_rate_hz
        self._lock = threading.Lock()
        self._heard: deque[bytes] = deque()
        self._to_play = bytearray()
        self._most_to_play = output_rate_hz * _MOST_TO_PLAY_MS // 1000 * BYTES_PER_SAMPLE
        self._streams: list[Any] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._came = asyncio.Event()
        self._said_s = 0.0
        self.dropped_frames: int = 0
        """How many frames of the caller were dropped because the event loop was late."""

    @property
    def current(self) -> int:
        """There are no recordings."""
        return 0

    @property
    def said_s(self) -> float:
        """How long the microphone was listened to."""
        return self._said_s

    @property
    def is_done(self) -> bool:
        """A person has never said everything."""
        return False

    def __enter__(self) -> Self:
        """Open both devices."""
        self._loop = asyncio.get_running_loop()
        kind = ""
        try:
            for kind, rate_hz, callback in (
                ("RawInputStream", self._input_rate_hz, self._on_input),
                ("RawOutputStream", self._output_rate_hz, self._on_output),
            ):
                stream = getattr(self._library, kind)(
                    samplerate=rate_hz,
                    blocksize=rate_hz * FRAME_MS // 1000,
                    channels=1,
                    dtype="int16",
                    callback=callback,
                )
                self._streams.append(stream)
                stream.start()
        except (self._library.PortAudioError, ValueError) as error:
            self._close()
            name = "microphone" if kind == "RawInputStream" else "speaker"
            raise HandsetError(
                f"no {name} can be opened ({error}); connect one, and see `python -m sounddevice` for what there is. "
                "A device that wants another rate: --input-rate 48000, --output-rate 48000"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close them."""
        self._close()

    def _close(self) -> None:
        self._loop = None
        for stream in self._streams:
            with suppress(self._library.PortAudioError):  # it is over anyway
                stream.close()
        self._streams.clear()

    # On the library's threads

    def _on_input(self, data: Any, frames: int, time: Any, status: Any) -> None:
        with self._lock:
            if len(self._heard) >= _MOST_HEARD_FRAMES:
                self._heard.popleft()
                self.dropped_frames += 1
            is_first = not self._heard
            self._heard.append(bytes(data))
        loop = self._loop
        if is_first and loop is not None:
            with suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(self._came.set)

    def _on_output(self, data: Any, frames: int, time: Any, status: Any) -> None:
        size = frames * BYTES_PER_SAMPLE
        with self._lock:
            piece = bytes(self._to_play[:size])
            del self._to_play[:size]
        data[:] = piece.ljust(size, b"\0")

    # On the event loop

    async def frame(self, ear: Ear) -> bytes:
        """Give what the microphone heard, as soon as there is some."""
        while True:
            with self._lock:
                if self._heard:
                    self._said_s += FRAME_MS / 1000
                    return self._heard.popleft()
                self._came.clear()
            try:
                async with asyncio.timeout(_SILENT_S):
                    await self._came.wait()
            except TimeoutError:
                raise HandsetError(
                    f"the microphone gave nothing for {_SILENT_S:g} s; was it disconnected?"
                ) from None

    def play(self, frame: bytes) -> None:
        """Queue a frame for the speaker; of more than 200 ms the oldest is dropped."""
        with self._lock:
            self._to_play += frame
            del self._to_play[: max(0, len(self._to_play) - self._most_to_play)]

    def hush(self) -> None:
        """Drop what waits to be played."""
        with self._lock:
            self._to_play.clear()

    async def drain(self) -> None:
        """Wait until the speaker has played what waits, and what its device holds: closed, it would drop both."""
        waits_s = len(self._to_play) / BYTES_PER_SAMPLE / self._output_rate_hz
        await asyncio.sleep(waits_s + min(self._streams[-1].latency, _MOST_LATENCY_S))


def _library() -> Any:
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise HandsetError(
            "a microphone needs the library sounddevice: pip install 'realtime-core[mic]'"
        ) from error
    except OSError as error:  # it loads PortAudio when it is imported
        raise HandsetError(
            f"a microphone needs PortAudio ({error}): apt-get install libportaudio2, dnf install portaudio, "
            "or brew install portaudio"
        ) from error
