"""Random conversations: an application, a vendor, time and a connection, in any order."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Protocol

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from realtime_core import Options, SemanticVAD, ServerVAD, Tool
from realtime_core.wire import WireState
from tests.properties.cases import CASES, Case, WatchedWire
from tests.properties.vendor import ODDITIES, Vendor

TURNS: dict[str, dict[str, Any]] = {
    "vad": {},
    "manual": {"disable_server_vad": True},
    "no_interrupt": {"vad": ServerVAD(interrupt=False)},
    "no_respond": {"vad": ServerVAD(respond=False)},
    "semantic": {"vad": SemanticVAD()},
}
ACTS = (
    *("audio", "audio", "audio", "words", "next_item", "call", "two_calls"),
    *("completed", "completed", "failed", "incomplete"),
)
CALLER = ("starts", "starts", "stops", "stops", "stops_invalid")
# Harmless ones, refusals of something, and those after which the session is over.
ERRORS = (
    ("response_cancel_not_active", "invalid_request_error"),
    ("input_audio_buffer_commit_empty", "invalid_request_error"),
    ("unknown_parameter", "invalid_request_error"),
    (None, "invalid_request_error"),
    ("session_expired", "invalid_request_error"),
    ("insufficient_quota", "insufficient_quota"),
    (None, "server_error"),
)
CODES = (1000, 1001, 1006, 1007, 1011, 4000)
# How far what was said travels before the next step: how much the vendor reads, and how much of it the client hears.
FLOW = st.sampled_from(
    [
        (99, 99),
        (99, 99),
        (99, 99),
        (99, 99),
        (99, 0),
        (99, 2),
        (99, 5),
        (0, 99),
        (0, 3),
        (1, 1),
        (0, 0),
    ]
)
WAITS_S = (0.01, 0.05, 0.149, 0.15, 0.151, 0.5, 1.0, 3.0, 5.0, 5.1, 29.0, 31.0)
MARKER = "the last wish"

_KINDS = (
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_audio.delta",
    "response.audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.function_call_arguments.done",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "conversation.item.created",
    "session.created",
    "session.updated",
    "error",
    "rate_limits.updated",
)
# Ids the vendor gives as well, so that noise meets what really runs.
_NUMBERS = st.integers(0, 60)
_REPLY_IDS = st.none() | _NUMBERS.map(lambda n: f"resp_{n}") | st.just("stray")
_ITEM_IDS = st.none() | _NUMBERS.map(lambda n: f"item_{n}")


@st.composite
def noise(draw: st.DrawFn) -> dict[str, Any]:
    """A frame that may come from any vendor at any time, and fits nothing that was said."""
    kind, reply, item = draw(st.sampled_from(_KINDS)), draw(_REPLY_IDS), draw(_ITEM_IDS)
    call = {
        "id": item,
        "type": draw(st.sampled_from(["function_call", "message"])),
        "call_id": draw(_NUMBERS.map(lambda n: f"call_{n}")),
        "name": "lookup",
        "arguments": "{}",
        "status": draw(st.sampled_from(["completed", "incomplete"])),
    }
    frame: dict[str, Any] = {"type": kind, "response_id": reply, "item_id": item}
    if kind in ("response.created", "response.done"):
        status = draw(st.sampled_from(["completed", "cancelled", "failed", "odd"]))
        frame["response"] = {"id": reply, "status": status, "output": [call]}
    elif "delta" in kind:
        frame["delta"] = draw(st.sampled_from(["AAAAAAAA", "AAAA", "****", ""]))
    elif kind == "error":
        code = draw(st.sampled_from(["conversation_already_has_active_response", "odd", None]))
        frame["error"] = {"type": "invalid_request_error", "code": code, "message": "no"}
    elif "item." in kind:
        frame["item"] = call
    return {key: value for key, value in frame.items() if value is not None}


class Session(Protocol):
    """One side of the connection: a bare wire, or an agent around it."""

    wire: WatchedWire

    @property
    def now(self) -> float: ...
    def open(self) -> None: ...
    def push(self, ms: int) -> None: ...
    def commit(self) -> None: ...
    def clear(self) -> None: ...
    def create(self, instructions: str | None) -> None: ...
    def text(self, *, respond: bool) -> None: ...
    def cancel(self, played_ms: int | None) -> None: ...
    def update(self) -> None: ...
    def answer(self, call_id: str) -> None: ...
    def report(self, item_id: str, played_ms: int, *, final: bool) -> None: ...
    def feed(self, frame: bytes) -> None: ...
    def lose(self, code: int) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def close(self) -> None: ...
    def take_sent(self) -> list[bytes]: ...
    def finish(self) -> None: ...
    def dispose(self) -> None: ...


class Conversation(RuleBasedStateMachine):
    """
    The rules; what must hold is in `Watch`, which sees everything that passes the wire.

    As long as the vendor obeys its documents but for the oddities, more must hold: nothing it owes nothing for ends
    the session, and no wish of the application is lost.
    """

    cases: ClassVar[tuple[Case, ...]] = CASES
    case: Case
    session: Session

    @classmethod
    def over(cls, cases: tuple[Case, ...]) -> type[Conversation]:
        """Give the machine for these dialects."""
        return type(cls.__name__, (cls,), {"cases": cases})

    def make_session(self, options: Options) -> Session:
        raise NotImplementedError

    @initialize(
        case=st.runner().flatmap(lambda machine: st.sampled_from(machine.cases)),
        turns=st.sampled_from(sorted(TURNS)),
        oddities=st.frozensets(st.sampled_from(ODDITIES), max_size=2),
        unruly=st.sampled_from([False, False, True]),
    )
    def begins(self, case: Case, turns: str, oddities: frozenset[str], unruly: bool) -> None:
        self.case, self.unruly = case, unruly
        vad = TURNS[turns]
        self.manual = turns == "manual"
        self.interrupts = turns != "no_interrupt"
        options = Options(
            tools=(Tool(name="lookup"),),
            input_sample_rate=self.case.dialect.input_rate_hz,
            output_sample_rate=self.case.dialect.output_rate_hz,
            **vad,
        )
        self.vendor = Vendor(
            case=self.case,
            answers_turns=turns not in ("manual", "no_respond"),
            interruptible=self.interrupts,
            oddities=oddities,
        )
        self.obeys = True
        self.wishes: list[str] = []
        self.wished = 0
        self.session = self.make_session(options)
        self.watch = self.session.wire.watch
        self.session.open()
        self.vendor.say("session.created", session={"id": "sess_1"})
        self.carry((0, 2))
        self.carry((1, 2))
        if not self.watch.opens:  # a server that may never acknowledge
            self.session.wait(5.0)
        self.after()
        assert self.is_open

    # What every step ends with

    @property
    def is_open(self) -> bool:
        return self.session.wire.state is WireState.OPEN

    def after(self) -> None:
        for frame in self.session.take_sent():
            self.vendor.inbox.append(json.loads(frame))
        due = self.session.wire.deadline()
        assert due is None or due > self.session.now, "a deadline in the past: a busy loop"

    def carry(self, flow: tuple[int, int]) -> None:
        """Let the vendor read, and the client hear."""
        reads, delivers = flow
        for _ in range(min(reads, len(self.vendor.inbox))):
            self.vendor.read()
        for _ in range(min(delivers, len(self.vendor.outbox))):
            if self.session.wire.state is WireState.CLOSED:
                break
            self.deliver(self.vendor.outbox.popleft())

    def deliver(self, frame: bytes) -> None:
        asked, errors = self.watch.asked, len(self.watch.errors)
        self.session.feed(frame)
        self.after()
        speaks = b'"input_audio_buffer.speech_started"' in frame and self.interrupts
        unnamed = b'"error"' in frame and "errors_without_id" in self.vendor.oddities
        reported = len(self.watch.errors) > errors
        if (speaks or unnamed or reported) and asked is not None:
            # The caller speaks over it, it is the only one to blame, or it was refused too often.
            self.forget(asked)

    def forget(self, event_id: str) -> None:
        for event in self.watch.creates:
            if event["event_id"] == event_id:
                said = event.get("response", {}).get("instructions", "")
                self.wishes = [wish for wish in self.wishes if not said.endswith(wish)]

    # The application

    @precondition(lambda self: self.is_open)
    @rule(ms=st.sampled_from([20, 60, 100, 300]), flow=FLOW)
    def pushes(self, ms: int, flow: tuple[int, int]) -> None:
        self.session.push(ms)
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open and self.manual)
    @rule(ms=st.sampled_from([0, 99, 100]), flow=FLOW)
    def commits(self, ms: int, flow: tuple[int, int]) -> None:
        self.session.push(ms)
        before = len(self.watch.frames)
        self.session.commit()
        self.after()
        if len(self.watch.frames) > before:
            self.wishes.clear()
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(plain=st.booleans(), flow=FLOW)
    def asks(self, plain: bool, flow: tuple[int, int]) -> None:
        wish = None
        if not plain:
            self.wished += 1
            wish = f"<wish {self.wished}>"
            self.wishes.append(wish)
        self.session.create(wish)
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(what=st.sampled_from(["question", "text", "clear", "update"]), flow=FLOW)
    def says(self, what: str, flow: tuple[int, int]) -> None:
        match what:
            case "clear":
                self.session.clear()
            case "update":
                self.session.update()
            case _:
                self.session.text(respond=what == "question")
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(played_ms=st.sampled_from([None, 0, 1, 25, 60, 5000]), flow=FLOW)
    def cancels(self, played_ms: int | None, flow: tuple[int, int]) -> None:
        self.session.cancel(played_ms)
        self.wishes.clear()
        self.after()
        self.carry(flow)

    @precondition(lambda self: self.is_open and self.unanswered)
    @rule(which=st.integers(0, 7), flow=FLOW)
    def answers(self, which: int, flow: tuple[int, int]) -> None:
        waiting = self.unanswered
        self.session.answer(waiting[which % len(waiting)])
        self.after()
        self.carry(flow)

    @property
    def unanswered(self) -> list[str]:
        return [call for call in self.watch.calls if self.session.wire.waits_for(call)]

    @precondition(lambda self: self.is_open and self.watch.received_ms)
    @rule(
        which=st.integers(0, 3),
        played_ms=st.sampled_from([-5, 0, 1, 20, 60, 61, 10**9]),
        final=st.booleans(),
    )
    def reports(self, which: int, played_ms: int, final: bool) -> None:
        items = list(self.watch.received_ms)
        self.session.report(items[-1 - which % len(items)], played_ms, final=final)
        self.after()

    # The vendor

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
        """The vendor goes on with its reply, after it was given reason for one."""
        if self.vendor.active is None:
            if self.vendor.answers_turns:
                self.vendor.speech_starts()
                self.carry(flow)
                self.vendor.speech_stops()
            else:
                self.session.create(None)
                self.after()
            self.carry(flow)
        for act in what if self.vendor.active is not None else ():
            match act:
                case "audio":
                    self.vendor.audio(ms)
                case "words":
                    self.vendor.words()
                case "next_item":
                    self.vendor.next_item()
                case "call":
                    self.vendor.call()
                case "two_calls":
                    self.vendor.call(2)
                case how:
                    self.vendor.end(how, "max_output_tokens" if how == "incomplete" else None)
        self.carry(flow)

    @precondition(lambda self: not self.manual)
    @rule(what=st.sampled_from(CALLER), flow=FLOW)
    def caller(self, what: str, flow: tuple[int, int]) -> None:
        if what == "starts":
            self.vendor.speech_starts()
        else:
            self.vendor.speech_stops(invalid=what == "stops_invalid")
        self.carry(flow)

    @precondition(lambda self: self.is_open)
    @rule(
        ms=st.lists(st.sampled_from([20, 60, 200]), min_size=1, max_size=3),
        seconds=st.sampled_from([0.01, 0.05, 0.1, 0.2]),
        by=st.sampled_from(["caller", "cancel", "report"]),
        then=st.sampled_from([0.0, 0.05, 0.2]),
        flow=FLOW,
    )
    def is_cut(
        self, ms: list[int], seconds: float, by: str, then: float, flow: tuple[int, int]
    ) -> None:
        """A reply of several items is heard for a while, and cut."""
        self.replies(what=["audio"], ms=ms[0], flow=(99, 99))
        for length in ms[1:]:
            self.vendor.next_item()
            self.vendor.audio(length)
        self.carry((99, 99))
        self.session.wait(seconds)
        if not self.is_open:  # something said before was fatal
            self.after()
            return
        if by == "cancel" or self.manual:
            self.session.cancel(None)
            self.wishes.clear()
        else:
            self.vendor.speech_starts()
            self.carry((0, 99))
        self.after()
        if by == "report" and self.watch.received_ms:
            self.session.report(list(self.watch.received_ms)[-1], 10, final=True)
            self.after()
        self.session.wait(then)
        self.after()
        self.carry(flow)
        self.vendor.speech_stops()
        self.carry(flow)

    # Most conversations stay without what follows, so that what an obedient vendor is owed is looked at.

    @precondition(lambda self: self.unruly)
    @rule(frame=noise())
    def strays(self, frame: dict[str, Any]) -> None:
        self.misbehave()
        self.vendor.outbox.append(json.dumps(frame).encode())
        self.carry((0, 99))

    @precondition(lambda self: self.unruly and self.vendor.outbox)
    @rule(data=st.data())
    def damages(self, data: st.DataObject) -> None:
        self.misbehave()
        at = data.draw(st.integers(0, len(self.vendor.outbox) - 1))
        how = data.draw(st.sampled_from(["lost", "twice", "late", "cut"]))
        frame = self.vendor.outbox[at]
        if how == "twice":
            self.vendor.outbox.insert(at, frame)
        elif how == "cut":
            self.vendor.outbox[at] = frame[: len(frame) // 2]
        else:
            del self.vendor.outbox[at]
            if how == "late":
                self.vendor.outbox.append(frame)

    def misbehave(self) -> None:
        self.obeys = self.vendor.is_strict = self.watch.ids_are_unique = False

    @precondition(lambda self: self.unruly)
    @rule(error=st.sampled_from(ERRORS))
    def complains(self, error: tuple[str | None, str]) -> None:
        self.misbehave()
        self.vendor.error(*error)

    # Time and loss

    @rule(seconds=st.sampled_from(WAITS_S))
    def waits(self, seconds: float) -> None:
        owed = self.vendor.owes
        self.session.wait(seconds)
        self.after()
        if self.obeys:
            # What was asked for again meanwhile is owed, too: nobody answered it while time passed.
            owed = owed or self.vendor.owes
            assert owed or not self.watch.stalled, "ended although the vendor owed nothing"

    @precondition(lambda self: self.is_open)
    @rule(how=st.sampled_from((*CODES, *[None] * 40, 0)))
    def ends(self, how: int | None) -> None:
        """Seldom, the connection is lost, or the application hangs up."""
        if how == 0:
            self.session.close()
        elif how is not None:
            self.session.lose(how)
        self.after()

    # The end

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        try:
            if self.obeys and self.is_open:
                self.comes_to_rest()
            self.session.finish()
            self.after()
            assert self.session.wire.state is WireState.CLOSED
            assert self.watch.opens == self.watch.closes == 1
            assert self.watch.cuts == self.watch.interruptions
        except BaseException:
            for line in self.watch.told_last():
                note(line)
            raise
        finally:
            self.session.dispose()

    def comes_to_rest(self) -> None:
        """An obedient vendor given time leaves nothing open, and every wish was heard."""
        self.settle()
        assert self.is_open, "the session did not live on"
        assert not self.unanswered
        unheard = [call for call, answered in self.watch.calls.items() if not answered]
        assert not unheard, f"results never sent: {unheard}"
        ends = [reply for reply in self.watch.announced if reply not in self.watch.ended]
        assert not ends, f"never ended: {ends}"
        granted = " ".join(self.vendor.instructions)
        missed = [wish for wish in self.wishes if wish not in granted]
        assert not missed, f"never asked for: {missed}"
        self.session.create(MARKER)
        self.after()
        self.settle()
        assert MARKER in self.vendor.instructions[-1], "the last wish was never asked for"
        assert self.is_open

    def settle(self) -> None:
        quiet = 0
        for _ in range(200):
            for call in self.unanswered:
                self.session.answer(call)
                self.after()
            self.carry((10_000, 10_000))
            self.vendor.speech_stops()
            self.vendor.end("completed")
            busy = self.vendor.owes or self.unanswered
            quiet = 0 if busy else quiet + 1
            if quiet > 12 or not self.is_open:
                return
            if not busy:
                self.session.wait(1.0)
                self.after()
        raise AssertionError("it never came to rest")
