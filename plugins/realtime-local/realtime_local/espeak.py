"""Synthesis by espeak-ng: the command, or the library of PyPI's espeakng-loader in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from threading import Lock
from typing import Final, final

from realtime_core.errors import ConfigError

from .command import speak_by_command
from .engines import Synthesiser, SynthesisError
from .espeak_worker import EspeakWorker
from .speakable import sentences_of

__all__ = ["EspeakLibrarySynthesiser", "EspeakSynthesiser"]

_RATE_HZ: Final = 22050
_USUAL_VOICE: Final = "en-us"
_WORDS_PER_MINUTE: Final = 160
_VOICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")
_MAX_IDLE: Final = 2


@final
class EspeakSynthesiser(Synthesiser):
    """
    Runs the `espeak-ng` command, a process a sentence: some 50 ms until the first of it is there.

    Args:
        command: The program, a path or a name on PATH.
        words_per_minute: How fast, 80 to 450.

    Raises:
        ConfigError: There is no such program, or no such speed.
    """

    name: str = "espeak-ng"
    """For logs and errors."""
    sample_rate_hz: int = _RATE_HZ
    """Of its voices."""

    def __init__(
        self, command: str = "espeak-ng", *, words_per_minute: int = _WORDS_PER_MINUTE
    ) -> None:
        found = which(command)
        if found is None:
            raise ConfigError(
                f"{command} is not on PATH; expected `apt install espeak-ng` or the like"
            )
        self._command = found
        self._speed = _checked_speed(words_per_minute)

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        """
        Speak; see `Synthesiser.speak`.

        Raises:
            SynthesisError: espeak-ng failed, or has no such voice.
        """
        chosen = _checked_voice(self.name, voice)
        command = [self._command, f"-v{chosen}", f"-s{self._speed}", "-b1", "--stdin", "--stdout"]
        for piece in sentences_of(text):
            yield from speak_by_command(self.name, command, piece.encode(), self.sample_rate_hz)


@final
class EspeakLibrarySynthesiser(Synthesiser):
    """
    Runs the espeak-ng library that `espeakng-loader` carries, in processes of its own that live on between texts.

    The library is under the GPL, version 3 or later; it is never loaded into this process. A process serves one
    text at a time; there are as many as texts are spoken at once, and two wait for the next.

    Args:
        words_per_minute: How fast, 80 to 450.

    Raises:
        ConfigError: The package is not installed, or no such speed.
    """

    name: str = "espeak-ng library"
    """For logs and errors."""
    sample_rate_hz: int = _RATE_HZ
    """Of its voices."""

    def __init__(self, *, words_per_minute: int = _WORDS_PER_MINUTE) -> None:
        spec = find_spec("espeakng_loader")  # found, not imported
        if spec is None or spec.origin is None:
            raise ConfigError(
                "the espeak-ng library needs espeakng-loader; expected `pip install 'realtime-local[espeak]'`"
            )
        self._package = Path(spec.origin).parent
        self._speed = _checked_speed(words_per_minute)
        self._idle: list[EspeakWorker] = []
        self._lock = Lock()

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        """
        Speak; see `Synthesiser.speak`.

        Raises:
            SynthesisError: The process failed or cannot be started, or there is no such voice.
        """
        chosen = _checked_voice(self.name, voice)
        pieces = sentences_of(text)
        if not pieces:
            return
        worker = self._worker()
        try:
            for piece in pieces:
                yield from worker.speak(piece, chosen, self._speed)
        finally:
            self._give_back(worker)

    def close(self) -> None:
        """End the processes that wait; a later text starts one again. Idempotent."""
        with self._lock:
            while self._idle:
                self._idle.pop().stop()

    def _worker(self) -> EspeakWorker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_ready:
                    return worker
                worker.stop()
        return EspeakWorker(self._package, self.sample_rate_hz)

    def _give_back(self, worker: EspeakWorker) -> None:
        """Keep it, unless it is in the middle of something: then only a new one is quiet at once."""
        with self._lock:
            if worker.is_ready and len(self._idle) < _MAX_IDLE:
                self._idle.append(worker)
                return
        worker.stop()


def _checked_voice(engine: str, voice: str | None) -> str:
    if voice is None:
        return _USUAL_VOICE
    if not _VOICE.fullmatch(voice):
        raise SynthesisError(f"{engine}: expected a voice such as en-us or en-gb+f3, got {voice!r}")
    return voice


def _checked_speed(words_per_minute: int) -> int:
    if not 80 <= words_per_minute <= 450:
        raise ConfigError(f"words_per_minute: expected 80 to 450, got {words_per_minute!r}")
    return words_per_minute
