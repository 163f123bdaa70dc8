"""
The contract of a vendor's protocol as a value: commands and frames in, frames and effects out.

No I/O, no clock, no tasks. Whatever can depend on time takes `now`, in seconds of any monotonic clock. After
every call the driver does the same three beats: send `take_frames`, carry out `take_effects`, arm a timer for
`deadline`. Another driver (threads, trio, a replayed recording) does the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum

from realtime_core.capabilities import Capabilities
from realtime_core.errors import RealtimeError
from realtime_core.usage import Transcription
from realtime_core.wire.effects import Effect

__all__ = ["UrgentFrame", "WireProtocol", "WireState"]


class UrgentFrame(bytes):
    """A frame whose place among the others does not matter: it overtakes audio and commands that still wait."""

    __slots__ = ()


class WireState(StrEnum):
    """Where a session stands."""

    NEW = "new"
    STARTING = "starting"
    OPEN = "open"
    ENDING = "ending"
    """A fatal error came; the vendor's close is awaited, within a limit."""
    CLOSED = "closed"


class WireProtocol(ABC):
    """
    One session of one vendor's protocol.

    Commands may only be called in the state `OPEN`; the driver sees to that. Methods that take what the
    peer sent never raise for it: damage becomes an error effect.
    """

    vendor: str
    """Slug for events."""
    state: WireState
    """Where the session stands."""
    capabilities: Capabilities
    """What this vendor can do with this configuration."""
    input_rate_hz: int
    """Rate the wire takes; fixed from the start."""
    output_rate_hz: int
    """Rate the wire delivers; final once the session is open."""
    frames_ignored: int
    """Frames of a kind we do not know, so far."""
    late_audio: int
    """Audio deltas dropped because their reply was already cut, so far."""
    transcription: Transcription
    """What transcribing the caller cost, so far."""

    @abstractmethod
    def open(self, now: float) -> None:
        """Begin, once the transport is connected."""

    @abstractmethod
    def audio_frame(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """
        Write one frame of caller audio; the hot path, so it returns the frame instead of queueing it.

        Args:
            pcm: PCM16LE mono at `input_rate_hz`, whole samples. From the driver a memoryview holds single bytes, so
                that `len` counts them.
        """

    @abstractmethod
    def commit_input_audio(self, now: float) -> bool:
        """End the caller's turn by hand and ask for a reply; false when there was nothing to commit."""

    @abstractmethod
    def clear_input_audio(self, now: float) -> None:
        """Throw away audio the vendor has not taken as a turn."""

    @abstractmethod
    def create_response(self, instructions: str | None, now: float) -> None:
        """Ask for a reply, with instructions joined to the session's."""

    @abstractmethod
    def send_text(self, text: str, respond: bool, now: float) -> None:
        """Put a written user message into the conversation, and ask for a reply to it."""

    @abstractmethod
    def cancel(self, played_ms: int | None, now: float) -> None:
        """Stop the running reply."""

    @abstractmethod
    def update_instructions(self, instructions: str, now: float) -> None:
        """Replace the application's instructions."""

    @abstractmethod
    def waits_for(self, call_id: str) -> bool:
        """Say whether a tool call has no answer yet."""

    @abstractmethod
    def send_tool_result(self, call_id: str, output: str, now: float) -> None:
        """Answer a tool call."""

    @abstractmethod
    def report_playback(self, item_id: str, played_ms: int, final: bool, now: float) -> None:
        """Take note of what the person has heard of an item."""

    @abstractmethod
    def receive(self, frame: bytes, now: float) -> None:
        """Take one frame from the vendor."""

    @abstractmethod
    def receive_eof(self, code: int, reason: str, now: float) -> None:
        """Take the end of the connection; 1006 where no close frame came."""

    @abstractmethod
    def fail(self, error: RealtimeError, now: float) -> None:
        """End the session for a reason of the driver's own, such as a dead connection."""

    @abstractmethod
    def close(self, now: float) -> None:
        """End the session by the application's wish."""

    @abstractmethod
    def take_frames(self) -> list[bytes]:
        """Give the frames to send, in order, and forget them; an `UrgentFrame` overtakes what waits."""

    @abstractmethod
    def take_effects(self) -> list[Effect]:
        """Give what to carry out, in order, and forget it."""

    @abstractmethod
    def deadline(self) -> float | None:
        """Say when `on_timer` wants to be called, if at all."""

    @abstractmethod
    def on_timer(self, now: float) -> None:
        """Do what is due; harmless when nothing is."""
