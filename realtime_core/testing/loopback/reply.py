"""What the vendor's model is to answer: values a test author writes, without any wire in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from attrs import field, frozen

from .wireformat import WireFormat

__all__ = ["Call", "Part", "Reply", "Speech", "Text", "Turn", "Voice"]


def _sized(audio: bytes | None) -> str:
    return "None" if audio is None else f"<{len(audio)} bytes>"


@frozen(kw_only=True)
class Turn:
    """
    What a response answers: everything that came since the last one.

    Attributes:
        heard: Format of `audio`.
        spoken: Format an answer's audio must have.
        item_id: The user's audio item, None when nothing was heard.
        audio: The newest utterance, exactly the bytes received, prefix padding included.
        speech_ms: Length of the speech in it, without padding.
        text: Text messages, joined by a blank.
        tool_outputs: Outputs of function calls, in order.
    """

    heard: WireFormat
    spoken: WireFormat
    item_id: str | None = None
    audio: bytes = field(default=b"", repr=_sized)
    speech_ms: int = 0
    text: str = ""
    tool_outputs: tuple[str, ...] = ()


@frozen(kw_only=True)
class Speech:
    """
    A message item with audio and its transcript (with text alone in a text session).

    Attributes:
        audio: Bytes in the session's output format; None lets the voice decide, see `ms`.
        ms: Length of a 440 Hz tone to say instead.
        transcript: What is said; None lets the voice decide.
        hold_after_ms: Stop after this much audio, until `LoopbackSession.release` or a
            cancellation; the way to keep an answer in progress without a clock.
    """

    audio: bytes | None = field(default=None, repr=_sized)
    ms: int | None = None
    transcript: str | None = None
    hold_after_ms: int | None = None


@frozen
class Text:
    """
    A message item of text without audio.

    Attributes:
        text: The text.
    """

    text: str


@frozen(kw_only=True)
class Call:
    """
    A function call item.

    Attributes:
        name: The function.
        arguments: JSON text, sent as it is.
        call_id: None lets the vendor choose.
        status: `incomplete` when the call was interrupted: its arguments stop half-way.
        hold: Stop half-way through the arguments until released or cancelled.
    """

    name: str
    arguments: str = "{}"
    call_id: str | None = None
    status: Literal["completed", "incomplete"] = "completed"
    hold: bool = False


Part = Speech | Text | Call


@frozen(kw_only=True)
class Reply:
    """
    One response.

    Attributes:
        parts: Its output items, in order.
        status: How it ends.
        reason: `status_details.reason`, e.g. `max_output_tokens` or `turn_detected`.
        error: `(type, code, message)` of a failed response.
        user_transcript: When the transcript of what it answers arrives, if there is one.
        late_deltas: Audio deltas sent after it was cancelled and done.
        usage: False sends `usage: null`.
    """

    parts: tuple[Part, ...] = (Speech(),)
    status: Literal["completed", "failed", "incomplete", "cancelled"] = "completed"
    reason: str | None = None
    error: tuple[str, str, str] | None = None
    user_transcript: Literal["before", "during", "after", "failed", "never"] = "during"
    late_deltas: int = 0
    usage: bool = True


Voice = Callable[[Turn], Reply]
"""Decides what is answered where no scenario does."""
