"""
What an agent tells its application: one frozen class per kind of event.

`type` is a fixed string per class; match on the class or on the string. Ids are the vendor's own and
`None` where a vendor has none. The documentation's events page says when each comes and in which order.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from realtime_core.errors import RealtimeError
from realtime_core.usage import Usage

__all__ = [
    "AssistantAudio",
    "AssistantText",
    "AssistantTurnEnd",
    "ErrorEvent",
    "Event",
    "EventType",
    "Initiator",
    "Interrupted",
    "SessionClose",
    "SessionOpen",
    "ToolCall",
    "TurnStatus",
    "UserSpeechEnded",
    "UserSpeechStarted",
    "UserTranscript",
]

Initiator = Literal["client", "vendor", "network"]
"""Who ended a session: the application, the vendor, or neither."""

TurnStatus = Literal["completed", "cancelled", "failed", "incomplete"]
"""How a reply ended."""


class EventType(StrEnum):
    """The fixed string of each kind of event."""

    SESSION_OPEN = "session.open"
    SESSION_CLOSE = "session.close"
    USER_SPEECH_STARTED = "user.speech.started"
    USER_SPEECH_ENDED = "user.speech.ended"
    USER_TRANSCRIPT = "user.transcript"
    ASSISTANT_TEXT = "assistant.text"
    ASSISTANT_AUDIO = "assistant.audio"
    TOOL_CALL = "tool.call"
    INTERRUPTED = "assistant.interrupted"
    ASSISTANT_TURN_END = "assistant.turn.end"
    ERROR = "error"


def _audio_repr(audio: bytes) -> str:
    return f"<{len(audio)} bytes>"


@frozen(kw_only=True)
class Event:
    """Base of every event."""

    type: ClassVar[EventType]
    vendor: str
    """Slug of the provider the event comes from."""
    raw: str | None = field(default=None, repr=False)
    """The vendor's frame it was made from, only with `Options.include_raw`."""


@frozen(kw_only=True)
class SessionOpen(Event):
    """Once, after the vendor accepted our configuration; never on its greeting alone."""

    type: ClassVar[EventType] = EventType.SESSION_OPEN
    session_id: str | None = None
    """The vendor's session id."""


@frozen(kw_only=True)
class SessionClose(Event):
    """Exactly once after a `SessionOpen`, the last event, whatever the cause."""

    type: ClassVar[EventType] = EventType.SESSION_CLOSE
    code: int | None = None
    """WebSocket close code; `None` where there was none, 1006 when the connection broke."""
    reason: str = ""
    """The vendor's close reason, or ours."""
    initiator: Initiator = "client"
    """Who ended the session."""


@frozen(kw_only=True)
class UserSpeechStarted(Event):
    """The vendor hears the caller. With `interrupts`, stop playout now."""

    type: ClassVar[EventType] = EventType.USER_SPEECH_STARTED
    item_id: str | None = None
    """The caller's utterance."""
    at_ms: int | None = None
    """Start on the vendor's clock of received audio, in ms."""
    interrupts: bool = False
    """Whether it cuts a reply: what has not been played yet must not be played."""
    synthetic: bool = False
    """Made by the SDK because the vendor has no such event."""


@frozen(kw_only=True)
class UserSpeechEnded(Event):
    """The vendor no longer hears the caller."""

    type: ClassVar[EventType] = EventType.USER_SPEECH_ENDED
    item_id: str | None = None
    """The caller's utterance."""
    at_ms: int | None = None
    """End on the vendor's clock of received audio, in ms."""


@frozen(kw_only=True)
class UserTranscript(Event):
    """
    What the caller said.

    A partial is the whole hypothesis so far and replaces the one before; the final one is the whole
    text. May come before, during or after the reply: order by `item_id`.
    """

    type: ClassVar[EventType] = EventType.USER_TRANSCRIPT
    text: str
    """Whole text so far."""
    final: bool
    """Whether it is settled."""
    item_id: str | None = None
    """The caller's utterance."""


@frozen(kw_only=True)
class AssistantText(Event):
    """
    What the assistant says or writes.

    A partial is a fragment to append; the final one is the whole text of that message item. A reply
    may have several items.
    """

    type: ClassVar[EventType] = EventType.ASSISTANT_TEXT
    text: str
    """Fragment, or the whole text when final."""
    final: bool
    """Whether the item's text is whole."""
    item_id: str | None = None
    """The message item."""
    response_id: str | None = None
    """The reply."""


@frozen(kw_only=True)
class AssistantAudio(Event):
    """A piece of the assistant's voice; faster than real time, never after its reply was interrupted."""

    type: ClassVar[EventType] = EventType.ASSISTANT_AUDIO
    audio: bytes = field(repr=_audio_repr)
    """PCM16LE mono at `Options.output_sample_rate`, whole samples, any length."""
    item_id: str | None = None
    """The message item."""
    response_id: str | None = None
    """The reply."""


@frozen(kw_only=True)
class ToolCall(Event):
    """The model calls a tool; emitted whether or not a handler is set."""

    type: ClassVar[EventType] = EventType.TOOL_CALL
    call_id: str
    """Name it in `Agent.send_tool_result`."""
    name: str
    """The tool."""
    arguments: dict[str, Any]
    """Parsed arguments; empty where the model sent none or no JSON object."""


@frozen(kw_only=True)
class Interrupted(Event):
    """Once per interrupted reply, when it is settled what the person heard of it."""

    type: ClassVar[EventType] = EventType.INTERRUPTED
    item_id: str | None = None
    """The message item that was cut."""
    heard_ms: int = 0
    """How much of the reply was heard, in ms."""
    cut_ms: int = 0
    """How much that was received was not heard, in ms."""
    truncated: bool = False
    """Whether the vendor was told, so that the model knows."""


@frozen(kw_only=True)
class AssistantTurnEnd(Event):
    """
    The end of a reply: exactly once per started reply, also after cancel and on loss of the connection.

    It is the end of generation, not of playout.
    """

    type: ClassVar[EventType] = EventType.ASSISTANT_TURN_END
    response_id: str | None = None
    """The reply."""
    status: TurnStatus = "completed"
    """How it ended."""
    usage: Usage | None = None
    """What it cost, where the vendor says."""
    tool_names: tuple[str, ...] = ()
    """Tools the reply called; a spoken follow-up comes as a reply of its own."""


@frozen(kw_only=True)
class ErrorEvent(Event):
    """Something went wrong. Fatal means that the session is over: fall back to playback."""

    type: ClassVar[EventType] = EventType.ERROR
    error: RealtimeError
    """What, as an object of the error tree."""
    fatal: bool = False
    """Whether the session is over."""
