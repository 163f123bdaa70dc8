"""The caller's words: recognition in a thread of its own, begun before it is certain that the utterance is over."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, final

from realtime_core.errors import ErrorKind, RealtimeError
from realtime_local._cancelling import is_cancelled
from realtime_local.engines import Heard, Recogniser

__all__ = ["UTTERANCE_LIMIT_S", "Understanding"]

UTTERANCE_LIMIT_S: Final = 25.0
"""From the end of an utterance to its words, whatever the recogniser waits for: less than the 30 s after which the session ends."""


@final
class Understanding:
    """
    Recognises utterances, one at a time and in order.

    In every pause it is begun with what was said so far. When the pause turns out to be the end, the words are known
    already, or soon; when the caller goes on, that work was for nothing.

    An utterance whose words are not known in time is given up, but the recogniser may work on, and the next one waits for
    it. One that ends while it is still at work on what was given up has no limit here: the session takes it for dead.

    Args:
        understood: Told item and text, also when recognition failed.
        failed: Told what it failed with, and on what audio, before that.
    """

    def __init__(
        self,
        understood: Callable[[str, str], None],
        failed: Callable[[BaseException, bytes], None],
    ) -> None:
        self._recogniser: Recogniser | None = None
        self._understood = understood
        self._failed = failed
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="realtime local words")
        self._begun: tuple[int, Future[Heard]] | None = None
        self._waiting: deque[tuple[str, bytes, Future[Heard], float | None]] = deque()
        self._work: object = None
        """What the recogniser is at."""
        self._hopeless: object = None
        """What it was at when an utterance was given up."""
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
        heard = heard if heard is not None else self._start(pcm)
        self._waiting.append((item, pcm, heard, self._deadline()))
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(), name="realtime local words")

    def close(self) -> None:
        """Forget everything; what is being recognised is not waited for. Idempotent."""
        self._forget()
        if self._telling is not None:
            self._telling.cancel()
        for _, _, heard, _ in self._waiting:
            heard.cancel()
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(self, pcm: bytes) -> Future[Heard]:
        return self._thread.submit(self._recognised, pcm)

    def _recognised(self, pcm: bytes) -> Heard:
        assert self._recogniser is not None  # noqa: S101 - loaded before anything is heard
        self._work = object()
        try:
            return self._recogniser.recognise(pcm)
        finally:
            self._work = None

    def _deadline(self) -> float | None:
        if self._work is not None and self._work is self._hopeless:
            return None
        return asyncio.get_running_loop().time() + UTTERANCE_LIMIT_S

    def _forget(self) -> None:
        if self._begun is not None:
            # If it has not begun; what runs ends by itself, and nobody asks.
            self._begun[1].cancel()
            self._begun = None

    async def _tell(self) -> None:
        while self._waiting:
            item, pcm, heard, deadline = self._waiting.popleft()
            text = ""
            try:
                text = await self._words(heard, deadline)
            except (Exception, asyncio.CancelledError) as error:
                # A user's engine may raise anything.
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise
                self._failed(error, pcm)  # the call goes on
            self._understood(item, text)

    async def _words(self, heard: Future[Heard], deadline: float | None) -> str:
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                found = await asyncio.wrap_future(heard)
        except TimeoutError:
            if not limit.expired():
                raise
            self._hopeless = self._work
            raise RealtimeError(
                f"the recogniser gave no answer within {UTTERANCE_LIMIT_S:g} s",
                kind=ErrorKind.STALLED,
                retryable=True,
            ) from None
        text: object = getattr(found, "text", None)
        if not isinstance(text, str):
            raise RealtimeError(
                "the recogniser gave no Heard with a text; expected one, empty where nothing was understood",
                kind=ErrorKind.VENDOR,
            )
        return text
