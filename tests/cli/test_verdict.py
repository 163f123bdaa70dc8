"""Exit codes and their sentences."""

from __future__ import annotations

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantTurnEnd,
    ConnectError,
    ErrorEvent,
    ErrorKind,
    Event,
    SessionClose,
    SessionLostError,
    SessionStats,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
)
from realtime_core.cli.conversation import Outcome
from realtime_core.cli.progress import Progress
from realtime_core.cli.verdict import Verdict, judge
from realtime_core.errors import RealtimeError

STARTED, ENDED = UserSpeechStarted(vendor="x"), UserSpeechEnded(vendor="x")
AUDIO, DONE = AssistantAudio(vendor="x", audio=b"\0\0"), AssistantTurnEnd(vendor="x")
FAILED = AssistantTurnEnd(vendor="x", status="failed")
CLOSED = SessionClose(vendor="x", code=1001, initiator="vendor")
LOST = ErrorEvent(
    vendor="x", error=SessionLostError("The time is\nup.", kind=ErrorKind.EXPIRED), fatal=True
)
REFUSED = ErrorEvent(
    vendor="x", error=RealtimeError("Nobody is there.", kind=ErrorKind.TRANSPORT), fatal=False
)


def outcome(
    *events: Event,
    opened: bool = True,
    refused: RealtimeError | None = None,
    timed_out: bool = False,
    interrupted: bool = False,
) -> Outcome:
    progress = Progress()
    for event in events:
        progress.take(event, 0.0)
    return Outcome(
        stats=SessionStats(time_to_session_ms=5.0 if opened else None),
        progress=progress,
        latencies_ms=(),
        refused=refused,
        timed_out=timed_out,
        interrupted=interrupted,
    )


HANGS_UP = ToolCall(vendor="x", call_id="c", name="hang_up", arguments={})


def test_the_end_of_a_call_by_a_person_or_by_the_model_is_no_failure() -> None:
    assert judge(outcome(interrupted=True), None, is_live=True) == Verdict(0)
    assert judge(outcome(interrupted=True, opened=False), None, is_live=True) == Verdict(130)
    assert judge(outcome(HANGS_UP, FAILED), 9.0) == Verdict(0)
    assert judge(outcome(HANGS_UP, timed_out=True), 9.0).exit_code == 1


@pytest.mark.parametrize(
    ("went", "code", "says"),
    [
        (outcome(DONE), 0, ""),
        (outcome(DONE, FAILED), 0, ""),
        (
            outcome(DONE, timed_out=True),
            0,
            "stopped after 9 s (--timeout), before the call was over",
        ),
        (
            outcome(DONE, LOST),
            1,
            "the session ended: The time is up (expired); use a shorter recording",
        ),
        (outcome(DONE, interrupted=True), 130, ""),
        (outcome(FAILED), 1, "no reply was completed: it ended as failed; see the events"),
        (
            outcome(REFUSED, FAILED),
            1,
            "no reply was completed: Nobody is there (transport); check the network and the base URL, then try again",
        ),
        (
            outcome(opened=False, refused=ConnectError("No.", kind=ErrorKind.MODEL)),
            1,
            "the session did not start: No (model); check the model's name and that the account may use it",
        ),
        (
            outcome(opened=False, refused=ConnectError("HTTP 429: wait", status=429)),
            1,
            "the session did not start: HTTP 429: wait (transport)",
        ),
        (
            outcome(opened=False, timed_out=True),
            1,
            (
                "no reply within 9 s (--timeout): the session did not open; "
                "check the network, or give it more time"
            ),
        ),
        (
            outcome(STARTED, timed_out=True),
            1,
            (
                "no reply within 9 s (--timeout): the vendor heard speech and no end of it; "
                "is the recording noisy?"
            ),
        ),
        (
            outcome(STARTED, ENDED, timed_out=True),
            1,
            "no reply within 9 s (--timeout): the vendor heard speech and sent no reply; see the events",
        ),
        (
            outcome(STARTED, ENDED, AUDIO, timed_out=True),
            1,
            "no reply within 9 s (--timeout): the reply began and did not end; give it more time",
        ),
        (
            outcome(CLOSED),
            1,
            (
                "the session ended without a reply: the vendor heard no speech; "
                "listen to the recording, is it too faint?"
            ),
        ),
    ],
)
def test_judge(went: Outcome, code: int, says: str) -> None:
    verdict = judge(went, 9.0)
    assert (verdict.exit_code, verdict.problem) == (code, says)
