"""The picture of a call, read back as XML."""

from __future__ import annotations

import random
import re
import runpy
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from realtime_core import (
    AssistantAudio,
    AssistantText,
    ErrorEvent,
    Event,
    Interrupted,
    RealtimeError,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.lettering import text_width
from realtime_core.picture import draw
from realtime_core.picture_scale import seconds
from realtime_core.svg import clean, escaped, number, tag
from realtime_core.testing.speech import speech_like
from realtime_core.timeline import Timeline

SVG = "{http://www.w3.org/2000/svg}"
CALLER = speech_like(1000, 16000)
HEARD = speech_like(1000, 24000)


class Script:
    """A call told in turns."""

    def __init__(self, provider: str = "local") -> None:
        self.timeline = Timeline(provider=provider)
        self.turns = 0

    def turn(
        self, t_ms: int, said: str, replied: str, *, reply_ms: int = 1000, cut: bool = False
    ) -> None:
        """Speech of 1 s; the answer is heard 700 ms after it."""
        timeline, item = self.timeline, f"{self.turns}"
        self.turns += 1
        answer = t_ms + 1700
        timeline.caller(CALLER, t_ms)
        timeline.take(UserSpeechStarted(vendor="x", item_id=item), t_ms)
        timeline.take(UserSpeechEnded(vendor="x", item_id=item), t_ms + 1000)
        timeline.take(UserTranscript(vendor="x", text=said, final=True, item_id=item), t_ms + 1100)
        pcm = HEARD * (reply_ms // 1000)
        timeline.take(AssistantAudio(vendor="x", audio=pcm, item_id=item, response_id=item), answer)
        timeline.take(AssistantText(vendor="x", text=replied, final=True, item_id=item), answer)
        for at in range(0, 1000 if cut else reply_ms, 20):
            timeline.heard(pcm[at * 48 : (at + 20) * 48], answer + at)
        if cut:
            timeline.take(UserSpeechStarted(vendor="x", interrupts=True), answer + 1000)
            event = Interrupted(vendor="x", heard_ms=1000, cut_ms=reply_ms - 1000, truncated=True)
            timeline.take(event, answer + 1050)


def drawn(timeline: Timeline) -> ET.Element:
    return ET.fromstring(draw(timeline))


def texts(picture: ET.Element) -> list[str]:
    return ["".join(each.itertext()) for each in picture.iter(f"{SVG}text")]


def classed(picture: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in picture.iter() if name in (each.get("class") or "").split()]


def test_a_turn_is_told_in_words_and_figures() -> None:
    script = Script()
    script.turn(500, "What time is it?", "It is noon.")
    script.timeline.conclude("completed")
    picture = drawn(script.timeline)
    assert picture.get("role") == "img"
    assert picture[0].text == "Call with local"
    assert "At 0.5 s the caller: What time is it?" in (picture[1].text or "")
    assert {"What time is it?", "It is noon.", "700 ms", "completed"} <= set(texts(picture))
    assert "3.2 s \u00b7 1 caller turn \u00b7 answered after 700 ms" in texts(picture)
    for side in ("wc", "wa"):
        (voice,) = classed(picture, side)
        assert (voice.get("d") or "").count("M") > 30
    assert len(classed(picture, "sc")) == len(classed(picture, "sa")) == 1
    assert len(classed(picture, "lw")) == 1


def test_a_barge_in_shows_what_was_heard_and_what_was_cut() -> None:
    script = Script()
    script.turn(0, "Talk to me.", "one two three four five six", reply_ms=3000, cut=True)
    picture = drawn(script.timeline)
    assert "interrupted: heard 1.0 s, cut 2.0 s" in texts(picture)
    (gone,) = classed(picture, "gone")
    assert gone.text == "four five six"
    assert len(classed(picture, "sg")) == len(classed(picture, "wg")) == 1
    assert "1 barge-in" in texts(picture)[1]
    assert "At 2.7 s interrupted: heard 1.0 s, cut 2.0 s." in (picture[1].text or "")


def test_words_without_blanks_are_struck_out_from_where_they_were_cut() -> None:
    script = Script()
    script.turn(0, "说。", "今天晚上七点半。谢", reply_ms=3000, cut=True)
    (gone,) = classed(drawn(script.timeline), "gone")
    assert gone.text == "上七点半。谢"


def test_an_item_that_was_not_heard_at_all_is_struck_out() -> None:
    script = Script()
    script.turn(0, "Talk to me.", "one two three", reply_ms=2000)
    timeline = script.timeline
    timeline.take(AssistantAudio(vendor="x", audio=HEARD, item_id="z"), 2600)
    timeline.take(AssistantText(vendor="x", text="never heard", final=True, item_id="z"), 2600)
    timeline.take(UserSpeechStarted(vendor="x", interrupts=True), 2700)
    assert "never heard" in [each.text for each in classed(drawn(timeline), "gone")]


def test_what_was_cut_is_drawn_up_to_the_next_thing_heard() -> None:
    script = Script()
    script.turn(0, "Talk.", "a long answer", reply_ms=5000, cut=True)
    script.turn(3000, "No.", "Yes.")
    picture = drawn(script.timeline)
    (ghost,) = classed(picture, "sg")
    ends = float(ghost.get("x") or 0) + float(ghost.get("width") or 0)
    assert ends == pytest.approx(float(classed(picture, "sa")[1].get("x") or 0), abs=0.2)


def test_tools_and_errors_are_told_at_their_time() -> None:
    timeline = Timeline()
    timeline.caller(bytes(32000 * 3), 0)
    timeline.take(ToolCall(vendor="x", call_id="c", name="book", arguments={"n": "<4>"}), 900)
    timeline.take(ToolCall(vendor="x", call_id="d", name="slow", arguments={}), 950)
    timeline.answered("book", {"n": "<4>"}, '{"table": 12}', 1000)
    timeline.take(ErrorEvent(vendor="x", error=RealtimeError("busy & tired")), 1500)
    timeline.take(ErrorEvent(vendor="x", error=RealtimeError("gone"), fatal=True), 3000)
    timeline.conclude("the session ended: gone", failed=True)
    picture = drawn(timeline)
    told = texts(picture)
    assert 'tool book(n="<4>") \u2192 {"table": 12}' in told
    assert "tool slow()" in told
    assert "error: busy & tired" in told
    assert "the end: gone" in told
    assert {"failed", "the session ended: gone"} <= set(told)
    assert len(classed(picture, "lb")) == 2


def test_a_session_that_never_was_is_drawn_too() -> None:
    timeline = Timeline(provider="x")
    timeline.fail("HTTP 401", 0)
    timeline.conclude("the session did not start: HTTP 401", failed=True)
    assert "the end: HTTP 401" in texts(drawn(timeline))
    assert "Call" in texts(drawn(Timeline()))


def test_a_long_call_is_broken_into_rows_where_nobody_speaks() -> None:
    script = Script()
    for turn in range(12):
        script.turn(turn * 10_000 + 500, f"question {turn}", f"answer {turn}", reply_ms=6000)
    picture = drawn(script.timeline)
    told = texts(picture)
    rows = told.count("caller")
    assert 6 <= rows <= 20
    for turn in range(12):
        assert told.count(f"question {turn}") == told.count(f"answer {turn}") == 1
    assert "1:45" in told
    # Nothing is torn: every speech and every bracket is in one row.
    assert len(classed(picture, "sc")) == len(classed(picture, "sa")) == 12
    assert len(classed(picture, "lw")) == 12


def test_speech_without_a_pause_is_broken_all_the_same() -> None:
    timeline = Timeline()
    for second in range(50):
        timeline.heard(HEARD, second * 1000)
    picture = drawn(timeline)
    assert texts(picture).count("caller") == 3
    assert len(classed(picture, "sa")) == 3


def test_where_somebody_always_waits_it_is_broken_in_a_wait_and_not_in_speech() -> None:
    script = Script()
    for turn in range(8):
        script.turn(turn * 2700, "Yes.", "No.", reply_ms=1000)
    picture = drawn(script.timeline)
    assert texts(picture).count("caller") == 2
    assert len(classed(picture, "sc")) == len(classed(picture, "sa")) == 8


def test_the_end_of_a_call_has_no_row_of_its_own_when_it_is_short() -> None:
    timeline = Timeline()
    for second in range(14):
        timeline.heard(HEARD, second * 1000)
    assert texts(drawn(timeline)).count("caller") == 1


def test_above_a_long_call_is_a_strip_of_the_whole() -> None:
    script = Script()
    for turn in range(4):
        script.turn(turn * 10_000 + 500, "Talk.", "a long answer", reply_ms=6000, cut=turn == 1)
    script.timeline.fail("gone", 20_000)
    picture = drawn(script.timeline)
    assert "whole call" in texts(picture)
    assert (len(classed(picture, "oc")), len(classed(picture, "oa"))) == (5, 4)
    assert (len(classed(picture, "lc")), len(classed(picture, "lb"))) == (2, 2)
    assert {float(each.get("height") or 0) for each in classed(picture, "oc")} == {11.0}


def test_a_slow_answer_stands_out() -> None:
    timeline = Timeline()
    for t_ms, waits_ms in ((0, 1900), (5000, 2100)):
        timeline.caller(CALLER, t_ms)
        timeline.take(UserSpeechStarted(vendor="x"), t_ms)
        timeline.take(UserSpeechEnded(vendor="x"), t_ms + 1000)
        begins = t_ms + 1000 + waits_ms
        timeline.take(AssistantAudio(vendor="x", audio=HEARD, response_id=f"{t_ms}"), begins)
        timeline.heard(HEARD, begins)
    picture = drawn(timeline)
    assert [each.text for each in classed(picture, "slow") if each.text] == ["2.1 s"]
    assert "answered after 2.0 s (median), 2.1 s at most" in texts(picture)[1]


def test_words_left_of_their_mark_end_at_it() -> None:
    timeline = Timeline()
    timeline.caller(bytes(32000 * 10), 0)
    timeline.fail("it broke and nobody knows why", 9_900)
    picture = drawn(timeline)
    (label,) = (each for each in classed(picture, "bad") if each.tag == f"{SVG}text")
    (line,) = classed(picture, "lb")
    at = float((line.get("d") or "M0").removeprefix("M").partition(" ")[0])
    assert label.get("text-anchor") == "end"
    assert at - 12 < float(label.get("x") or 0) < at


def boxes(picture: ET.Element, class_: str) -> list[tuple[float, float]]:
    return [(float(e.get("x") or 0), float(e.get("y") or 0)) for e in classed(picture, class_)]


def test_labels_stay_inside_and_off_each_other() -> None:
    script = Script()
    words = "a rather long sentence that goes on and on, further than the speech itself"
    for turn in range(5):
        script.turn(turn * 3000, words, words)
    picture = drawn(script.timeline)
    for class_ in ("caller", "assistant"):
        places = [place for place in boxes(picture, class_) if place[0] > 100]
        assert len(set(places)) == len(places)
        assert all(place[0] <= 1176 - 100 for place in places)
    y = sorted({place[1] for place in boxes(picture, "caller") if place[0] > 100})
    assert all(b - a >= 16 for a, b in pairwise(y))


@pytest.mark.parametrize("words", ["</text><script>", "\x00\x1b[2J\ud800 & \u2028", "'\"<>&"])
def test_whatever_is_said_stays_text(words: str) -> None:
    script = Script(provider=words)
    script.turn(0, words, words, reply_ms=2000, cut=True)
    script.timeline.fail(words, 100)
    script.timeline.conclude(words, failed=True)
    svg = draw(script.timeline)
    svg.encode()
    assert "<script" not in svg
    ET.fromstring(svg)


ODD_WORDS = (
    "",
    "a",
    "\u597d\u7684\u6ca1\u95ee\u9898",
    "word " * 60,
    "x" * 300,
    "\u05d0\u05d1 \u05d2",
    "\U0001f44d ok",
)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_in_whatever_order_is_drawn_inside(seed: int) -> None:
    pick = random.Random(seed)
    timeline, now = Timeline(provider=pick.choice(ODD_WORDS)), 0.0
    for _ in range(80):
        now = max(0.0, now + pick.choice([0, 20, 100, 900, 5000, -50, -3000]))
        words, item = pick.choice(ODD_WORDS), pick.choice([None, "1", "2"])
        audio = HEARD * pick.randrange(6)
        event: Event = pick.choice(
            [
                UserSpeechStarted(vendor="x", item_id=item, interrupts=pick.random() < 0.5),
                UserSpeechEnded(vendor="x", item_id=item),
                UserTranscript(vendor="x", item_id=item, text=words, final=True),
                AssistantText(vendor="x", item_id=item, text=words, final=pick.random() < 0.5),
                AssistantAudio(vendor="x", item_id=item, response_id=item, audio=audio),
                ToolCall(vendor="x", call_id="c", name=words, arguments={words: words}),
                Interrupted(vendor="x", heard_ms=500, cut_ms=90_000, truncated=True),
                ErrorEvent(vendor="x", error=RealtimeError(words), fatal=pick.random() < 0.3),
            ]
        )
        timeline.take(event, now)
        timeline.caller(CALLER[: 640 * pick.randrange(20)], now)
        timeline.heard(HEARD[: 960 * pick.randrange(20)], now)
    timeline.conclude(pick.choice(ODD_WORDS), failed=pick.random() < 0.5)
    picture = drawn(timeline)
    height = float(picture.get("height") or 0)
    for each in picture.iter():
        if each.get("x") is not None:
            x, y = float(each.get("x") or 0), float(each.get("y") or 0)
            assert 0 <= x <= x + float(each.get("width") or 0) <= 1000
            assert 0 <= y <= height


def test_marks_that_were_dropped_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_core.timeline_sides.MOST_MARKS", 1)
    timeline = Timeline()
    timeline.fail("a", 0)
    timeline.fail("b", 0)
    assert "1 error \u00b7 1 marks not shown" in texts(drawn(timeline))


def test_a_picture_has_a_background_and_needs_nothing_else() -> None:
    script = Script()
    script.turn(0, "Hi.", "Hello.")
    svg = draw(script.timeline)
    assert 'fill="#fff"' in svg
    assert not re.search(r"(href|src|@import|@font-face)", svg)


def test_writing_numbers_and_texts() -> None:
    assert [number(n) for n in (1, 1.04, 2.55, -0.01)] == ["1", "1", "2.5", "0"]
    assert (
        tag("a", class_="b", stroke_width=1.5, x='"')
        == '<a class="b" stroke-width="1.5" x="&quot;"/>'
    )
    assert clean(" a\n b\x00") == "a b"
    assert escaped(" <\x00") == " &lt; "
    assert (seconds(1240), seconds(60_000), seconds(75_400)) == ("1.2 s", "1 min 0 s", "1 min 15 s")


def test_the_picture_in_the_documentation_is_the_one_its_script_draws() -> None:
    script = Path(__file__).parents[2] / "docs" / "diagrams" / "call.py"
    timeline = runpy.run_path(str(script))["story"]()
    assert script.with_suffix(".svg").read_text("utf-8") == draw(timeline)


def test_a_long_title_keeps_clear_of_how_it_went() -> None:
    name = "aliyun_omni, qwen3.5-omni-flash-realtime, on the loopback vendor"
    timeline = Timeline(provider=name)
    timeline.conclude("completed")
    picture = drawn(timeline)
    lines = ["".join(each.itertext()) for each in classed(picture, "title")]
    assert " ".join(lines) == f"Call with {name}"
    pill = next(each for each in picture.iter(f"{SVG}rect") if each.get("rx") == "12.5")
    bold = 22  # a bold letter of 20 is as wide as a plain one of 22
    assert all(24 + text_width(line, bold) < float(pill.get("x", 0)) for line in lines)


def test_an_end_told_in_a_sentence_stands_under_the_title() -> None:
    told = "stopped after 4 s (--timeout), before the call was over"
    timeline = Timeline()
    timeline.conclude(told)
    assert texts(drawn(timeline))[:3] == ["Call", "", told]


def test_texts_two_seconds_apart_stand_side_by_side() -> None:
    script = Script()
    replies = [f"{letter}. {'l' * 100}" for letter in "XYZ"]  # it fills its lines to the end
    for n, reply in enumerate(replies):
        script.turn(2200 * n, "Well?", reply, cut=True)
    script.timeline.caller(CALLER, 11_000)
    lines = {
        "".join(each.itertext())[:5]: each.get("y")
        for each in drawn(script.timeline).iter(f"{SVG}text")
    }
    assert lines["X."] == lines["Y."]
