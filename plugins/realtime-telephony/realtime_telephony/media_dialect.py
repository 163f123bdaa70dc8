"""
Media streams over WebSocket: what tells the vendors apart, as data.

All three send JSON text with base64 audio and take the same three commands: audio, a mark in the queue, and a clear of the
queue. Names, the places of the ids and what becomes of marks after a clear differ; all of it stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import field, frozen

from realtime_telephony.media_encoding import ALAW, L16_BIG, L16_LITTLE, ULAW, WireEncoding

__all__ = ["DIALECTS", "PLIVO", "TELNYX", "TWILIO", "MediaDialect", "Path", "at", "detect"]

Path = tuple[str, ...]
"""Keys that lead to a value inside a message; empty: not there."""


@frozen(kw_only=True)
class MediaDialect:
    """How one vendor speaks. Sequence numbers are read as text or number, whatever the vendor; they only count gaps."""

    name: str
    """Slug of the vendor, and of the leg."""

    # What comes.
    recognised_by: tuple[Path, ...]
    """Texts that only this vendor's start message has."""
    stream_id: str
    """Key of the stream's id at the top of a message."""
    sequence: str
    """Key of the message's number."""
    started_stream_id: Path
    """The stream's id in the start message."""
    call_id: Path
    """The call's id in the start message: what its REST interface takes."""
    format_name: Path
    """The encoding in the start message."""
    format_rate: Path
    """The rate in the start message."""
    format_channels: Path = ()
    """How many channels, where the vendor tells; we carry one."""
    parameters: Path
    """What the vendor's application passed on: an object, or text of pairs."""
    caller: Path = ()
    """Number of the caller, where the vendor tells."""
    dialled: Path = ()
    """Number that was called, where the vendor tells."""
    more_parameters: Mapping[str, Path] = field(factory=dict)
    """Further values of the start message that become parameters, by name."""
    greeting: str | None = "connected"
    """Event before the start."""
    mark_reached: str = "mark"
    """Event: all before a mark was played."""
    mark_name: Path = ("mark", "name")
    """The mark's name in it."""
    cleared: str | None = None
    """Event that answers a clear, where there is one."""
    stop: str | None = "stop"
    """Event: the stream ends."""
    error: str | None = None
    """Event: the vendor refused something."""
    reorder: bool = False
    """Audio may come out of order; its chunk numbers say how it was."""

    # What goes.
    play: str = "media"
    """Event that brings audio."""
    play_names_format: bool = False
    """Each piece of audio names its content type and rate."""
    mark: str = "mark"
    """Event that puts a mark into the queue."""
    mark_nested: bool = True
    """The mark's name stands in an object called like the event; otherwise at the top."""
    clear: str = "clear"
    """Event that drops the queue."""
    id_in_commands: bool = True
    """Commands name the stream."""
    marks_survive_clear: bool
    """Marks that come after our clear may be of audio that was dropped, so that they prove nothing. `False`: dropped marks never
    come, and one that comes between the clear and its answer was played."""

    # Audio.
    encodings: Mapping[str, WireEncoding] = field(repr=False)
    """What we can carry, by the vendor's names."""
    reply_encoding: str | None = None
    """What the vendor expects from us, where the start message does not tell; `None`: the same as it sends."""
    advice: str
    """Which setting at the vendor decides on the encoding."""


def at(message: object, path: Path) -> Any:
    """Walk into a message; `None` where the path ends early."""
    if not path:
        return None
    for key in path:
        if not isinstance(message, Mapping):
            return None
        message = message.get(key)
    return message


