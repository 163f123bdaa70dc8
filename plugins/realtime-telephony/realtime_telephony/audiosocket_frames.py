"""
The frames of Asterisk's AudioSocket, without a socket: bytes in, messages out, and back.

A frame is one byte of type, two bytes of length (big-endian), and the payload; samples in it are little-endian. The first frame
of a connection is the UUID that stands in the dialplan. Behaviour below is that of Asterisk 22.10's `res_audiosocket.c`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never, final
from uuid import UUID

from attrs import field, frozen

__all__ = [
    "MAX_AUDIO_MS",
    "MAX_UNKNOWN",
    "RATES_HZ",
    "Audio",
    "AudioSocketDecoder",
    "CallId",
    "Digit",
    "HangUp",
    "Malformed",
    "Message",
    "PeerError",
    "audio_frame",
    "encode",
]

RATES_HZ: Final[Mapping[int, int]] = {
    0x10: 8_000,
    0x11: 12_000,
    0x12: 16_000,
    0x13: 24_000,
    0x14: 32_000,
    0x15: 44_100,
    0x16: 48_000,
    0x17: 96_000,
    0x18: 192_000,
}
"""Sample rate of each type of audio. 0x10 is in every Asterisk, the others since 20.17, 22.7 and 23.1."""
MAX_AUDIO_MS: Final = 1_000
"""Longest piece of audio taken; Asterisk sends 20 ms."""
MAX_UNKNOWN: Final = 10
"""How many frames of unknown type are skipped, for what a later Asterisk may say; more is no AudioSocket."""

_HEADER_BYTES: Final = 3
_MOST_OTHER_BYTES: Final = (
    1024  # of what is not audio; the rest of a nonsense length would be waited for
)
_HANG_UP, _CALL_ID, _DIGIT, _ERROR = 0x00, 0x01, 0x03, 0xFF
_TYPES: Final = {rate: kind for kind, rate in RATES_HZ.items()}
_FIXED_BYTES: Final = {_CALL_ID: 16, _DIGIT: 1}
_DIGITS: Final = frozenset("0123456789*#ABCD")


@frozen
class CallId:
    """Which call this is; the first message."""

    uuid: UUID


@frozen
class Audio:
    """PCM16LE mono, whole samples, never empty."""

    pcm: bytes = field(repr=False)
    sample_rate_hz: int


@frozen
class Digit:
    """A key the caller pressed."""

    digit: str


@frozen
class HangUp:
    """End of the call; Asterisk itself only closes the connection."""


@frozen
class PeerError:
    """Asterisk says that something went wrong on its side."""

    code: int | None


@frozen
class Malformed:
    """The stream is not AudioSocket from here on; the decoder's last message."""

    reason: str


Message = CallId | Audio | Digit | HangUp | PeerError | Malformed
"""All that a frame can say."""


@final
class AudioSocketDecoder:
    """
    Cuts a stream of bytes into messages, however it was split on the way; raises nothing, whatever comes.

    Empty audio is skipped, so is a digit that is none; see `MAX_UNKNOWN` for types that are not known. Anything else that breaks
    the format is `Malformed`, as early as a header shows it, and everything after it is thrown away.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._named = False
        self._broken = False
        self.unknown: int = 0
        """How many frames of unknown type were skipped."""

    def feed(self, data: bytes | bytearray | memoryview) -> list[Message]:
        """Take what arrived and give the messages that are complete."""
        if self._broken:
            return []
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        at = 0
        while len(buffer) - at >= _HEADER_BYTES:
            kind = buffer[at]
            size = buffer[at + 1] << 8 | buffer[at + 2]
            reason = self._refuse(kind, size)
            if reason is not None:
                self._broken = True
                messages.append(Malformed(reason))
                at = len(buffer)
                break
            end = at + _HEADER_BYTES + size
            if len(buffer) < end:
                break
            message = self._message(kind, bytes(buffer[at + _HEADER_BYTES : end]))
            if message is not None:
                messages.append(message)
            at = end
        del buffer[:at]
        return messages

    def _refuse(self, kind: int, size: int) -> str | None:
        """Say what is wrong with a header."""
        if not self._named and kind != _CALL_ID:
            return f"expected the UUID (type 0x01) first, got type 0x{kind:02x}: not an AudioSocket call"
        if self._named and kind == _CALL_ID:
            return "a second UUID on one connection"
        wanted = _FIXED_BYTES.get(kind)
        if wanted is not None and size != wanted:
            return f"expected {wanted} bytes in type 0x{kind:02x}, got {size}"
        rate = RATES_HZ.get(kind)
        if rate is not None:
            if size % 2:
                return f"expected whole 16-bit samples in type 0x{kind:02x}, got {size} bytes"
            if size > rate * 2 * MAX_AUDIO_MS // 1000:
                return f"expected at most {MAX_AUDIO_MS} ms of audio, got {size} bytes of type 0x{kind:02x}"
        elif size > _MOST_OTHER_BYTES:
            return f"expected at most {_MOST_OTHER_BYTES} bytes in type 0x{kind:02x}, got {size}"
        elif kind not in (_HANG_UP, _CALL_ID, _DIGIT, _ERROR) and self.unknown >= MAX_UNKNOWN:
            return f"more than {MAX_UNKNOWN} frames of unknown type, the last 0x{kind:02x}"
        return None

    def _message(self, kind: int, payload: bytes) -> Message | None:
        rate = RATES_HZ.get(kind)
        if rate is not None:
            return Audio(payload, rate) if payload else None
        match kind:
            case 0x01:
                self._named = True
                return CallId(UUID(bytes=payload))
            case 0x03:
                digit = chr(payload[0]).upper()
                return Digit(digit) if digit in _DIGITS else None
            case 0x00:
                return HangUp()
            case 0xFF:
                return PeerError(payload[0] if payload else None)
            case _:
                self.unknown += 1
                return None


def _frame(kind: int, payload: bytes) -> bytes:
    return kind.to_bytes(1, "big") + len(payload).to_bytes(2, "big") + payload


def audio_frame(pcm: bytes, sample_rate_hz: int) -> bytes:
    """
    Make a frame of audio: at most 65,535 bytes, never empty, since Asterisk ends the call on an empty one.

    Raises:
        ValueError: No type for the rate, nothing or half a sample in it, or too much.
    """
    kind = _TYPES.get(sample_rate_hz)
    if kind is None:
        raise ValueError(
            f"AudioSocket: expected a rate of {sorted(_TYPES)} Hz, got {sample_rate_hz}"
        )
    if not pcm or len(pcm) % 2 or len(pcm) > 0xFFFF:
        raise ValueError(f"AudioSocket: expected whole samples in 2 to 65534 bytes, got {len(pcm)}")
    return _frame(kind, pcm)


def encode(message: Message) -> bytes:
    """
    Make the frame of a message; for tests and for whoever plays Asterisk.

    Raises:
        ValueError: It has none.
    """
    match message:
        case Audio():
            return audio_frame(message.pcm, message.sample_rate_hz)
        case CallId():
            return _frame(_CALL_ID, message.uuid.bytes)
        case Digit():
            return _frame(_DIGIT, message.digit.encode("ascii"))
        case HangUp():
            return _frame(_HANG_UP, b"")
        case PeerError():
            return _frame(_ERROR, b"" if message.code is None else bytes([message.code]))
        case Malformed():
            raise ValueError("nothing on the wire says that it is malformed")
        case _:
            assert_never(message)
