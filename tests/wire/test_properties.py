"""Whatever comes before and at the opening: nothing raises, and a start has one end."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_core.errors import SessionLostError
from realtime_core.events import SessionOpen
from realtime_core.options import Options
from realtime_core.wire import Effect, StartRefused, WireState

from .kit import (
    DIALECTS,
    Talk,
    audio,
    audio_done,
    call,
    created,
    done,
    error,
    item_done,
    said,
    said_all,
    silence,
    speech,
    transcript,
)

# A fresh setting of REALTIME_EXAMPLES runs as many as wanted in a session of its own.
EXAMPLES = int(os.environ.get("REALTIME_EXAMPLES", "25"))
quick = settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)

KINDS = sorted(Talk().wire._handlers)
DIALECT = st.sampled_from(sorted(DIALECTS))
REPLIES = st.sampled_from(["R1", "R2", "R3"])
FIELDS = [
    *(
        "type",
        "response",
        "response_id",
        "item",
        "item_id",
        "delta",
        "error",
        "session",
        "event_id",
    ),
    *("transcript", "text", "stash", "output", "status", "status_details", "usage", "id", "code"),
    *("message", "call_id", "name", "arguments", "content", "reason", "audio_start_ms"),
]
LEAVES: list[Any] = [None, True, -1, 7.5, 10**30, "", "R1", "AQI=", "x", "completed", "message"]
JUNK = st.sampled_from([*LEAVES, [], {}, [None], {"id": "R1"}, {"id": []}, {"error": {"code": []}}])
JUNK_FRAMES = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*KINDS, None, 7]),
    st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=6),
)


@quick
@given(
    dialect=DIALECT,
    frames=st.lists(JUNK_FRAMES, max_size=12),
    opened=st.booleans(),
    raw=st.booleans(),
)
def test_junk_objects_never_raise(dialect: str, frames: list[Any], opened: bool, raw: bool) -> None:
    talk = Talk(dialect, Options(include_raw=raw))
    if opened:
        talk.open()
    else:
        talk.wire.open(0)
    for frame in frames:
        talk.now += 1
        talk.say(frame)
        for effect in talk.effects():
            repr(effect)
    talk.wire.receive_eof(1006, "", talk.now)
    assert talk.wire.state is WireState.CLOSED


@quick
@given(frames=st.lists(st.binary(max_size=40), max_size=10))
def test_junk_bytes_never_raise(frames: list[bytes]) -> None:
    talk = Talk().open().say(*frames)
    assert talk.wire.state is WireState.OPEN


BEFORE_OPENING = st.one_of(
    JUNK_FRAMES,
    st.sampled_from(
        [
            *(created(), audio(), audio_done(), said("Hi"), said_all("Hi"), done(), speech()),
            *(silence(), item_done(call("C1")), transcript("completed", transcript="ab")),
            *(error("a refusal"), error("another response is in progress"), {"type": "ping"}),
            *({"type": "session.created", "session": {"id": "S1"}}, {"type": "session.updated"}),
        ]
    ),
)
ENDS = st.sampled_from([("close", 0), ("eof", 1000), ("eof", 1006), ("fail", 0)])


@quick
@given(dialect=DIALECT, frames=st.lists(BEFORE_OPENING, max_size=10), end=ENDS)
def test_a_start_ends_in_one_opening_or_one_refusal_and_tells_nothing_before(
    dialect: str, frames: list[Any], end: tuple[str, int]
) -> None:
    """Conversations that opened are the matter of `tests/properties`."""
    talk = Talk(dialect)
    talk.wire.open(0)
    effects: list[Effect] = []
    for frame in frames:
        effects += talk.say(frame).wait(0.1).effects()
        sent = talk.kinds()
        assert sent in ([], ["session.update"])
        if effects:
            break
    if not effects:
        how, code = end
        if how == "close":
            talk.wire.close(talk.now)
        elif how == "eof":
            talk.wire.receive_eof(code, "", talk.now)
        else:
            talk.wire.fail(SessionLostError("dead"), talk.now)
        effects += talk.effects()
        assert talk.wire.state is WireState.CLOSED
        assert talk.wire.deadline() is None
        # Whoever closes needs no reason.
        assert [type(each) for each in effects] == [StartRefused] * (how != "close")
        return
    (first,) = effects
    if isinstance(first, SessionOpen):
        assert talk.wire.state is WireState.OPEN
    else:
        assert isinstance(first, StartRefused)
        assert talk.wire.state is WireState.CLOSED
        assert talk.say(*frames).wait(60).effects() == []
