"""What is shown: lines for every event, and the live view drawn to a terminal of the test's own."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from realtime_core import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    RealtimeError,
    SessionClose,
    SessionOpen,
    ToolCall,
    Usage,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
)
from realtime_core.cli.levels import SILENT_DBFS, level_dbfs, loudest_dbfs
from realtime_core.cli.live import LiveView, Meter
from realtime_core.cli.narration import Line, Narrator
from realtime_core.cli.summary import summary_rows, summary_table
from realtime_core.cli.view import PlainView
from realtime_core.timeline_marks import BargeIn
from tests.cli.test_verdict import outcome

AUDIO = AssistantAudio(vendor="x", audio=np.full(480, 16384, dtype="<i2").tobytes(), item_id="i")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (SessionOpen(vendor="x", session_id="s1"), "session.open           s1"),
        (SessionOpen(vendor="x"), "session.open"),
        (UserSpeechStarted(vendor="x"), "user.speech.started"),
        (
            UserSpeechStarted(vendor="x", at_ms=40, interrupts=True),
            "user.speech.started    from 40 ms of the audio sent, interrupts the reply",
        ),
        (
            UserSpeechEnded(vendor="x", at_ms=90),
            "user.speech.ended      to 90 ms of the audio sent",
        ),
        (UserTranscript(vendor="x", text="a", final=False), 'user.transcript        "a" ...'),
        (
            UserTranscript(vendor="x", text="a\x1b[2J\nb", final=True),
            'user.transcript        "a [2J b"',
        ),
        (AssistantText(vendor="x", text="c", final=True), 'assistant.text         "c"'),
        (AUDIO, "assistant.audio        the first piece"),
        (
            ToolCall(vendor="x", call_id="c1", name="weather", arguments={"city": "Bonn"}),
            "tool.call              weather, 1 arguments (c1)",
        ),
        (
            Interrupted(vendor="x", heard_ms=5, cut_ms=6, truncated=True),
            "assistant.interrupted  heard 5 ms, cut 6 ms, the model knows",
        ),
        (
            AssistantTurnEnd(vendor="x", status="failed", tool_names=("a", "b")),
            "assistant.turn.end     failed, 0.00 s of audio in 0 pieces, calls a, b",
        ),
        (
            AssistantTurnEnd(vendor="x", usage=Usage(input_tokens=1, output_tokens=2)),
            "assistant.turn.end     completed, 0.00 s of audio in 0 pieces, 1 tokens in, 2 out",
        ),
        (
            ErrorEvent(vendor="x", error=RealtimeError("busy\nnow")),
            "error                  (protocol) busy now",
        ),
        (
            ErrorEvent(vendor="x", error=RealtimeError("told at the end"), fatal=True),
            "error                  fatal (protocol)",
        ),
        (
            SessionClose(vendor="x", code=None, reason="bye", initiator="vendor"),
            "session.close          by the vendor, no code, bye",
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Event) else "",
)
def test_every_event_has_a_line(event: Event, line: str) -> None:
    assert str(Narrator(24000).line(7.4, event)) == f"       7  {line}"


def test_pieces_between_the_first_and_the_end_have_no_line() -> None:
    narrator = Narrator(24000)
    pieces = [AUDIO, AUDIO, AUDIO, AssistantTurnEnd(vendor="x")]
    lines = [narrator.line(0, event) for event in pieces]
    assert [line is not None for line in lines] == [True, False, False, True]
    assert "0.06 s of audio in 3 pieces" in str(lines[-1])


def test_levels() -> None:
    square = np.tile(np.array([16384, -16384], dtype="<i2"), 80).tobytes()
    assert level_dbfs(square) == pytest.approx(-6.02, abs=0.01)
    assert level_dbfs(bytes(320)) == level_dbfs(b"") == SILENT_DBFS
    assert loudest_dbfs(bytes(3200) + square * 2 + bytes(3200), 8000) == pytest.approx(
        -6.02, abs=0.01
    )
    assert loudest_dbfs(square[:100], 8000) == pytest.approx(-6.02, abs=0.01)


def test_the_meter_rises_at_once_and_falls_slowly() -> None:
    meter = Meter()
    meter.rise(-20.0, 1.0)
    assert meter.level(1.0) == -20.0
    meter.rise(-80.0, 1.1)
    assert -30.0 < meter.level(1.1) < -20.0
    assert meter.level(60.0) == SILENT_DBFS
    assert "dBFS" in meter.bar(1.1, 8).plain


def screen(
    width: int = 100, height: int = 30, *, recording_s: float | None = 1.0
) -> tuple[Console, LiveView, io.StringIO, list[float]]:
    out, now = io.StringIO(), [0.0]

    def clock() -> float:
        now[0] += 1.0  # every look is later than the pause between two drawings
        return now[0]

    console = Console(
        file=out,
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        legacy_windows=False,
    )
    view = LiveView(
        console, title="openai, gpt", recording_s=recording_s, rate_hz=24000, clock=clock
    )
    return console, view, out, now


def test_the_live_view_shows_levels_words_and_events() -> None:
    _, view, out, _ = screen()
    with view:
        view.note("the key 'modell' is ignored")
        view.event(0, SessionOpen(vendor="x", session_id="sess_1"))
        view.caller(AUDIO.audio, 0.5)
        view.event(100, UserSpeechStarted(vendor="x", at_ms=40))
        view.event(900, UserSpeechEnded(vendor="x", at_ms=800))
        view.event(901, UserTranscript(vendor="x", text="A table [for] two", final=True))
        view.event(902, AssistantText(vendor="x", text="With", final=False, item_id="i"))
        view.event(903, AUDIO)
        view.heard(AUDIO.audio)
        view.tell(Line(903, "tool.answer", "book: done"))
        view.event(904, AssistantText(vendor="x", text=" pleasure", final=False, item_id="i"))
        view.caller(bytes(640), 1.02)
        before_end = out.getvalue()
        view.event(905, AssistantTurnEnd(vendor="x"))
        view.event(906, AssistantText(vendor="x", text="Next", final=False, item_id="j"))
        view.event(907, AssistantText(vendor="x", text="Next one.", final=True, item_id="j"))
    assert "warning: the key 'modell' is ignored" in before_end
    assert "0.5 of 1.0 s sent" in before_end
    assert "tool.answer" in before_end
    assert "0.0 of 0.0 s heard" in before_end
    assert "With pleasure" in before_end
    last = out.getvalue()[len(before_end) :]
    assert "1.0 of 1.0 s sent, now silence" in last
    assert "A table [for] two" in last
    assert "Next one." in last
    assert "With pleasureNext" not in last
    assert "completed, 0.02 s of audio in 1 pieces" in last


@pytest.mark.parametrize("word", ["word ", "\u597d\u7684\uff0c"])
@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24), (40, 10)])
def test_the_live_view_fits_its_terminal(width: int, height: int, word: str) -> None:
    console, view, _, _ = screen(width, height)
    with view:
        for n in range(8):
            view.event(n, UserTranscript(vendor="x", text=word * 200, final=True, item_id=str(n)))
            view.event(n, AssistantText(vendor="x", text=word * 200, final=True, item_id=str(n)))
    lines = console.render_lines(view.__rich__())
    assert len(lines) <= max(height - 1, 14)


def test_a_slow_terminal_is_drawn_to_seldom() -> None:
    _, view, out, now = screen()
    with view:
        view.caller(AUDIO.audio, 0.5)
        drawn = len(out.getvalue())
        now[0] -= 3.0  # no time has passed
        view.caller(AUDIO.audio, 0.52)
        assert len(out.getvalue()) == drawn


def test_events_are_not_kept_waiting_by_the_terminal() -> None:
    _, view, out, _ = screen()
    with view:
        drawn = len(out.getvalue())
        view.event(0, SessionOpen(vendor="x"))
        assert len(out.getvalue()) == drawn


def test_on_a_narrow_terminal_the_figures_are_cut_off_first() -> None:
    console, view, _, _ = screen(40, 12)
    with view:
        view.event(1, UserSpeechStarted(vendor="x"))
    caller, assistant = ("".join(s.text for s in line) for line in console.render_lines(view)[1:3])
    assert caller.startswith("caller     ")
    assert "dBFS" in caller
    assert "\u25cf speaks" in caller
    assert assistant.startswith("assistant  ")


def test_what_was_cut_is_not_waited_for() -> None:
    _, view, _, now = screen()
    with view:
        view.event(1, AUDIO)
        view.event(2, AssistantAudio(vendor="x", audio=bytes(48000)))
        view.heard(AUDIO.audio)
        view.event(3, Interrupted(vendor="x", heard_ms=20, cut_ms=1000, truncated=True))
    told = [str(cell) for cell in view._meters(now[0]).columns[2].cells]
    assert "0.0 of 0.0 s heard, 1.0 s cut" in told[1]
    assert "speaks" not in told[1]


def test_the_live_view_says_who_speaks() -> None:
    _, view, _, now = screen()
    view._clock = lambda: now[0]
    now[0] = 10.0

    def does() -> list[str]:
        return [str(cell).split()[1] for cell in view._meters(now[0]).columns[2].cells]

    view.event(1, UserSpeechStarted(vendor="x"))
    assert does() == ["speaks", "of"]
    view.event(2, UserSpeechEnded(vendor="x"))
    view.event(3, AUDIO)
    assert does() == ["of", "prepares"]
    view.heard(AUDIO.audio)
    assert does() == ["of", "speaks"]
    now[0] += 0.1
    view.heard(bytes(960))
    assert does() == ["of", "speaks"]  # a pause is no end
    now[0] += 5.0
    assert does() == ["of", "prepares"]


def test_with_a_microphone_there_is_no_end_to_what_is_sent() -> None:
    _, view, out, _ = screen(recording_s=None)
    with view:
        view.caller(AUDIO.audio, 0.5)
    assert "0.5 s sent" in out.getvalue()
    assert " of " not in out.getvalue().partition("sent")[0].rpartition("caller")[2]


def test_lines_tell_what_is_no_event(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainView(24000) as view:
        view.heard(AUDIO.audio)
        view.tell(Line(903, "tool.answer", "book: done"))
    assert capsys.readouterr().out == "     903  tool.answer            book: done\n"


def test_lines_end_where_nobody_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def gone(line: str, *, err: bool) -> None:
        tried.append(line)
        raise BrokenPipeError

    monkeypatch.setattr("click.echo", gone)
    with PlainView(24000) as view:
        view.event(0, SessionOpen(vendor="x"))
        view.tell(Line(903, "tool.answer", "book: done"))
    assert len(tried) == 1


def test_the_summary_tells_how_long_was_waited() -> None:
    rows = summary_rows(outcome(), partner="x", files=[], waits_ms=[560.4, 700])
    assert rows["answered after, as heard"] == "560 ms, 700 ms"


def test_the_summary_tells_of_barge_ins() -> None:
    cut = BargeIn(0, 1200, 3440, True)
    rows = summary_rows(outcome(), partner="x", files=[], barge_ins=[cut, cut])
    assert rows["barge-ins"] == "heard 1.2 s and cut 3.4 s, heard 1.2 s and cut 3.4 s"


def test_the_summary_says_what_is_not_known() -> None:
    rows = summary_rows(outcome(), partner="x", files=[])
    assert rows["tokens in, out"] == "not reported"
    assert rows["end of speech to first audio"] == "-"
    assert rows["turns"] == "none"
    assert {"session close", "files written"} & set(rows) == set()
    console = Console(file=io.StringIO(), width=60)
    console.print(summary_table(rows))
    assert isinstance(console.file, io.StringIO)
    assert "not reported" in console.file.getvalue()
