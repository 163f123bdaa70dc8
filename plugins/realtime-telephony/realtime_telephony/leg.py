"""
A call leg: the media side of one telephone call, whatever carries it.

Legs differ in what stands in `LegCapabilities` and in nothing else that `attach` needs to know. Audio is PCM16LE mono
at the leg's own rate on both sides of this seam; a leg on G.711 also says so, so that an agent with the same codec on its
wire needs no resampler.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Literal

from attrs import field, frozen

from realtime_core.errors import UnsupportedError
from realtime_telephony.peer_text import one_word

__all__ = [
    "FASTEST_HZ",
    "CallInfo",
    "CallLeg",
    "CallerAudio",
    "DigitPressed",
    "LegCapabilities",
    "LegClosed",
    "LegEvent",
]

FASTEST_HZ: Final = 48_000
"""What an agent takes at most, as in `Options`; a call that is faster is refused, since nobody could answer it."""


@frozen(kw_only=True)
class LegCapabilities:
    """What a leg can do."""

    owns_clock: bool
    """The peer plays at its own pace from a queue; otherwise what we send goes out at once, and we pace."""
    ahead_ms: int
    """How much audio we keep at the peer ahead of what the caller hears, in ms: the price of a barge-in without
    `flush`, the reserve against our own stalls with it."""
    flush: bool
    """Audio that waits at the peer can be taken back."""
    marks: bool
    """The peer says when it has played up to a point."""
    needs_silence: bool
    """The peer ends a call on which nothing comes: silence is sent where there is no speech."""
    dtmf: bool
    """Digits the caller presses arrive."""
    hang_up: bool
    """We can end the call, not only the media."""
    transfer: bool = False
    """We can send the caller elsewhere."""


@frozen(kw_only=True)
class CallInfo:
    """What is known of a call from its start."""

    leg: str
    """Which kind: `audiosocket`, `asterisk`, `twilio`, `telnyx`, `plivo`."""
    call_id: str
    """The peer's id of the call, for logs and routing."""
    dialled: str | None = None
    """Extension or number that was called."""
    caller: str | None = None
    """Number of the caller."""
    parameters: Mapping[str, str] = field(factory=dict)
    """What the dialplan or the vendor's application passed on."""

    @property
    def logged_id(self) -> str:
        """`call_id` as it may stand in a log: the peer chose it, and it may hold anything."""
        return one_word(self.call_id)


@frozen
class CallerAudio:
    """A piece of what the caller says."""

    pcm: bytes = field(repr=False)
    """PCM16LE mono at the leg's rate, whole samples."""


@frozen
class DigitPressed:
    """The caller pressed a key; once a press."""

    digit: str
    """`0` to `9`, `*`, `#`, `A` to `D`."""


@frozen
class LegClosed:
    """The call is over; once, the last event."""

    reason: Literal["caller", "us", "network", "protocol", "timeout"]
    """Who or what ended it."""
    detail: str = ""
    """More, for the log; no secrets, no audio."""


LegEvent = CallerAudio | DigitPressed | LegClosed
"""All that comes from a leg."""


class CallLeg(ABC):
    """
    One call. Made by a listener when the peer has said what call it is; belongs to one event loop.

    `receive` is read by one task. `play` and `flush` may be called from callbacks; after the end of the call all commands
    are harmless.
    """

    info: CallInfo
    """What is known of the call."""
    capabilities: LegCapabilities
    """What the leg can do."""
    sample_rate_hz: int
    """Of the PCM on this seam, both ways."""
    codec: Literal["pcm", "g711_ulaw", "g711_alaw"]
    """What the peer's wire carries."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What had no effect or went missing on the leg, by reason; empty when nothing did. For the log."""
        return {}

    @abstractmethod
    async def receive(self) -> LegEvent:
        """Wait for the next event; after `LegClosed` it must not be called again. Safe to cancel."""

    @abstractmethod
    def play(self, pcm: bytes) -> None:
        """
        Send audio to the caller.

        Without `LegCapabilities.owns_clock` it goes out at once: call it with one frame every 20 ms. Otherwise it joins the
        peer's queue; how far ahead is the caller's business.

        Args:
            pcm: PCM16LE mono at `sample_rate_hz`, whole samples, at most a second.
        """

    @abstractmethod
    def played_samples(self) -> int:
        """
        Estimate how many of the samples given to `play` have left for the caller, flushed ones not among them.

        Never falls, never more than given. By marks where there are some, between them and elsewhere by the clock.
        """

    @abstractmethod
    async def flush(self) -> int:
        """
        Take back what was not played yet, as far as the peer can; stop it at once, then find out how much was played.

        The command to the peer is written before the first await.

        Returns:
            What `played_samples` is from now on, by the best the peer says; within 100 ms. Audio given to `play`
            afterwards counts on from there.
        """

    @abstractmethod
    async def drained(self, timeout_s: float) -> bool:
        """
        Wait until all that was given to `play` has been played.

        Args:
            timeout_s: Limit of the wait, in seconds.

        Returns:
            Whether it was, within the limit; `False` too when the call ended or was flushed.
        """

    @abstractmethod
    async def hang_up(self) -> None:
        """End the call, at once and whatever is still queued; idempotent, bounded to 5 s."""

    async def transfer(self, target: str) -> None:
        """
        Send the caller elsewhere and let go of the call.

        Args:
            target: Number, extension or address, as the peer wants it.

        Raises:
            UnsupportedError: The leg cannot; see `LegCapabilities.transfer`.
        """
        raise UnsupportedError(f"a call on {self.info.leg} cannot be transferred by its leg")

    @abstractmethod
    async def close(self) -> None:
        """Free everything; ends the media when `hang_up` was not called. Idempotent, bounded to 2 s."""
