"""
Cutting a reply: what was heard of it is settled, the vendor is told where it can be, the application hears of it.

The order for the application is fixed: `UserSpeechStarted` at once, the final text of the cut reply if any,
`Interrupted` when it is settled what was heard, `AssistantTurnEnd`. So the end of a cut reply waits here until
the output side has reported, within a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from attrs import define, field

from realtime_core.events import AssistantTurnEnd, Interrupted
from realtime_core.playback import HeardReply, PlaybackLedger
from realtime_core.wire.effects import Effect

__all__ = ["SETTLE_LIMIT_S", "BargeIn"]

SETTLE_LIMIT_S = 0.150
"""How long a final report of what was heard is awaited; then the clock's upper bound is taken."""


class _TellVendor(Protocol):
    """Writes a client event."""

    def __call__(self, kind: str, **fields: Any) -> object:
        """Write the event of this kind with these fields."""
        ...


@define
class BargeIn:
    """
    One cut at a time, from the vendor's speech signal or `Agent.cancel` to `Interrupted`.

    Args:
        vendor: Slug for events.
        emit: Takes effects.
        send: Writes client events.
        truncates: Whether the vendor can be told what was heard.
    """

    vendor: str
    emit: Callable[[Effect], None]
    send: _TellVendor
    truncates: bool
    ledger: PlaybackLedger = field(factory=PlaybackLedger)
    _cut_at: float | None = None
    _reply_runs: bool = False
    _unfinished: str | None = None
    _interrupted: Interrupted | None = None
    _held: list[AssistantTurnEnd] = field(factory=list)

    @property
    def deadline(self) -> float | None:
        """When to call `settle_by_clock`; `None` when nothing waits."""
        waits = self._cut_at is not None and self._interrupted is None
        return self._cut_at + SETTLE_LIMIT_S if waits and self._cut_at is not None else None

    def audible(self, now: float) -> bool:
        """Say whether something may be playing that was not cut yet."""
        return self._cut_at is None and self.ledger.audible(now)

    def begin(self, now: float, *, reply_runs: bool, unfinished: str | None = None) -> None:
        """
        Cut everything that runs or may be playing; what was heard is settled later.

        Args:
            now: When playing stopped.
            reply_runs: A reply is still being generated; its end is then part of this cut.
            unfinished: The item whose audio is still coming: the vendor holds more of it than was received.
        """
        if self._cut_at is None:
            self._cut_at, self._reply_runs, self._unfinished = now, reply_runs, unfinished

    def report(self, item_id: str, played_ms: int, *, final: bool, now: float) -> None:
        """Take a report of the output side; the last one needed settles the cut."""
        self.ledger.report(item_id, played_ms, final=final, now=now)
        self.settle_if_known()

    def settle_if_known(self) -> None:
        """Settle a cut whose items are all accounted for."""
        if self.deadline is not None and self.ledger.is_settled():
            self.settle_by_clock()

    def settle_by_clock(self) -> None:
        """Settle with what is known; where nobody reported, with what fits until the cut."""
        if self._cut_at is not None and self._interrupted is None:
            self._settle(self.ledger.cut(self._cut_at))

    def settle_at(self, played_ms: int) -> None:
        """Settle with a figure of the application's over the current reply."""
        if self._cut_at is not None and self._interrupted is None:
            self._settle(self.ledger.cut_at(played_ms, self._cut_at))

    def turn_ended(self, end: AssistantTurnEnd) -> None:
        """Pass on the end of a reply, behind `Interrupted` when it was cut."""
        if self._cut_at is None:
            self.emit(end)
            return
        self._held.append(end)
        self._reply_runs = False
        self.settle_if_known()
        self._finish()

    def finish(self, *, session_over: bool = False) -> None:
        """
        Settle and let everything go.

        Args:
            session_over: Nobody is there to be told any more; otherwise a new reply begins.
        """
        self.truncates = self.truncates and not session_over
        self.settle_by_clock()
        self._reply_runs = False
        self._finish()

    def _settle(self, heard: HeardReply) -> None:
        received = [each.item_id for each in heard.items]
        item = heard.cut_item
        unfinished = self._unfinished if self._unfinished in received else None
        truncated = self._tell(heard) if self.truncates else False
        self._interrupted = Interrupted(
            vendor=self.vendor,
            item_id=item.item_id if item is not None else unfinished,
            heard_ms=heard.heard_ms,
            cut_ms=heard.cut_ms,
            truncated=truncated,
        )
        self._finish()

    def _tell(self, heard: HeardReply) -> bool:
        """
        Cut the vendor's memory to what was heard.

        Ms count from the start of the item and must not be beyond what was received, or the vendor refuses
        (OpenAI Realtime, conversation.item.truncate). An item heard to its end needs nothing; one not begun,
        behind the one that was cut, is deleted, for nobody knows of it.
        """
        told = False
        for index, item in enumerate(heard.items):
            whole = item.is_whole and item.item_id != self._unfinished
            if whole or not item.item_id:  # without an id there is nothing to name
                continue
            if item.heard_ms or index == 0:
                self.send(
                    "conversation.item.truncate",
                    item_id=item.item_id,
                    content_index=0,
                    audio_end_ms=item.heard_ms,
                )
            else:
                self.send("conversation.item.delete", item_id=item.item_id)
            told = True
        return told

    def _finish(self) -> None:
        if self._interrupted is None or self._reply_runs:
            return
        self.emit(self._interrupted)
        for end in self._held:
            self.emit(end)
        self._cut_at, self._interrupted = None, None
        self._held.clear()
