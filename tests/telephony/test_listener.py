"""What an application's callback may do to its call: nothing."""

from __future__ import annotations

import asyncio

import pytest

from realtime_telephony import DigitPressed, listener
from realtime_telephony.listener import Listener

ONE = DigitPressed("1")


def test_it_is_called_there_and_then() -> None:
    told: list[object] = []
    Listener(told.append, "call-1").tell(ONE)
    assert told == [ONE]
    Listener(None, "call-1").tell(ONE)


@pytest.mark.parametrize("fault", [ValueError("mine"), asyncio.CancelledError()])
def test_what_it_raises_is_logged(fault: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: object) -> None:
        raise fault

    Listener(fail, "call-1").tell(ONE)
    assert "call call-1: on_event raised" in caplog.text


def test_one_that_would_have_to_be_awaited_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def on_event(event: object) -> None:
        raise AssertionError

    told = Listener(on_event, "call-1")
    told.tell(ONE)
    told.tell(ONE)
    assert caplog.text.count("never awaited; use a plain function") == 1


def test_one_that_is_slow_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "SLOW_S", -1)
    told = Listener(lambda event: None, "call-1")
    told.tell(ONE)
    told.tell(ONE)
    assert caplog.text.count("holds up every call") == 1
