"""Scenarios in which the wire itself is odd: events missing, doubled, malformed or unknown."""

from __future__ import annotations

from . import edits
from .frames import Event, Rewrite
from .reply import Reply, Speech
from .scenario import Scenario

__all__ = ["ODDITIES", "status_details_as_text"]

_AUDIO_DELTAS = ("response.output_audio.delta", "response.audio.delta")
_TEXT_DELTAS = (
    "response.output_audio_transcript.delta",
    "response.output_text.delta",
    "response.audio_transcript.delta",
    "response.text.delta",
)
_LARGE = 2 * 1024 * 1024
_GA_NAMES = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
}


def status_details_as_text(event: Event) -> Event:
    """Make a `response.done`'s status_details one string, as an issue reported it."""
    response: Event = event["response"]
    return event | {"response": response | {"status_details": "The server had an error."}}


def _without_response_id(event: Event) -> Event:
    response = {key: value for key, value in event["response"].items() if key != "id"}
    return event | {"response": response}


def _obfuscated(event: Event, count: int) -> list[Event]:
    if event["type"] in _TEXT_DELTAS:
        return [event | {"obfuscation": "x7Kq2"[: count % 5 + 1]}]
    return [event]


def _ga_names(event: Event, count: int) -> list[Event]:
    del count
    return [event | {"type": _GA_NAMES.get(event["type"], event["type"])}]


def _conversation_created(event: Event, count: int) -> list[Event]:
    if event["type"] != "session.created" or count:
        return [event]
    conversation = {"id": "conv_first", "object": "realtime.conversation"}
    extra = {"type": "conversation.created", "event_id": "event_conversation"}
    return [event, extra | {"conversation": conversation}]


def _second_delta(value: object) -> Rewrite:
    def run(event: Event, count: int) -> list[Event]:
        broken = event["type"] in _AUDIO_DELTAS and count == 1
        return [event | {"delta": value}] if broken else [event]

    return run


def _bare(event: Event, count: int) -> list[Event]:
    """Leave out what older and compatible servers leave out, and null the rest."""
    del count
    gone = ("event_id", "output_index", "content_index", "previous_item_id")
    event = {key: value for key, value in event.items() if key not in gone}
    if event["type"] == "response.done":
        nulls = dict.fromkeys(("status_details", "usage", "metadata", "conversation_id"))
        event["response"] = event["response"] | nulls
    if event["type"] == "error":
        event["error"] = event["error"] | {"code": None, "param": None, "event_id": None}
    return [event]


_ODD_PIECE = "AAECAwQ="  # five bytes: no whole 16-bit samples

ODDITIES: tuple[Scenario, ...] = (
    Scenario(
        name="conversation_created",
        summary="conversation.created follows session.created, as documented and as of old.",
        rewrite=_conversation_created,
    ),
    Scenario(
        name="obfuscation",
        summary="Text deltas carry the extra random field OpenAI adds.",
        rewrite=_obfuscated,
    ),
    Scenario(
        name="ga_names",
        summary="A beta wire uses GA names for its output.",
        rewrite=_ga_names,
    ),
    Scenario(
        name="no_response_created",
        summary="response.created is missing.",
        rewrite=edits.drop("response.created"),
    ),
    Scenario(
        name="done_without_id",
        summary="response.done names no response.",
        rewrite=edits.change("response.done", _without_response_id),
    ),
    Scenario(
        name="duplicated_events",
        summary="Every event comes twice, with the same event_id.",
        rewrite=lambda event, _: [event, event],
    ),
    Scenario(
        name="repeated_speech_started",
        summary="speech_started comes three times for one item.",
        rewrite=edits.repeat("input_audio_buffer.speech_started", 3),
    ),
    Scenario(
        name="unknown_events",
        summary="Events nobody documented come between the others.",
        rewrite=edits.chain(
            edits.before("session.updated", {"type": "ping", "event_id": "event_ping"}),
            edits.before("response.created", {"type": "vendor.news", "payload": [1, None, {}]}),
            edits.before("response.done", {"type": "", "event_id": None}),
        ),
    ),
    Scenario(
        name="odd_audio",
        summary="The second audio delta has an odd number of bytes.",
        replies=(Reply(parts=(Speech(ms=600, transcript="Odd."),)),),
        rewrite=_second_delta(_ODD_PIECE),
    ),
    Scenario(
        name="bad_base64",
        summary="The second audio delta is no base64.",
        replies=(Reply(parts=(Speech(ms=600, transcript="Bad."),)),),
        rewrite=_second_delta("*** no base64 ***"),
    ),
    Scenario(
        name="null_audio",
        summary="The second audio delta is null.",
        replies=(Reply(parts=(Speech(ms=600, transcript="None."),)),),
        rewrite=_second_delta(None),
    ),
    Scenario(
        name="bare_fields",
        summary="Optional fields are missing or null.",
        rewrite=_bare,
    ),
    Scenario(
        name="large_event",
        summary="An event of 2 MiB comes before the answer.",
        rewrite=edits.before("response.created", {"type": "vendor.large", "pad": "x" * _LARGE}),
    ),
)
"""Scenarios of an odd wire."""
