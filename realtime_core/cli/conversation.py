"""A caller and an agent on one line, in the time of the call, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from realtime_core.agent import Agent
from realtime_core.cli.dialogue import FRAME_MS, Ear
from realtime_core.cli.event_log import Sink
from realtime_core.cli.handset import Handset, HandsetError
from realtime_core.cli.narration import Line, one_line
from realtime_core.cli.progress import Progress
from realtime_core.cli.toolbox import Toolbox
from realtime_core.cli.view import View
from realtime_core.errors import AgentClosedError, RealtimeError
from realtime_core.events import AssistantAudio, AssistantTurnEnd, Event, SessionOpen
from realtime_core.playout import Playout
from realtime_core.stats import SessionStats
from realtime_core.timeline import Timeline

__all__ = ["Conversation", "Outcome"]


@frozen(kw_only=True)
class Outcome:
    """How a conversation went."""

    stats: SessionStats
    """The agent's figures."""
    progress: Progress
    """What happened."""
    latencies_ms: tuple[float, ...]
    """From the end of speech to the first audio, of each reply that has both."""
    refused: RealtimeError | None = None
    """Why the session did not start."""
    failed: str | None = None
    """Which file could not be written or which device failed, and why."""
    lost: Path | None = None
    """The file that could not be written."""
    timed_out: bool = False
    """The time limit ended it."""
    interrupted: bool = False
    """Ctrl-C ended it."""

    @property
    def opened(self) -> bool:
        """Whether there was a session."""
        return self.stats.time_to_session_ms is not None


