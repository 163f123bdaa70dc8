from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_telephony.media_pieces import Pieces
from realtime_telephony.media_position import GRACE_S, PlayedPosition
from realtime_telephony.media_reorder import WINDOW, ReorderWindow


def pushed(window: ReorderWindow, *chunks: int) -> list[int]:
    return [int(out) for chunk in chunks for out in window.push(chunk, b"%d" % chunk)]


def test_what_is_in_order_waits_for_nothing() -> None:
    window = ReorderWindow()
    for chunk in range(1, 100):
        assert pushed(window, chunk) == [chunk]
    assert window.push(None, b"7") == [b"7"]


def test_what_is_swapped_is_put_right() -> None:
    assert pushed(ReorderWindow(), 2, 1, 3, 5, 6, 4) == [1, 2, 3, 4, 5, 6]


def test_a_hole_is_given_up_after_the_window() -> None:
    window = ReorderWindow()
    assert pushed(window, 1, 3, 4, 5, 6, 7) == [1]
    assert pushed(window, 8) == [3, 4, 5, 6, 7, 8]
    assert pushed(window, 2, 9) == [9]
    assert (window.lost, window.late) == (1, 1)


def test_a_stream_joined_late_and_one_that_counts_anew() -> None:
    window = ReorderWindow()
    assert pushed(window, 5000, 5001) == [5000, 5001]
    assert pushed(window, 1, 2) == [1, 2]


@given(
    order=st.permutations(range(1, 41)), drop=st.sets(st.integers(1, 40)), size=st.integers(0, 6)
)
def test_any_order_gives_rising_numbers_and_holds_few(
    order: list[int], drop: set[int], size: int
) -> None:
    window = ReorderWindow(size=size)
    out = pushed(window, *(chunk for chunk in order if chunk not in drop))
    assert out == sorted(set(out))
    assert len(window._held) <= size
    assert len(out) + window.late + len(window._held) == len(set(order) - drop)


@given(slack=st.lists(st.integers(0, WINDOW - 1), min_size=1, max_size=60))
def test_small_delays_lose_nothing(slack: list[int]) -> None:
    order = sorted(range(1, len(slack) + 1), key=lambda chunk: (chunk + slack[chunk - 1], chunk))
    window = ReorderWindow()
    # Until the end of the stream pushes the last ones out.
    out = pushed(window, *order)
    assert out == list(range(1, len(out) + 1))
    assert window.late == 0


@given(portions=st.lists(st.integers(1, 16000), max_size=12), rate=st.sampled_from([8000, 16000]))
def test_pieces_have_a_length_vendors_like_and_lose_nothing(portions: list[int], rate: int) -> None:
    pieces = Pieces(rate)
    given_pcm = b"".join(bytes([index % 251]) * 2 * size for index, size in enumerate(portions))
    sent = b""
    offset = 0
    for size in portions:
        pieces.add(given_pcm[offset : offset + 2 * size])
        offset += 2 * size
        for piece in pieces.take():
            assert 20 <= len(piece) * 500 / rate <= 100
            assert len(piece) % 2 == 0
            sent += piece
    rest, silence = pieces.take_rest()
    assert all(len(piece) * 500 / rate >= 20 for piece in rest)
    sent += b"".join(rest)
    assert sent == given_pcm + bytes(2 * silence)
    assert silence == 0 or rest


def test_position_runs_by_the_clock_up_to_a_mark_that_is_not_answered() -> None:
    position = PlayedPosition(8000)
    position.sent(800, 10.0)
    name = position.next_mark()
    position.sent(800, 10.0)
    assert position.played(10.0) == 0
    assert position.played(10.05) == 400
    assert position.played(10.15) == 800  # the mark holds it
    position.answered(name, 10.16)  # 60 ms late: the network
    assert position.played(10.16) == 800
    assert position.played(10.21) == 1200
    assert position.played(20.0) == 1600
    assert position.unmarked == 800


def test_position_is_corrected_forwards_by_a_mark_that_comes_early() -> None:
    position = PlayedPosition(8000)
    position.sent(1600, 0.0)
    name = position.next_mark()
    position.answered(name, 0.1)
    assert position.played(0.1) == 1600


def test_position_starts_anew_after_a_pause() -> None:
    position = PlayedPosition(8000)
    position.sent(800, 0.0)
    position.answered(position.next_mark(), 0.1)
    position.sent(800, 5.0)
    assert position.played(5.0) == 800
    assert position.played(5.05) == 1200


def test_a_mark_that_never_comes_is_given_up() -> None:
    position = PlayedPosition(8000)
    position.sent(800, 0.0)
    position.next_mark()
    position.sent(800, 0.0)
    assert position.played(0.1 + GRACE_S - 0.01) == 800
    assert position.confirmed(0.1 + GRACE_S - 0.01) == 0
    assert position.confirmed(0.1 + GRACE_S) == 800
    assert position.unanswered == 1
    assert position.played(0.1 + GRACE_S) == 1600


def test_flush_drops_marks_and_counts_on() -> None:
    position = PlayedPosition(8000)
    position.sent(8000, 0.0)
    old = position.next_mark()
    assert position.flush(0.25) == 2000
    position.answered(old, 0.26)  # echoed though never played
    assert position.played(5.0) == 2000
    position.sent(800, 6.0)
    position.answered(position.next_mark(), 6.2)
    assert position.played(6.2) == 2800


def test_a_mark_played_before_the_clear_arrived_counts_where_dropped_ones_never_come() -> None:
    position = PlayedPosition(8000)
    for _ in range(4):
        position.sent(800, 0.0)
        position.next_mark()
    position.answered("1", 0.1)
    assert position.flush(0.15) == 1200
    position.sent(400, 0.15)
    fresh = position.next_mark()
    position.played_before_clear("2")
    position.played_before_clear("2")
    position.played_before_clear("1")
    assert position.played_at_flush == 1600
    assert position.given == 2000
    position.answered(fresh, 0.3)
    assert position.played(0.3) == 2000


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["send", "mark", "answer", "flush", "look", "before"]),
            st.integers(1, 4000),
            st.floats(0, 0.4),
        ),
        max_size=60,
    )
)
def test_position_never_falls_and_never_runs_ahead(steps: list[tuple[str, int, float]]) -> None:
    position = PlayedPosition(8000)
    now, last, names = 0.0, 0, list[str]()
    for step, samples, wait in steps:
        now += wait
        if step == "send":
            position.sent(samples, now)
        elif step == "mark":
            names.append(position.next_mark())
        elif step == "answer" and names:
            position.answered(names[samples % len(names)], now)
        elif step == "before" and names:
            position.played_before_clear(names[samples % len(names)])
        elif step == "flush":
            assert position.flush(now) == position.given
        played = position.played(now)
        assert last <= played <= position.given
        last = played
