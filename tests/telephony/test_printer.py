"""A reader that stopped holds up nobody."""

from __future__ import annotations

import threading

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
