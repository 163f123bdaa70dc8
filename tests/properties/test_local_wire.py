"""Any interleaving of commands, engine frames, delays and losses keeps the rules, on the wire of the model in the box."""

from __future__ import annotations

from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from realtime_core import ErrorEvent, Options, ServerVAD, Tool
from realtime_core.errors import ErrorKind, SessionLostError
from realtime_core.wire import WireState
from realtime_local._wire import LocalWire
from realtime_openai._dialect import OPENAI_GA
from tests.properties.local_room import RATE_HZ, Room
from tests.properties.profiles import IS_LONG, PROFILE, in_time
from tests.properties.watch import Watch

TURNS: dict[str, dict[str, Any]] = {
    "vad": {},
    "manual": {"disable_server_vad": True},
    "no_interrupt": {"vad": ServerVAD(interrupt=False)},
    "no_respond": {"vad": ServerVAD(respond=False)},
}
ACTS = (
    "say",
    "audio",
    "audio",
    "audio",
    "said",
    "call",
    "error",
    "completed",
    "completed",
    "failed",
)
CALLER = ("starts", "starts", "ends", "ends", "words", "words", "nothing")
# How much of what was said the room reads, and how much of what it said the session hears.
FLOW = st.sampled_from([(99, 99), (99, 99), (99, 99), (99, 0), (99, 2), (0, 99), (1, 1), (0, 0)])
WAITS_S = (0.01, 0.05, 0.149, 0.15, 0.151, 0.5, 1.0, 3.0, 29.0, 30.0, 31.0)
MARKER = "the last wish"


