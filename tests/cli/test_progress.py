"""When the last speech is answered: tables of events, no clock."""

from __future__ import annotations

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    RealtimeError,
    SessionClose,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
)
from realtime_core.cli.progress import FAREWELL_S, SETTLE_S, Progress

STARTED, ENDED = UserSpeechStarted(vendor="x"), UserSpeechEnded(vendor="x")
AUDIO = AssistantAudio(vendor="x", audio=b"\0\0")
DONE, CUT = AssistantTurnEnd(vendor="x"), AssistantTurnEnd(vendor="x", status="cancelled")
FAILED = AssistantTurnEnd(vendor="x", status="failed")
CALLS = AssistantTurnEnd(vendor="x", tool_names=("weather",))
FATAL = ErrorEvent(vendor="x", error=RealtimeError("gone"), fatal=True)
HARMLESS = ErrorEvent(vendor="x", error=RealtimeError("oops"))


@pytest.mark.parametrize(
    ("events", "finished"),
    [
        ([], False),
        ([STARTED], False),
        ([STARTED, ENDED], False),
        ([STARTED, ENDED, AUDIO], False),
        ([STARTED, ENDED, AUDIO, DONE], True),
        ([STARTED, ENDED, FAILED], True),
        ([AUDIO, DONE], True),  # a vendor without speech events
        ([STARTED, ENDED, AUDIO, DONE, STARTED], False),
        ([STARTED, ENDED, AUDIO, DONE, STARTED, ENDED], False),
        ([STARTED, ENDED, AUDIO, STARTED, CUT, ENDED], False),
        ([STARTED, ENDED, AUDIO, STARTED, ENDED, CUT], False),  # settled late
        ([STARTED, ENDED, AUDIO, STARTED, CUT, ENDED, AUDIO, DONE], True),
        ([STARTED, ENDED, AUDIO, DONE, AUDIO], False),  # a second reply
        ([STARTED, ENDED, CALLS], False),  # the spoken follow-up is another reply
        ([STARTED, HARMLESS], False),
        ([STARTED, FATAL], True),
        ([STARTED, SessionClose(vendor="x")], True),
    ],
)
def test_finished_when_the_last_speech_is_answered(events: list[Event], finished: bool) -> None:
    progress = Progress()
    for event in events:
        progress.take(event, 1.0)
    assert progress.finished(9.0) is progress.over  # the recording is still running
    progress.recording_ended(10.0)
    assert progress.finished(10.0 + SETTLE_S) is finished


def test_something_late_may_still_come_after_the_recording_and_after_the_reply() -> None:
    progress = Progress()
    progress.recording_ended(10.0)
    progress.take(DONE, 20.0)
    assert not progress.finished(20.0 + SETTLE_S / 2)
    assert progress.finished(20.0 + SETTLE_S)


HANG_UP = ToolCall(vendor="x", call_id="c", name="hang_up", arguments={})


@pytest.mark.parametrize(
    ("events", "waits_s"),
    [
        ([STARTED, ENDED, AUDIO, HANG_UP, CALLS], SETTLE_S),  # it spoke before it hung up
        ([STARTED, ENDED, HANG_UP, CALLS, AUDIO, DONE], SETTLE_S),  # and after
        ([STARTED, ENDED, HANG_UP, CALLS], FAREWELL_S),  # it may still say goodbye
        ([STARTED, ENDED, HANG_UP, CALLS, AUDIO], None),  # it is saying it
        ([STARTED, ENDED, HANG_UP, CALLS, STARTED], None),  # the caller speaks
        ([STARTED, ENDED, AUDIO, DONE], None),
    ],
)
def test_the_goodbye_is_waited_for(events: list[Event], waits_s: float | None) -> None:
    progress = Progress()
    for event in events:
        progress.take(event, 1.0)
    if waits_s is None:
        assert not progress.said_goodbye(99.0)
    else:
        assert not progress.said_goodbye(1.0 + waits_s * 0.9)
        assert progress.said_goodbye(1.0 + waits_s)


def test_an_answer_is_one_to_what_was_asked_last() -> None:
    progress = Progress()
    for event in (STARTED, ENDED, AUDIO):
        progress.take(event, 1.0)
    assert not progress.answered
    assert not progress.idle
    progress.take(DONE, 2.0)
    assert progress.answered
    assert progress.idle
    progress.asked()
    assert not progress.answered
