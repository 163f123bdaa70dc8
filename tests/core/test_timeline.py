"""The record of a call, from events and audio on a clock of the test's own."""

from __future__ import annotations

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Interrupted,
    RealtimeError,
    SessionClose,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.testing.speech import speech_like
from realtime_core.timeline import Timeline
from realtime_core.timeline_marks import BargeIn, Failure, Latency, Span, Words

CALLER_HZ, HEARD_HZ = 16000, 24000


def started(item: str | None = "u1", *, interrupts: bool = False) -> UserSpeechStarted:
    return UserSpeechStarted(vendor="x", item_id=item, interrupts=interrupts)


def ended(item: str | None = "u1") -> UserSpeechEnded:
    return UserSpeechEnded(vendor="x", item_id=item)


def audio(ms: int, item: str | None = "a1", response: str | None = "r1") -> AssistantAudio:
    return AssistantAudio(
        vendor="x", audio=speech_like(ms, HEARD_HZ), item_id=item, response_id=response
    )


def text(words: str, item: str | None = "a1", *, final: bool = True) -> AssistantText:
    return AssistantText(vendor="x", text=words, final=final, item_id=item)


def said(words: str, item: str | None = "u1", *, final: bool = True) -> UserTranscript:
    return UserTranscript(vendor="x", text=words, final=final, item_id=item)


def silence(timeline: Timeline, start_ms: int, end_ms: int) -> None:
    for t in range(start_ms, end_ms, 20):
        timeline.caller(bytes(640), t)
        timeline.heard(bytes(960), t)


def speaks(timeline: Timeline, start_ms: int, end_ms: int) -> None:
    pcm = speech_like(end_ms - start_ms, CALLER_HZ)
    for t in range(0, end_ms - start_ms, 20):
        timeline.caller(pcm[t * 32 : (t + 20) * 32], start_ms + t)
        timeline.heard(bytes(960), start_ms + t)


def hears(timeline: Timeline, start_ms: int, end_ms: int) -> None:
    pcm = speech_like(end_ms - start_ms, HEARD_HZ)
    for t in range(0, end_ms - start_ms, 20):
        timeline.caller(bytes(640), start_ms + t)
        timeline.heard(pcm[t * 48 : (t + 20) * 48], start_ms + t)


def a_turn() -> Timeline:
    """Speech from 400 to 1400 ms, noticed late; the answer comes at 1900 and is heard from 2000 to 3000."""
    timeline = Timeline(provider="x")
    silence(timeline, 0, 400)
    speaks(timeline, 400, 600)
    timeline.take(started(), 600)
    speaks(timeline, 600, 1400)
    silence(timeline, 1400, 1900)
    timeline.take(ended(), 1900)
    timeline.take(audio(1000), 1910)
    timeline.take(text("Hello", final=False), 1910)
    timeline.take(said("Hi?"), 1950)
    timeline.take(text(" there.", final=False), 1960)
    silence(timeline, 1900, 2000)
    hears(timeline, 2000, 3000)
    timeline.take(text("Hello there."), 3000)
    timeline.take(AssistantTurnEnd(vendor="x", response_id="r1"), 3000)
    return timeline


def test_a_reply_that_outlives_the_call_was_not_heard_to_its_end() -> None:
    timeline = Timeline()
    reply = AssistantAudio(vendor="x", audio=bytes(48000 * 4), item_id="a")
    timeline.take(reply, 1000)
    timeline.take(AssistantText(vendor="x", text="one two", final=True, item_id="a"), 1000)
    timeline.take(AssistantAudio(vendor="x", audio=bytes(48000), item_id="b"), 1000)
    timeline.take(AssistantText(vendor="x", text="three", final=True, item_id="b"), 1000)
    assert [words.heard_share for words in timeline.assistant_words] == [1, 1]  # nobody listens
    timeline.heard(bytes(48000), 1000)
    assert [words.heard_share for words in timeline.assistant_words] == [0.25, 0]
    timeline.heard(bytes(48000 * 4), 2000)
    assert [words.heard_share for words in timeline.assistant_words] == [1, 1]


def test_audio_that_comes_late_does_not_shorten_the_call() -> None:
    timeline = Timeline()
    timeline.heard(bytes(48000), 5000)
    timeline.heard(bytes(960), 1000)
    assert timeline.duration_ms == 6000


