"""Our end of the pipe to `espeak_process`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, final

from . import espeak_process
from .child_process import ChildProcess
from .engines import SynthesisError
from .watchdog import SILENCE_LIMIT_S, Watchdog

__all__ = ["EspeakWorker"]

_LONGEST_CHUNK: Final = 1024 * 1024
_LIBRARIES: Final = {"darwin": "libespeak-ng.dylib", "win32": "espeak-ng.dll"}


@final
class EspeakWorker:
    """
    One process; speaks one text at a time, from any one thread.

    Args:
        package: Folder of the package `espeakng_loader`.
        sample_rate_hz: What the library is expected to speak at.

    Raises:
        SynthesisError: It cannot be started, or the library not be loaded.
    """

    def __init__(self, package: Path, sample_rate_hz: int) -> None:
        library = package / _LIBRARIES.get(sys.platform, "libespeak-ng.so")
        try:
            self._process = ChildProcess(
                espeak_process.__file__, str(library), str(package / "espeak-ng-data")
            )
        except OSError as error:
            raise SynthesisError(f"espeak-ng library: no process: {error}") from error
        self._is_busy = False
        with Watchdog(self._process) as watchdog:
            kind, rate = watchdog.wait_for(self._answer)
        if kind != "ready" or rate != str(sample_rate_hz):
            self.stop()
            raise SynthesisError(
                f"espeak-ng library: expected it ready at {sample_rate_hz} Hz, got {kind} {rate!r}"
            )

    @property
    def is_ready(self) -> bool:
        """Whether it lives and waits for a text."""
        return not self._is_busy and self._process.is_alive

    def speak(self, text: str, voice: str, speed: int) -> Iterator[bytes]:
        """
        Give a text's samples as they come. Left before the end, it is not ready again.

        Raises:
            SynthesisError: It failed, died, or was silent for 10 s, of which it died too.
        """
        self._is_busy = True
        request = json.dumps({"text": text, "voice": voice, "speed": speed})
        try:
            self._process.write(request.encode("ascii") + b"\n")
        except OSError as error:
            raise SynthesisError(f"espeak-ng library: its process died: {error}") from error
        with Watchdog(self._process) as watchdog:
            while True:
                kind, rest = watchdog.wait_for(self._answer)
                if kind == "done":
                    break
                if watchdog.has_bitten:
                    raise SynthesisError(
                        f"espeak-ng library: its process was silent for {SILENCE_LIMIT_S:g} s"
                    )
                if kind == "error":
                    raise SynthesisError(f"espeak-ng library: {rest}")
                yield watchdog.wait_for(partial(self._chunk, kind, rest))
        self._is_busy = False

    def stop(self) -> None:
        """Kill it and wait for its end; idempotent."""
        self._process.stop()

    def _chunk(self, kind: str, size: str) -> bytes:
        if not kind:
            raise SynthesisError("espeak-ng library: its process died")
        if kind != "chunk" or not size.isdecimal() or int(size) > _LONGEST_CHUNK:
            raise SynthesisError("espeak-ng library: its process talks nonsense")
        pcm = self._process.read(int(size))
        if len(pcm) < int(size):
            raise SynthesisError("espeak-ng library: its process died")
        return pcm

    def _answer(self) -> tuple[str, str]:
        line = self._process.read_line().decode("ascii", "replace")
        kind, _, rest = line.strip().partition(" ")
        return kind, rest
