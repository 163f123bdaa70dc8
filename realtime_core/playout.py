"""The output side every application needs: audio in as it comes, frames out at the pace of the ear."""

from __future__ import annotations

from collections import deque
from typing import final

from attrs import define

from realtime_core.agent import Agent
from realtime_core.audio import BYTES_PER_SAMPLE, pcm_ms
from realtime_core.errors import ConfigError
from realtime_core.events import (
    AssistantAudio,
    AssistantTurnEnd,
    Event,
    Interrupted,
    SessionClose,
    UserSpeechStarted,
)

__all__ = ["Playout"]


@define
class _Item:
    """Audio of one message item that waits or plays."""

    item_id: str | None
    chunks: deque[memoryview]
    played_bytes: int = 0


@final
class Playout:
    """
    Hands out one frame at a time and reports to the agent what was played.

    Feed it every event, read a frame whenever the line wants one. It has no thread and no clock of its own; all of
    it belongs to the agent's event loop.

    Args:
        agent: Whose audio it plays; its `Options.output_sample_rate` is the rate.
        frame_ms: Length of a frame, in ms.
        reports: Whether it reports what it handed out as heard; `False` where a call leg knows better.

    Raises:
        ConfigError: A frame that is no whole number of samples.
    """

    def __init__(self, agent: Agent, *, frame_ms: int = 20, reports: bool = True) -> None:
        rate_hz = agent.options.output_sample_rate
        if frame_ms <= 0 or rate_hz * frame_ms % 1000:
            raise ConfigError(
                f"Playout: expected frame_ms to be whole samples at {rate_hz} Hz, got {frame_ms}"
            )
        self._agent = agent
        self._rate_hz = rate_hz
        self._frame_bytes = rate_hz * frame_ms // 1000 * BYTES_PER_SAMPLE
        self._reports = reports
        self._items: deque[_Item] = deque()
        self._waiting_bytes = 0
        self._turn_over = True
        agent.on_cut(self.flush)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self._frame_bytes

    @property
    def buffered_ms(self) -> float:
        """How much audio waits, in ms."""
        return pcm_ms(self._waiting_bytes, self._rate_hz)

    def feed(self, event: Event) -> None:
        """
        Take any event and keep what concerns the output.

        Audio is queued, unless its reply was cut since it was fetched; an interrupting `UserSpeechStarted` and the end of
        the session drop what waits. A cut, by the caller's speech or by `Agent.cancel`, drops it before its event comes.
        """
        match event:
            case AssistantAudio() if self._agent.was_cut(event.response_id):
                self._report(_Item(event.item_id, deque()), final=True)
            case AssistantAudio():
                self._turn_over = False
                if not self._items or self._items[-1].item_id != event.item_id:
                    self._items.append(_Item(event.item_id, deque()))
                self._items[-1].chunks.append(memoryview(event.audio))
                self._waiting_bytes += len(event.audio)
            case UserSpeechStarted() if event.interrupts:
                self.flush()
            case Interrupted() | SessionClose():
                self.flush()
            case AssistantTurnEnd():
                self._turn_over = True
            case _:
                pass

    def flush(self) -> None:
        """Drop what waits and report, as final, what of it was heard."""
        items, self._items, self._waiting_bytes = self._items, deque(), 0
        for item in items:
            self._report(item, final=True)

    def read(self) -> bytes:
        """
        Hand out the next frame; it counts as heard.

        Returns:
            Exactly `frame_bytes` of PCM16LE mono; silence where there is no audio.
        """
        frame = b""
        while self._items and len(frame) < self._frame_bytes:
            item = self._items[0]
            if item.chunks:
                chunk = item.chunks.popleft()
                take = self._frame_bytes - len(frame)
                if len(chunk) > take:
                    item.chunks.appendleft(chunk[take:])
                    chunk = chunk[:take]
                item.played_bytes += len(chunk)
                self._waiting_bytes -= len(chunk)
                frame += chunk
            over = not item.chunks and (self._turn_over or len(self._items) > 1)
            if over or len(frame) == self._frame_bytes:
                self._report(item, final=over)
            if over:
                self._items.popleft()
            elif not item.chunks:
                break  # more of it is on its way
        return frame.ljust(self._frame_bytes, b"\0")

    def _report(self, item: _Item, *, final: bool) -> None:
        if self._reports and item.item_id is not None:
            played_ms = int(pcm_ms(item.played_bytes, self._rate_hz))
            self._agent.report_playback(item.item_id, played_ms, final=final)
