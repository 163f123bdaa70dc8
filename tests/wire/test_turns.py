"""Replies: their order, audio, texts, ends, and what servers leave out or send twice."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_core.events import AssistantTurnEnd
from realtime_core.options import Options, SemanticVAD, ServerVAD
from realtime_core.usage import Usage
from realtime_core.wire import AudioDelta

from .kit import (
    CODECS,
    DASHSCOPE,
    OPENAI,
    Talk,
    audio,
    audio_done,
    call,
    created,
    done,
    error,
    every_dialect,
    in_beta_names,
    item_done,
    message,
    on,
    pcm,
    recorded,
    said,
    said_all,
    silence,
    speech,
    transcript,
)

R1, A1, U1 = "resp_R1", "item_A1", "item_U1"
TEXTS = [
    ("text", "Hello", False, A1, R1),
    ("text", " there.", False, A1, R1),
    ("audio", bytes(range(8)), A1, R1),
]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("names", ["ga", "beta"])
@on(*OPENAI)
def test_a_whole_vad_turn_of_openai(dialect: str, names: str, codec: str) -> None:
    talk = Talk(dialect, codec=CODECS[codec])
    talk.wire.open(0)
    script = recorded("openai/vad_turn")
    talk.say(*(map(in_beta_names, script) if names == "beta" else script))
    assert talk.kinds() == ["session.update"]
    assert talk.told() == [
        ("open", "sess_1"),
        ("speech", U1, 320, False),
        ("silence", U1, 1480),
        *TEXTS,
        ("heard", "Good", False, U1),
        ("heard", "Good morning.", False, U1),
        ("heard", "Good morning.", True, U1),
        ("audio", bytes(range(8, 12)), A1, R1),
        ("audio end", A1, R1),
        ("text", "Hello there.", True, A1, R1),
        ("end", R1, "completed"),
    ]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("names", ["ga", "beta"])
@on(*DASHSCOPE)
def test_a_whole_vad_turn_of_dashscope(dialect: str, names: str, codec: str) -> None:
    talk = Talk(dialect, codec=CODECS[codec])
    talk.wire.open(0)
    for frame in recorded("dashscope/vad_turn"):
        if names == "ga":  # the reverse of the table, by hand
            frame["type"] = frame["type"].replace("response.audio", "response.output_audio")
        talk.say(frame)
    assert talk.kinds() == ["session.update"]
    assert talk.told() == [
        ("open", "sess_1"),
        ("speech", U1, 320, False),
        ("heard", "Good", False, U1),
        ("silence", U1, 1480),
        ("text", "Hello", False, A1, R1),
        ("heard", "Good morning.", False, U1),
        *TEXTS[1:],
        ("heard", "Good morning.", True, U1),
        ("audio", bytes(range(8, 12)), A1, R1),
        ("text", "Hello there.", True, A1, R1),
        ("audio end", A1, R1),
        ("end", R1, "completed"),
    ]


@pytest.mark.parametrize("script", ["openai/vad_turn", "dashscope/vad_turn"])
@every_dialect
def test_usage_is_read_in_either_spelling(dialect: str, script: str) -> None:
    talk = Talk(dialect)
    talk.wire.open(0)
    talk.say(*recorded(script))
    (end,) = [effect for effect in talk.effects() if isinstance(effect, AssistantTurnEnd)]
    of_openai = script.startswith("openai")
    assert end.usage == Usage(
        input_tokens=100,
        output_tokens=20,
        input_text_tokens=40,
        input_audio_tokens=60,
        input_image_tokens=0 if of_openai else None,
        input_cached_tokens=32 if of_openai else None,
        output_text_tokens=5,
        output_audio_tokens=15,
    )


@pytest.mark.parametrize(
    "usage", [None, 7, "much", [], {"input_tokens": "many", "input_token_details": None}]
)
@every_dialect
def test_usage_that_is_none_costs_nothing(dialect: str, usage: Any) -> None:
    talk = Talk(dialect).open().say(created(), done(usage=usage))
    (end,) = talk.effects()
    assert isinstance(end, AssistantTurnEnd)
    assert end.usage in (None, Usage())


@every_dialect
def test_a_written_reply(dialect: str) -> None:
    def text(kind: str, **fields: Any) -> dict[str, Any]:
        return {
            "type": f"response.output_text.{kind}",
            "response_id": "R1",
            "item_id": "A",
            **fields,
        }

    talk = Talk(dialect, Options(modalities=("text",))).open()
    talk.say(created(), text("delta", delta="So "), text("delta", delta="be it."))
    talk.say(text("done", text="So be it."), done())
    assert talk.told() == [
        ("text", "So ", False, "A", "R1"),
        ("text", "be it.", False, "A", "R1"),
        ("text", "So be it.", True, "A", "R1"),
        ("end", "R1", "completed"),
    ]


@every_dialect
def test_several_message_items_in_one_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    talk.say(said("Wait.", item="A1"), audio(b"\1\2", item="A1"), audio_done(item="A1"))
    talk.say(said_all("Wait.", item="A1"), item_done(message("Wait.", "A1")))
    talk.say(said("Here.", item="A2"), audio(b"\3\4", item="A2"), audio_done(item="A2"))
    talk.say(said_all("Here.", item="A2"), item_done(message("Here.", "A2")))
    talk.say(done(output=[message("Wait.", "A1"), message("Here.", "A2")]))
    assert talk.told() == [
        ("text", "Wait.", False, "A1", "R1"),
        ("audio", b"\1\2", "A1", "R1"),
        ("audio end", "A1", "R1"),
        ("text", "Wait.", True, "A1", "R1"),
        ("text", "Here.", False, "A2", "R1"),
        ("audio", b"\3\4", "A2", "R1"),
        ("audio end", "A2", "R1"),
        ("text", "Here.", True, "A2", "R1"),
        ("end", "R1", "completed"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "audio", "transcript": "Hello."}],
        [{"type": "output_audio", "transcript": "Hello."}],
        [{"type": "audio", "text": "Hello."}],
        [{"type": "text", "text": "Hello."}],
        [{"type": "output_text", "text": "Hel"}, {"type": "output_text", "text": "lo."}],
    ],
)
@every_dialect
def test_a_final_text_that_was_missed_is_made_up_from_the_end(dialect: str, content: Any) -> None:
    item = {"id": "A1", "type": "message", "content": content}
    talk = Talk(dialect).open().say(created(), audio(), done(output=[item]))
    assert talk.told() == [
        ("audio", b"\1\2", "A1", "R1"),
        ("text", "Hello.", True, "A1", "R1"),
        ("audio end", "A1", "R1"),
        ("end", "R1", "completed"),
    ]


@every_dialect
def test_a_text_nobody_finished_is_finished_by_the_end(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), said("Hel"), said("lo"), done())
    assert talk.told()[2:] == [("text", "Hello", True, "A1", "R1"), ("end", "R1", "completed")]


@pytest.mark.parametrize("end", [said_all(""), {**said_all(""), "transcript": None}])
@every_dialect
def test_a_final_text_without_text_is_what_was_said(dialect: str, end: dict[str, Any]) -> None:
    talk = Talk(dialect).open().say(created(), said("Hel"), said("lo"), end, done())
    assert talk.told_of("text")[2:] == [("text", "Hello", True, "A1", "R1")]


@every_dialect
def test_response_created_may_be_missing(dialect: str) -> None:
    for first in (
        audio(),
        said("Hi"),
        {"type": "response.output_item.added", "response_id": "R1", "item": {}},
    ):
        talk = Talk(dialect).open().say(first)
        assert talk.wire.deadline() == 30
        talk.say(created())  # late, not a second reply
        assert talk.say(done()).told()[-1] == ("end", "R1", "completed")
        assert talk.wire.deadline() is None
    whole = Talk(dialect).open().say(done(output=[message("Hi.")]))
    assert whole.told() == [("text", "Hi.", True, "A1", "R1"), ("end", "R1", "completed")]


@pytest.mark.parametrize("reply", [None, ""])
@every_dialect
def test_response_done_without_an_id_ends_the_running_reply(dialect: str, reply: Any) -> None:
    talk = Talk(dialect).open().say(done(reply, status="cancelled"))
    assert talk.told() == []
    talk.say(created(), audio(), done(reply, status="cancelled"), done(reply))
    assert talk.told_of("audio", "end") == [
        ("audio", b"\1\2", "A1", "R1"),
        ("end", "R1", "cancelled"),
    ]


@every_dialect
def test_a_reply_whose_announcement_has_no_id_takes_that_of_its_frames(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(None), audio(), done())
    assert talk.told()[-1] == ("end", "R1", "completed")
    assert talk.say(audio()).told() == []


@every_dialect
def test_frames_without_ids_belong_to_the_running_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(reply=None, item=None), done())
    assert talk.told() == [
        ("audio", b"\1\2", None, "R1"),
        ("end", "R1", "completed"),
    ]


@every_dialect
def test_a_superseded_reply_ends_before_the_next_begins(dialect: str) -> None:
    talk = Talk(dialect).open().say(created("R1"), said("One"), created("R2"), audio(reply="R2"))
    talk.say(audio(reply="R1"), done("R1"), done("R2"))
    assert talk.told() == [
        ("text", "One", False, "A1", "R1"),
        ("text", "One", True, "A1", "R1"),
        ("end", "R1", "cancelled"),
        ("audio", b"\1\2", "A1", "R2"),
        ("audio end", "A1", "R2"),
        ("end", "R2", "completed"),
    ]
    assert talk.wire.late_audio == 1


@every_dialect
def test_late_frames_of_an_ended_reply_are_left_out_and_counted(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(), done(status="cancelled"))
    talk.effects()
    talk.say(audio(), audio(), said("late"), said_all("late"), audio_done(), created(), done())
    talk.say(item_done(call("c1")))
    assert talk.told() == []
    assert talk.wire.late_audio == 2


@on(*DASHSCOPE)
def test_frames_sent_twice_are_told_by_their_event_id(dialect: str) -> None:
    talk = Talk(dialect)
    talk.wire.open(0)
    for frame in recorded("dashscope/vad_turn"):
        talk.say(frame, frame)
    twice = talk.told()
    talk = Talk(dialect)
    talk.wire.open(0)
    assert twice == talk.say(*recorded("dashscope/vad_turn")).told()


@pytest.mark.parametrize("event_id", [None, "", 7, []])
@on(*DASHSCOPE)
def test_frames_without_an_event_id_are_never_duplicates(dialect: str, event_id: Any) -> None:
    talk = Talk(dialect).open().say(created())
    talk.say({**audio(), "event_id": event_id}, {**audio(), "event_id": event_id})
    assert talk.told() == [("audio", b"\1\2", "A1", "R1")] * 2


@on(*OPENAI)
def test_openai_repeats_no_event_so_nothing_is_dropped(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    talk.say({**audio(), "event_id": "e"}, {**audio(), "event_id": "e"})
    assert len(talk.told()) == 2


@pytest.mark.parametrize("kind", ["response.done", "response.created"])
@every_dialect
def test_ends_and_announcements_sent_twice_count_once(dialect: str, kind: str) -> None:
    script = [created(), said("Hi"), done()]
    frames = [frame for each in script for frame in ([each] * (1 + (each["type"] == kind)))]
    talk = Talk(dialect).open().say(*frames)
    assert talk.told_of("end") == [("end", "R1", "completed")]


@pytest.mark.parametrize("codec", CODECS)
@every_dialect
def test_an_odd_byte_waits_for_the_next_delta(dialect: str, codec: str) -> None:
    talk = Talk(dialect, codec=CODECS[codec]).open().say(created())
    talk.say(audio(b"\1\2\3"), audio(b"\4"), audio(b"\5"), audio(b""), audio(b"\6\7\10"))
    pieces = [effect for effect in talk.effects() if isinstance(effect, AudioDelta)]
    assert [piece.pcm for piece in pieces] == [b"\1\2", b"\3\4", b"\5\6\7\10"]


@every_dialect
def test_an_odd_byte_is_never_carried_into_another_item(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    talk.say(audio(b"\1\2\3", item="A1"), audio(b"\4\5", item="A2"), audio_done(item="A2"))
    talk.say(audio(b"\6\7\10", item="A2"), done(), created("R2"), audio(b"\11\12", reply="R2"))
    assert [each[1] for each in talk.told_of("audio")] == [
        b"\1\2",
        b"\4\5",
        b"\6\7",
        b"\11\12",
    ]


@every_dialect
def test_speech_during_a_reply_cuts_it(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), said("One two"), audio(pcm(500)))
    talk.effects()
    talk.now = 0.1
    talk.say(speech("U2", 4000), audio(), said(" three"), said_all("One two three."), audio_done())
    talk.say(done(status="cancelled", status_details={"reason": "turn_detected"}))
    assert talk.told() == [
        ("flush", "R1"),
        ("speech", "U2", 4000, True),
        ("text", "One two three.", True, "A1", "R1"),
    ]
    talk.wire.report_playback("A1", 80, True, talk.now)
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.told() == [("interrupted", "A1", 80, 420, *told), ("end", "R1", "cancelled")]
    # The server stops it, never both; it is told what was heard, where it can be.
    truncate = {"item_id": "A1", "content_index": 0, "audio_end_ms": 80}
    kind = {"type": "conversation.item.truncate", "event_id": "event_2"}
    assert talk.sent() == ([{**kind, **truncate}] if told else [])
    assert talk.wire.late_audio == 1


@every_dialect
def test_speech_while_a_finished_reply_is_still_heard_cuts_it_too(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)), audio_done(), done())
    talk.effects()
    talk.now = 0.9
    assert talk.say(speech()).told() == [("flush", None), ("speech", "U1", 100, True)]
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.wait(0.15).told() == [("interrupted", "A1", 900, 100, *told)]
    assert talk.say(silence(), speech("U2")).told()[-1] == ("speech", "U2", 100, False)


@every_dialect
def test_a_loss_before_it_is_settled_what_was_heard_settles_it(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)))
    talk.effects()
    talk.now = 0.4
    talk.say(speech(), done(status="cancelled")).effects()
    talk.now = 0.5
    talk.wire.receive_eof(1006, "", talk.now)
    assert [each[:4] for each in talk.told()] == [
        ("error", "transport", True),
        ("interrupted", "A1", 400, 600),
        ("end", "R1", "cancelled"),
        ("close", 1006, "network"),
    ]
    assert talk.wire.deadline() is None


@every_dialect
def test_speech_that_stutters_cuts_once(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)), audio_done(), done(), speech())
    talk.effects()
    talk.wait(0.1).say(silence(), speech("U2", 200))  # before it is settled what was heard
    assert talk.told() == [("silence", "U1", 900), ("speech", "U2", 200, False)]
    assert [each[0] for each in talk.wait(1).told()] == ["interrupted"]


@every_dialect
def test_speech_after_a_reply_was_heard_cuts_nothing(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)), audio_done(), done())
    talk.effects()
    talk.now = 1.1
    assert talk.say(speech()).told() == [("speech", "U1", 100, False)]


@pytest.mark.parametrize("vad", [ServerVAD(interrupt=False), SemanticVAD(interrupt=False)])
@every_dialect
def test_speech_that_may_not_interrupt_cuts_nothing(
    dialect: str, vad: ServerVAD | SemanticVAD
) -> None:
    talk = Talk(dialect, Options(vad=vad)).open().say(created(), audio(), speech(), audio(), done())
    assert talk.told() == [
        ("audio", b"\1\2", "A1", "R1"),
        ("speech", "U1", 100, False),
        ("audio", b"\1\2", "A1", "R1"),
        ("audio end", "A1", "R1"),
        ("end", "R1", "completed"),
    ]


@every_dialect
def test_a_start_of_speech_said_again_is_one(dialect: str) -> None:
    talk = Talk(dialect).open().say(speech(), speech(), silence(), speech("U2"), speech("U2"))
    assert talk.told() == [
        ("speech", "U1", 100, False),
        ("silence", "U1", 900),
        ("speech", "U2", 100, False),
    ]


@pytest.mark.parametrize(
    ("status", "details", "kind"),
    [
        ("failed", {"error": {"code": "rate_limit_exceeded", "message": "slow"}}, "rate_limit"),
        ("failed", {"error": {"type": "invalid_request_error", "message": "no"}}, None),
        ("failed", "The server had an error.", "vendor"),
        ("failed", None, "vendor"),
        ("failed", 7, "vendor"),
        ("failed", [], "vendor"),
        ("failed", {"error": None}, "vendor"),
        ("incomplete", {"reason": "max_output_tokens"}, "vendor"),
        ("incomplete", "content_filter", "vendor"),
        ("incomplete", None, "vendor"),
    ],
)
@every_dialect
def test_a_reply_that_failed_is_never_dead_air(
    dialect: str, status: str, details: Any, kind: str | None
) -> None:
    if dialect in DASHSCOPE and kind == "rate_limit":
        details = {"error": {"code": "Throttling.RateQuota", "message": "slow"}}
    talk = Talk(dialect).open().say(created(), done(status=status, status_details=details))
    told = talk.told()
    assert [(told[0][0], told[0][2]), *told[1:]] == [("error", False), ("end", "R1", status)]
    assert kind is None or told[0][1] == kind
    assert talk.say(created("R2"), done("R2")).told() == [("end", "R2", "completed")]


@pytest.mark.parametrize("reason", ["turn_detected", "client_cancelled"])
@every_dialect
def test_a_cancelled_reply_is_no_error(dialect: str, reason: str) -> None:
    details = {"type": "cancelled", "reason": reason}
    talk = Talk(dialect).open().say(created(), done(status="cancelled", status_details=details))
    assert talk.told() == [("end", "R1", "cancelled")]


@every_dialect
def test_why_a_reply_is_incomplete_is_said(dialect: str) -> None:
    details = {"type": "incomplete", "reason": "max_output_tokens"}
    talk = Talk(dialect).open().say(created(), done(status="incomplete", status_details=details))
    found = talk.vendor_error()
    assert found.code == "max_output_tokens"
    assert "max_output_tokens" in str(found)


@pytest.mark.parametrize("details", [None, {}, {"reason": None}, {"reason": {"deep": []}}])
@every_dialect
def test_an_incomplete_reply_without_a_reason_has_no_code(dialect: str, details: Any) -> None:
    talk = Talk(dialect).open().say(created(), done(status="incomplete", status_details=details))
    assert talk.vendor_error().code is None


@pytest.mark.parametrize("status", [None, "strange", 7, {}, "in_progress"])
@every_dialect
def test_a_reply_that_ended_somehow_has_ended(dialect: str, status: Any) -> None:
    talk = (
        Talk(dialect).open().say(created(), {**done(), "response": {"id": "R1", "status": status}})
    )
    assert talk.told() == [("end", "R1", "completed")]


@every_dialect
def test_a_reply_silent_for_thirty_seconds_is_dead(dialect: str) -> None:
    talk = Talk(dialect).open().say(created()).wait(20).say(audio()).wait(29)
    assert talk.told_of("error") == []
    talk.say({"type": "vendor.news"}, transcript("delta"))  # no sign of life of the reply
    talk.effects()
    assert talk.wait(0.9).told() == []
    assert talk.wait(0.1).told() == [
        ("error", "stalled", True),
        ("end", "R1", "failed"),
        ("close", None, "network"),
    ]
    assert talk.wire.deadline() is None


@pytest.mark.parametrize("by", ["speech", "cancel"])
@every_dialect
def test_a_cut_reply_the_vendor_never_ends_is_ended_here(dialect: str, by: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(pcm(1000)))
    talk.now = 0.4
    if by == "speech":
        talk.say(speech(), silence())
    else:
        talk.wire.cancel(None, talk.now)
    talk.say(audio()).wire.create_response("Go on.", talk.now)  # its last sign of life
    assert [each[0] for each in talk.wait(4.9).told_of("error", "interrupted", "end")] == []
    told = ("truncated",) if dialect in OPENAI else ()
    assert talk.wishes() == []
    assert talk.wait(0.2).told() == [
        ("interrupted", "A1", 400, 600, *told),
        ("end", "R1", "cancelled"),
    ]
    assert talk.wishes() == ["Go on."]
    talk.begin("R2").say(audio(), audio(reply="R2"))  # the old one wakes up again
    assert talk.told() == [("audio", b"\1\2", "A1", "R2")]


@every_dialect
def test_a_reply_that_was_asked_for_and_never_comes_is_dead_too(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.wire.create_response(None, talk.now)
    assert talk.wait(29.9).told() == []
    assert talk.wait(0.1).told() == [("error", "stalled", True), ("close", None, "network")]


@every_dialect
def test_an_idle_session_waits_for_ever(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), audio(), done(), speech(), silence())
    talk.wait(0.15).effects()  # it is settled what was heard of the reply
    assert talk.wire.deadline() is None
    assert talk.wait(7200).told() == []
    assert talk.sent() == []


@every_dialect
def test_errors_beside_a_reply_do_not_end_it(dialect: str) -> None:
    talk = Talk(dialect).open().say(created(), error("something"), audio(), done())
    assert [each[0] for each in talk.told()] == ["error", "audio", "audio end", "end"]


@every_dialect
def test_every_part_of_an_item_has_its_final_text(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    first, second = said_all("One."), {**said_all(" Two."), "content_index": 1}
    parts = [{"type": "audio", "transcript": each} for each in ("One.", " Two.", " Three.")]
    item = {"id": "A1", "type": "message", "content": parts}
    talk.say(said("One."), first, first, {**said(" Two."), "content_index": 1}, second)
    talk.say(item_done(item), second, done(output=[item]))
    finals = [each for each in talk.told_of("text") if each[2]]
    assert [each[1] for each in finals] == ["One.", " Two.", " Three."]


@every_dialect
def test_events_nobody_knows_are_signs_of_life_of_their_reply(dialect: str) -> None:
    talk = Talk(dialect).open().say(created())
    unknown = {"type": "response.mcp_call.in_progress", "item_id": "M1"}
    for _ in range(5):  # a long call of the vendor's own
        talk.wait(20).say({**unknown, "response_id": "R1"}).wait(20).say(unknown)
    assert talk.told() == []
    talk.say({**unknown, "response_id": "R0"}).wait(29.9)
    assert talk.told() == []
    assert talk.wait(0.2).told_of("error") == [("error", "stalled", True)]
    Talk(dialect).open().say(unknown)  # nothing runs
