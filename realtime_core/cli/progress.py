"""How far a conversation has come, seen from its events. Pure: time comes in as an argument."""

from __future__ import annotations

from attrs import define, field

from realtime_core.cli.toolbox import HANG_UP
from realtime_core.errors import RealtimeError
from realtime_core.events import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    SessionClose,
    ToolCall,
    TurnStatus,
    UserSpeechEnded,
    UserSpeechStarted,
)

__all__ = ["FAREWELL_S", "SETTLE_S", "Progress"]

SETTLE_S = 0.5
"""
How long nothing must be outstanding, at the end of the recording and of the last reply, before it is over:
a late transcript, or speech at the very end that the vendor has not reported yet, still arrives.
"""
FAREWELL_S = 5.0
"""How long a goodbye is waited for after the tool that ends the call was called, in seconds."""


@define
class Progress:
    """
    Knows when the reply to the last speech is complete.

    Speech asks for a reply; the end of a reply, not of one that speech has cut, answers it.
    """

    heard: bool = False
    """The vendor reported speech."""
    speaking: bool = False
    """The vendor still hears speech."""
    replying: bool = False
    """A reply has begun and not ended."""
    statuses: list[TurnStatus] = field(factory=list)
    """How each reply ended."""
    fatal: RealtimeError | None = None
    """What ended the session."""
    error: RealtimeError | None = None
    """What went wrong last and ended nothing."""
    close: SessionClose | None = None
    """The end of the session."""
    hung_up_at: float | None = None
    """When the model called the tool that ends the call."""
    _answered: bool = False
    _spoke: bool = False
    """The assistant has, since the caller was heard last."""
    _recording_ended_at: float | None = None
    _reply_ended_at: float = 0.0

    @property
    def over(self) -> bool:
        """Whether the session itself has ended."""
        return self.fatal is not None or self.close is not None

    @property
    def answered(self) -> bool:
        """Whether what was asked last is answered, as far as the vendor is concerned: it may still be playing."""
        return self._answered and not self.replying

    @property
    def idle(self) -> bool:
        """Whether the vendor neither hears speech nor makes a reply."""
        return not self.speaking and not self.replying

    @property
    def waiting(self) -> bool:
        """Whether the recording is at its end."""
        return self._recording_ended_at is not None

    @property
    def completed(self) -> int:
        """How many replies were completed."""
        return self.statuses.count("completed")

    def take(self, event: Event, now: float) -> None:
        """Take note of an event."""
        match event:
            case UserSpeechStarted():
                self.heard = self.speaking = True
                self._answered = self._spoke = False
            case UserSpeechEnded():
                self.speaking = False
                self._answered = False
            case AssistantAudio() | AssistantText():
                self.replying = self._spoke = True
            case ToolCall() if event.name == HANG_UP:
                self.hung_up_at = now
            case AssistantTurnEnd():
                self.replying = False
                self.statuses.append(event.status)
                self._reply_ended_at = now
                if not self.speaking and event.status != "cancelled" and not event.tool_names:
                    self._answered = True
            case ErrorEvent() if event.fatal:
                self.fatal = event.error
            case ErrorEvent():
                self.error = event.error
            case SessionClose():
                self.close = event
            case _:
                pass

    def asked(self) -> None:
        """Take note that the caller begins to speak: no earlier answer is one to this."""
        self._answered = False

    def said_goodbye(self, now: float) -> bool:
        """Whether the model ended the call, and nothing more is to come of what it says then."""
        if self.hung_up_at is None or not self.idle:
            return False
        waited_s = now - max(self.hung_up_at, self._reply_ended_at)
        return waited_s >= (SETTLE_S if self._spoke else FAREWELL_S)

    def recording_ended(self, now: float) -> None:
        """Take note that all of the recording was sent."""
        self._recording_ended_at = now

    def finished(self, now: float) -> bool:
        """Whether there is nothing more to wait for."""
        if self.over:
            return True
        if self._recording_ended_at is None or not self._answered or self.replying:
            return False
        return now - max(self._recording_ended_at, self._reply_ended_at) >= SETTLE_S
