"""What is kept of a call: a stereo recording, and its picture."""

from __future__ import annotations

import logging
from collections.abc import Callable
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

_log = logging.getLogger("realtime_telephony.call")


@final
class Keepsake:
    """
    Takes the call in and leaves the files asked for; a file that fails is logged, the call goes on.

    Args:
        agent: For the title of the picture.
        rate_hz: Of the leg.
        record: Stereo WAV, or `None`.
        picture: SVG, or `None`.
        clock: Monotonic.

    Raises:
        ConfigError: A file cannot be written.
    """

    def __init__(
        self, agent: Agent, rate_hz: int, *, record: Path | None, picture: Path | None, clock: Clock
    ) -> None:
        self._clock = clock
        self._rate_hz = rate_hz
        self._began = clock.now()
        self._picture = picture
        self._timeline: Timeline | None = None
        self._recording: StereoRecording | None = None
        if picture is not None:
            if not picture.parent.is_dir():
                raise ConfigError(f"picture: there is no folder {picture.parent}")
            self._timeline = Timeline(
                provider=agent.vendor, caller_rate_hz=rate_hz, heard_rate_hz=rate_hz
            )
        if record is not None:
            try:
                self._recording = StereoRecording(record, rate_hz)
            except OSError as error:
                raise ConfigError(f"record: cannot write {record}: {error.strerror}") from error

    @property
    def wanted(self) -> bool:
        """Whether anything is kept at all."""
        return self._timeline is not None or self._recording is not None

    def caller(self, pcm: bytes) -> None:
        """Take what the caller says, as it comes."""
        if self.wanted:
            length_ms = len(pcm) * 500 / self._rate_hz
            self._keep(lambda side, t_ms: side.caller(pcm, max(0.0, t_ms - length_ms)))

    def heard(self, pcm: bytes) -> None:
        """Take what leaves for the caller's ear."""
        self._keep(lambda side, t_ms: side.heard(pcm, t_ms))

    def event(self, event: Event) -> None:
        """Take an event of the agent."""
        if self._timeline is not None:
            self._timeline.take(event, self._now_ms())

    def conclude(self, verdict: str, *, failed: bool) -> None:
        """Say how it went, for the picture."""
        if self._timeline is not None:
            self._timeline.conclude(verdict, failed=failed)

    def finish(self) -> None:
        """Write what is to be written and close the files."""
        if self._recording is not None:
            self._attempt(self._recording.close, "the recording")
        if self._timeline is not None and self._picture is not None:
            drawing, path = self._timeline, self._picture
            self._attempt(lambda: path.write_text(draw(drawing), encoding="utf-8"), "the picture")

    def _keep(self, keep: Callable[[StereoRecording | Timeline, float], None]) -> None:
        t_ms = self._now_ms()
        if self._timeline is not None:
            keep(self._timeline, t_ms)
        if self._recording is not None:
            recording = self._recording
            if not self._attempt(lambda: keep(recording, t_ms), "the recording"):
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