class LocalConversation(RuleBasedStateMachine):
    """What must hold of all sessions is in `Watch`, which is shown what the application is told."""

    @initialize(turns=st.sampled_from(sorted(TURNS)))
    def begins(self, turns: str) -> None:
        self.manual, self.now = turns == "manual", 1000.0
        self.wire = LocalWire(
            vendor="local",
            options=Options(tools=(Tool(name="lookup"),), **TURNS[turns]),
            instructions="You work for ACME.",
            session_id="s1",
            output_rate_hz=RATE_HZ,
        )
        self.room = Room()
        # Of a dialect it wants to know only whether memory can be cut, which it can be here too.
        self.watch = Watch(OPENAI_GA, output_rate_hz=RATE_HZ)
        self.wishes: list[str] = []
        self.wished = 0
        self.wire.open(self.now)
        self.after()
        assert self.watch.opens == 1

    @property
    def is_open(self) -> bool:
        return self.wire.state is WireState.OPEN

    def after(self) -> None:
        """Do what a session does after everything: send, then tell."""
        while True:
            frames, effects = self.wire.take_frames(), self.wire.take_effects()
            self.room.inbox.extend(frames)
            self.watch.happened(effects)
            for effect in effects:
                if isinstance(effect, ErrorEvent) and "too many replies" in str(effect.error):
                    self.wishes.pop()
            if not frames and not effects:
                break
        due = self.wire.deadline()
        assert due is None or due > self.now, "a deadline in the past: a busy loop"

    def carry(self, flow: tuple[int, int]) -> None:
        reads, hears = flow
        for _ in range(min(reads, len(self.room.inbox))):
            self.room.read()
        for _ in range(min(hears, len(self.room.outbox))):
            self.wire.receive(self.room.outbox.popleft(), self.now)
            self.after()

    # The application

    @precondition(lambda self: self.is_open)
    @rule(ms=st.sampled_from([20, 99, 300]), flow=FLOW)
    def pushes(self, ms: int, flow: tuple[int, int]) -> None:
        self.room.inbox.append(self.wire.audio_frame(bytes(ms * RATE_HZ // 1000 * 2)))
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(flow=FLOW)
    def commits(self, flow: tuple[int, int]) -> None:
        if self.wire.commit_input_audio(self.now):
            assert self.manual
            self.wishes.clear()
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(plain=st.booleans(), flow=FLOW)
    def asks(self, plain: bool, flow: tuple[int, int]) -> None:
        wish = None
        if not plain:
            self.wished += 1
            wish = f"<wish {self.wished}>"
            self.wishes.append(wish)
        self.wire.create_response(wish, self.now)
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(what=st.sampled_from(["question", "text", "clear", "update"]), flow=FLOW)
    def says(self, what: str, flow: tuple[int, int]) -> None:
        match what:
            case "clear":
                self.wire.clear_input_audio(self.now)
            case "update":
                self.wire.update_instructions("Be brief.", self.now)
            case _:
                self.wire.send_text("hello", what == "question", self.now)
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(played_ms=st.sampled_from([None, 0, 1, 25, 60, 5000]), flow=FLOW)
    def cancels(self, played_ms: int | None, flow: tuple[int, int]) -> None:
        self.wire.cancel(played_ms, self.now)
        self.wishes.clear()
        self.after()
        self.carry(flow)

    @property
    def unanswered(self) -> list[str]:
        return [call for call in self.watch.calls if self.wire.waits_for(call)]

    @precondition(lambda self: self.is_open and self.unanswered)
    @rule(which=st.integers(0, 7), flow=FLOW)
    def answers(self, which: int, flow: tuple[int, int]) -> None:
        call = self.unanswered[which % len(self.unanswered)]
        self.wire.send_tool_result(call, "sunny", self.now)
        assert not self.wire.waits_for(call)
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open and self.watch.received_ms)
    @rule(
        which=st.integers(0, 3),
        played_ms=st.sampled_from([-5, 0, 1, 20, 60, 61, 10**9]),
        final=st.booleans(),
    )
    def reports(self, which: int, played_ms: int, final: bool) -> None:
        items = list(self.watch.received_ms)
        self.wire.report_playback(items[-1 - which % len(items)], played_ms, final, self.now)
        self.after()

    # The engines

    @rule(flow=FLOW)
    def passes(self, flow: tuple[int, int]) -> None:
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(
        what=st.lists(st.sampled_from(ACTS), min_size=1, max_size=6),
        ms=st.sampled_from([20, 60, 200]),
        flow=FLOW,
    )
    def replies(self, what: list[str], ms: int, flow: tuple[int, int]) -> None:
        """The room goes on with its reply, for which it is given a reason."""
        if self.room.reply is None:
            self.wire.create_response(None, self.now)
            self.after()
            self.carry(flow)
        for act in what:
            match act:
                case "say":
                    self.room.says("There you are.")
                case "audio":
                    self.room.speaks(ms)
                case "said":
                    self.room.has_said()
                case "call":
                    self.room.calls()
                case "error":
                    self.room.fails()
                case status:
                    self.room.ends(status)
        self.carry(flow)

    @precondition(lambda self: not self.manual)
    @rule(what=st.lists(st.sampled_from(CALLER), min_size=1, max_size=3), flow=FLOW)
    def caller(self, what: list[str], flow: tuple[int, int]) -> None:
        for act in what:
            match act:
                case "starts":
                    self.room.speech_starts()
                case "ends":
                    self.room.speech_ends()
                case act:
                    self.room.recognises("hello" if act == "words" else "")
            self.carry(flow)

    @rule(flow=FLOW)
    def recognises(self, flow: tuple[int, int]) -> None:
        self.room.recognises("what time is it")
        self.carry(flow)

    # Time and loss

    @rule(seconds=st.sampled_from(WAITS_S))
    def waits(self, seconds: float) -> None:
        owed = self.room.owes or self.watch.stalled
        until = self.now + seconds
        while (due := self.wire.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.wire.on_timer(self.now)
            self.after()
            owed = owed or self.room.owes
        self.now = until
        assert owed or not self.watch.stalled, "ended although the engines owed nothing"

    @precondition(lambda self: self.is_open)
    @rule(how=st.sampled_from(("lost", "closed", "failed", *[None] * 40)))
    def ends(self, how: str | None) -> None:
        """Seldom, the engines break down, or the application hangs up."""
        match how:
            case "lost":
                self.wire.receive_eof(1011, "the speech detector failed", self.now)
            case "closed":
                self.wire.close(self.now)
            case "failed":
                self.wire.fail(SessionLostError("gone", kind=ErrorKind.STALLED), self.now)
            case _:
                pass
        self.after()

    # The end

    def teardown(self) -> None:
        if not hasattr(self, "wire"):
            return
        try:
            if self.is_open:
                self.comes_to_rest()
            self.wire.close(self.now)
            self.after()
            assert self.wire.state is WireState.CLOSED
            assert self.wire.deadline() is None
            assert self.watch.opens == self.watch.closes == 1
            assert self.watch.cuts == self.watch.interruptions
            asked = sum(b'"type":"reply"' in frame for frame in self.room.inbox)
            assert len(self.watch.ended) == len(self.room.requests) + asked
        except BaseException:
            for line in self.watch.told_last():
                note(line)
            raise

    def comes_to_rest(self) -> None:
        """Engines given time leave nothing open, and every wish was heard."""
        self.settle()
        assert self.is_open, "the session did not live on"
        self.wire.create_response(MARKER, self.now)
        self.after()
        self.carry((99, 99))
        granted = " ".join(request["instructions"] for request in self.room.requests)
        assert MARKER in self.room.requests[-1]["instructions"], "the last wish was not heard"
        missed = [wish for wish in self.wishes if wish not in granted]
        assert not missed, f"never asked for: {missed}"
        history = self.room.requests[-1]["history"]
        answered = {line["call_id"] for line in history if line["role"] == "tool"}
        assert set(self.watch.calls) == answered, "results that the replier never got"

    def settle(self) -> None:
        for _ in range(200):
            self.carry((10_000, 10_000))
            for call in self.unanswered:
                self.wire.send_tool_result(call, "sunny", self.now)
                self.after()
            self.room.speech_ends()
            self.room.recognises("hello")
            self.room.ends("completed")
            if not self.room.owes and not self.unanswered:
                if self.wire.deadline() is None:
                    return
                self.waits(1.0)
        raise AssertionError("it never came to rest")


@in_time
def test_every_interleaving_keeps_the_rules_in_the_box() -> None:
    shorter = settings(PROFILE, max_examples=PROFILE.max_examples // (1 if IS_LONG else 2))
    run_state_machine_as_test(LocalConversation, settings=shorter)
