"""Synthesis by the `flite` command: small, clear, under a permissive licence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from shutil import which
from typing import Final, final

from realtime_core.errors import ConfigError

from .command import speak_by_command
from .engines import Synthesiser, SynthesisError
from .speakable import ascii_of, sentences_of

__all__ = ["FliteSynthesiser"]

_USUAL_VOICE: Final = "slt"


@final
class FliteSynthesiser(Synthesiser):
    """
    Runs `flite`, a process a sentence: 60 to 120 ms until the first of it is there.

    Args:
        command: The program, a path or a name on PATH.

    Raises:
        ConfigError: There is no such program.
    """

    name: str = "flite"
    """For logs and errors."""
    sample_rate_hz: int = 16000
    """Of most of its voices; others (`kal`) are resampled."""

    def __init__(self, command: str = "flite") -> None:
        found = which(command)
        if found is None:
            raise ConfigError(f"{command} is not on PATH; expected `apt install flite` or the like")
        self._command = found

    def voices(self) -> tuple[str, ...]:
        """Give the voices inside; the first time by running the command."""
        return _voices(self._command)

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        """
        Speak; see `Synthesiser.speak`. Letters outside ASCII are written in ASCII first.

        Raises:
            SynthesisError: flite failed, or has no such voice (it would take another one without a word).
        """
        pieces = sentences_of(ascii_of(text))
        if not pieces:
            return
        chosen = self._voice(voice)
        for piece in pieces:
            # What follows -t is text, whatever it begins with.
            command = [self._command, "-voice", chosen, "-o", "/dev/stdout", "-t", piece]
            yield from speak_by_command(self.name, command, None, self.sample_rate_hz)

    def _voice(self, voice: str | None) -> str:
        available = self.voices()
        if voice is None:
            return _USUAL_VOICE if _USUAL_VOICE in available else available[0]
        if voice not in available:
            raise SynthesisError(
                f"flite: expected a voice of {', '.join(available)}, got {voice!r}"
            )
        return voice


@lru_cache(maxsize=4)
def _voices(command: str) -> tuple[str, ...]:
    try:
        listed = subprocess.run(  # noqa: S603 - a program of the user's
            [command, "-lv"], stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=True
        ).stdout.decode("ascii", "replace")
    except (OSError, subprocess.SubprocessError) as error:
        raise SynthesisError(f"flite does not list its voices: {error}") from error
    voices = tuple(dict.fromkeys(listed.rpartition(":")[2].split()))
    if not voices:
        raise SynthesisError("flite lists no voices")
    return voices
