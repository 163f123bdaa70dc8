"""Events in one line each, for a person to read."""

from __future__ import annotations

from attrs import frozen

from realtime_core.audio import pcm_ms
from realtime_core.events import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    SessionClose,
    SessionOpen,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)

__all__ = ["Line", "Narrator", "one_line"]


def one_line(text: str) -> str:
    """Put a text on one line, without control characters: it may come from anywhere."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@frozen
class Line:
    """What is said about an event."""

    t_ms: float
    """Since the session opened."""
    type: str
    """The event's type."""
    detail: str
    """The rest, on one line."""

    def __str__(self) -> str:
        """Give it in columns."""
        return f"{self.t_ms:8.0f}  {self.type:<21}  {self.detail}".rstrip()


class Narrator:
    """
    Turns events into lines.

    Of what comes in pieces (audio, fragments of text, partial transcripts) the first piece has a line, and
    the end; the pieces between are left to the file of events.

    Args:
        rate_hz: Of the assistant's audio.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._begun: set[tuple[str, str | None]] = set()
        self._pieces = 0
        self._bytes = 0

    def line(self, t_ms: float, event: Event) -> Line | None:
        """Say something about an event, or nothing."""
        detail = self._detail(event)
        return None if detail is None else Line(t_ms, event.type.value, detail)

    def _is_first(self, event: AssistantText | AssistantAudio | UserTranscript) -> bool:
        key = (event.type.value, event.item_id)
        first = key not in self._begun
        self._begun.add(key)
        return first

    def _detail(self, event: Event) -> str | None:
        match event:
            case SessionOpen():
                return event.session_id or ""
            case UserSpeechStarted():
                cuts = ", interrupts the reply" if event.interrupts else ""
                return self._heard_at("from", event.at_ms) + cuts
            case UserSpeechEnded():
                return self._heard_at("to", event.at_ms)
            case UserTranscript() | AssistantText():
                if event.final:
                    return f'"{one_line(event.text)}"'
                return f'"{one_line(event.text)}" ...' if self._is_first(event) else None
            case AssistantAudio():
                self._pieces += 1
                self._bytes += len(event.audio)
                return "the first piece" if self._is_first(event) else None
            case ToolCall():
                return f"{event.name}, {len(event.arguments)} arguments ({event.call_id})"
            case Interrupted():
                told = "the model knows" if event.truncated else "the model was not told"
                return f"heard {event.heard_ms} ms, cut {event.cut_ms} ms, {told}"
            case AssistantTurnEnd():
                return self._turn(event)
            case ErrorEvent() if event.fatal:
                # Its text is the last thing the command says; not twice.
                return f"fatal ({event.error.kind})"
            case ErrorEvent():
                return f"({event.error.kind}) {one_line(str(event.error))}"
            case SessionClose():
                reason = f", {one_line(event.reason)}" if event.reason else ""
                code = "no code" if event.code is None else f"code {event.code}"
                return f"by the {event.initiator}, {code}{reason}"
            case _:
                return ""

    def _heard_at(self, preposition: str, at_ms: int | None) -> str:
        return "" if at_ms is None else f"{preposition} {at_ms} ms of the audio sent"

    def _turn(self, event: AssistantTurnEnd) -> str:
        seconds = pcm_ms(self._bytes, self._rate_hz) / 1000
        parts = [event.status, f"{seconds:.2f} s of audio in {self._pieces} pieces"]
        self._pieces = self._bytes = 0
        if event.tool_names:
            parts.append("calls " + ", ".join(event.tool_names))
        usage = event.usage
        if usage is not None and usage.input_tokens is not None and usage.output_tokens is not None:
            parts.append(f"{usage.input_tokens} tokens in, {usage.output_tokens} out")
        return ", ".join(parts)
