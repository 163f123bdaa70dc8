"""What is kept of a call: a stereo recording, and its picture."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import final

from realtime_core.agent import Agent
from realtime_core.audio import pcm_ms
from realtime_core.clock import Clock
from realtime_core.errors import ConfigError
from realtime_core.events import Event
from realtime_core.picture import draw
from realtime_core.recording import StereoRecording
from realtime_core.timeline import Timeline
from realtime_telephony.scribe import Scribe

__all__ = ["FINISH_LIMIT_S", "OPEN_LIMIT_S", "Keepsake"]

_MOST_UNWRITTEN = 3000
"""Pieces that may wait for the disk: half a minute of a call."""
OPEN_LIMIT_S = 5.0
"""How long the beginning of a call waits for the disk."""
FINISH_LIMIT_S = 5.0
"""How long the end of a call waits for the disk."""
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
        self._writer: Scribe | None = None
        self._is_lost = record is None
        """Nothing is given to the recording any more."""
        # Each counted by one thread only: by the loop's what was given, by the writer's what is done.
        self._given = self._written = 0

    async def open(self) -> None:
        """
        Open the files, before the call begins.

        Raises:
            ConfigError: A file cannot be written, or the disk takes longer than `OPEN_LIMIT_S`.
        """
        if self._record is None and self._picture is None:
            return
        self._writer = Scribe("realtime keepsake")
        try:
            await self._writer.run(self._open, OPEN_LIMIT_S)
        except TimeoutError:
            self._abandon(self._writer)
            what = "picture" if self._record is None else "record"
            path = self._record or self._picture
            raise ConfigError(
                f"{what}: {path} could not be opened within {OPEN_LIMIT_S:g} s"
            ) from None
        except BaseException:
            self._abandon(self._writer)
            raise

    def _abandon(self, writer: Scribe) -> None:
        writer.submit(self._give_up)  # behind the opening, which may still be at work
        writer.end()

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
        """Take what the caller says, as it comes, silence too: one piece follows the other, whenever we come to read it."""
        if not self.wanted:
            return
        self._note(lambda timeline: timeline.caller(pcm, self._began_ms(pcm)))
        self._write(lambda recording: recording.caller(pcm))

    def heard(self, pcm: bytes) -> None:
        """Take what leaves for the caller's ear."""
        t_ms = self._began_ms(pcm)
        self._note(lambda timeline: timeline.heard(pcm, t_ms))
        self._write(lambda recording: recording.heard(pcm, t_ms))

    def event(self, event: Event) -> None:
        """Take an event of the agent."""
        self._note(lambda timeline: timeline.take(event, self._now_ms()))

    def conclude(self, verdict: str, *, failed: bool) -> None:
        """Say how it went, for the picture."""
        self._note(lambda timeline: timeline.conclude(verdict, failed=failed))

    async def finish(self) -> None:
        """Write what is to be written and close the files; a disk that takes longer than `FINISH_LIMIT_S` is left to it."""
        if self._writer is None:
            return
        try:
            await self._writer.run(self._finish, FINISH_LIMIT_S)
        except TimeoutError:
            _log.error("the disk is too slow: files of the call are still being written")
        finally:
            self._writer.end()

    def _finish(self) -> None:
        self._give_up()
        if self._timeline is not None and self._picture is not None:
            timeline, path = self._timeline, self._picture
            self._attempt(lambda: path.write_text(draw(timeline), encoding="utf-8"), "the picture")

    def _give_up(self) -> None:
        """Close the recording, with what there is of it."""
        recording, self._recording = self._recording, None
        if recording is not None:
            self._attempt(recording.close, "the recording")

    def _note(self, note: Callable[[Timeline], object]) -> None:
        timeline = self._timeline
        if timeline is not None and not self._attempt(lambda: note(timeline), "the picture"):
            self._timeline = None

    def _write(self, write: Callable[[StereoRecording], object]) -> None:
        if self._writer is None or self._is_lost:
            return
        if self._given - self._written >= _MOST_UNWRITTEN:
            self._is_lost = True
            _log.error("the disk is too slow for the recording; the call goes on without it")
            return
        self._given += 1
        self._writer.submit(lambda: self._write_one(write))

    def _write_one(self, write: Callable[[StereoRecording], object]) -> None:
        self._written += 1
        recording = self._recording
        if recording is not None and not self._attempt(lambda: write(recording), "the recording"):
            self._is_lost = True
            self._give_up()

    def _attempt(self, work: Callable[[], object], what: str) -> bool:
        try:
            work()
        except OSError as error:
            _log.error("%s could not be written: %s; the call goes on", what, error.strerror)
            return False
        except Exception:  # noqa: BLE001 - a bug of ours costs a file, not a call
            _log.exception("%s could not be written; the call goes on", what)
            return False
        return True

    def _began_ms(self, pcm: bytes) -> float:
        """When audio began that has just ended."""
        return max(0.0, self._now_ms() - pcm_ms(len(pcm), self._rate_hz))

    def _now_ms(self) -> float:
        return (self._clock.now() - self._began) * 1000
