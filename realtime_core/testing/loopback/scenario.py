"""What a test author scripts: answers, steps at certain moments, changes of outgoing events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen

from .frames import Rewrite
from .reply import Reply, Turn
from .session import LoopbackSession

__all__ = ["Scenario", "Step", "TurnStep"]

Step = Callable[[LoopbackSession], Awaitable[None]]
"""A moment's script: sends events, waits for the client's, closes; it runs beside the session."""

TurnStep = Callable[[LoopbackSession, Turn], Awaitable[None]]
"""A script run for each response due, instead of answering."""


@frozen(kw_only=True)
class Scenario:
    """
    A script for sessions.

    A script sees the session through `LoopbackSession`: `send`, `respond`, `wait_for`,
    `wait_sent`, `release`, `close`, `abort`. What it raises is raised again by
    `LoopbackVendor.close`.

    Attributes:
        name: What it is called in `SCENARIOS`, in words joined by underscores.
        summary: One sentence for the reader of a failing test.
        replies: The session's first responses, in order; afterwards the voice answers. A
            `Speech` with neither audio nor length takes what the voice would have said.
        on_connect: Runs after `session.created`.
        on_open: Runs after the first `session.updated`.
        on_turn: Runs for each response due, instead of `replies` and the voice.
        rewrite: Changes, doubles or swallows what is sent; sees every event last.
        invalid_turns: Numbers, from 0, of turns judged not to be addressed to the model
            (Qwen-Audio's `turn_invalid`).
    """

    name: str = "unnamed"
    summary: str = ""
    replies: tuple[Reply, ...] = ()
    on_connect: Step | None = None
    on_open: Step | None = None
    on_turn: TurnStep | None = None
    rewrite: Rewrite | None = None
    invalid_turns: frozenset[int] = frozenset()
