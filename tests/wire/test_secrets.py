"""What the vendor quotes of our key goes nowhere."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from realtime_core.errors import VendorError
from realtime_core.events import Event
from realtime_core.options import Options
from realtime_core.wire import AudioDelta, StartRefused

from .kit import (
    SECRET,
    Talk,
    audio,
    created,
    done,
    error,
    every_dialect,
    message,
    said,
    transcript,
)


def shown(talk: Talk) -> str:
    """Everything an application could print."""
    lines: list[str] = []
    for effect in talk.effects():
        lines += [repr(effect), str(getattr(effect, "raw", None))]
        found = effect.error if isinstance(effect, StartRefused) else getattr(effect, "error", None)
        while found is not None:
            lines += [str(found), repr(found)]
            if isinstance(found, VendorError):
                lines.append(f"{found.code} {found.type} {found.event_id}")
            found = found.__cause__
    return "\n".join(lines)


QUOTES: dict[str, Any] = {
    "message": {"message": f"Incorrect API key provided: {SECRET}."},
    "text": f"Incorrect API key provided: {SECRET}.",
    "code": {"message": "no", "code": SECRET},
    "type": {"message": "no", "type": SECRET},
    "event_id": {"message": "no", "event_id": SECRET},
}


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
@pytest.mark.parametrize("opened", [True, False])
@every_dialect
def test_errors(dialect: str, opened: bool, quote: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    talk = Talk(dialect)
    if opened:
        talk.open()
    else:
        talk.wire.open(0)
    talk.say({"type": "error", "error": quote})
    text = shown(talk)
    assert text
    assert SECRET not in text
    assert SECRET not in caplog.text


@every_dialect
def test_reasons_of_a_close(dialect: str) -> None:
    talk = Talk(dialect).open()
    talk.wire.receive_eof(3000, f"bad key {SECRET}", 0)
    text = shown(talk)
    assert "bad key ***" in text
    assert SECRET not in text
    talk = Talk(dialect)
    talk.wire.open(0)
    talk.wire.receive_eof(3000, f"bad key {SECRET}", 0)
    assert SECRET not in shown(talk)


@pytest.mark.parametrize("status", ["failed", "incomplete"])
@pytest.mark.parametrize(
    "details", [f"said {SECRET}", {"reason": f"said {SECRET}"}, {"error": {"message": SECRET}}]
)
@every_dialect
def test_replies_that_failed(dialect: str, status: str, details: Any) -> None:
    talk = Talk(dialect).open().say(created(), done(status=status, status_details=details))
    assert SECRET not in shown(talk)


@every_dialect
def test_failed_transcriptions(dialect: str) -> None:
    talk = Talk(dialect).open().say(transcript("failed", error={"message": SECRET}))
    assert SECRET not in shown(talk)


@every_dialect
def test_raw_frames(dialect: str) -> None:
    talk = Talk(dialect, Options(include_raw=True)).open()
    talk.say({**created(), "note": SECRET}, {**audio(), "note": SECRET}, error(SECRET))
    text = shown(talk)
    assert text.count('"***"') == 2
    assert SECRET not in text


@every_dialect
def test_several_secrets_and_empty_ones(dialect: str) -> None:
    talk = Talk(dialect, secrets=("", SECRET, "tenant-token")).open()
    assert str(talk.say(error(f"{SECRET} or tenant-token")).vendor_error()) == "*** or ***"


@every_dialect
def test_raw_is_the_frame_of_each_event_and_only_on_request(dialect: str) -> None:
    frames = [created(), said("Hi"), audio(), done(output=[message("Hi")])]
    talk = Talk(dialect, Options(include_raw=True)).open().say(*frames)
    told = [each for each in talk.effects() if isinstance(each, (Event, AudioDelta))]
    kinds = [json.loads(each.raw or "null")["type"] for each in told]
    assert kinds == [frames[1]["type"], frames[2]["type"], frames[3]["type"], frames[3]["type"]]
    talk = Talk(dialect).open().say(*frames)
    for each in talk.effects():
        assert getattr(each, "raw", None) is None


@every_dialect
def test_raw_of_a_frame_that_is_no_text(dialect: str) -> None:
    talk = Talk(dialect, Options(include_raw=True)).open().say(b"\xff\x00")
    (event,) = talk.effects()
    assert isinstance(event, Event)
    assert event.raw == "\N{REPLACEMENT CHARACTER}\0"


@every_dialect
def test_ends_have_no_frame(dialect: str) -> None:
    talk = Talk(dialect, Options(include_raw=True)).open().say(created())
    talk.wire.receive_eof(1006, "", 0)
    for event in talk.effects():
        assert isinstance(event, Event)
        assert event.raw is None


@every_dialect
def test_a_key_inside_json(dialect: str) -> None:
    key = 'sk/"quoted"\\and-Schlüssel'
    talk = Talk(dialect, Options(include_raw=True), secrets=(key,)).open()
    for written in (json.dumps(key), json.dumps(key, ensure_ascii=False).replace("/", "\\/")):
        text = f'you sent {{"Authorization": {written}}}'
        talk.say(error(text, code="odd"))
        talk.say(f'{{"type":"error","error":{{"message":{written}}}}}'.encode())
    assert "quoted" not in shown(talk)