def test_speech_has_the_edges_of_its_sound() -> None:
    timeline = a_turn()
    assert timeline.caller_spans == [Span(400, 1400)]
    assert timeline.assistant_spans == [Span(2000, 3000)]
    assert timeline.duration_ms == 3000


def test_the_latency_is_from_the_end_of_speech_to_the_first_sound_heard() -> None:
    timeline = a_turn()
    assert timeline.latencies == [Latency(1400, 2000)]
    assert timeline.latencies[0].ms == 600


def test_words_stand_where_they_were_spoken_and_heard() -> None:
    timeline = a_turn()
    assert timeline.caller_words == [Words("Hi?", 400, 1400)]
    assert timeline.assistant_words == [Words("Hello there.", 1910, 2910)]


def test_without_the_callers_audio_the_signals_are_the_edges() -> None:
    timeline = Timeline()
    timeline.take(started(), 600)
    assert timeline.caller_spans == [Span(600, 600)]
    timeline.take(started("u2"), 900)  # an end that never came
    timeline.take(ended("u2"), 1900)
    timeline.take(ended("u2"), 1950)
    assert timeline.caller_spans == [Span(600, 900), Span(900, 1900)]


def test_with_manual_turns_the_application_tells_of_speech() -> None:
    timeline = Timeline()
    for t_ms, item in ((0, "u1"), (4000, "u2")):
        timeline.take(started(None), t_ms)  # the button is pressed
        speaks(timeline, t_ms, t_ms + 1000)
        timeline.take(ended(None), t_ms + 1000)
        silence(timeline, t_ms + 1000, t_ms + 1600)
        timeline.take(audio(500, f"a{item}", f"r{item}"), t_ms + 1600)
        timeline.take(said(f"This is {item}.", item), t_ms + 1600)
        hears(timeline, t_ms + 1600, t_ms + 2100)
        silence(timeline, t_ms + 2100, t_ms + 4000)
    assert timeline.caller_words == [
        Words("This is u1.", 0, 1000),
        Words("This is u2.", 4000, 5000),
    ]
    assert [latency.ms for latency in timeline.latencies] == [600, 600]


def test_an_earlier_reply_that_still_plays_is_no_answer() -> None:
    timeline = a_turn()
    hears(timeline, 3000, 3600)
    timeline.take(started("u2"), 3200)
    timeline.take(ended("u2"), 3600)
    timeline.take(audio(200, "a1", "r1"), 3600)  # more of the first reply
    silence(timeline, 3600, 4500)
    hears(timeline, 4500, 4700)
    assert len(timeline.latencies) == 1
    timeline.take(audio(200, "a2", "r2"), 4700)
    silence(timeline, 4700, 4800)
    hears(timeline, 4800, 5000)
    assert timeline.latencies[1:] == [Latency(3600, 4800)]


def test_a_caller_who_goes_on_speaking_is_not_answered_yet() -> None:
    timeline = Timeline()
    timeline.take(started(), 100)
    timeline.take(ended(), 500)
    timeline.take(started("u2"), 900)
    timeline.take(audio(200), 950)
    hears(timeline, 960, 1160)
    assert timeline.latencies == []
    timeline.take(ended("u2"), 1500)
    timeline.take(audio(200, None, None), 1600)
    hears(timeline, 2000, 2200)
    assert timeline.latencies == [Latency(1500, 2000)]


def cut_after(timeline: Timeline, heard_ms: int) -> None:
    timeline.take(audio(2000), 0)
    timeline.take(text("one two three four"), 0)
    hears(timeline, 0, heard_ms)


def test_a_barge_in_says_what_was_heard_and_what_was_cut() -> None:
    timeline = Timeline()
    cut_after(timeline, 500)
    timeline.take(started(interrupts=True), 500)
    silence(timeline, 500, 600)
    timeline.take(
        Interrupted(vendor="x", item_id="a1", heard_ms=500, cut_ms=1500, truncated=True), 600
    )
    (cut,) = timeline.barge_ins
    assert cut == BargeIn(500, 500, 1500, True, cut.lost)
    assert len(cut.lost) == 38  # 1500 ms in steps of 40
    assert max(high for _, high in cut.lost) > 5000
    assert timeline.assistant_words == [Words("one two three four", 0, 500, 0.25)]
    assert timeline.assistant_spans == [Span(0, 500)]


