"""Whatever a vendor's frames are damaged to, nothing raises and the session keeps the rules."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from attrs import define, field

from realtime_core import Options, SessionLostError, Tool, VendorError
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.wire import STANDARD_CODEC, Codec, WireState
from tests.properties.cases import CASES, Case, WatchedWire, named
from tests.properties.mutations import Frame, Mutator
from tests.properties.profiles import MUTATIONS, in_time

FRAMES = Path(__file__).parents[1] / "frames"
CODES = (1000, 1001, 1006, 1011)
WAITS_S = (0.01, 0.15, 1.0, 3.0, 5.0)
# One well-behaved conversation has none.
ERRORS = (
    ("conversation_already_has_active_response", "already has an active response in progress"),
    ("response_cancel_not_active", "no active response found"),
    ("invalid_value", "response.create is refused while user is speaking"),
    (None, "another response is in progress"),
    ("unknown_parameter", "unknown parameter"),
)


def recorded(case: Case) -> list[Frame]:
    """What the loopback vendor said in one conversation, see `tests/frames/record.py`, and errors."""
    text = (FRAMES / f"{case.recorded}.jsonl").read_text(encoding="utf-8")
    frames: list[Frame] = [json.loads(line) for line in text.splitlines()]
    for number, (code, message) in enumerate(ERRORS):
        error = {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "event_id": None,
        }
        frame = {"type": "error", "event_id": f"event_e{number}", "error": error}
        frames.insert((number + 1) * len(frames) // (len(ERRORS) + 1), frame)
    return frames


@define
class Damaged:
    """One session that hears damaged frames while its application goes on."""

    case: Case
    random: Random
    codec: Codec = field(init=False)
    wire: WatchedWire = field(init=False)
    now: float = 1000.0
    lived: bool = False
    """It was open until the connection or the application ended it."""

    def __attrs_post_init__(self) -> None:
        self.codec = self.random.choice((FAST_CODEC, FAST_CODEC, STANDARD_CODEC))
        options = Options(tools=(Tool(name="lookup"),), include_raw=self.random.random() < 0.2)
        self.wire = WatchedWire(self.case, options, self.codec)
        self.wire.watch.ids_are_unique = False

    @property
    def is_open(self) -> bool:
        return self.wire.state is WireState.OPEN

    def beat(self) -> None:
        self.wire.take_frames()
        while self.wire.take_effects():
            pass
        due = self.wire.deadline()
        assert due is None or due > self.now, "a deadline in the past"

    def hear(self, frame: bytes) -> None:
        errors = len(self.wire.watch.errors)
        was_open = self.is_open
        self.wire.receive(frame, self.now)
        self.beat()
        if was_open and not _is_object(frame, self.codec):
            assert len(self.wire.watch.errors) == errors + 1, "damage is told"
            assert self.is_open, "and ends nothing"

    def goes_on(self) -> None:
        """Something happens besides: the application acts, or time passes."""
        wire, now = self.wire, self.now
        match self.random.randrange(12):
            case 0:
                wire.create_response(None, now)
            case 1:
                wire.cancel(self.random.choice((None, None, 10)), now)
            case 2:
                wire.send_text("hello", True, now)
            case 3:
                for call in [call for call in wire.watch.calls if wire.waits_for(call)]:
                    wire.send_tool_result(call, "sunny", now)
            case 4:
                for item in wire.watch.received_ms:
                    wire.report_playback(item, self.random.randrange(100), True, now)
            case 5:
                wire.update_instructions("Be brief.", now)
            case _:
                self.wait(self.random.choice(WAITS_S))
        self.beat()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.wire.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.wire.on_timer(self.now)
            self.beat()
        self.now = until

    def ends(self) -> None:
        self.lived = self.is_open
        if self.random.random() < 0.3:
            self.wire.receive_eof(self.random.choice(CODES), "gone", self.now)
            self.wire.take_frames()
        else:
            self.wire.close(self.now)
        self.beat()
        watch = self.wire.watch
        assert self.wire.state is WireState.CLOSED
        assert watch.closes == watch.opens, "a session that opened ends once, another not at all"
        assert watch.opens + watch.refusals <= 1
        assert watch.cuts == watch.interruptions

    @property
    def outcome(self) -> str:
        watch = self.wire.watch
        if not watch.opens:
            return "refused" if watch.refusals else "never opened"
        return "went on" if self.lived else "ended early"

    def check_reasons(self) -> None:
        """Only what the dialect's table says, or a silent vendor, ends a session."""
        table = self.case.dialect.errors
        for event in self.wire.watch.errors:
            if not event.fatal or isinstance(event.error, SessionLostError):
                continue
            error = event.error
            assert isinstance(error, VendorError), error
            assert table.judge(
                {"code": error.code, "type": error.type, "message": str(error)}
            ).fatal


def _is_object(frame: bytes, codec: Codec) -> bool:
    try:
        return isinstance(codec.loads(frame), dict)
    except (ValueError, RecursionError):
        return False


def _conversation(session: Damaged, random: Random, frames: list[Frame]) -> int:
    """Hold one; gives how many damaged frames it heard."""
    mutator = Mutator(random, frames)
    session.wire.open(session.now)
    heard = 0
    start = [frame for frame in frames if frame["type"] in ("session.created", "session.updated")][
        :2
    ]
    if random.random() < 0.9:
        for frame in start:
            session.hear(json.dumps(frame).encode())
    at, length = random.randrange(len(frames)), random.choice((5, 20, 80, 200))
    for frame in (frames[at:] + frames[:at])[:length]:
        if session.wire.state is WireState.CLOSED:
            break
        if random.random() < 0.25:
            session.hear(json.dumps(frame).encode())
        else:
            for damaged in mutator.mutated(frame):
                heard += 1
                session.hear(damaged)
        if session.is_open and random.random() < 0.15:
            session.goes_on()
    session.ends()
    session.check_reasons()
    return heard


@in_time
@pytest.mark.parametrize("case", CASES, ids=named)
def test_damaged_frames_raise_nothing_and_the_session_keeps_the_rules(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    frames, heard, sessions = recorded(case), 0, 0
    ends = Counter[str]()
    while heard < MUTATIONS:
        random = Random(f"{case.name} {sessions}")
        session = Damaged(case, random)
        try:
            more = _conversation(session, random, frames)
        except BaseException as error:
            error.add_note(f"session {sessions} of {case.name}, at last:")
            for line in session.wire.watch.told_last(30):
                error.add_note(line)
            raise
        heard, sessions = heard + more, sessions + 1
        ends[session.outcome] += 1
    print(f"{case.name}: {heard} damaged frames in {sessions} sessions: {dict(ends)}")
    assert ends["went on"] > sessions / 2, "most damage ends nothing"
