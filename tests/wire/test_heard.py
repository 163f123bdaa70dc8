"""What was heard of a reply that is cut, and how such a reply ends."""

from __future__ import annotations

import pytest

from realtime_core.events import AssistantTurnEnd
from realtime_core.options import Options, ServerVAD
from realtime_core.usage import Usage

from .kit import (
    DASHSCOPE,
    OPENAI,
    Talk,
    audio,
    audio_done,
    created,
    done,
    every_dialect,
    on,
    pcm,
    said,
    speech,
)


def told_vendor(talk: Talk) -> list[tuple[str, str, int | None]]:
    """What the vendor was told of its items."""
    return [
        (frame["type"].split(".")[-1], frame["item_id"], frame.get("audio_end_ms"))
        for frame in talk.sent()
        if "item_id" in frame
    ]


def two_replies(dialect: str, first_ms: int = 2000) -> Talk:
    """One that was generated whole and is still heard, and one that began behind it."""
    talk = Talk(dialect).open().say(created("R1"), audio(pcm(first_ms), "R1", "A1"))
    talk.say(audio_done("R1", "A1"), done("R1")).wait(0.1)
    return talk.say(created("R2"))


@on(*OPENAI)
def test_a_figure_is_of_the_current_reply_and_not_of_one_that_was_heard(dialect: str) -> None:
    talk = two_replies(dialect).say(audio(pcm(2000), "R2", "A2"))
    talk.wire.report_playback("A1", 2000, True, 2.0)
    talk.wire.report_playback("A2", 1000, False, 3.0)
    talk.now = 3.0
    talk.wire.cancel(1000, talk.now)
    assert told_vendor(talk) == [("truncate", "A2", 1000)]
    talk.say(done("R2", "cancelled"))
    assert talk.told_of("interrupted") == [("interrupted", "A2", 1000, 1000, "truncated")]


@on(*OPENAI)
def test_a_figure_of_a_reply_without_audio_leaves_the_one_before_it_alone(dialect: str) -> None:
    talk = two_replies(dialect, 500)
    talk.wire.report_playback("A1", 500, True, 0.6)
    talk.now = 1.0
    talk.wire.cancel(0, talk.now)
    assert told_vendor(talk) == []


@on(*OPENAI)
def test_a_figure_is_of_the_earlier_reply_while_that_one_is_still_heard(dialect: str) -> None:
    talk = two_replies(dialect).say(audio(pcm(2000), "R2", "A2")).wait(1)
    talk.wire.cancel(1000, talk.now)
    assert told_vendor(talk) == [("truncate", "A1", 1000), ("delete", "A2", None)]


@on(*OPENAI)
def test_a_figure_runs_over_the_items_of_one_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(500)), audio(pcm(500), item="A2"))
    talk.wire.report_playback("A1", 500, True, 0.5)
    talk.now = 0.7
    talk.wire.cancel(700, talk.now)
    assert told_vendor(talk) == [("truncate", "A2", 200)]


@pytest.mark.parametrize("played_ms", [496, 499, 500, 501])
@on(*OPENAI)
def test_an_item_reported_to_its_end_but_for_a_little_is_whole(
    dialect: str, played_ms: int
) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(500.5)), audio_done())
    talk.say(audio(pcm(500), item="A2")).wait(0.6)
    talk.wire.report_playback("A1", played_ms, True, talk.now)
    talk.wire.report_playback("A2", 100, False, talk.now)
    talk.say(speech(), done(status="cancelled")).wait(0.2)
    assert told_vendor(talk) == [("truncate", "A2", 100)]
    assert talk.told_of("interrupted") == [("interrupted", "A2", 600, 400, "truncated")]


@on(*OPENAI)
def test_an_item_of_which_nothing_was_played_is_not_whole(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(4)))
    talk.say(speech())
    talk.wire.report_playback("A1", 0, True, talk.now)
    assert told_vendor(talk) == [("truncate", "A1", 0)]


@pytest.mark.parametrize("status", ["completed", "incomplete", "cancelled"])
@every_dialect
def test_a_cut_reply_that_the_vendor_had_ended_by_then_is_cancelled(
    dialect: str, status: str
) -> None:
    talk = Talk(dialect).open().say(created(), said("Hi"), audio(pcm(1000))).wait(0.2)
    talk.wire.cancel(200, talk.now)
    talk.say(done(status=status, usage={"input_tokens": 7}, status_details={"reason": "length"}))
    (ended,) = [each for each in talk.effects() if isinstance(each, AssistantTurnEnd)]
    assert (ended.status, ended.usage) == ("cancelled", Usage(input_tokens=7))


@pytest.mark.parametrize("status", ["completed", "incomplete"])
@every_dialect
def test_a_given_up_reply_that_the_vendor_had_ended_by_then_is_cancelled(
    dialect: str, status: str
) -> None:
    talk = Talk(dialect).open()
    talk.wire.create_response(None, talk.now)
    talk.wire.cancel(None, talk.now)
    talk.begin().say(done(status=status))
    assert talk.told() == [("end", "R1", "cancelled")]


@every_dialect
def test_a_cut_reply_that_failed_is_reported(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)))
    talk.wire.cancel(0, talk.now)
    code = "Throttling" if dialect in DASHSCOPE else "rate_limit_exceeded"
    talk.say(done(status="failed", status_details={"error": {"code": code}}))
    assert talk.told_of("error", "end") == [
        ("error", "rate_limit", False),
        ("end", "R1", "failed"),
    ]


@every_dialect
def test_the_end_of_a_reply_nobody_heard_of_ends_no_other(dialect: str) -> None:
    talk = Talk(dialect, Options(vad=ServerVAD(interrupt=False))).open()
    talk.say(created("R1"), audio(pcm(100)))
    talk.effects()
    talk.say(done("R0", "cancelled"), audio(b"\1\2", "R0", "A0"), audio())
    assert talk.told() == [("audio", b"\1\2", "A1", "R1")]
    assert talk.wire.late_audio == 1
    talk.wire.create_response(None, talk.now)
    assert talk.sent() == []  # R1 runs
    assert talk.say(done("R1")).kinds() == ["response.create"]


@every_dialect
def test_a_cut_before_any_whole_sample_names_no_item(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(b"\1"))
    talk.wire.cancel(None, talk.now)
    talk.say(done(status="cancelled")).wait(1)
    assert talk.told_of("interrupted") == [("interrupted", None, 0, 0)]
