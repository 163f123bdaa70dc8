from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_telephony.asterisk_media import (
    MAX_TEXT_BYTES,
    BufferingCompleted,
    Command,
    ControlFormat,
    DtmfEnd,
    Ignored,
    MarkProcessed,
    MediaError,
    MediaEvent,
    MediaStart,
    MediaXoff,
    MediaXon,
    QueueDrained,
    Status,
    command_text,
    control_format,
    parse_event,
)

START = MediaStart(
    channel_id="1795390505.1",
    connection_id="bot",
    format="slin16",
    frame_bytes=640,
    ptime_ms=20,
    variables={"DIALEDPEERNUMBER": "bot/c(slin16)"},
)

# As Asterisk 22.10 wrote them.
EVENTS: list[tuple[str, MediaEvent]] = [
    (
        ('{"event":"MEDIA_START","connection_id":"bot","channel":"WebSocket/bot/0x7f21","channel_id":"1795390505.1",'
        '"format":"slin16","optimal_frame_size":640,"ptime":20,'
        '"channel_variables":{"DIALEDPEERNUMBER":"bot/c(slin16)"}}'),
        START,
    ),
    (
        ("MEDIA_START connection_id:bot channel:WebSocket/bot/0x7f:21 channel_id:1795390505.1 format:ulaw"
        " optimal_frame_size:160 ptime:20"),
        MediaStart(
            channel_id="1795390505.1", connection_id="bot", format="ulaw", frame_bytes=160, ptime_ms=20
        ),
    ),
    ('{"event":"DTMF_END","channel_id":"1","digit":"5"}', DtmfEnd("5")),
    ("DTMF_END digit:# channel_id:1795390505.1", DtmfEnd("#")),
    ('{"event":"MEDIA_XOFF","channel_id":"1"}', MediaXoff()),
    ("MEDIA_XON", MediaXon()),
    (
        ('{"event":"STATUS","channel_id":"1","queue_length":35,"xon_level":800,"xoff_level":900,"queue_full":false,'
        '"bulk_media":true,"media_paused":true}'),
        Status(queue_length=35, media_paused=True),
    ),
    (
        ("STATUS channel_id:1.1 queue_length:950 xon_level:800 xoff_level:900 queue_full:true bulk_media:true"
        " media_paused:false"),
        Status(queue_length=950, queue_full=True),
    ),
    ('{"event":"MEDIA_MARK_PROCESSED","channel_id":"1","correlation_id":"7"}', MarkProcessed("7")),
    ("MEDIA_MARK_PROCESSED 7", MarkProcessed("7")),
    (
        '{"event":"MEDIA_BUFFERING_COMPLETED","channel_id":"1","correlation_id":"8"}',
        BufferingCompleted("8"),
    ),
    ("MEDIA_BUFFERING_COMPLETED", BufferingCompleted("")),
    ("QUEUE_DRAINED", QueueDrained()),
    (
        '{"event":"ERROR","channel_id":"1","error_text":"Unable to parse JSON command"}',
        MediaError("Unable to parse JSON command"),
    ),
    (
        "ERROR channel_id:1.1 error_text:FLUSH_MEDIA not supported in passthrough mode",
        MediaError("FLUSH_MEDIA not supported in passthrough mode"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "event"), EVENTS)
def test_every_event_is_read_in_both_formats(text: str, event: MediaEvent) -> None:
    assert parse_event(text) == event


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "[]", "{}", "nonsense", '{"event":1}', "MEDIA_START", '{"event":"MEDIA_START","format":"slin"}',
        "STATUS queue_length:-1", "STATUS queue_length:x", '{"event":"STATUS","queue_length":null}', "DTMF_END digit:55",
        "DTMF_END digit:x", "STATUS queue_length:" + "9" * 5000, "{" + '"a":{' * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_event_is_ignored(text: str) -> None:
    assert isinstance(parse_event(text), Ignored)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)  # fmt: skip
KEYS = ("channel_id", "format", "digit", "queue_length", "correlation_id", "error_text", "ptime",
        "optimal_frame_size", "channel_variables")  # fmt: skip


@given(text=st.text(max_size=200))
def test_garbage_raises_nothing(text: str) -> None:
    assert isinstance(parse_event(text), get_args(MediaEvent))


@given(
    name=st.sampled_from([type(event).__name__ for _, event in EVENTS])
    | st.sampled_from(["MEDIA_START", "STATUS", "DTMF_END", "ERROR", "MEDIA_MARK_PROCESSED"]),
    fields=st.dictionaries(st.sampled_from(KEYS), JSON),
)
def test_an_event_with_any_fields_raises_nothing(name: str, fields: dict[str, object]) -> None:
    assert isinstance(parse_event(json.dumps({"event": name, **fields})), get_args(MediaEvent))
    words = " ".join(f"{key}:{value}" for key, value in fields.items())
    assert isinstance(parse_event(f"{name} {words}"), get_args(MediaEvent))


@pytest.mark.parametrize("control", ["json", "plain-text"])
@pytest.mark.parametrize("command", list(Command))
def test_commands_fit_what_asterisk_reads(command: Command, control: ControlFormat) -> None:
    text = command_text(command, control)
    assert len(text.encode()) <= MAX_TEXT_BYTES
    assert control_format(text) == control
    assert (json.loads(text)["command"] if control == "json" else text) == command.value


def test_a_mark_has_its_id_in_both_formats() -> None:
    assert (
        command_text(Command.MARK_MEDIA, "json", "12")
        == '{"command":"MARK_MEDIA","correlation_id":"12"}'
    )
    assert (
        command_text(Command.STOP_MEDIA_BUFFERING, "plain-text", "12") == "STOP_MEDIA_BUFFERING 12"
    )


@pytest.mark.parametrize("correlation_id", ["", "a b", "x" * 120, 'a"b'])
def test_an_id_that_asterisk_would_not_read_is_refused(correlation_id: str) -> None:
    with pytest.raises(ValueError, match="MARK_MEDIA"):
        command_text(Command.MARK_MEDIA, "json", correlation_id)


def test_an_id_where_none_belongs_is_refused() -> None:
    with pytest.raises(ValueError, match="HANGUP"):
        command_text(Command.HANGUP, "json", "1")
