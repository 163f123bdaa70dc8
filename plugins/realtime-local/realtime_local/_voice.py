"""The voice of a session: a synthesiser's audio, brought from the thread it works in to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from threading import Semaphore
from typing import Any, Final, final

from realtime_core.audio import PCM_FORMATS
from realtime_local.engines import Synthesiser, SynthesisError
from realtime_local.lead import without_lead

__all__ = ["Voice"]

_MOST_CHUNKS: Final = 8
"""On their way to the loop: a voice may be a thousand times faster than speech, and the loop has others to serve."""
_LONGEST_MS: Final = 200
"""Longer chunks, such as whole sentences, are cut."""
_LOOK_EVERY_S: Final = 1.0


def _whole_samples(chunks: Iterable[Any], longest: int) -> Iterator[bytes]:
    """Cut what an engine gives into pieces of whole samples; an answer of a server comes in chunks of any length."""
    half = b""
    for chunk in chunks:
        view = memoryview(chunk)
        if view.format not in PCM_FORMATS:
            raise SynthesisError(f"a speech engine gave {view.format!r} values; expected PCM16LE")
        pcm = half + view.tobytes()
        whole = len(pcm) // 2 * 2
        half = pcm[whole:]
        for at in range(0, whole, longest):
            yield pcm[at : min(at + longest, whole)]


@final
class Voice:
    """
    Speaks one text at a time.

    Args:
        synthesiser: Makes the audio.
        name: One of its voices, `None` for its usual one.
        threads: Where it works.
    """

    def __init__(self, synthesiser: Synthesiser, name: str | None, threads: Executor) -> None:
        self._synthesiser = synthesiser
        self._name = name
        self._threads = threads

    async def speak(self, text: str, pass_on: Callable[[bytes], None], *, first: bool) -> None:
        """
        Speak; returns when all audio is passed on. Cancelled, it passes on no more and stops the engine.

        Args:
            text: A sentence or two.
            pass_on: Takes PCM16LE mono at the synthesiser's rate, on the event loop.
            first: Of a reply. Between sentences silence is a pause; before the first it is only late, and left out.
        """
        rate_hz = self._synthesiser.sample_rate_hz
        loop = asyncio.get_running_loop()
        gone = False
        space = Semaphore(_MOST_CHUNKS)

        def arrive(pcm: bytes) -> None:
            space.release()
            if not gone:
                pass_on(pcm)

        def work() -> None:
            if gone:
                return
            chunks = self._synthesiser.speak(text, self._name)  # here, for it may block
            whole = _whole_samples(chunks, max(2, _LONGEST_MS * rate_hz // 1000 * 2))
            try:
                for pcm in without_lead(whole, rate_hz) if first else whole:
                    while not space.acquire(timeout=_LOOK_EVERY_S):
                        if not loop.is_running():  # it was left without a word, as at an exit
                            return
                    if gone:
                        return
                    loop.call_soon_threadsafe(arrive, pcm)
            finally:
                if (close := getattr(chunks, "close", None)) is not None:
                    close()  # stops the engine

        try:
            await loop.run_in_executor(self._threads, work)
        finally:
            gone = True
            space.release()
