"""The caller's words: recognition in a thread of its own, begun before it is certain that the utterance is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import final

from realtime_local.engines import Heard, Recogniser

__all__ = ["Understanding"]


@final
class Understanding:
    """
    Recognises utterances, one at a time and in order.

    In every pause it is begun with what was said so far. When the pause turns out to be the end, the words are known
    already, or soon; when the caller goes on, that work was for nothing.

    Args:
        understood: Told item and text, also when recognition failed.
        failed: Told what it failed with, and on what audio, before that.
    """

    def __init__(
        self,
        understood: Callable[[str, str], None],
        failed: Callable[[Exception, bytes], None],
    ) -> None:
        self._recogniser: Recogniser | None = None
        self._understood = understood
        self._failed = failed
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="realtime local words")
        self._begun: tuple[int, Future[Heard]] | None = None
        self._waiting: deque[tuple[str, bytes, Future[Heard]]] = deque()
        self._telling: asyncio.Task[None] | None = None

    async def load(self, make: Callable[[], Recogniser]) -> None:
        """Make the recogniser, in the thread that will call it; before anything else."""
        loop = asyncio.get_running_loop()
        self._recogniser = await loop.run_in_executor(self._thread, make)

    def begin(self, pcm: bytes, silent_since_ms: int) -> None:
        """Begin in a pause; what was begun in the last one is forgotten."""
        self._forget()
        self._begun = (silent_since_ms, self._start(pcm))

    def recognise(self, item: str, pcm: bytes, silent_since_ms: int | None = None) -> None:
        """Recognise a whole utterance, or take what was begun in the pause that has become its end."""
        begun, heard = self._begun, None
        if begun is not None and begun[0] == silent_since_ms:
            heard, self._begun = begun[1], None
        self._forget()
        self._waiting.append((item, pcm, heard if heard is not None else self._start(pcm)))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="realtime local words")

    def close(self) -> None:
        """Forget everything; what is being recognised is not waited for. Idempotent."""
        self._forget()
        if self._telling is not None:
            self._telling.cancel()
        for _, _, heard in self._waiting:
            heard.cancel()
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(self, pcm: bytes) -> Future[Heard]:
        assert self._recogniser is not None  # noqa: S101 - loaded before anything is heard
        return self._thread.submit(self._recogniser.recognise, pcm)

    def _forget(self) -> None:
        if self._begun is not None:
            self._begun[
                1
            ].cancel()  # if it has not begun; what runs ends by itself, and nobody asks
            self._begun = None

    async def _tell(self) -> None:
        while self._waiting:
            item, pcm, heard = self._waiting.popleft()
            text = ""
            try:
                text = (await asyncio.wrap_future(heard)).text
            except Exception as error:  # noqa: BLE001 - a user's engine may raise anything; the call goes on
                self._failed(error, pcm)
            self._understood(item, text)
