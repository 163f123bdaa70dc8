"""Every other command, as it stands on the wire."""

from __future__ import annotations

import array
import base64
import json
from typing import Any

import pytest

from realtime_core.errors import AgentStateError, ConfigError
from realtime_core.events import ErrorEvent
from realtime_core.options import Options
from realtime_core.tools import Tool
from realtime_core.wire import SessionSettings

from .kit import (
    CODECS,
    DASHSCOPE,
    MANUAL,
    Talk,
    created,
    done,
    every_dialect,
    on,
    pcm,
)

GA = ("openai_ga", "azure_ga")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@every_dialect
def test_an_append_is_base64_without_an_event_id(dialect: str, codec: str, kind: Any) -> None:
    sound = bytes(range(256)) * 4
    frame = Talk(dialect, codec=CODECS[codec]).wire.audio_frame(kind(sound))
    assert json.loads(frame) == {
        "type": "input_audio_buffer.append",
        "audio": base64.b64encode(sound).decode(),
    }


@every_dialect
def test_every_command_names_its_event_but_audio(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().push(200)
    wire = talk.wire
    wire.clear_input_audio(0)
    wire.send_text("Hi", True, 0)
    wire.update_instructions("Be brief.", 0)
    talk.push(200)
    wire.commit_input_audio(0)
    frames = talk.sent()
    assert len(frames) == 5
    assert len({frame["event_id"] for frame in frames}) == len(frames)


@pytest.mark.parametrize("ms", [0, 1, 60, 99])
@every_dialect
def test_a_commit_of_less_than_100_ms_sends_nothing_and_says_so(dialect: str, ms: int) -> None:
    talk = Talk(dialect, MANUAL).open().say(created()).push(ms)
    assert not talk.wire.commit_input_audio(talk.now)
    assert talk.sent() == []
    (event,) = talk.effects()
    assert isinstance(event, ErrorEvent)
    assert isinstance(event.error, AgentStateError)
    assert not event.fatal
    assert "100 ms" in str(event.error)
    # It is not lost: the next commit counts it.
    talk.push(100 - ms)
    assert talk.wire.commit_input_audio(talk.now)


@every_dialect
def test_a_commit_commits_and_asks(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().push(100)
    assert talk.wire.commit_input_audio(talk.now)
    assert talk.kinds() == ["input_audio_buffer.commit", "response.create"]
    assert not talk.wire.commit_input_audio(talk.now)  # nothing new
    assert talk.sent() == []


@every_dialect
def test_a_commit_with_server_vad_is_nothing(dialect: str) -> None:
    talk = Talk(dialect).open().push(500)
    assert not talk.wire.commit_input_audio(talk.now)
    assert talk.sent() == []
    assert talk.told() == []


@every_dialect
def test_clear_forgets_what_was_to_be_committed(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().push(500)
    talk.wire.clear_input_audio(talk.now)
    assert talk.kinds() == ["input_audio_buffer.clear"]
    assert not talk.wire.commit_input_audio(talk.now)
    assert talk.sent() == []


@every_dialect
def test_audio_spoken_before_the_commit_was_acknowledged_counts_for_the_next(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open().push(200)
    talk.wire.commit_input_audio(talk.now)
    talk.push(90).say({"type": "input_audio_buffer.committed", "item_id": "U1"}).push(20)
    talk.sent()
    assert talk.wire.commit_input_audio(talk.now)


@every_dialect
def test_bytes_are_counted_whatever_holds_them(dialect: str) -> None:
    talk = Talk(dialect, MANUAL).open()
    samples = array.array("h", pcm(150, talk.wire.input_rate_hz))
    talk.wire.audio_frame(memoryview(samples))
    assert talk.wire.commit_input_audio(talk.now)


@every_dialect
def test_new_instructions_are_sent_alone_behind_the_tenants(dialect: str) -> None:
    settings = SessionSettings(
        instructions="You serve ACME.", voice="v", transcription={"model": "m"}
    )
    options = Options(system_prompt="Be kind.", tools=(Tool(name="look"),), voice="w")
    talk = Talk(dialect, options, settings=settings)
    talk.wire.open(0)
    talk.say({"type": "session.created"}, {"type": "session.updated"})
    (first,) = talk.sent()
    assert first["session"]["instructions"] == "You serve ACME.\n\nBe kind."
    talk.wire.update_instructions("Be brief.", 0)
    talk.wire.update_instructions("", 0)
    sessions = [frame["session"] for frame in talk.sent()]
    fixed = {"type": "realtime"} if dialect in GA else {}
    assert sessions == [
        {**fixed, "instructions": "You serve ACME.\n\nBe brief."},
        {**fixed, "instructions": "You serve ACME."},
    ]


@every_dialect
def test_clearing_the_only_instructions_says_so(dialect: str) -> None:
    talk = Talk(dialect, Options(system_prompt="Be kind.")).open()
    talk.wire.update_instructions("", 0)
    assert talk.sent()[0]["session"]["instructions"] == ""


@every_dialect
def test_a_replys_own_instructions_are_joined_to_the_sessions_as_they_stand(dialect: str) -> None:
    settings = SessionSettings(instructions="You serve ACME.")
    talk = Talk(dialect, Options(system_prompt="Be kind."), settings=settings).open()
    talk.wire.create_response("Greet.", 0)
    talk.wire.update_instructions("Be brief.", 0)
    talk.wire.create_response("Ask.", 0)
    talk.begin().say(done())
    assert talk.wishes() == [
        "You serve ACME.\n\nBe kind.\n\nGreet.",
        "You serve ACME.\n\nBe brief.\n\nAsk.",
    ]


@pytest.mark.parametrize("respond", [True, False])
@every_dialect
def test_text_is_a_users_message(dialect: str, respond: bool) -> None:
    talk = Talk(dialect).open()
    talk.wire.send_text("你好 \N{WAVING HAND SIGN}", respond, 0)
    item, *rest = talk.sent()
    assert item["type"] == "conversation.item.create"
    assert item["item"] == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "你好 \N{WAVING HAND SIGN}"}],
    }
    assert [frame["type"] for frame in rest] == ["response.create"] * respond


@every_dialect
def test_a_broken_character_in_a_text_makes_no_broken_frame(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.wire.send_text("half \ud83d of a pair", False, 0)
    (frame,) = talk.wire.take_frames()
    text = json.loads(frame.decode("utf-8"))["item"]["content"][0]["text"]
    assert text.startswith("half ")
    assert text.endswith(" of a pair")


@pytest.mark.parametrize(
    "options",
    [
        {"vendor": {"seed": object()}},
        {"vendor": {"seed": {1, 2}}},
        {"vendor": {"top_p": float("nan")}},
        {"tools": (Tool(name="look", parameters={"type": "object", "x": {1}}),)},
    ],
    ids=["object", "set", "nan", "tool"],
)
@every_dialect
def test_what_cannot_be_written_as_json_is_refused_before_anything_connects(
    dialect: str, options: Any
) -> None:
    with pytest.raises(ConfigError):
        Talk(dialect, Options(**options))


@every_dialect
def test_playback_reports_are_taken_at_any_time(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.wire.report_playback("A9", 100, True, 0)
    assert talk.sent() == []
    assert talk.told() == []


@on(*DASHSCOPE)
def test_dashscope_hears_at_16_and_speaks_at_24_khz(dialect: str) -> None:
    wire = Talk(dialect).wire
    assert (wire.input_rate_hz, wire.output_rate_hz) == (16000, 24000)
    assert (wire.capabilities.input_wire_rate_hz, wire.capabilities.output_wire_rate_hz) == (
        16000,
        24000,
    )
