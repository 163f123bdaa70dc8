"""When to part: the model wants the call to end, and is to be heard out first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from realtime_core.clock import Clock
from realtime_telephony.call_control import CallWish

__all__ = ["ANSWER_S", "GOODBYE_LIMIT_S", "PATIENCE_S", "Farewell"]

PATIENCE_S = 4.0
"""How long the model may be silent after its wish before nothing more is expected of it."""
ANSWER_S = 2.5
"""How long a caller who cut in, and was answered, may take to say more."""
GOODBYE_LIMIT_S = 30.0
"""How long a goodbye may take in all."""


@final
class Farewell:
    """
    Waits for the model's last words.

    Models say goodbye in the reply that calls the tool, in the one that follows the tool's answer, or in both. So after a
    wish the next reply's end is awaited, for a few seconds if none begins, and the line must have fallen silent. A caller who
    cuts in is heard out and answered first: the words that were cut were not the last. Since the answer may be a question,
    there is time for another word then, unless the model wishes to part again.

    Args:
        clock: Monotonic.
    """

    def __init__(self, clock: Clock) -> None:
        self.wished: CallWish | None = None
        self._clock = clock
        self._wished_at = 0.0
        self._last_sign_at = 0.0
        self._said_last = False
        self._caller_speaks = False
        self._cut_in = False
        self._patience_s = PATIENCE_S

    def wish(self, wish: CallWish) -> None:
        """Take the model's wish; a later one takes the place of the first."""
        if self.wished is None:
            self._wished_at = self._clock.now()
        self.wished = wish
        self._said_last = self._cut_in = False
        self._patience_s = PATIENCE_S
        self._last_sign_at = self._clock.now()

    def spoke(self) -> None:
        """Note that the model speaks."""
        self._last_sign_at = self._clock.now()

    def caller_speaks(self, *, begins: bool) -> None:
        """Note that the caller begins to speak, or ends."""
        self._last_sign_at = self._clock.now()
        self._caller_speaks = begins
        self._said_last = False
        self._cut_in = self._cut_in or (begins and self.wished is not None)
        self._patience_s = PATIENCE_S

    def turn_ended(self, tool_names: Sequence[str], *, was_cut: bool = False) -> None:
        """Note the end of a reply; one that called no tool and was not cut was the last."""
        self._last_sign_at = self._clock.now()
        if self.wished is None or tool_names or was_cut:
            return
        if self._cut_in:
            self._patience_s = ANSWER_S
        else:
            self._said_last = True

    @property
    def is_complete(self) -> bool:
        """Whether the model has said its last words, so that they only have to be heard."""
        return self._said_last and not self._caller_speaks

    def due(self, *, line_is_silent: bool) -> CallWish | None:
        """Give the wish when it is time to carry it out."""
        if self.wished is None:
            return None
        now = self._clock.now()
        if now - self._wished_at >= GOODBYE_LIMIT_S:
            return self.wished
        if self._caller_speaks or not line_is_silent:
            self._last_sign_at = max(self._last_sign_at, now)
            return None
        patient = now - self._last_sign_at < self._patience_s
        return None if patient and not self._said_last else self.wished