TWILIO: Final = MediaDialect(
    name="twilio",
    recognised_by=(("start", "streamSid"), ("start", "callSid")),
    stream_id="streamSid",
    sequence="sequenceNumber",
    started_stream_id=("start", "streamSid"),
    call_id=("start", "callSid"),
    format_name=("start", "mediaFormat", "encoding"),
    format_rate=("start", "mediaFormat", "sampleRate"),
    format_channels=("start", "mediaFormat", "channels"),
    parameters=("start", "customParameters"),
    # Third parties report, and the vendor's documentation does not say, that a clear echoes all waiting marks at once.
    marks_survive_clear=True,
    encodings={"audio/x-mulaw": ULAW},
    advice="Twilio's <Connect><Stream> carries µ-law at 8 kHz only",
)
"""Twilio Media Streams, `<Connect><Stream>` ("Media Streams - WebSocket Messages")."""

TELNYX: Final = MediaDialect(
    name="telnyx",
    recognised_by=(("stream_id",), ("start", "call_control_id")),
    stream_id="stream_id",
    sequence="sequence_number",
    started_stream_id=("stream_id",),
    call_id=("start", "call_control_id"),
    format_name=("start", "media_format", "encoding"),
    format_rate=("start", "media_format", "sample_rate"),
    format_channels=("start", "media_format", "channels"),
    parameters=("start", "custom_parameters"),
    caller=("start", "from"),
    dialled=("start", "to"),
    more_parameters={"client_state": ("start", "client_state")},
    error="error",
    reorder=True,  # "Stream call media over WebSocket": the order is not guaranteed
    id_in_commands=False,
    marks_survive_clear=True,  # a guess, the careful one: such marks are not believed
    # L16 is not in the vendor's list of stream_bidirectional_codec; its byte order is what pipecat assumes.
    encodings={"PCMU": ULAW, "PCMA": ALAW, "L16": L16_BIG},
    # The start message tells what the caller's side has, not stream_bidirectional_codec, whose default this is.
    reply_encoding="PCMU",
    advice=(
        "set Telnyx's stream_bidirectional_mode to rtp and stream_bidirectional_codec to PCMU, and let the number's codecs be "
        "PCMU or PCMA (not G722, OPUS, AMR-WB or mp3)"
    ),
)
"""Telnyx media streaming, two-way in mode `rtp` ("Stream call media over WebSocket")."""

PLIVO: Final = MediaDialect(
    name="plivo",
    recognised_by=(("start", "streamId"), ("start", "callId")),
    stream_id="streamId",
    sequence="sequenceNumber",
    started_stream_id=("start", "streamId"),
    call_id=("start", "callId"),
    format_name=("start", "mediaFormat", "encoding"),
    format_rate=("start", "mediaFormat", "sampleRate"),
    parameters=("extra_headers",),
    greeting=None,
    mark_reached="playedStream",
    mark_name=("name",),
    cleared="clearedAudio",
    # The reference lists no stop event, the guide mentions one; the close of the socket is the end either way.
    stop="stop",
    play="playAudio",
    play_names_format=True,
    mark="checkpoint",
    mark_nested=False,
    clear="clearAudio",
    marks_survive_clear=False,
    # The documentation does not tell the byte order of audio/x-l16. A guess: little-endian, although RFC 3551 says otherwise.
    encodings={"audio/x-mulaw": ULAW, "audio/x-l16": L16_LITTLE},
    advice=(
        "set the contentType of Plivo's <Stream> to audio/x-l16;rate=16000, audio/x-l16;rate=8000 or "
        "audio/x-mulaw;rate=8000"
    ),
)
"""Plivo audio streaming, `bidirectional="true"` ("Audio Streaming Protocol Reference")."""

DIALECTS: Final[tuple[MediaDialect, ...]] = (TWILIO, TELNYX, PLIVO)
"""All of them."""


def detect(message: object, dialects: Iterable[MediaDialect] = DIALECTS) -> MediaDialect | None:
    """
    Tell from a start message who speaks.

    Args:
        message: Parsed JSON, whatever it is.
        dialects: Whom to expect.

    Returns:
        `None` for any other message.
    """
    if at(message, ("event",)) != "start":
        return None
    for dialect in dialects:
        if all(isinstance(at(message, path), str) for path in dialect.recognised_by):
            return dialect
    return None
