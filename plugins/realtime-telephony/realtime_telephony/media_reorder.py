"""Audio that may come out of order, put into order within a small window."""

from __future__ import annotations

from attrs import define, field

__all__ = ["WINDOW", "ReorderWindow"]

WINDOW = 5
"""Pieces waited for one that is missing: 100 ms of 20 ms each."""
_RESTART = 1000  # so far back is a new count, not a late piece


@define
class ReorderWindow:
    """
    Hands pieces on in the order of their numbers.

    In order, nothing waits. Behind a hole up to `size` pieces wait; then the hole is given up. Pieces that come late or twice
    are dropped and counted.

    Args:
        size: How many pieces may wait.
    """

    size: int = WINDOW
    lost: int = field(default=0, init=False)
    """Pieces that were given up."""
    late: int = field(default=0, init=False)
    """Pieces that came after they were given up, or twice."""
    _next: int | None = field(default=None, init=False)
    _held: dict[int, bytes] = field(factory=dict, init=False)

    def push(self, chunk: int | None, payload: bytes) -> list[bytes]:
        """
        Take a piece.

        Args:
            chunk: Its number; without one it goes straight on.
            payload: The piece.

        Returns:
            What is in order now.
        """
        if chunk is None:
            return [payload]
        if self._next is None:
            # Counts start at 0 or 1; a stream joined later starts where it is.
            self._next = 1 if 1 < chunk <= self.size else chunk
        elif chunk < self._next - _RESTART:
            ready = self._release_all()
            self._next = chunk + 1
            return [*ready, payload]
        if chunk < self._next or chunk in self._held:
            self.late += 1
            return []
        self._held[chunk] = payload
        ready = self._release()
        while len(self._held) > self.size:
            first = min(self._held)
            self.lost += first - self._next
            self._next = first
            ready += self._release()
        return ready

    def _release(self) -> list[bytes]:
        ready: list[bytes] = []
        while self._next is not None and self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next += 1
        return ready

    def _release_all(self) -> list[bytes]:
        ready = [self._held[chunk] for chunk in sorted(self._held)]
        self._held.clear()
        return ready
