from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_telephony.asterisk_queue import MAX_AHEAD_MS, PlayQueue

RATE = 8_000
FRAME = 160


def make(**settings: Any) -> PlayQueue:
    return PlayQueue(sample_rate_hz=RATE, frame_samples=FRAME, **settings)


def pcm(samples: int) -> bytes:
    return bytes(2 * samples)


def shape(items: list[bytes | int]) -> list[object]:
    return [len(item) // 2 if isinstance(item, bytes) else f"mark {item}" for item in items]


def test_whole_frames_go_out_and_a_mark_every_200_ms() -> None:
    queue = make()
    queue.give(pcm(3 * FRAME + 10))
    assert shape(queue.outgoing(0)) == [3 * FRAME]
    assert queue.has_rest
    queue.give(pcm(20 * FRAME - 10))
    assert shape(queue.outgoing(0)) == [7 * FRAME, "mark 1", 10 * FRAME, "mark 2", 3 * FRAME]
    assert not queue.has_rest


def test_a_message_is_never_larger_than_asked_for() -> None:
    queue = make(max_message_frames=4)
    queue.give(pcm(10 * FRAME))
    assert shape(queue.outgoing(0)) == [4 * FRAME, "mark 1", 4 * FRAME, "mark 2", 2 * FRAME]


def test_the_clock_counts_from_the_next_tick_to_what_was_sent() -> None:
    queue = make()
    queue.give(pcm(10 * FRAME))
    queue.outgoing(1.0)
    assert [queue.played(at) for at in (1.0, 1.02, 1.12, 5.0)] == [0, 0, 800, 10 * FRAME]


def test_a_mark_that_did_not_come_back_was_not_reached() -> None:
    queue = make()
    queue.give(pcm(15 * FRAME))
    queue.outgoing(0)
    assert queue.played(1.0) == 10 * FRAME
    queue.mark_played(1, 1.0)
    assert queue.played(1.0) == 10 * FRAME
    assert queue.played(1.05) == 10 * FRAME + 400
    assert queue.played(9.0) == 15 * FRAME


def test_silence_at_the_ends_of_many_replies_is_remembered_only_until_it_is_played() -> None:
    queue = make()
    for reply in range(1, 51):
        queue.give(pcm(FRAME + 10))
        assert queue.end_mark() == reply
        queue.outgoing(float(reply))
        assert queue.played(reply + 0.9) == reply * (FRAME + 10)
        queue.mark_played(reply, reply + 0.9)
        assert queue.played(reply + 0.9) == reply * (FRAME + 10)
        assert queue._pads == []


def test_after_a_pause_the_clock_starts_anew() -> None:
    queue = make()
    queue.give(pcm(FRAME))
    queue.outgoing(0)
    assert queue.played(10) == FRAME
    queue.give(pcm(5 * FRAME))
    queue.outgoing(10)
    assert queue.played(10.06) == FRAME + 320


def test_asterisk_is_never_given_more_than_ten_seconds() -> None:
    queue = make()
    queue.give(pcm(30 * RATE))
    sent = sum(len(i) // 2 for i in queue.outgoing(0) if isinstance(i, bytes))
    assert sent == MAX_AHEAD_MS * RATE // 1000
    queue.mark_played(1, 0.2)
    assert shape(queue.outgoing(0.2)) == [10 * FRAME, "mark 51"]


def test_stop_is_obeyed_until_go() -> None:
    queue = make()
    queue.stopped = True
    queue.give(pcm(FRAME))
    assert queue.outgoing(0) == []
    queue.stopped = False
    assert shape(queue.outgoing(0)) == [FRAME]


def test_more_than_ten_minutes_are_dropped_and_counted() -> None:
    queue = make()
    queue.stopped = True
    for _ in range(602):
        queue.give(pcm(RATE))
    assert queue.dropped_samples == RATE


def test_silence_that_fills_a_frame_up_does_not_count_as_played() -> None:
    queue = make()
    queue.give(pcm(FRAME + 40))
    queue.fill_up()
    queue.give(pcm(FRAME))
    queue.outgoing(0)
    assert queue.played(0.02 + 0.025) == FRAME + 40
    assert queue.played(9) == 2 * FRAME + 40


def test_the_end_mark_is_where_the_audio_ends_and_none_when_all_was_played() -> None:
    queue = make()
    assert queue.end_mark() is None
    queue.give(pcm(FRAME + 1))
    assert queue.end_mark() == 1
    assert queue.end_mark() == 1
    assert shape(queue.outgoing(0)) == [FRAME, FRAME, "mark 1"]
    queue.mark_played(1, 0.04)
    assert queue.end_mark() is None
    assert queue.played(0.04) == FRAME + 1


def test_a_flush_is_settled_by_what_asterisk_had_left() -> None:
    queue = make()
    queue.give(pcm(20 * FRAME))
    queue.outgoing(0)
    queue.mark_played(1, 0.2)
    queue.flush(0.3)
    queue.give(pcm(2 * FRAME))
    queue.settle(7)
    assert queue.played(0.3) == 13 * FRAME
    assert shape(queue.outgoing(0.3)) == [2 * FRAME]
    assert queue.played(9) == 15 * FRAME


def test_two_flushes_at_once_are_settled_in_order() -> None:
    queue = make()
    queue.give(pcm(8 * FRAME))
    queue.outgoing(0)
    queue.flush(0.1)
    queue.give(pcm(8 * FRAME))
    queue.outgoing(0.1)
    queue.flush(0.1)
    queue.settle(2)
    queue.settle(8)
    assert queue.played(9) == 6 * FRAME


def test_an_answer_that_comes_after_it_was_given_up_changes_nothing() -> None:
    queue = make()
    queue.give(pcm(8 * FRAME))
    queue.outgoing(0)
    queue.flush(0.1)
    queue.abandon()
    before = queue.played(0.1)
    queue.settle(0)
    queue.settle(0)
    assert queue.played(0.1) == before


def test_an_unknown_mark_means_nothing() -> None:
    queue = make()
    queue.give(pcm(12 * FRAME))
    queue.outgoing(0)
    queue.mark_played(99, 1)
    assert queue.played(1) == 10 * FRAME


def test_a_mark_that_is_answered_answers_for_those_before_it() -> None:
    queue = make()
    queue.give(pcm(40 * FRAME))
    queue.outgoing(0)
    queue.mark_played(2, 0.4)  # and 1 never
    assert queue.played(0.5) == 25 * FRAME
    assert queue.lost_marks == 0


def test_a_mark_that_is_long_overdue_holds_nothing_up() -> None:
    queue = make()
    queue.give(pcm(FRAME + 40))
    queue.fill_up()
    queue.give(pcm(9 * FRAME))
    queue.outgoing(0)
    assert queue.played(1.1) == 9 * FRAME + 40
    assert queue.lost_marks == 0
    assert queue.played(1.3) == 10 * FRAME + 40
    assert queue.lost_marks == 1
    queue.give(pcm(FRAME))
    queue.outgoing(2)
    assert queue.played(2.03) == 10 * FRAME + 40 + 80


def test_audio_behind_a_cut_is_heard_to_its_end_where_asterisk_was_slower_than_the_clock() -> None:
    queue = make()
    queue.give(pcm(10 * FRAME))
    queue.outgoing(0)
    assert queue.played(0.12) == 5 * FRAME
    queue.flush(0.12)
    queue.settle(7)  # it had played three
    assert queue.played(0.12) == 5 * FRAME  # which was told, and stays
    queue.give(pcm(4 * FRAME))
    queue.outgoing(0.12)
    assert queue.played(9) == 9 * FRAME


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.integers(1, 4 * RATE)),
        st.tuples(st.just("tick"), st.integers(1, 60)),
        st.tuples(st.just("flush"), st.booleans()),
        st.tuples(st.just("fill"), st.just(0)),
        st.tuples(st.just("mark"), st.just(0)),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_the_books_agree_with_the_queue(steps: list[tuple[str, Any]]) -> None:
    books = make()
    asterisk: list[int | None] = []  # a frame, or a mark's number
    now, given, frames_played, last = 0.0, 0, 0, 0
    padded = abandoned = False
    for step, value in steps:
        match step:
            case "give":
                books.give(pcm(value))
                given += value
            case "fill":
                padded = padded or books.has_rest
                books.fill_up()
            case "mark":
                padded = padded or books.has_rest
                books.end_mark()
            case "flush":
                frames = sum(item is None for item in asterisk)
                asterisk.clear()
                books.flush(now)
                if not value:
                    books.abandon()
                books.settle(frames)
            case _:
                for _ in range(value):
                    now += FRAME / RATE
                    while asterisk and (number := asterisk[0]) is not None:
                        asterisk.pop(0)
                        books.mark_played(number, now)
                    if asterisk:
                        asterisk.pop(0)
                        frames_played += 1
        for item in books.outgoing(now):
            asterisk += [None] * (len(item) // 2 // FRAME) if isinstance(item, bytes) else [item]
        assert sum(item is None for item in asterisk) * 20 <= MAX_AHEAD_MS + 200
        played = books.played(now)
        assert last <= played <= given
        last = played
        abandoned = abandoned or (step, value) == ("flush", False)
        if not padded and not abandoned:
            assert abs(played - frames_played * FRAME) <= 2 * FRAME


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("give"), st.integers(1, RATE)),
            st.tuples(st.just("tick"), st.integers(1, 30)),
            st.tuples(st.just("stall"), st.integers(1, 30)),
            st.tuples(st.just("look"), st.just(0)),
            st.tuples(st.just("flush"), st.booleans()),
        ),
        max_size=40,
    )
)
def test_what_is_given_after_a_flush_is_heard_to_its_end(steps: list[tuple[str, Any]]) -> None:
    books = make()
    asterisk: list[int | None] = []
    now, told, given_since = 0.0, 0, 0

    def tick() -> None:
        while asterisk and (number := asterisk[0]) is not None:
            asterisk.pop(0)
            books.mark_played(number, now)
        if asterisk:
            asterisk.pop(0)

    def send() -> None:
        for item in books.outgoing(now):
            asterisk.extend(
                [None] * (len(item) // 2 // FRAME) if isinstance(item, bytes) else [item]
            )

    for step, value in steps:
        match step:
            case "give":
                books.give(pcm(value))
                given_since += value
            case "look":
                books.played(now)
            case "flush":
                frames = sum(item is None for item in asterisk)
                asterisk.clear()
                books.flush(now)
                if value:  # the answer comes a moment later, and somebody looks meanwhile
                    books.played(now)
                books.settle(frames)
                told, given_since = books.played(now), 0
            case _:
                for _ in range(value):
                    now += FRAME / RATE
                    if step == "tick":
                        tick()
        send()
    books.end_mark()
    send()
    while asterisk:
        now += FRAME / RATE
        tick()
        send()
    assert books.played(now) == told + given_since
