"""A vendor's messages: text in gives typed messages, commands give text. No sockets, no clock; never raises for what came."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import field, frozen

from realtime_core.backends.codec import FAST_CODEC
from realtime_core.errors import ConfigError
from realtime_telephony.leg import CallInfo
from realtime_telephony.media_dialect import MediaDialect, at
from realtime_telephony.media_encoding import WireEncoding, resolve_encoding

__all__ = [
    "Cleared",
    "Digit",
    "Ignored",
    "IgnoredReason",
    "MarkReached",
    "Media",
    "MediaFrames",
    "MediaMessage",
    "StreamStarted",
    "StreamStopped",
    "VendorComplaint",
    "call_id_of",
    "parse_json",
    "read_start",
]

IgnoredReason = Literal[
    "garbage",
    "wrong_stream",
    "second_start",
    "other_track",
    "bad_audio",
    "bad_digit",
    "unknown_event",
    "greeting",
]
"""Why a message had no effect."""

_PLACE: Final = "\ue000"  # where the audio of a message goes
_DIGITS: Final = frozenset("0123456789*#ABCD")
_ID: Final = re.compile(r"[A-Za-z0-9][\w:.=+/-]{0,255}", re.ASCII)
_MAX_PARAMETERS: Final = 64
_MAX_TEXT: Final = 1024


@frozen(kw_only=True)
class StreamStarted:
    """The start message: whose stream it is, and of what call."""

    dialect: MediaDialect = field(repr=False)
    """Who speaks."""
    stream_id: str
    """Id of the stream."""
    info: CallInfo
    """The call."""
    hears: WireEncoding
    """What comes."""
    plays: WireEncoding
    """What the vendor expects from us; the same rate."""


@frozen
class Media:
    """Audio of the caller."""

    payload: bytes = field(repr=False)
    """As on the wire."""
    chunk: int | None
    """Its number, where there is one."""


@frozen
class Digit:
    """A key was pressed."""

    digit: str
    """`0` to `9`, `*`, `#`, `A` to `D`."""


@frozen
class MarkReached:
    """The vendor is past one of our marks, or threw it away."""

    name: str
    """As we named it."""


@frozen
class Cleared:
    """The vendor dropped its queue."""


@frozen
class StreamStopped:
    """The vendor ends the stream."""


@frozen
class VendorComplaint:
    """The vendor refused something; the stream goes on."""

    text: str
    """Its code and title, cut."""


@frozen
class Ignored:
    """Nothing for us."""

    reason: IgnoredReason
    """Why."""


MediaMessage = Media | Digit | MarkReached | Cleared | StreamStopped | VendorComplaint | Ignored
"""What can come after the start."""


def parse_json(text: str | bytes) -> dict[str, Any] | None:
    """Read a JSON object; `None` for anything else."""
    try:
        message = FAST_CODEC.loads(text.encode() if isinstance(text, str) else text)
    except (ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        return None
    return message if isinstance(message, dict) else None


def _number(value: object) -> int | None:
    """Vendors write numbers as numbers or as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def _text(value: object) -> str | None:
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def _pairs(value: object) -> dict[str, str]:
    """Read an object, or text of an object, or text of `key=value` pairs set apart by `,` or `;`."""
    # Plivo documents extra_headers as "userId=12345;sessionId=abc", its SDK as a JSON string, <Stream> takes commas.
    if isinstance(value, str):
        parsed = parse_json(value) if value.lstrip().startswith("{") else None
        if parsed is None:
            parts = [part.partition("=") for part in re.split("[,;]", value[: 16 * _MAX_TEXT])]
            parsed = {key.strip(): item.strip() for key, sign, item in parts if sign}
        value = parsed
    if not isinstance(value, Mapping):
        return {}
    pairs: dict[str, str] = {}
    for key, item in list(value.items())[:_MAX_PARAMETERS]:
        if isinstance(item, (str, int, float)):
            pairs[str(key)[:_MAX_TEXT]] = str(item)[:_MAX_TEXT]
    return pairs


def call_id_of(dialect: MediaDialect, message: Mapping[str, Any]) -> str | None:
    """Read the id of the call from a start message; `None` where there is none a vendor gives."""
    value = at(message, dialect.call_id)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_start(dialect: MediaDialect, message: Mapping[str, Any]) -> StreamStarted:
    """
    Read the start message.

    Args:
        dialect: Who speaks, by `detect`.
        message: The start message.

    Raises:
        ConfigError: An encoding we cannot carry, with the setting to change; or ids no vendor gives.
    """
    stream_id, call_id = at(message, dialect.started_stream_id), at(message, dialect.call_id)
    for name, value in (("stream", stream_id), ("call", call_id)):
        # It goes into the path of a REST request, and into logs.
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise ConfigError(f"media stream of {dialect.name}: expected an id of the {name}")
    channels = _number(at(message, dialect.format_channels))
    if channels not in (None, 1):
        raise ConfigError(
            f"media stream of {dialect.name}: expected one channel, got {channels}; let the stream carry the caller's only"
        )
    rate = _number(at(message, dialect.format_rate))
    hears = resolve_encoding(
        dialect.encodings,
        _text(at(message, dialect.format_name)) or "nothing",
        8000 if rate is None else rate,
        dialect.advice,
    )
    plays = hears
    if dialect.reply_encoding is not None:
        plays = resolve_encoding(
            dialect.encodings, dialect.reply_encoding, hears.sample_rate_hz, dialect.advice
        )
    parameters = _pairs(at(message, dialect.parameters))
    for name, path in dialect.more_parameters.items():
        value = _text(at(message, path))
        if value is not None:
            parameters.setdefault(name, value)
    info = CallInfo(
        leg=dialect.name,
        call_id=call_id,
        dialled=_text(at(message, dialect.dialled)) or parameters.get("dialled"),
        caller=_text(at(message, dialect.caller)) or parameters.get("caller"),
        parameters=parameters,
    )
    return StreamStarted(dialect=dialect, stream_id=stream_id, info=info, hears=hears, plays=plays)


