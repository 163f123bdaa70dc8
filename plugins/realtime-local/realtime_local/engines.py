"""
The seams of the model in the box: what detects, recognises, replies and speaks, each behind a small protocol.

Bring your own by name (`"package.module:factory"` in the credential) or as an object. Audio inside the model is
PCM16LE mono at `MODEL_RATE_HZ`; nothing here knows of events, calls or the event loop of a session.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from attrs import frozen

from realtime_core.tools import Tool

__all__ = [
    "MODEL_RATE_HZ",
    "CallTool",
    "Heard",
    "Message",
    "Recogniser",
    "Replier",
    "Say",
    "SpeechDetector",
    "SynthesisError",
    "Synthesiser",
    "TurnRequest",
]

MODEL_RATE_HZ = 16000
"""Sample rate of everything the model hears and says."""


class SpeechDetector(Protocol):
    """Tells frame by frame whether somebody speaks; one object a session."""

    frame_ms: int
    """Length of the frames it wants, in ms."""
    is_slow: bool
    """Whether a frame costs so much that it must be judged off the event loop (over a tenth of a ms)."""
    frames_to_start: int
    """How many of the last `frames_to_start + 1` frames must be speech before somebody is said to speak."""

    def is_speech(self, frame: bytes) -> bool:
        """
        Judge the next frame.

        Args:
            frame: PCM16LE mono at `MODEL_RATE_HZ`, exactly `frame_ms` long.
        """
        ...


@frozen(kw_only=True)
class Heard:
    """What a recogniser made of an utterance."""

    text: str
    """The words, lower case; empty when nothing was recognised well enough."""
    score: float | None = None
    """How sure it is, 0 to 1, where it can say; also of a text that was rejected."""


class Recogniser(Protocol):
    """Turns an utterance into text; one object a session. Called in a worker thread, one utterance at a time."""

    def recognise(self, pcm: bytes) -> Heard:
        """
        Recognise a whole utterance.

        Args:
            pcm: PCM16LE mono at `MODEL_RATE_HZ`, with some silence before and after the speech.
        """
        ...


class Synthesiser(Protocol):
    """Turns text into speech; may be shared by sessions."""

    name: str
    """The engine, for logs and errors."""
    sample_rate_hz: int
    """Of what it gives."""

    def speak(self, text: str, voice: str | None) -> Iterator[bytes]:
        """
        Speak a sentence or two. Runs in a worker thread; closing the iterator stops the engine at once.

        Args:
            text: Plain text.
            voice: One of the engine's, `None` for its usual one.

        Yields:
            PCM16LE mono at `sample_rate_hz`, in chunks of any length, the first as early as it can.

        Raises:
            SynthesisError: The engine failed.
        """
        ...


@frozen(kw_only=True)
class Message:
    """A line of the conversation, as the model remembers it."""

    role: Literal["user", "assistant", "tool"]
    """Who said it."""
    text: str
    """What was said; of a cut reply only what was heard; of a tool its answer."""
    calls: tuple[CallTool, ...] = ()
    """The tools an assistant's message called."""
    call_id: str | None = None
    """The call a tool's message answers."""


@frozen(kw_only=True)
class TurnRequest:
    """What a replier gets to answer."""

    history: Sequence[Message]
    """The conversation so far, oldest first, the caller's last words or the tools' answers at the end."""
    instructions: str = ""
    """The tenant's, the application's, and those for this reply, joined."""
    tools: Sequence[Tool] = ()
    """What it may call."""
    is_greeting: bool = False
    """Asked for by `create_response` with no words of the caller to answer."""


@frozen(kw_only=True)
class Say:
    """A piece to speak: a sentence, best given as soon as it is whole."""

    text: str
    """Plain text, as it is to be spoken."""


@frozen(kw_only=True)
class CallTool:
    """A tool to call; its answer comes with the next `TurnRequest`."""

    call_id: str
    """Unique in the session."""
    name: str
    """Of the tool."""
    arguments: Mapping[str, Any]
    """As its schema wants them."""


class Replier(Protocol):
    """Decides what is answered; one object a session, used on its event loop, one reply at a time."""

    apology: str
    """Spoken when a turn cannot be answered."""

    def reply(self, request: TurnRequest) -> AsyncGenerator[Say | CallTool, None]:
        """
        Answer.

        Closed when the caller cuts in. An end without a `Say` is a reply of tool calls alone, or silence.

        Raises:
            RealtimeError: The turn cannot be answered; an apology is spoken and the error reported.
        """
        ...

    def phrases(self) -> str | None:
        """Give the JSGF grammar of what it understands, for the recogniser; `None` for free speech."""
        ...

    async def close(self) -> None:
        """Free what it holds; idempotent."""


class SynthesisError(RuntimeError):
    """The speech engine failed; says which and how."""
