"""A recording, streamed at the pace of speech, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from attrs import frozen

from realtime_core.agent import Agent
from realtime_core.cli.event_log import Sink
from realtime_core.cli.pace import Schedule
from realtime_core.cli.progress import Progress
from realtime_core.cli.view import View
from realtime_core.cli.wav import Recording
from realtime_core.errors import AgentClosedError, RealtimeError
from realtime_core.events import AssistantTurnEnd, Event, SessionOpen
from realtime_core.stats import SessionStats

__all__ = ["FRAME_MS", "Conversation", "Outcome"]

FRAME_MS = 20
"""Length of the pieces sent, in ms."""


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
    write_error: str | None = None
    """Which file could not be written, and why."""
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
    One recording, one session.

    `on_event` is for `Options.on_event`; then `run` with the agent made from those options.

    Args:
        recording: At the rate of `Options.input_sample_rate`.
        view: Shows it.
        sinks: Files to write.
        pace: Times real time.
        timeout_s: Bound of the whole, in seconds.
        clock: Monotonic.
    """

    def __init__(
        self,
        *,
        recording: Recording,
        view: View,
        sinks: Sequence[Sink],
        pace: float,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recording = recording
        self._view = view
        self._sinks = sinks
        self._pace = pace
        self._timeout_s = timeout_s
        self._clock = clock
        self._progress = Progress()
        self._agent: Agent | None = None
        self._opened_at = 0.0
        self._latencies_ms: list[float] = []
        self._latency_seen: float | None = None
        self._write_error: str | None = None

    def on_event(self, event: Event) -> None:
        """Show and write an event."""
        now = self._clock()
        if isinstance(event, SessionOpen):
            self._opened_at = now
        self._progress.take(event, now)
        if isinstance(event, AssistantTurnEnd):
            self._note_latency()
        t_ms = (now - self._opened_at) * 1000
        self._view.event(t_ms, event)
        for sink in self._sinks:
            if self._write_error is None:
                self._write(sink, lambda sink: sink.take(t_ms, event))

    def _write(self, sink: Sink, work: Callable[[Sink], None]) -> None:
        try:
            work(sink)
        except OSError as error:
            self._write_error = f"cannot write {sink.path}: {error.strerror}"

    def _note_latency(self) -> None:
        latency = self._agent.stats.last_response_latency_ms if self._agent else None
        if latency is not None and latency != self._latency_seen:
            self._latencies_ms.append(latency)
        self._latency_seen = latency

    async def run(self, agent: Agent) -> Outcome:
        """
        Talk, until the last speech is answered, the session ends, time is up or the caller is cancelled.

        Cancelling it (Ctrl-C) is an outcome and not an exception. Session and files are closed in any case.
        """
        self._agent = agent
        refused: RealtimeError | None = None
        timed_out = interrupted = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await agent.start()
                await self._talk(agent)
        except TimeoutError:
            timed_out = True
        except AgentClosedError:
            pass  # the session ended under us; its events say why
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
                    self._write(sink, lambda sink: sink.close())
        return Outcome(
            stats=agent.stats,
            progress=self._progress,
            latencies_ms=tuple(self._latencies_ms),
            refused=refused,
            write_error=self._write_error,
            timed_out=timed_out,
            interrupted=interrupted,
        )

    async def _talk(self, agent: Agent) -> None:
        schedule = Schedule(FRAME_MS / 1000 / self._pace)
        sent_s = 0.0

        async def send(frame: bytes) -> None:
            nonlocal sent_s
            await agent.push_audio(frame)
            sent_s += len(frame) / 2 / self._recording.rate_hz
            self._view.caller(frame, sent_s)

        for frame in self._recording.frames(FRAME_MS):
            await schedule.beat()
            if self._ended:
                return
            await send(frame)
        self._progress.recording_ended(self._clock())
        # Silence goes on: vendors measure time by the audio they receive.
        silence = bytes(self._recording.rate_hz * FRAME_MS // 1000 * 2)
        while not self._ended:
            await schedule.beat()
            await send(silence)

    @property
    def _ended(self) -> bool:
        return self._write_error is not None or self._progress.finished(self._clock())
