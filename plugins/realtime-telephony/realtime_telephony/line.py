"""The output side of a call: the agent's audio to the leg, and what the caller heard of it back to the agent."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import final

from attrs import define, field

from realtime_core.agent import Agent
from realtime_core.audio import BYTES_PER_SAMPLE, pcm_ms
from realtime_core.events import AssistantAudio, AssistantTurnEnd, Event
from realtime_telephony.leg import CallLeg

__all__ = ["FLUSH_LIMIT_S", "FRAME_MS", "MAX_WAITING_S", "Line"]

FRAME_MS = 20
"""How often `Line.tick` wants to be called, in ms."""
MAX_WAITING_S = 600
"""Most audio that waits here, in s; what a model says beyond is dropped and counted."""
FLUSH_LIMIT_S = 1.0
"""How long a leg may take to settle what was heard; legs promise a tenth of it."""
_LARGEST_PIECE_FRAMES = 5
_REPORT_EVERY_TICKS = 5

_log = logging.getLogger("realtime_telephony.call")


@define
class _Item:
    """Audio of one message item, from the agent to the ear."""

    item_id: str | None
    spans: list[list[int]] = field(factory=list)
    """From and to which sample of the leg it was sent; silence may lie between."""
    waiting_bytes: int = 0
    reported_ms: int = -1
    is_whole: bool = False
    """Nothing more of it will come."""

    def sent(self, start: int, samples: int) -> None:
        if self.spans and self.spans[-1][1] == start:
            self.spans[-1][1] += samples
        else:
            self.spans.append([start, start + samples])

    def heard_samples(self, played: int) -> int:
        return sum(min(max(played - start, 0), end - start) for start, end in self.spans)

    def is_heard(self, played: int) -> bool:
        return not self.waiting_bytes and (not self.spans or self.spans[-1][1] <= played)


@final
class Line:
    """
    Sends the agent's audio as the leg wants it, drops it at a cut, and reports what was heard.

    A leg without a clock of its own gets one frame at every tick, silence too where it needs some; one with a clock gets
    audio until enough of it lies ahead. All of it belongs to the agent's event loop.

    Args:
        agent: Whose audio it is; its `Options.output_sample_rate` is the leg's rate.
        leg: Where the caller is.
        on_heard: Told of audio as it leaves for the caller's ear, as far as the leg knows; for recordings.
    """

    def __init__(
        self, agent: Agent, leg: CallLeg, on_heard: Callable[[bytes], None] | None = None
    ) -> None:
        self._agent = agent
        self._leg = leg
        self._on_heard = on_heard
        self._at_peer = bytearray()
        """Sent and not heard yet, for `on_heard`."""
        # A leg may have played something before.
        self._told_samples = self._sent_samples = leg.played_samples()
        self._frame_bytes = leg.sample_rate_hz * FRAME_MS // 1000 * BYTES_PER_SAMPLE
        most_ahead_ms = leg.capabilities.ahead_ms
        self._most_ahead_bytes = leg.sample_rate_hz * most_ahead_ms // 1000 * BYTES_PER_SAMPLE
        largest_bytes = _LARGEST_PIECE_FRAMES * self._frame_bytes
        self._piece_bytes = min(largest_bytes, self._most_ahead_bytes)
        self._waiting: deque[tuple[_Item, memoryview]] = deque()
        self._items: deque[_Item] = deque()
        """Not reported as final yet, in order."""
        self._waiting_bytes = 0
        self._most_bytes = MAX_WAITING_S * leg.sample_rate_hz * BYTES_PER_SAMPLE
        self.dropped_bytes: int = 0
        """What was dropped beyond `MAX_WAITING_S`."""
        self._ticks = 0
        self._cutting: asyncio.Task[None] | None = None
        self._cut_ids: frozenset[str | None] = frozenset()
        self._is_taken_over = False
        agent.on_cut(self._agent_cut)

    @property
    def counters(self) -> Mapping[str, int]:
        """What the leg counted, and what was dropped here."""
        unsaid_ms = round(pcm_ms(self.dropped_bytes, self._leg.sample_rate_hz))
        return {**self._leg.counters, **({"unsaid_ms": unsaid_ms} if unsaid_ms else {})}

    @property
    def is_silent(self) -> bool:
        """Whether nothing waits here and, as far as is known, at the peer."""
        return (
            not self._waiting
            and self._cutting is None
            and all(item.is_heard(self._leg.played_samples()) for item in self._items)
        )

    def feed(self, event: Event) -> None:
        """Take any event of the agent and keep what concerns the output."""
        if self._is_taken_over:
            return
        if isinstance(event, AssistantAudio):
            if not self._agent.was_cut(event.response_id):
                self._queue(self._item(event.item_id), event.audio)
            elif event.item_id not in self._cut_ids:
                # Fetched just before the cut, and all there is of the item.
                self._report(_Item(event.item_id), 0, final=True)
        elif isinstance(event, AssistantTurnEnd):
            for item in self._items:
                item.is_whole = True

    def play(self, pcm: bytes) -> None:
        """Queue audio of our own, such as an apology: PCM16LE mono at the leg's rate."""
        item = _Item(None, is_whole=True)
        self._items.append(item)
        self._queue(item, pcm)

    async def take_over(self, pcm: bytes) -> None:
        """Drop what the agent said, play this instead, and let the agent say and cut nothing from now on."""
        self._is_taken_over = True
        self.cut()
        await self.stop()
        self.play(pcm)

    def _queue(self, item: _Item, pcm: bytes) -> None:
        if self._waiting_bytes + len(pcm) > self._most_bytes:
            if not self.dropped_bytes:
                _log.error("call %s: the agent is ahead too far", self._leg.info.logged_id)
            self.dropped_bytes += len(pcm)
            return
        item.waiting_bytes += len(pcm)
        self._waiting_bytes += len(pcm)
        self._waiting.append((item, memoryview(pcm)))

    def _agent_cut(self) -> None:
        if not self._is_taken_over:
            self.cut()

    def cut(self) -> None:
        """Stop at once: what waits here and at the peer is dropped, and what was heard is reported as final."""
        self._waiting.clear()
        self._waiting_bytes = 0
        items, self._items = self._items, deque()
        self._cut_ids = frozenset(item.item_id for item in items)
        if items and self._cutting is None:
            self._cutting = asyncio.create_task(self._settle(items), name="realtime line cut")
        elif items:  # a second cut while the first is being settled: nothing of these was sent
            for item in items:
                self._report(item, 0, final=True)

    async def stop(self) -> None:
        """Wait for a cut that is being settled; `FLUSH_LIMIT_S` bounds that."""
        if self._cutting is not None:
            await asyncio.wait({self._cutting})

    async def _settle(self, items: deque[_Item]) -> None:
        try:
            async with asyncio.timeout(FLUSH_LIMIT_S):
                played = await self._leg.flush()
            self._sent_samples = played
            if self._on_heard is not None:
                self._tell(self._on_heard)
            self._at_peer.clear()
        except Exception:  # noqa: BLE001 - the agent must learn what was heard all the same
            _log.exception("call %s: the flush failed", self._leg.info.logged_id)
        finally:
            self._cutting = None
            played = self._leg.played_samples()
            for item in items:
                self._report(item, played, final=True)

    def tick(self) -> None:
        """Do what is due; every 20 ms."""
        if self._leg.capabilities.owns_clock:
            self._top_up()
        else:
            self._send_frame()
        if self._on_heard is not None:
            self._tell(self._on_heard)
        self._ticks += 1
        if self._ticks % _REPORT_EVERY_TICKS == 0:
            self._report_progress()

    def _send_frame(self) -> None:
        holds = self._cutting is not None or not self._has_frame()
        frame = b"" if holds else self._take(self._frame_bytes)
        if frame or self._leg.capabilities.needs_silence:
            self._send(frame.ljust(self._frame_bytes, b"\0"))

    def _top_up(self) -> None:
        """
        Keep the peer's queue as long as the leg wants it, less at most a piece.

        A write costs as much for a frame as for five, and wakes the peer up each time.
        """
        while self._waiting and self._cutting is None:
            ahead_bytes = (self._sent_samples - self._leg.played_samples()) * BYTES_PER_SAMPLE
            if self._most_ahead_bytes - ahead_bytes < self._piece_bytes or not self._has_frame():
                break
            self._send(self._take(self._piece_bytes))

    def _has_frame(self) -> bool:
        """Whether a frame can be filled, or has to be filled up because no more of the item comes."""
        if not self._waiting:
            return False
        return self._waiting_bytes >= self._frame_bytes or self._waiting[0][0].is_whole

    def _send(self, pcm: bytes) -> None:
        self._leg.play(pcm)
        self._sent_samples += len(pcm) // BYTES_PER_SAMPLE
        if self._on_heard is not None:
            self._at_peer += pcm

    def _take(self, most_bytes: int) -> bytes:
        """Take up to so much of what waits."""
        parts: list[memoryview] = []
        taken = 0
        while self._waiting and taken < most_bytes:
            item, chunk = self._waiting.popleft()
            if len(chunk) > most_bytes - taken:
                self._waiting.appendleft((item, chunk[most_bytes - taken :]))
                chunk = chunk[: most_bytes - taken]
            item.sent(
                self._sent_samples + taken // BYTES_PER_SAMPLE, len(chunk) // BYTES_PER_SAMPLE
            )
            item.waiting_bytes -= len(chunk)
            self._waiting_bytes -= len(chunk)
            taken += len(chunk)
            parts.append(chunk)
        return b"".join(parts)

    def _report_progress(self) -> None:
        played = self._leg.played_samples()
        while self._items and self._items[0].is_whole and self._items[0].is_heard(played):
            self._report(self._items.popleft(), played, final=True)
        for item in self._items:
            if not item.spans:
                break
            self._report(item, played, final=False)

    def _report(self, item: _Item, played: int, *, final: bool) -> None:
        if item.item_id is None:
            return
        heard_ms = item.heard_samples(played) * 1000 // self._leg.sample_rate_hz
        if final or heard_ms != item.reported_ms:
            item.reported_ms = heard_ms
            self._agent.report_playback(item.item_id, heard_ms, final=final)

    def _item(self, item_id: str | None) -> _Item:
        if not self._items or self._items[-1].item_id != item_id or self._items[-1].is_whole:
            for earlier in self._items:
                earlier.is_whole = True
            self._items.append(_Item(item_id))
        return self._items[-1]

    def _tell(self, on_heard: Callable[[bytes], None]) -> None:
        """Pass on what has left since the last time."""
        played = self._leg.played_samples()
        size = max(0, played - self._told_samples) * BYTES_PER_SAMPLE
        self._told_samples = max(played, self._told_samples)
        if size:
            on_heard(bytes(self._at_peer[:size]))
            del self._at_peer[:size]
