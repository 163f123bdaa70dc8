"""
The espeak-ng library behind a pipe: a program of its own, of the standard library alone.

Run as `python espeak_process.py LIBRARY DATA`, or with `-m realtime_local.espeak_process`; neither option leads
anything of the application into this process, nor the library (GPL, version 3 or later) into the application.

It reads requests, a line of JSON in ASCII each: `{"text": "Hello.", "voice": "en-us", "speed": 160}`. It writes
lines of ASCII: `ready 22050` once, then for every request `chunk N` followed by N bytes of PCM16LE mono, any
number of times, and at last `done` or `error` with a message. At the end of its input it ends.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

__all__ = ["main"]

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_BUFFER_MS = 60
_INITIALIZE_DONT_EXIT = 0x8000
_CHARACTERS_UTF8 = 1
_POSITION_CHARACTER = 1
_PARAMETER_RATE = 1

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Voice(ctypes.Structure):
    """One of the library's voices."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender_age_variant", ctypes.c_ubyte * 4),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class _Library:
    """The few functions of speak_lib.h that it takes."""

    def __init__(self, path: str, data: str, out: BinaryIO) -> None:
        self._out = out
        self._library = ctypes.CDLL(path)
        self.rate_hz: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, _BUFFER_MS, data.encode(), _INITIALIZE_DONT_EXIT
        )
        self._voices = frozenset(_names(self._library))
        self._callback = _Callback(self._on_samples)  # kept, or it would be freed
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, request: dict[str, Any]) -> str:
        """Speak, and give what went wrong."""
        voice = request["voice"]
        # Of a name it does not know the library makes the voice before, another one, or a crash.
        if voice.partition("+")[0].lower() not in self._voices:
            return f"no voice {voice}"
        if self._library.espeak_SetVoiceByName(voice.encode()):
            language = ctypes.create_string_buffer(voice.encode())
            self._library.espeak_SetVoiceByProperties(ctypes.byref(_Voice(languages=language)))
        self._library.espeak_SetParameter(_PARAMETER_RATE, request["speed"], 0)
        text = request["text"].encode() + b"\0"
        status: int = self._library.espeak_Synth(
            text,
            ctypes.c_size_t(len(text)),
            0,
            _POSITION_CHARACTER,
            0,
            _CHARACTERS_UTF8,
            None,
            None,
        )
        return f"espeak_Synth gave {status}" if status else ""

    def _on_samples(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count:
            pcm = ctypes.string_at(samples, count * 2)
            self._out.write(b"chunk %d\n%b" % (len(pcm), pcm))
            self._out.flush()
        return 0


def _names(library: Any) -> Iterator[str]:
    """Give the names, languages and files by which voices can be asked for, in lower case."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    for voice in library.espeak_ListVoices(None):
        if not voice:
            return
        it = voice.contents
        yield it.name.decode().lower()
        file = it.identifier.decode().lower()
        yield from (file, file.rpartition("/")[2])
        at = 0
        while it.languages[at] != b"\0":  # a byte of priority, a string; and so on
            language = ctypes.string_at(ctypes.addressof(it.languages.contents) + at + 1)
            yield language.decode().lower()
            at += len(language) + 2


def main(library: str, data: str) -> None:
    """
    Serve requests until the input ends.

    Args:
        library: Path of the shared library.
        data: Path of its data folder.
    """
    # A terminal sends Ctrl-C to all of its programs; the application decides, and then our input ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = sys.stdout.buffer
    engine = _Library(library, data, out)
    out.write(b"ready %d\n" % engine.rate_hz)
    out.flush()
    for line in sys.stdin.buffer:
        failure = engine.speak(json.loads(line))
        out.write(f"error {failure}\n".encode("ascii", "replace") if failure else b"done\n")
        out.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
