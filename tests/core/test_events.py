from __future__ import annotations

import attrs
import pytest

import realtime_core as rt
from realtime_core import Event, RealtimeError

# DESIGN section 4: class, fixed string, own fields in order.
CONTRACT: dict[type[Event], tuple[str, tuple[str, ...]]] = {
    rt.SessionOpen: ("session.open", ("session_id",)),
    rt.SessionClose: ("session.close", ("code", "reason", "initiator")),
    rt.UserSpeechStarted: (
        "user.speech.started",
        ("item_id", "at_ms", "interrupts", "synthetic"),
    ),
    rt.UserSpeechEnded: ("user.speech.ended", ("item_id", "at_ms")),
    rt.UserTranscript: ("user.transcript", ("text", "final", "item_id")),
    rt.AssistantText: ("assistant.text", ("text", "final", "item_id", "response_id")),
    rt.AssistantAudio: ("assistant.audio", ("audio", "item_id", "response_id")),
    rt.ToolCall: ("tool.call", ("call_id", "name", "arguments")),
    rt.Interrupted: ("assistant.interrupted", ("item_id", "heard_ms", "cut_ms", "truncated")),
    rt.AssistantTurnEnd: (
        "assistant.turn.end",
        ("response_id", "status", "usage", "tool_names"),
    ),
    rt.ErrorEvent: ("error", ("error", "fatal")),
}

SAMPLES: list[Event] = [
    rt.SessionOpen(vendor="v", raw="the frame"),
    rt.SessionClose(vendor="v", raw="the frame"),
    rt.UserSpeechStarted(vendor="v", raw="the frame"),
    rt.UserSpeechEnded(vendor="v", raw="the frame"),
    rt.UserTranscript(vendor="v", raw="the frame", text="hello", final=True),
    rt.AssistantText(vendor="v", raw="the frame", text="hello", final=True),
    rt.AssistantAudio(vendor="v", raw="the frame", audio=b"secret audio"),
    rt.ToolCall(vendor="v", raw="the frame", call_id="c", name="n", arguments={}),
    rt.Interrupted(vendor="v", raw="the frame"),
    rt.AssistantTurnEnd(vendor="v", raw="the frame"),
    rt.ErrorEvent(vendor="v", raw="the frame", error=RealtimeError("no")),
]
of_each = pytest.mark.parametrize("event", SAMPLES, ids=lambda event: str(event.type))


def _all_events(kind: type[Event] = Event) -> set[type[Event]]:
    direct = set(kind.__subclasses__())
    return direct.union(*(_all_events(sub) for sub in direct))


def test_there_are_the_events_of_the_contract_and_no_others() -> None:
    ours = {kind for kind in _all_events() if kind.__module__.startswith("realtime_core.")}
    # attrs makes a slotted class anew; the class it was made from may still be around.
    assert {kind.__name__ for kind in ours} == {kind.__name__ for kind in CONTRACT}
    assert {type(sample) for sample in SAMPLES} == set(CONTRACT)
    assert {kind.value for kind in rt.EventType} == {name for name, _ in CONTRACT.values()}


@of_each
def test_an_event_has_the_string_and_the_fields_of_the_contract(event: Event) -> None:
    name, own = CONTRACT[type(event)]
    assert event.type == name
    assert isinstance(event.type, rt.EventType)
    assert tuple(item.name for item in attrs.fields(type(event))) == ("vendor", "raw", *own)


@of_each
def test_an_event_is_frozen_and_slotted(event: Event) -> None:
    assert not hasattr(event, "__dict__")
    for item in attrs.fields(type(event)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(event, item.name, None)


@of_each
def test_the_type_of_an_event_cannot_be_chosen(event: Event) -> None:
    with pytest.raises(TypeError):
        attrs.evolve(event, type="other")  # type: ignore[call-arg]


@of_each
def test_a_repr_holds_neither_audio_nor_the_frame(event: Event) -> None:
    shown = repr(event)
    assert "the frame" not in shown
    assert "secret" not in shown
    assert type(event).__name__ in shown


def test_the_repr_of_audio_says_how_much() -> None:
    assert "<960 bytes>" in repr(rt.AssistantAudio(vendor="v", audio=bytes(960)))


def test_events_match_by_class_and_by_string() -> None:
    event: Event = rt.UserTranscript(vendor="v", text="hello", final=False)
    match event:
        case rt.UserTranscript(text=text, final=False):
            assert text == "hello"
        case _:
            pytest.fail("not matched by class")
    assert event.type == "user.transcript"


def test_ids_may_be_missing() -> None:
    audio = rt.AssistantAudio(vendor="v", audio=b"")
    assert (audio.item_id, audio.response_id, audio.raw) == (None, None, None)