class Conversation:
    """
    One caller, one session.

    `on_event` is for `Options.on_event`; then `run` with the agent made from those options. The line has a beat of
    20 ms: a frame of the caller goes out, a frame of the assistant is heard.

    Args:
        handset: The caller's.
        view: Shows it.
        sinks: Files to write.
        timeline: Records it, in the time of the call.
        pace: Times real time.
        timeout_s: Bound of the whole, in seconds; `None` is none.
        titles: Of the recordings, told when one of several begins.
        toolbox: Whose answers are shown.
        clock: Monotonic.
    """

    def __init__(
        self,
        *,
        handset: Handset,
        view: View,
        sinks: Sequence[Sink],
        timeline: Timeline,
        pace: float,
        timeout_s: float | None,
        titles: Sequence[str] = (),
        toolbox: Toolbox | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._handset = handset
        self._view = view
        self._sinks = sinks
        self._timeline = timeline
        self._pace = pace
        self._timeout_s = timeout_s
        self._titles = titles
        self._toolbox = toolbox
        self._clock = clock
        self._progress = Progress()
        self._agent: Agent | None = None
        self._playout: Playout | None = None
        self._opened_at = 0.0
        self._beats = 0
        self._beat_at: float | None = None
        self._reply: str | None = None
        self._reply_before: str | None = None
        self._answer_ms: float | None = None
        self._latencies_ms: list[float] = []
        self._latency_seen: float | None = None
        self._failed: str | None = None
        self._lost: Path | None = None

    # Events

    def on_event(self, event: Event) -> None:
        """Take an event in, show and write it."""
        now = self._clock()
        if isinstance(event, SessionOpen):
            self._opened_at = now
        if self._playout is not None:
            self._playout.feed(event)
        self._progress.take(event, now)
        self._timeline.take(event, self._call_ms(now))
        if isinstance(event, AssistantTurnEnd):
            self._note_latency()
        if isinstance(event, AssistantAudio):  # a vendor without ids has one reply at a time
            self._reply = event.response_id or f"reply {len(self._progress.statuses)}"
        t_ms = (now - self._opened_at) * 1000
        self._view.event(t_ms, event)
        for sink in self._sinks:
            self._write(sink, lambda sink: sink.take(t_ms, event))

    def _write(self, sink: Sink, work: Callable[[Sink], None]) -> None:
        if self._failed is None:
            self._written(sink, work)

    def _written(self, sink: Sink, work: Callable[[Sink], None]) -> None:
        try:
            work(sink)
        except OSError as error:
            self._failed, self._lost = f"cannot write {sink.path}: {error.strerror}", sink.path

    def _note_latency(self) -> None:
        latency = self._agent.stats.last_response_latency_ms if self._agent else None
        if latency is not None and latency != self._latency_seen:
            self._latencies_ms.append(latency)
        self._latency_seen = latency

    def _tool_answered(self, name: str, arguments: Mapping[str, Any], answer: str) -> None:
        now = self._clock()
        self._timeline.answered(name, arguments, answer, self._call_ms(now))
        self._tell(now, "tool.answer", f"{name}: {one_line(answer)}")

    def _tell(self, now: float, kind: str, detail: str) -> None:
        self._view.tell(Line((now - self._opened_at) * 1000, kind, detail))

    def _call_ms(self, now: float) -> float:
        """Give the time of the call: that of its audio, so that a faster pace and a late beat change nothing."""
        if self._beat_at is None:
            return 0.0
        since_ms = (now - self._beat_at) * 1000 * self._pace
        return (self._beats - 1) * FRAME_MS + min(since_ms, FRAME_MS)

    # The line

    async def run(self, agent: Agent) -> Outcome:
        """
        Talk, until the last speech is answered and heard, the session ends, time is up or the caller is cancelled.

        Cancelling it (Ctrl-C) is an outcome and not an exception. Session and files are closed in any case.
        """
        self._agent = agent
        self._playout = Playout(agent, frame_ms=FRAME_MS)
        agent.on_cut(self._handset.hush)
        if self._toolbox is not None:
            self._toolbox.listen(self._tool_answered)
        refused: RealtimeError | None = None
        timed_out = interrupted = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await agent.start()
                await self._talk(agent, self._playout)
                await self._handset.drain()
        except TimeoutError:
            timed_out = True
        except AgentClosedError:
            pass  # the session ended under us; its events say why
        except HandsetError as error:
            self._failed = str(error)
        except RealtimeError as error:
            refused = error
        except asyncio.CancelledError:
            interrupted = True
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        finally:
            try:
                await agent.close()
            finally:
                for sink in self._sinks:
                    self._written(sink, lambda sink: sink.close())
        return Outcome(
            stats=agent.stats,
            progress=self._progress,
            latencies_ms=tuple(self._latencies_ms),
            refused=refused,
            failed=self._failed,
            lost=self._lost,
            timed_out=timed_out,
            interrupted=interrupted,
        )

    async def _talk(self, agent: Agent, playout: Playout) -> None:
        handset = self._handset
        said = -1
        while not self._over(playout):
            frame = await handset.frame(self._ear(playout))
            if self._over(playout):
                return
            if handset.current != said:
                said = handset.current
                self._begun(said)
            if handset.is_done and not self._progress.waiting:
                self._progress.recording_ended(self._clock())
            self._beats += 1
            self._beat_at = self._clock()
            t_ms = self._call_ms(self._beat_at)
            # Silence goes on between and behind recordings: vendors measure time by the audio they receive.
            await agent.push_audio(frame)
            heard = playout.read()
            handset.play(heard)
            self._take_in(frame, heard, t_ms)

    def _begun(self, number: int) -> None:
        """Take note that a recording begins."""
        self._progress.asked()
        self._reply_before, self._answer_ms = self._reply, None
        if len(self._titles) > 1:
            self._tell(self._clock(), "caller.recording", self._titles[number])

    def _take_in(self, frame: bytes, heard: bytes, t_ms: float) -> None:
        if self._answer_ms is None and self._reply != self._reply_before and any(heard):
            self._answer_ms = t_ms
        self._timeline.caller(frame, t_ms)
        self._timeline.heard(heard, t_ms)
        self._view.caller(frame, self._handset.said_s)
        self._view.heard(heard)
        for sink in self._sinks:
            self._write(sink, lambda sink: sink.line(frame, heard))

    def _ear(self, playout: Playout) -> Ear:
        is_silent = not playout.buffered_ms
        return Ear(
            t_ms=self._beats * FRAME_MS,
            answer_ms=self._answer_ms,
            is_answered=is_silent and self._progress.answered,
            is_idle=is_silent and self._progress.idle,
        )

    def _over(self, playout: Playout) -> bool:
        now = self._clock()
        if self._failed is not None or self._progress.over:
            return True
        is_heard = not playout.buffered_ms
        return is_heard and (self._progress.said_goodbye(now) or self._progress.finished(now))
