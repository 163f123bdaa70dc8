"""
What the person has really heard of the assistant: received against played, item by item.

Replies arrive faster than real time, so what was received says little about what was heard. An output side that
knows reports it (`Agent.report_playback`); where nobody reports, the clock gives an upper bound: an item plays
from its first audio, or from the end of the item before it, without a pause. Milliseconds are those of the vendor's
audio, before any resampling.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field, frozen

__all__ = ["REPORT_TRUSTED_S", "REPORT_WHOLE_MS", "HeardItem", "HeardReply", "PlaybackLedger"]

REPORT_WHOLE_MS = 5.0
"""A final report that lacks no more than this is of the whole item: resamplers and rounding take as much."""
REPORT_TRUSTED_S = 1.0
"""How long an item that was reported in part counts as playing beyond the time it should take."""
_MOST_ITEMS = 256


@frozen
class HeardItem:
    """What was heard of one message item."""

    item_id: str
    heard_ms: int
    """Whole ms heard, never more than received."""
    received_ms: int
    """Whole ms received."""

    @property
    def is_whole(self) -> bool:
        """Whether all of it was heard."""
        return self.heard_ms >= self.received_ms


@frozen
class HeardReply:
    """What was heard of a reply that was cut, item by item, in order of playing."""

    items: tuple[HeardItem, ...]

    @property
    def heard_ms(self) -> int:
        """Heard over all items."""
        return sum(item.heard_ms for item in self.items)

    @property
    def cut_ms(self) -> int:
        """Received and not heard, over all items."""
        return sum(item.received_ms - item.heard_ms for item in self.items)

    @property
    def cut_item(self) -> HeardItem | None:
        """The first item that was not heard to its end."""
        return next((item for item in self.items if not item.is_whole), None)


@define
class _Item:
    item_id: str
    reply: int
    first_at: float
    received_ms: float = 0.0
    reported_ms: float | None = None
    reported_at: float = 0.0
    final: bool = False


@define
class PlaybackLedger:
    """Keeps the account; knows no wire and reads no clock."""

    _items: dict[str, _Item] = field(factory=dict)
    _reply: int = 0
    """Which reply, counted from 0, the audio that comes belongs to."""

    def received(self, item_id: str, ms: float, now: float) -> None:
        """Note audio that came from the vendor."""
        item = self._items.get(item_id)
        if item is None:
            while len(self._items) >= _MOST_ITEMS:
                del self._items[next(iter(self._items))]
            item = self._items[item_id] = _Item(item_id, self._reply, now)
        item.received_ms += ms
        item.reply = self._reply  # ids are not always new: what comes last says whose it is

    def report(self, item_id: str, played_ms: float, *, final: bool, now: float) -> None:
        """Note what the output side has played; unknown or settled items are ignored."""
        item = self._items.get(item_id)
        if item is not None:
            item.reported_ms = max(played_ms, item.reported_ms or 0.0, 0.0)
            item.reported_at = now
            item.final = item.final or final
            lacks_ms = item.received_ms - item.reported_ms
            if item.final and item.reported_ms and lacks_ms <= REPORT_WHOLE_MS:
                item.reported_ms = max(item.reported_ms, item.received_ms)

    def audible(self, now: float) -> bool:
        """Say whether something received may still be playing."""
        return any(
            self._may_play(item, heard, now) for item, heard in self._heard(now) if not item.final
        )

    def _may_play(self, item: _Item, heard_ms: float, now: float) -> bool:
        if item.reported_ms is None:
            return heard_ms < item.received_ms
        # Who reports is believed for a while: a report is older than the ear, and playing may be held up.
        left_s = (item.received_ms - item.reported_ms) / 1000
        return left_s > 0 and now < item.reported_at + left_s + REPORT_TRUSTED_S

    def is_settled(self) -> bool:
        """Say whether nothing better will be known: every item heard in part was reported as final."""
        return all(
            item.final or (item.reported_ms or 0.0) >= item.received_ms
            for item in self._items.values()
        )

    def cut(self, now: float) -> HeardReply:
        """
        Close the account of everything that may be playing.

        Args:
            now: When playing stopped; where nobody reported, heard is what fits until then.
        """
        heard: list[HeardItem] = []
        stopped = False  # an item that is known to be cut was the last one heard
        for item, by_now_ms in self._heard(now):
            received_ms = int(item.received_ms)
            heard_ms = 0 if stopped and not item.final else min(int(by_now_ms), received_ms)
            heard.append(HeardItem(item.item_id, heard_ms, received_ms))
            stopped = stopped or (item.final and heard_ms < received_ms)
        self._items.clear()
        return HeardReply(tuple(heard))

    def cut_at(self, played_ms: int, now: float) -> HeardReply:
        """
        Close the account with a figure of the application's, over the items in order.

        Args:
            played_ms: How much was heard of the current reply, and of what is still to be heard before it.
            now: When playing stopped.
        """
        self._forget(now, replies_before=self._reply)
        left, heard = max(played_ms, 0), list[HeardItem]()
        for item in self._items.values():
            received = int(item.received_ms)
            ms = min(left, received)
            left -= ms
            heard.append(HeardItem(item.item_id, ms, received))
        self._items.clear()
        return HeardReply(tuple(heard))

    def reply_began(self, now: float) -> None:
        """Audio from here on is of another reply; items played to their end cannot be cut any more."""
        self._reply += 1
        self._forget(now, replies_before=self._reply)

    def _forget(self, now: float, *, replies_before: int) -> None:
        """Drop items of earlier replies that were played to their end."""
        for item, heard in self._heard(now):
            done = item.final or heard >= item.received_ms
            if not done or item.reply >= replies_before:
                return
            del self._items[item.item_id]

    def _heard(self, now: float) -> Sequence[tuple[_Item, float]]:
        """How much of each item was heard by now, in order of playing."""
        heard: list[tuple[_Item, float]] = []
        free_at = 0.0
        for item in list(self._items.values()):
            start = max(item.first_at, free_at)
            by_clock = max(0.0, (now - start) * 1000)
            if item.reported_ms is None:
                ms = by_clock
            elif item.final:
                ms = item.reported_ms
            else:  # it went on playing since the report, at most in real time
                ms = item.reported_ms + max(0.0, (now - item.reported_at) * 1000)
            ms = min(ms, item.received_ms)
            heard.append((item, ms))
            free_at = start + item.received_ms / 1000
            if item.reported_ms is not None and not item.final:  # a line that lags
                left_s = max(0.0, item.received_ms - item.reported_ms) / 1000
                free_at = max(free_at, item.reported_at + left_s)
        return heard
