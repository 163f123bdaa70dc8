"""What is kept of a call: a stereo recording, and its picture."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

from realtime_core.agent import Agent
from realtime_core.clock import Clock
from realtime_core.errors import ConfigError
from realtime_core.events import Event
from realtime_core.picture import draw
from realtime_core.recording import StereoRecording
from realtime_core.timeline import Timeline

__all__ = ["Keepsake"]

_MOST_UNWRITTEN = 3000
"""Pieces that may wait for the disk: half a minute of a call."""
_log = logging.getLogger("realtime_telephony.call")


@final
class Keepsake:
    """
    Takes the call in and leaves the files asked for.

    Files are written by a thread of their own, so that a slow disk holds up no call; a file that fails is logged, and the
    call goes on without it.

    Args:
        agent: For the title of the picture.
        rate_hz: Of the leg.
        record: Stereo WAV, or `None`.
        picture: SVG, or `None`.
        clock: Monotonic.
    """

    def __init__(
        self, agent: Agent, rate_hz: int, *, record: Path | None, picture: Path | None, clock: Clock
    ) -> None:
        self._clock = clock
        self._rate_hz = rate_hz
        self._began = clock.now()
        self._record = record
        self._picture = picture
        self._timeline: Timeline | None = None
        if picture is not None:
            self._timeline = Timeline(
                provider=agent.vendor, caller_rate_hz=rate_hz, heard_rate_hz=rate_hz
            )
        self._recording: StereoRecording | None = None
        self._writer: ThreadPoolExecutor | None = None
        self._unwritten = 0

    async def open(self) -> None:
        """
        Open the files, before the call begins.

        Raises:
            ConfigError: A file cannot be written.
        """
        if self._record is None and self._picture is None:
            return
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="realtime keepsake")
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._open)
        except BaseException:
            self._writer.shutdown(wait=False)
            raise

    def _open(self) -> None:
        if self._picture is not None and not self._picture.parent.is_dir():
            raise ConfigError(f"picture: there is no folder {self._picture.parent}")
        if self._record is not None:
            try:
                self._recording = StereoRecording(self._record, self._rate_hz)
            except OSError as error:
                raise ConfigError(
                    f"record: cannot write {self._record}: {error.strerror}"
                ) from error

    @property
    def wanted(self) -> bool:
        """Whether anything is kept at all."""
        return self._writer is not None

    def caller(self, pcm: bytes) -> None:
        """Take what the caller says, as it comes."""
        if not self.wanted:
            return
        t_ms = max(0.0, self._now_ms() - len(pcm) * 500 / self._rate_hz)
        if self._timeline is not None:
            self._timeline.caller(pcm, t_ms)
        if self._recording is not None:
            recording = self._recording
            self._write(lambda: recording.caller(pcm, t_ms))

    def heard(self, pcm: bytes) -> None:
        """Take what leaves for the caller's ear."""
        t_ms = self._now_ms()
        if self._timeline is not None:
            self._timeline.heard(pcm, t_ms)
        if self._recording is not None:
            recording = self._recording
            self._write(lambda: recording.heard(pcm, t_ms))

    def event(self, event: Event) -> None:
        """Take an event of the agent."""
        if self._timeline is not None:
            self._timeline.take(event, self._now_ms())

    def conclude(self, verdict: str, *, failed: bool) -> None:
        """Say how it went, for the picture."""
        if self._timeline is not None:
            self._timeline.conclude(verdict, failed=failed)

    async def finish(self) -> None:
        """Write what is to be written and close the files."""
        if self._writer is not None:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._finish)
            self._writer.shutdown(wait=False)

    def _finish(self) -> None:
        if self._recording is not None:
            self._attempt(self._recording.close, "the recording")
        if self._timeline is not None and self._picture is not None:
            timeline, path = self._timeline, self._picture
            self._attempt(lambda: path.write_text(draw(timeline), encoding="utf-8"), "the picture")

    def _write(self, work: Callable[[], object]) -> None:
        if self._writer is None:
            return
        if self._unwritten >= _MOST_UNWRITTEN:
            self._recording = None
            _log.error("the disk is too slow for the recording; the call goes on without it")
            return
        self._unwritten += 1
        self._writer.submit(self._write_one, work)

    def _write_one(self, work: Callable[[], object]) -> None:
        self._unwritten -= 1
        if self._recording is not None and not self._attempt(work, "the recording"):
            self._recording = None

    def _attempt(self, work: Callable[[], object], what: str) -> bool:
        try:
            work()
        except OSError as error:
            _log.error("%s could not be written: %s; the call goes on", what, error.strerror)
            return False
        return True

    def _now_ms(self) -> float:
        return (self._clock.now() - self._began) * 1000
