"""
What Asterisk's WebSocket channel says and is told in text frames, without a socket; both of its formats.

`f(json)` has objects with `command` or `event`; plain text, the older default, has words. Asterisk ignores text of more than
128 bytes with nothing but a line in its log, so correlation ids are short. Behaviour is that of 22.10's `chan_websocket.c`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal

from attrs import field, frozen

__all__ = [
    "MAX_BINARY_BYTES",
    "MAX_TEXT_BYTES",
    "SAMPLE_RATES_HZ",
    "TOO_FAST",
    "BufferingCompleted",
    "Command",
    "ControlFormat",
    "DtmfEnd",
    "Ignored",
    "MarkProcessed",
    "MediaError",
    "MediaEvent",
    "MediaStart",
    "MediaXoff",
    "MediaXon",
    "QueueDrained",
    "Status",
    "command_text",
    "control_format",
    "parse_event",
]

MAX_TEXT_BYTES: Final = 128
"""Longest text frame that Asterisk reads."""
MAX_BINARY_BYTES: Final = 32_000
"""Longest binary message sent; Asterisk's limit is 65,500, and larger ones close the socket."""
SAMPLE_RATES_HZ: Final[Mapping[str, int]] = {
    "slin": 8_000,
    "slin8": 8_000,
    "slin12": 12_000,
    "slin16": 16_000,
    "slin24": 24_000,
    "slin32": 32_000,
    "slin44": 44_100,
    "slin48": 48_000,
    "ulaw": 8_000,
    "alaw": 8_000,
}
"""Formats of MEDIA_START that a leg can carry."""
TOO_FAST: Final = frozenset({"slin96", "slin192"})
"""Formats beyond `FASTEST_HZ`."""

ControlFormat = Literal["json", "plain-text"]
"""As in the dialplan's `f(...)`."""


class Command(StrEnum):
    """What Asterisk can be told; names are case-sensitive on the wire."""

    ANSWER = "ANSWER"
    HANGUP = "HANGUP"
    START_MEDIA_BUFFERING = "START_MEDIA_BUFFERING"
    STOP_MEDIA_BUFFERING = "STOP_MEDIA_BUFFERING"
    MARK_MEDIA = "MARK_MEDIA"
    FLUSH_MEDIA = "FLUSH_MEDIA"
    PAUSE_MEDIA = "PAUSE_MEDIA"
    CONTINUE_MEDIA = "CONTINUE_MEDIA"
    REPORT_QUEUE_DRAINED = "REPORT_QUEUE_DRAINED"
    GET_STATUS = "GET_STATUS"


_WITH_ID: Final = frozenset({Command.MARK_MEDIA, Command.STOP_MEDIA_BUFFERING})


@frozen(kw_only=True)
class MediaStart:
    """The first event: what the channel carries."""

    channel_id: str
    """Asterisk's unique id of the channel."""
    connection_id: str
    """Name of the client in `websocket_client.conf`, not an id of the call."""
    format: str
    frame_bytes: int
    """Size of what Asterisk plays at a tick; 0 for formats it passes through."""
    ptime_ms: int
    variables: Mapping[str, str] = field(factory=dict, repr=False)
    """Channel variables; JSON only."""


@frozen
class DtmfEnd:
    """A key the caller pressed."""

    digit: str


@frozen
class MediaXoff:
    """The queue is nearly full; what does not fit is thrown away without a word."""


@frozen
class MediaXon:
    """There is room again."""


@frozen(kw_only=True)
class Status:
    """Answer to GET_STATUS."""

    queue_length: int
    """In frames; remainders under one frame are not in it."""
    queue_full: bool = False
    media_paused: bool = False


@frozen
class BufferingCompleted:
    """All before the STOP_MEDIA_BUFFERING of this id was played."""

    correlation_id: str


@frozen
class MarkProcessed:
    """All before the MARK_MEDIA of this id was played."""

    correlation_id: str


@frozen
class QueueDrained:
    """Nothing is left to play; once for a REPORT_QUEUE_DRAINED."""


@frozen
class MediaError:
    """Asterisk did not like something."""

    text: str


@frozen
class Ignored:
    """Nothing we know; the reason is for the log."""

    reason: str


