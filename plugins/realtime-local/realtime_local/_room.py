"""
Where the work is done: the transport of a session whose model is in this process.

The engines are loaded when it connects. It listens on the event loop (or beside it, where a detector is slow), recognises
and synthesises in threads of its own, and answers with frames as a vendor's server would. One reply at a time is under
way; one utterance at a time is recognised, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar, final

from attrs import frozen

from realtime_core.audio import pcm_ms
from realtime_core.errors import ErrorKind, RealtimeError
from realtime_core.log import SessionLog
from realtime_core.tools import Tool
from realtime_core.transport import ConnectionClosed
from realtime_local._cancelling import is_cancelled
from realtime_local._frames import (
    CALLER_AUDIO,
    from_json,
    messages_from,
    spoken,
    to_json,
)
from realtime_local._listener import Listener
from realtime_local._understanding import Understanding
from realtime_local._voice import Voice
from realtime_local.endpointing import SpeechBegan, SpeechEnded, SpeechPaused
from realtime_local.engines import (
    MODEL_RATE_HZ,
    Recogniser,
    Replier,
    Say,
    Synthesiser,
    SynthesisError,
    TurnRequest,
)

__all__ = ["EngineRoom", "Engines"]

T = TypeVar("T")
_MOST_UNJUDGED_MS = 2000
_GRACE_S = 0.8
"""How long a reply, and then its replier, may take to end; together less than a session waits for its close."""


@frozen(kw_only=True)
class Engines:
    """What a session works with."""

    listen: Callable[[], Listener]
    """Makes what finds utterances; may take long."""
    recogniser: Callable[[str | None], Recogniser]
    """Makes the recogniser for a grammar; may take long."""
    replier: Replier
    """Decides what is answered."""
    synthesiser: Synthesiser | None
    """Speaks; without one replies are text alone."""
    check_voice: Callable[[], None] | None
    """Finds out whether it can speak with the voice; may take long."""
    voice: str | None
    """One of the synthesiser's."""
    tools: tuple[Tool, ...]
    """What the replier may call."""
    apology: str
    """Spoken when a turn cannot be answered."""


