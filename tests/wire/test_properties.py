"""Whatever comes, in whatever order: nothing raises, and the rules of a session hold."""

from __future__ import annotations

import os
from contextlib import suppress
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_core.errors import ConfigError, SessionLostError
from realtime_core.events import AssistantTurnEnd, ErrorEvent, SessionClose, SessionOpen
from realtime_core.options import Options
from realtime_core.wire import AudioDelta, AudioEnd, Effect, StartRefused, WireState

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
    message,
    on,
    recorded,
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


def mutated(chance: Random, value: Any) -> Any:
    """The value with something in it swapped, dropped, crossed or damaged."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice([*value])
        match chance.randrange(4):
            case 0:
                return {other: value[other] for other in value if other != key}
            case 1:
                return {**value, chance.choice(FIELDS): value[key]}
            case _:
                return {**value, key: mutated(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.5:
        return [mutated(chance, value[0]), *value]
    if isinstance(value, str) and chance.random() < 0.3:
        return value[: chance.randrange(len(value) + 1)] + chance.choice(["", "=", "é", "\0", "R2"])
    return chance.choice([*LEAVES, [], {}, {"id": value}, [value]])


@on("openai_ga", "openai_beta", "dashscope_omni", "qwen_audio")
def test_mutated_frames_never_raise(dialect: str) -> None:
    chance = Random(dialect)
    scripts = [recorded("openai/vad_turn")[2:], recorded("dashscope/vad_turn")[2:]]
    pool = [*scripts[0], *scripts[1], created(), item_done(call("C1")), done(output=[call("C2")])]
    talk = Talk(dialect).open()
    for _ in range(EXAMPLES * 20):
        frame = chance.choice(pool)
        talk.now += 0.1
        talk.say(mutated(chance, frame) if chance.random() < 0.8 else frame)
        talk.effects()
        if talk.wire.state is not WireState.OPEN:  # by a fatal error, as the rules say
            talk = Talk(dialect).open()


REFUSALS = [error("a refusal"), error("another response is in progress")]
SERVER = st.one_of(
    st.builds(created, REPLIES | st.none()),
    st.builds(audio, st.binary(max_size=5), REPLIES | st.none(), st.sampled_from(["A1", "A2"])),
    st.builds(audio_done, REPLIES),
    st.builds(said, st.just("Hi"), REPLIES),
    st.builds(said_all, st.just("Hi"), REPLIES),
    st.builds(lambda reply: item_done(call(f"C{reply}"), reply), REPLIES),
    st.builds(
        lambda reply, status: done(reply, status, output=[message("Hi"), call("C9")]),
        REPLIES | st.none(),
        st.sampled_from(["completed", "cancelled", "failed", "incomplete"]),
    ),
    st.builds(speech, st.sampled_from(["U1", "U2"])),
    st.builds(silence),
    st.just(transcript("delta", delta="a", text="a", stash="b")),
    st.just(transcript("completed", transcript="ab")),
    st.sampled_from(REFUSALS),
    st.just(error("no active response")),
    st.just(error("fatal", code="model_not_found")),
    st.just({"type": "session.created", "session": {"id": "S1"}}),
    st.just({"type": "session.updated"}),
    st.just({"type": "input_audio_buffer.committed"}),
)
STEPS = st.one_of(
    SERVER.map(lambda frame: ("say", frame)),
    SERVER.map(lambda frame: ("say", frame)),
    st.sampled_from(
        [
            *(("create", None), ("create", "Greet."), ("cancel", 0), ("text", "Hi"), ("commit", 0)),
            *(("clear", 0), ("instruct", "x"), ("answer", "CR1"), ("answer", "C9"), ("push", 200)),
        ]
    ),
    st.sampled_from([("wait", 0.05), ("wait", 1.0), ("wait", 31.0)]),
)
ENDS = st.sampled_from([("close", 0), ("eof", 1000), ("eof", 1006), ("fail", 0)])


def take(talk: Talk, what: str, given_: Any) -> None:
    """One step; commands only when the driver would let them through."""
    wire, now = talk.wire, talk.now
    if what == "say":
        talk.say(given_)
    elif what == "wait":
        talk.wait(given_)
    elif what == "close":
        wire.close(now)
    elif what == "eof":
        wire.receive_eof(given_, "", now)
    elif what == "fail":
        wire.fail(SessionLostError("dead"), now)
    elif wire.state is WireState.OPEN:
        if what == "create":
            wire.create_response(given_, now)
        elif what == "cancel":
            wire.cancel(None, now)
        elif what == "text":
            wire.send_text(given_, True, now)
        elif what == "commit":
            wire.commit_input_audio(now)
        elif what == "clear":
            wire.clear_input_audio(now)
        elif what == "instruct":
            wire.update_instructions(given_, now)
        elif what == "push":
            talk.push(given_)
        else:
            with suppress(ConfigError):  # not called, or answered already
                wire.send_tool_result(given_, "out", now)


def check_effects(effects: list[Effect], begun: int) -> None:
    """The rules of the order of events."""
    kinds = [type(effect) for effect in effects]
    assert kinds.count(SessionOpen) + kinds.count(StartRefused) <= 1
    if SessionOpen in kinds:
        assert kinds[0] is SessionOpen
        assert kinds.count(SessionClose) == 1
        assert kinds[-1] is SessionClose
    else:
        assert kinds in ([], [StartRefused])
    ends = [effect.response_id for effect in effects if isinstance(effect, AssistantTurnEnd)]
    assert len(ends) == begun
    named = [reply for reply in ends if reply is not None]
    assert len(named) == len(set(named))
    over: set[str | None] = set()
    for effect in effects:
        if isinstance(effect, AssistantTurnEnd):
            over.add(effect.response_id)
        elif isinstance(effect, (AudioDelta, AudioEnd)) and effect.response_id is not None:
            assert effect.response_id not in over
    fatal = [isinstance(effect, ErrorEvent) and effect.fatal for effect in effects]
    assert fatal.count(True) <= 1


@quick
@given(
    dialect=DIALECT,
    manual=st.booleans(),
    steps=st.lists(STEPS, max_size=30),
    end=ENDS,
    opened=st.sampled_from([True, True, True, False]),
)
def test_any_interleaving_keeps_the_rules(
    dialect: str,
    manual: bool,
    steps: list[tuple[str, Any]],
    end: tuple[str, Any],
    opened: bool,
) -> None:
    talk = Talk(dialect, Options(disable_server_vad=manual))
    talk.wire.open(0)
    begun: list[Any] = []
    replies = talk.wire._replies
    note_began = replies.on_begin

    def began(reply: Any) -> None:
        begun.append(reply)
        note_began(reply)

    replies.on_begin = began
    effects: list[Effect] = []
    unanswered = 0
    script: list[tuple[str, Any]] = [*steps, end, ("wait", 60.0), ("close", 0), ("eof", 1006)]
    if opened:
        script[:0] = [("say", {"type": "session.created"}), ("say", {"type": "session.updated"})]
    for what, given_ in script:
        known = len(begun)
        take(talk, what, given_)
        refused = what == "say" and given_ in REFUSALS
        ended = what == "say" and given_.get("type") == "response.done"
        if len(begun) > known or refused or ended:
            unanswered = 0
        for frame in talk.sent():
            if frame["type"] == "response.create":
                unanswered += 1
                assert unanswered == 1, "a second response.create before the first was answered"
                assert replies.current is None
        effects += talk.effects()
    assert talk.wire.state is WireState.CLOSED
    assert talk.wire.deadline() is None
    check_effects(effects, len(begun))


@quick
@given(
    dialect=DIALECT,
    frames=st.lists(SERVER, max_size=25),
    cut_at=st.integers(0, 25),
    by=st.sampled_from(["speech", "cancel"]),
)
def test_no_audio_after_its_reply_was_cut(
    dialect: str, frames: list[Any], cut_at: int, by: str
) -> None:
    talk = Talk(dialect).open().say(*frames[:cut_at])
    if talk.wire.state is not WireState.OPEN:
        return
    reply = talk.wire._replies.current
    talk.effects()
    if by == "speech":
        talk.say(speech("U9"))
    else:
        talk.wire.cancel(None, talk.now)
    talk.say(*frames[cut_at:])
    if reply is not None and reply.response_id is not None:
        cut = reply.response_id
        late = [each for each in talk.effects() if getattr(each, "response_id", None) == cut]
        assert not [each for each in late if isinstance(each, (AudioDelta, AudioEnd))]