MediaEvent = (
    MediaStart
    | DtmfEnd
    | MediaXoff
    | MediaXon
    | Status
    | BufferingCompleted
    | MarkProcessed
    | QueueDrained
    | MediaError
    | Ignored
)
"""All that a text frame can say."""


def control_format(text: str) -> ControlFormat:
    """Say which format a text frame is in."""
    return "json" if text.lstrip().startswith("{") else "plain-text"


def command_text(
    command: Command, control: ControlFormat, correlation_id: str | None = None
) -> str:
    """
    Make the text frame of a command.

    Raises:
        ValueError: An id where none belongs, or one that makes the text too long for Asterisk.
    """
    if correlation_id is not None and (command not in _WITH_ID or not correlation_id.isalnum()):
        raise ValueError(f"{command}: expected a short word as id, got {correlation_id!r}")
    if control == "json":
        fields = {"command": str(command)}
        if correlation_id is not None:
            fields["correlation_id"] = correlation_id
        text = json.dumps(fields, separators=(",", ":"))
    else:
        text = command if correlation_id is None else f"{command} {correlation_id}"
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"{command}: Asterisk ignores text of more than {MAX_TEXT_BYTES} bytes")
    return text


def parse_event(text: str) -> MediaEvent:
    """Read a text frame of Asterisk's, in either format; raises nothing, whatever comes."""
    if control_format(text) == "plain-text":
        name, _, rest = text.strip().partition(" ")
        return _event(name, _plain_fields(name, rest))
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return Ignored("not JSON")
    return _event(message.get("event"), message)  # an object: it began with a brace


def _plain_fields(name: str, rest: str) -> dict[str, Any]:
    """Take `key:value` words apart; values hold colons and slashes, an id stands alone, an error's text is the rest."""
    if name in ("MEDIA_MARK_PROCESSED", "MEDIA_BUFFERING_COMPLETED"):
        return {"correlation_id": rest.strip()}
    fields: dict[str, Any] = {}
    head, found, tail = rest.partition("error_text:")
    if found:
        fields["error_text"] = tail
    for word in head.split():
        key, _, value = word.partition(":")
        fields[key] = value
    return fields


def _number(value: object) -> int | None:
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:  # not digits, or thousands of them
        return None


def _flag(value: object) -> bool:
    return value is True or value == "true"


def _event(name: object, fields: Mapping[str, Any]) -> MediaEvent:
    match name:
        case "MEDIA_START":
            return _media_start(fields)
        case "DTMF_END":
            digit = fields.get("digit")
            if isinstance(digit, str) and len(digit) == 1 and digit.upper() in "0123456789*#ABCD":
                return DtmfEnd(digit.upper())
            return Ignored("DTMF_END without a digit")
        case "MEDIA_XOFF":
            return MediaXoff()
        case "MEDIA_XON":
            return MediaXon()
        case "STATUS":
            length = _number(fields.get("queue_length"))
            if length is None or length < 0:
                return Ignored("STATUS without queue_length")
            return Status(
                queue_length=length,
                queue_full=_flag(fields.get("queue_full")),
                media_paused=_flag(fields.get("media_paused")),
            )
        case "MEDIA_BUFFERING_COMPLETED":
            return BufferingCompleted(str(fields.get("correlation_id") or ""))
        case "MEDIA_MARK_PROCESSED":
            return MarkProcessed(str(fields.get("correlation_id") or ""))
        case "QUEUE_DRAINED":
            return QueueDrained()
        case "ERROR":
            return MediaError(str(fields.get("error_text") or "")[:200])
        case _:
            return Ignored("unknown event")


def _media_start(fields: Mapping[str, Any]) -> MediaEvent:
    size, ptime = _number(fields.get("optimal_frame_size")), _number(fields.get("ptime"))
    channel_id, format_name = fields.get("channel_id"), fields.get("format")
    if not (isinstance(channel_id, str) and isinstance(format_name, str)):
        return Ignored("MEDIA_START without channel_id or format")
    variables = fields.get("channel_variables")
    return MediaStart(
        channel_id=channel_id,
        connection_id=str(fields.get("connection_id") or ""),
        format=format_name,
        frame_bytes=size or 0,
        ptime_ms=ptime or 20,
        variables={str(key): str(value) for key, value in variables.items()}
        if isinstance(variables, dict)
        else {},
    )