@final
class EngineRoom:
    """
    A `realtime_core.transport.Transport` without a network.

    Args:
        engines: What works in it.
        log: For failures.
    """

    def __init__(self, engines: Engines, log: SessionLog) -> None:
        self.heard: bool = False
        self._engines = engines
        self._log = log
        self._out: deque[bytes] = deque()
        self._wakeup = asyncio.Event()
        self._ended = False
        self._end = ConnectionClosed(1000)
        # One speaks, one judges frames where that is slow, and a voice that was cut may take its time to notice. None is
        # started before it is needed.
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="realtime local")
        voice = engines.synthesiser
        self._voice = None if voice is None else Voice(voice, engines.voice, self._threads)
        self._ear: Listener | None = None
        self._understanding = Understanding(self._understood, self._not_understood)
        self._listening: asyncio.Task[None] | None = None
        self._unjudged: deque[bytes] = deque()
        self._unjudged_bytes = 0
        self._is_judging = False
        self._to_be_cleared = False
        self._judged = asyncio.Event()
        self._replying: tuple[int, asyncio.Task[None]] | None = None
        self._speaks = 0
        """The reply of which something was spoken last."""
        self._leaving: set[asyncio.Task[None]] = set()
        self._utterances = 0
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "commit": self._commit,
            "clear": self._clear,
            "reply": self._start_reply,
            "stop": self._stop_reply,
        }

    # The transport

    async def connect(self) -> None:
        """
        Load the engines, off the event loop.

        Raises:
            ConfigError: An engine is missing or wrongly set.
            RealtimeError: One cannot be made now.
        """
        engines = self._engines
        grammar = engines.replier.phrases()
        check_voice = engines.check_voice or (lambda: None)
        ear, *others = await asyncio.gather(
            self._in_thread(engines.listen),
            self._in_thread(check_voice),
            self._understanding.load(lambda: engines.recogniser(grammar)),
            return_exceptions=True,  # or one that fails would leave the others running
        )
        for problem in (ear, *others):
            if isinstance(problem, asyncio.CancelledError):
                # Its own pool or loop was; whoever cancels the start does not come here.
                what = "an engine was cancelled while it was made"
                raise RealtimeError(what, kind=ErrorKind.VENDOR)
            if isinstance(problem, BaseException):
                raise problem
        assert isinstance(ear, Listener)  # noqa: S101 - it is no exception
        self._ear = ear

    def send(self, frame: bytes) -> None:
        """Take a frame of the wire."""
        if self._ended:
            return
        if frame[:1] == CALLER_AUDIO:
            self._hear(frame[1:])
        else:
            event = from_json(frame)
            self._handlers[event["type"]](event)

    def backlog(self) -> int:
        """Give the bytes of audio beyond what a slow detector may lie behind."""
        limit = _MOST_UNJUDGED_MS * MODEL_RATE_HZ // 1000 * 2
        return max(0, self._unjudged_bytes - limit)

    async def drained(self) -> None:
        """Wait until the detector has caught up."""
        while self.backlog() and not self._ended:
            self._judged.clear()
            await self._judged.wait()

    def ping(self) -> None:
        """It lives as long as the process does; a dead engine is told by its silence."""
        self.heard = True

    async def receive(self) -> bytes | ConnectionClosed:
        """Wait for the next frame of the engines."""
        while not self._out:
            if self._ended:
                return self._end
            self._wakeup.clear()
            await self._wakeup.wait()
        self.heard = True
        return self._out.popleft()

    async def close(self, code: int = 1000) -> None:
        """Stop all engines; idempotent."""
        self._ended = True
        tasks = [*self._leaving]
        self._understanding.close()
        for task in (self._listening, self._replying and self._replying[1]):
            if task is not None:
                task.cancel()
                tasks.append(task)
        self._judged.set()
        self._wakeup.set()
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=_GRACE_S)
            async with asyncio.timeout(_GRACE_S):
                await self._engines.replier.close()
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._ear = None  # its model is freed now, and not when somebody collects the cycle

    # The caller

    def _hear(self, pcm: bytes) -> None:
        ear = self._ear
        if ear is None:
            return
        if not ear.is_slow:
            try:
                self._found(ear.feed(pcm))
            except Exception as error:  # noqa: BLE001 - a user's engine may raise anything
                self._die(error)
            return
        self._unjudged.append(pcm)
        self._unjudged_bytes += len(pcm)
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen(ear), name="realtime local ear")

    async def _listen(self, ear: Listener) -> None:
        while self._unjudged:
            pcm = b"".join(self._unjudged)
            self._unjudged.clear()
            self._is_judging = True
            try:
                found = await self._in_thread(partial(ear.feed, pcm))
            except (Exception, asyncio.CancelledError) as error:
                # A user's engine may raise anything.
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise
                self._die(error)
                return
            finally:
                self._is_judging = False
            self._unjudged_bytes -= len(pcm)
            self._judged.set()
            self._found(found)
            if self._to_be_cleared:
                self._to_be_cleared = False
                self._forget(ear)

    def _found(self, found: list[SpeechBegan | SpeechPaused | SpeechEnded]) -> None:
        for event in found:
            match event:
                case SpeechBegan(onset_ms=onset_ms):
                    self._utterances += 1
                    self._say("speech_started", item=self._utterance, at_ms=onset_ms)
                case SpeechPaused(silent_since_ms=since_ms, pcm=pcm):
                    self._understanding.begin(pcm, since_ms)
                case SpeechEnded(silent_since_ms=since_ms, pcm=pcm):
                    self._say("speech_ended", item=self._utterance, at_ms=since_ms)
                    self._understanding.recognise(self._utterance, pcm, since_ms)

    def _die(self, error: BaseException) -> None:
        """End the session: who does not hear cannot talk."""
        self._log.exception("the speech detector failed")
        self._end = ConnectionClosed(1011, f"the speech detector failed: {type(error).__name__}")
        self._ended = True
        self._judged.set()
        self._wakeup.set()

    @property
    def _utterance(self) -> str:
        return f"utterance_{self._utterances}"

    def _commit(self, event: dict[str, Any]) -> None:
        if self._ear is not None:
            self._understanding.recognise(event["item"], self._ear.take())

    def _clear(self, event: dict[str, Any]) -> None:
        self._unjudged_bytes -= sum(map(len, self._unjudged))
        self._unjudged.clear()
        self._judged.set()
        if self._is_judging:  # in another thread, so that it must have ended first
            self._to_be_cleared = True
        elif self._ear is not None:
            self._forget(self._ear)

    def _forget(self, ear: Listener) -> None:
        if ear.clear():  # the utterance under way is forgotten
            self._say("speech_ended", item=self._utterance, at_ms=None)
            self._say("transcript", item=self._utterance, text="", answered=False)

    def _understood(self, item: str, text: str) -> None:
        self._say("transcript", item=item, text=text, answered=True)

    def _not_understood(self, error: BaseException, pcm: bytes) -> None:
        self._log.error("recognition failed", exc_info=error)
        self._error(error, f"the recogniser failed on {pcm_ms(len(pcm), MODEL_RATE_HZ):.0f} ms")

    # The reply

    def _start_reply(self, event: dict[str, Any]) -> None:
        number: int = event["reply"]
        task = asyncio.create_task(self._reply(number, event), name="realtime local reply")
        self._replying = (number, task)

    def _stop_reply(self, event: dict[str, Any]) -> None:
        if self._replying is not None and self._replying[0] == event["reply"]:
            task = self._replying[1]
            self._replying = None
            if not task.done():
                task.cancel()
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    async def _reply(self, number: int, event: dict[str, Any]) -> None:
        request = TurnRequest(
            history=messages_from(event["history"]),
            instructions=event["instructions"],
            tools=self._engines.tools,
            is_greeting=event["is_greeting"],
        )
        status = "completed"
        try:
            pieces = self._engines.replier.reply(request)
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    if isinstance(piece, Say):
                        await self._speak(number, piece.text)
                    else:
                        self._say(
                            "call",
                            reply=number,
                            call_id=piece.call_id,
                            name=piece.name,
                            arguments=dict(piece.arguments),
                        )
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            status = "failed"
            if not isinstance(error, RealtimeError):
                self._log.exception("the reply failed")
            self._error(error, "the turn could not be answered")
            await self._apologise(number)
        self._say("done", reply=number, status=status)

    async def _apologise(self, number: int) -> None:
        try:
            await self._speak(number, self._engines.apology)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            # The voice itself is broken; the error was reported already.
            self._log.exception("not even the apology could be spoken")

    async def _speak(self, number: int, text: str) -> None:
        """Speak a piece; returns when all of its audio is passed on, which is faster than real time."""
        if not text.strip():
            return
        self._say("say", reply=number, text=text)
        if self._voice is None:
            return
        first, self._speaks = self._speaks != number, number
        await self._voice.speak(text, lambda pcm: self._put(spoken(number, pcm)), first=first)
        self._say("said", reply=number)

    # Pieces

    def _say(self, kind: str, **fields: Any) -> None:
        self._put(to_json(kind, **fields))

    def _put(self, frame: bytes) -> None:
        self._out.append(frame)
        self._wakeup.set()

    def _error(self, error: BaseException, what: str) -> None:
        known = isinstance(error, (RealtimeError, SynthesisError))
        self._say(
            "error",
            message=str(error) if known else f"{what}: {type(error).__name__}",
            error_kind=error.kind if isinstance(error, RealtimeError) else ErrorKind.VENDOR,
            retryable=error.retryable if isinstance(error, RealtimeError) else True,
        )

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
