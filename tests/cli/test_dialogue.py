"""What the caller says next, and when: on a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from realtime_core.cli.dialogue import Dialogue, Ear
from realtime_core.cli.wav import Recording

Hear = Callable[[float], Ear]


def recording(ms: int, rate_hz: int = 8000) -> Recording:
    pcm = np.full(rate_hz * ms // 1000, 5, dtype="<i2").tobytes()
    return Recording(name="r", pcm=pcm, rate_hz=rate_hz, channels=1)


def begins(dialogue: Dialogue, hear: Hear, *, until_ms: int = 60_000) -> dict[int, int]:
    """Run it; give when each recording began."""
    began: dict[int, int] = {}
    for t in range(0, until_ms, 20):
        frame = dialogue.frame(hear(t))
        if any(frame):
            began.setdefault(dialogue.current, t)
        if dialogue.is_done:
            break
    return began


def silent(t_ms: float) -> Ear:
    return Ear(t_ms=t_ms)


def test_the_first_begins_at_once_and_the_next_600_ms_after_the_answer_was_heard() -> None:
    dialogue = Dialogue([recording(200), recording(100)])
    assert not dialogue.is_done
    answered = begins(dialogue, lambda t: Ear(t_ms=t, is_answered=t >= 3000, is_idle=t >= 3000))
    assert answered == {0: 0, 1: 3600}
    assert dialogue.is_done
    assert dialogue.said_s == 0.3
    assert not any(dialogue.frame(silent(9000)))  # silence, without an end


def test_an_answer_that_goes_on_starts_the_pause_anew() -> None:
    dialogue = Dialogue([recording(100), recording(100)])

    def hear(t_ms: float) -> Ear:
        return Ear(t_ms=t_ms, is_answered=1000 <= t_ms < 1500 or t_ms >= 2000)

    assert begins(dialogue, hear) == {0: 0, 1: 2600}


def test_an_interruption_begins_so_long_after_the_answer_was_first_heard() -> None:
    dialogue = Dialogue([recording(100), recording(100)], interrupts={1: 800})
    assert begins(dialogue, lambda t: Ear(t_ms=t, answer_ms=2000 if t >= 2000 else None)) == {
        0: 0,
        1: 2800,
    }


def test_an_answer_shorter_than_that_is_not_interrupted() -> None:
    dialogue = Dialogue([recording(100), recording(100)], interrupts={1: 8000})
    assert begins(dialogue, lambda t: Ear(t_ms=t, answer_ms=1000, is_answered=t >= 1500)) == {
        0: 0,
        1: 2100,
    }


def test_without_any_answer_it_goes_on_after_a_while_in_which_nothing_happens() -> None:
    dialogue = Dialogue([recording(100), recording(100)], patience_ms=5000)
    assert begins(dialogue, lambda t: Ear(t_ms=t, is_idle=t >= 4000)) == {0: 0, 1: 9000}


def test_without_patience_ending_it_waits() -> None:
    assert begins(Dialogue([recording(100), recording(100)]), silent) == {0: 0}


def test_frames_are_as_long_on_average_as_they_should_be() -> None:
    dialogue = Dialogue([recording(1000, 11025)])
    frames = [dialogue.frame(silent(n * 20)) for n in range(100)]
    assert {len(frame) for frame in frames} == {440, 442}
    assert sum(map(len, frames)) == 2 * 2 * 11025
    assert b"".join(frames)[:22050] == recording(1000, 11025).pcm
