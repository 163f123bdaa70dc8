from __future__ import annotations

from typing import Any

import pytest

from realtime_core.errors import ConfigError
from realtime_local.endpointing import (
    Endpointing,
    ManualTurn,
    SpeechBegan,
    SpeechEnded,
    SpeechPaused,
)
from tests.local.sounds import silence

FRAME = silence(20)
SETTINGS: dict[str, Any] = {"frame_ms": 20, "frames_to_start": 3}


def judged(
    endpointing: Endpointing, verdicts: str
) -> list[tuple[int, SpeechBegan | SpeechPaused | SpeechEnded]]:
    """Give what happened at which frame: `#` is speech, `.` none."""
    found = []
    for number, sign in enumerate(verdicts):
        frame = number.to_bytes(2, "little") * 320
        if (outcome := endpointing.judge(frame, sign == "#")) is not None:
            found.append((number, outcome))
    return found


@pytest.mark.parametrize("size", [2, 639, 640, 641, 5000])
def test_chunks_of_any_length_make_the_same_frames(size: int) -> None:
    pcm = bytes(range(256)) * 25
    endpointing = Endpointing(**SETTINGS)
    frames = [
        frame
        for at in range(0, len(pcm), size)
        for frame in endpointing.cut(memoryview(pcm)[at : at + size])
    ]
    assert frames == [pcm[at : at + 640] for at in range(0, 6400, 640)]


def test_three_of_four_frames_begin_and_the_silence_ends() -> None:
    found = judged(Endpointing(**SETTINGS), "." * 50 + "#.##" + "#" * 46 + "." * 23)
    (began_at, began), (ended_at, ended) = found
    assert (began_at, ended_at) == (53, 122)
    assert began == SpeechBegan(at_ms=700, onset_ms=1000)
    assert isinstance(ended, SpeechEnded)
    assert (ended.silent_since_ms, ended.at_ms) == (2000, 2460)
    assert len(ended.pcm) == (2460 - 700) * 32
    assert ended.pcm[:2] == (35).to_bytes(2, "little")
    assert ended.pcm[-2:] == (122).to_bytes(2, "little")


def test_single_frames_begin_nothing() -> None:
    assert judged(Endpointing(**SETTINGS), "#..#..##..#...#" * 10) == []


def test_a_pause_shorter_than_the_silence_ends_nothing() -> None:
    found = judged(Endpointing(**SETTINGS), "###" + ("." * 22 + "#") * 5)
    assert [type(outcome) for _, outcome in found] == [SpeechBegan]


def test_a_pause_is_told_once_and_may_be_the_end() -> None:
    found = judged(
        Endpointing(**SETTINGS, pause_ms=200), "." * 15 + "###" + "." * 12 + "#" + "." * 23
    )
    [_, (paused_at, paused), (again_at, again), (ended_at, ended)] = found
    assert isinstance(paused, SpeechPaused)
    assert isinstance(again, SpeechPaused)
    assert isinstance(ended, SpeechEnded)
    assert (paused_at, again_at, ended_at) == (27, 40, 53)
    assert paused.silent_since_ms == 360
    assert again.silent_since_ms == ended.silent_since_ms == 620
    assert ended.pcm.startswith(again.pcm)
    assert again.pcm.startswith(paused.pcm)
    assert "bytes>" in repr(paused)


def test_a_pause_as_long_as_the_silence_is_the_end() -> None:
    found = judged(Endpointing(**SETTINGS, silence_ms=200, pause_ms=200), "###" + "." * 10)
    assert [type(outcome) for _, outcome in found] == [SpeechBegan, SpeechEnded]


def test_padding_is_no_longer_than_what_was_received() -> None:
    [(_, began)] = judged(Endpointing(**SETTINGS), "..###")
    assert began == SpeechBegan(at_ms=0, onset_ms=40)


def test_padding_never_holds_the_utterance_before() -> None:
    found = judged(Endpointing(**SETTINGS), "###" + "." * 23 + "..###" + "." * 23)
    first, second = found[1][1], found[2][1]
    assert isinstance(first, SpeechEnded)
    assert isinstance(second, SpeechBegan)
    assert second.at_ms == first.at_ms == 26 * 20


def test_an_endless_utterance_is_ended_and_another_begun() -> None:
    endpointing = Endpointing(**SETTINGS, max_utterance_ms=2000)
    found = judged(endpointing, "#" * 205)
    kinds = [type(outcome) for _, outcome in found]
    assert kinds == [SpeechBegan, SpeechEnded, SpeechBegan, SpeechEnded, SpeechBegan]
    spans = [outcome.pcm for _, outcome in found if isinstance(outcome, SpeechEnded)]
    assert {len(pcm) for pcm in spans} == {2000 * 32}
    assert endpointing.is_speaking


def test_taking_gives_what_there_is_and_stops() -> None:
    endpointing = Endpointing(**SETTINGS)
    assert endpointing.take() == b""
    judged(endpointing, "#" * 10)
    assert endpointing.is_speaking
    assert len(endpointing.take()) == 10 * 640
    assert not endpointing.is_speaking
    assert endpointing.received_ms == 200


def test_clearing_forgets_all_but_the_time() -> None:
    endpointing = Endpointing(**SETTINGS)
    endpointing.cut(bytes(100))
    judged(endpointing, "#" * 10)
    endpointing.clear()
    assert endpointing.cut(bytes(540)) == []
    [(_, began)] = judged(endpointing, "###")
    assert began == SpeechBegan(at_ms=200, onset_ms=200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frame_ms": 0},
        {"frames_to_start": 0},
        {"silence_ms": 19},
        {"prefix_padding_ms": -1},
        {"max_utterance_ms": 800},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Endpointing(**{**SETTINGS, **wrong})


def test_an_utterance_is_not_printed() -> None:
    assert repr(SpeechEnded(at_ms=1, silent_since_ms=0, pcm=b"1234")).endswith("pcm=<4 bytes>)")


def test_a_manual_turn_gives_everything_once() -> None:
    turn = ManualTurn()
    turn.push(bytearray(b"abcd"))
    turn.push(memoryview(b"efgh"))
    assert turn.take() == b"abcdefgh"
    assert turn.take() == b""
    turn.push(silence(30))
    assert turn.duration_ms == 30
    turn.clear()
    assert turn.take() == b""


def test_a_manual_turn_keeps_the_latest() -> None:
    turn = ManualTurn(max_ms=1)
    for sign in b"abcde":
        turn.push(bytes([sign]) * 16)
    assert turn.take() == b"d" * 16 + b"e" * 16
    assert turn.dropped_bytes == 48
    with pytest.raises(ConfigError, match="max_ms"):
        ManualTurn(max_ms=0)
