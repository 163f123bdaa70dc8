"""What the caller says, from its first sound until its words are known."""

from __future__ import annotations

from attrs import define, field

__all__ = ["CallerTurns"]

_SPEAKING = float("inf")
"""Marks an utterance that goes on: no engine owes anything for it."""


@define
class CallerTurns:
    """The utterances of a session, by item."""

    _since: dict[str, float] = field(factory=dict)
    _given_up: set[str] = field(factory=set)

    @property
    def are_open(self) -> bool:
        """Whether something is being said, or recognised."""
        return bool(self._since)

    def began(self, item_id: str) -> None:
        """Note that an utterance began."""
        self._since[item_id] = _SPEAKING

    def ended(self, item_id: str, now: float) -> None:
        """Note that it ended, and is being recognised."""
        self._since[item_id] = now

    def known(self, item_id: str) -> bool:
        """Note that its words are known, and tell whether a reply to it is still wanted."""
        self._since.pop(item_id, None)
        wanted = item_id not in self._given_up
        self._given_up.discard(item_id)
        return wanted

    def give_up(self) -> None:
        """Want no reply to what is being said and recognised."""
        self._given_up.update(self._since)

    def recognised_since(self) -> list[float]:
        """Give since when each utterance is being recognised that is."""
        return [since for since in self._since.values() if since != _SPEAKING]