def test_a_cut_by_the_application_is_where_it_was_settled() -> None:
    timeline = Timeline()
    cut_after(timeline, 500)
    timeline.take(Interrupted(vendor="x", heard_ms=500, cut_ms=1500), 520)
    assert timeline.barge_ins[0].t_ms == 520
    assert timeline.assistant_words[0].heard_share == 0.26


def test_an_item_that_was_never_begun_was_not_heard() -> None:
    timeline = Timeline()
    cut_after(timeline, 500)
    timeline.take(audio(400, "a2"), 100)
    timeline.take(text("and five", "a2"), 100)
    timeline.take(started(interrupts=True), 500)
    assert [(w.text, w.start_ms, w.heard_share) for w in timeline.assistant_words] == [
        ("one two three four", 0, 0.25),
        ("and five", 500, 0.0),
    ]


def test_a_written_item_is_not_cut() -> None:
    timeline = Timeline()
    cut_after(timeline, 500)
    timeline.take(text("written", "a2"), 400)
    timeline.take(started(interrupts=True), 500)
    assert [w.heard_share for w in timeline.assistant_words] == [0.25, 1.0]


def test_the_answer_to_a_barge_in_is_a_span_of_its_own() -> None:
    timeline = Timeline()
    cut_after(timeline, 500)
    timeline.take(started(interrupts=True), 500)
    timeline.take(ended(), 600)
    timeline.take(audio(200, "a2", "r2"), 600)
    silence(timeline, 500, 640)
    hears(timeline, 640, 840)
    assert timeline.assistant_spans == [Span(0, 500), Span(640, 840)]
    assert timeline.latencies == [Latency(600, 640)]


def test_a_pause_belongs_to_the_speech_around_it() -> None:
    timeline = Timeline()
    hears(timeline, 0, 200)
    silence(timeline, 200, 700)
    hears(timeline, 700, 900)
    silence(timeline, 900, 1900)
    hears(timeline, 1900, 2000)
    assert timeline.assistant_spans == [Span(0, 900), Span(1900, 2000)]


def test_tools_get_their_answers_in_order() -> None:
    timeline = Timeline()
    for call_id in ("c1", "c2"):
        timeline.take(ToolCall(vendor="x", call_id=call_id, name="f", arguments={"a": 1}), 10)
    timeline.answered("f", {"a": 1}, "first", 20)
    timeline.answered("f", {"a": 2}, "nobody asked", 20)
    timeline.answered("f", {"a": 1}, "second", 30)
    assert [(t.call_id, t.answer, t.answered_ms) for t in timeline.tools] == [
        ("c1", "first", 20),
        ("c2", "second", 30),
    ]


def test_errors_and_the_end_are_kept() -> None:
    timeline = Timeline()
    timeline.take(ErrorEvent(vendor="x", error=RealtimeError("oops")), 10)
    timeline.fail("no session", 30)
    close = SessionClose(vendor="x")
    timeline.take(close, 40)
    timeline.conclude("went wrong", failed=True)
    assert timeline.failures == [Failure("oops", 10, False), Failure("no session", 30, True)]
    assert (timeline.close, timeline.verdict, timeline.failed) == (close, "went wrong", True)
    assert timeline.duration_ms == 40


def test_transcripts_find_their_utterance() -> None:
    timeline = Timeline()
    timeline.take(said("before any speech", None), 5)
    timeline.take(started("u1"), 10)
    timeline.take(ended("u1"), 20)
    timeline.take(started("u2"), 30)
    timeline.take(said("partial", "u1", final=False), 40)
    timeline.take(said("whole", "u1"), 45)
    timeline.take(said("the last one", None), 50)
    timeline.take(said("of nobody", "u9"), 60)
    assert [(w.start_ms, w.text) for w in timeline.caller_words] == [
        (5, "before any speech"),
        (10, "whole"),
        (30, "the last one"),
        (60, "of nobody"),
    ]
    assert timeline.caller_spans == [Span(10, 20), Span(30, 60)]


def test_texts_without_ids_do_not_run_together() -> None:
    timeline = Timeline()
    timeline.take(text("One.", None), 10)
    timeline.take(text("Two.", None), 20)
    assert [w.text for w in timeline.assistant_words] == ["One.", "Two."]


def test_marks_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_core.timeline_sides.MOST_MARKS", 2)
    timeline = Timeline()
    for n in range(5):
        timeline.fail("again", n)
    assert len(timeline.failures) == 2
    assert timeline.dropped == 3