class MediaFrames:
    """
    The messages of one stream, after its start.

    Args:
        started: What the start message said.
    """

    def __init__(self, started: StreamStarted) -> None:
        self.started: StreamStarted = started
        self.missing: int = 0
        """Messages the vendor numbered that never came."""
        self._sequence: int | None = None
        dialect = started.dialect
        template = json.dumps(self._play_template(), separators=(",", ":"))
        head, tail = template.encode().split(json.dumps(_PLACE).strip('"').encode())
        self._play_head, self._play_tail = head, tail
        self._identity = {dialect.stream_id: started.stream_id} if dialect.id_in_commands else {}

    def _play_template(self) -> dict[str, Any]:
        dialect, plays = self.started.dialect, self.started.plays
        media: dict[str, Any] = {"payload": _PLACE}
        if dialect.play_names_format:
            media = {"contentType": plays.name, "sampleRate": plays.sample_rate_hz, **media}
        identity = {dialect.stream_id: self.started.stream_id} if dialect.id_in_commands else {}
        return {"event": dialect.play, **identity, "media": media}

    def play(self, pcm: bytes) -> bytes:
        """Write a message with audio, PCM16LE at the stream's rate."""
        encoded = FAST_CODEC.encode_audio(self.started.plays.encode(pcm))
        return self._play_head + encoded + self._play_tail

    def mark(self, name: str) -> bytes:
        """Write a mark."""
        dialect = self.started.dialect
        named = {"name": name}
        body = {dialect.mark: named} if dialect.mark_nested else named
        return self._command(dialect.mark, body)

    def clear(self) -> bytes:
        """Write the command that drops the queue."""
        return self._command(self.started.dialect.clear, {})

    def _command(self, event: str, body: Mapping[str, Any]) -> bytes:
        return json.dumps(
            {"event": event, **self._identity, **body}, separators=(",", ":")
        ).encode()

    def read(self, text: str | bytes) -> MediaMessage:
        """Read a message; whatever it is."""
        message = parse_json(text)
        if message is None:
            return Ignored("garbage")
        dialect = self.started.dialect
        event = message.get("event")
        if not isinstance(event, str):
            return Ignored("garbage")
        if event == dialect.greeting:
            return Ignored("greeting")
        if message.get(dialect.stream_id, self.started.stream_id) != self.started.stream_id:
            return Ignored("wrong_stream")
        self._count(message)
        if event == "media":
            return self._media(message.get("media"))
        if event == dialect.mark_reached:
            name = at(message, dialect.mark_name)
            return MarkReached(name) if isinstance(name, str) else Ignored("garbage")
        if event == "dtmf":
            digit = at(message, ("dtmf", "digit"))
            known = isinstance(digit, str) and digit.upper() in _DIGITS
            return Digit(digit.upper()) if known else Ignored("bad_digit")
        if event == dialect.stop:
            return StreamStopped()
        if event == dialect.cleared:
            return Cleared()
        if event == dialect.error:
            return VendorComplaint(_complaint(message))
        return Ignored("second_start" if event == "start" else "unknown_event")

    def _count(self, message: Mapping[str, Any]) -> None:
        number = _number(message.get(self.started.dialect.sequence))
        if number is None or self.started.dialect.reorder:
            return
        if self._sequence is not None and number > self._sequence + 1:
            self.missing += number - self._sequence - 1
        self._sequence = number

    def _media(self, media: object) -> Media | Ignored:
        if not isinstance(media, Mapping):
            return Ignored("bad_audio")
        if media.get("track", "inbound") not in ("inbound", "inbound_track"):
            return Ignored("other_track")
        payload = media.get("payload")
        if not isinstance(payload, str):
            return Ignored("bad_audio")
        try:
            audio = FAST_CODEC.decode_audio(payload)
        except ValueError:
            return Ignored("bad_audio")
        if not audio or len(audio) % self.started.hears.sample_bytes:
            return Ignored("bad_audio")
        return Media(audio, _number(media.get("chunk")))


def _complaint(message: Mapping[str, Any]) -> str:
    # Telnyx: payload {code, title, detail}; the fields are a guess, so anything short that stands there is taken.
    payload = message.get("payload")
    parts = payload if isinstance(payload, Mapping) else message
    values = (parts.get(key) for key in ("code", "title", "message", "detail"))
    return " ".join(str(value)[:100] for value in values if isinstance(value, (str, int)))
