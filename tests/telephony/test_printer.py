"""A reader that stopped holds up nobody."""

from __future__ import annotations

import logging
import threading

import pytest

from realtime_telephony.console import Console
from realtime_telephony.printer import Printer


def test_lines_are_written_in_order_and_to_the_end() -> None:
    written: list[str] = []
    printer = Printer(written.append)
    for number in range(100):
        printer.line(str(number))
    printer.close()
    assert written == [str(number) for number in range(100)]
    assert printer.dropped == 0


def test_where_nobody_reads_lines_are_dropped_and_counted_and_nothing_waits() -> None:
    reads = threading.Event()
    printer = Printer(lambda _: reads.wait())
    for number in range(1500):
        printer.line(str(number))
    assert 498 <= printer.dropped <= 500  # a line is in the hand of the writer, or was about to be
    reads.set()
    printer.close()


def test_how_many_lines_are_missing_is_told() -> None:
    reads = threading.Event()
    written: list[str] = []

    def write(text: str) -> None:
        reads.wait()
        written.append(text)

    printer = Printer(write)
    for number in range(1100):
        printer.line(str(number))
    dropped = printer.dropped
    reads.set()
    printer.close()
    assert written[:2] == ["0", f"{dropped} lines were dropped: nobody read them"]


def test_a_writer_that_fails_is_asked_again() -> None:
    written: list[str] = []

    def write(text: str) -> None:
        if text == "1":
            raise OSError("the disk is full")
        written.append(text)

    printer = Printer(write)
    for number in range(3):
        printer.line(str(number))
    printer.close()
    assert written == ["0", "1 lines were dropped: nobody read them", "2"]


def test_the_log_keeps_to_a_line_whatever_a_peer_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: list[logging.Handler] = []
    monkeypatch.setattr("logging.basicConfig", lambda **given: handlers.extend(given["handlers"]))
    log = logging.Logger("calls", logging.INFO)
    with Console("INFO") as console:
        log.addHandler(handlers[0])
        log.warning("call %s\x1b[2J: %s", "1\n2026 call leg=x", "ü\u2028")
        try:
            raise ValueError("first\n2026 call leg=y")
        except ValueError:
            log.exception("failed")
        console.line("call leg=z")
    said = capsys.readouterr()
    assert said.out == "call leg=z\n"
    first, second, *trace = said.err.splitlines()
    assert first.endswith("Z WARNING calls: call 1\\n2026 call leg=x\\x1b[2J: ü\\u2028")
    assert second.endswith("Z ERROR calls: failed")
    assert trace[0] == "  Traceback (most recent call last):"
    assert all(not line.startswith("2026 call") for line in trace)


def test_a_log_call_with_wrong_arguments_disturbs_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: list[logging.Handler] = []
    monkeypatch.setattr("logging.basicConfig", lambda **given: handlers.extend(given["handlers"]))
    log = logging.Logger("calls", logging.INFO)
    with Console("INFO") as console:
        log.addHandler(handlers[0])
        log.warning("%d", "no number")
        console.error("the next one")
    assert "--- Logging error ---" in (said := capsys.readouterr().err)
    assert said.endswith("the next one\n")
