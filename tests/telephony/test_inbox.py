from __future__ import annotations

import asyncio

from realtime_telephony.inbox import Inbox
from realtime_telephony.leg import CallerAudio, DigitPressed, LegClosed


def audio(number: int) -> CallerAudio:
    return CallerAudio(bytes([number, 0]))


async def test_events_come_in_order_and_the_end_last() -> None:
    inbox = Inbox()
    inbox.put(audio(1))
    inbox.put(DigitPressed("1"))
    assert inbox.close(LegClosed("caller"))
    assert [await inbox.get() for _ in range(3)] == [
        audio(1),
        DigitPressed("1"),
        LegClosed("caller"),
    ]


async def test_the_first_cause_of_the_end_counts_and_nothing_comes_after_it() -> None:
    inbox = Inbox()
    assert inbox.close(LegClosed("us"))
    assert not inbox.close(LegClosed("network"))
    inbox.put(audio(1))
    assert await inbox.get() == LegClosed("us")
    assert inbox.closed == LegClosed("us")


async def test_a_waiting_reader_is_woken_and_may_be_cancelled() -> None:
    inbox = Inbox()
    cancelled = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put(audio(1))
    inbox.put(audio(2))
    assert await reader == audio(1)
    assert await inbox.get() == audio(2)


async def test_a_reader_who_does_not_read_loses_the_oldest_audio_and_no_digit() -> None:
    inbox = Inbox(limit=3)
    inbox.put(DigitPressed("1"))
    for number in range(4):
        inbox.put(audio(number))
    assert inbox.dropped == 2
    assert [await inbox.get() for _ in range(3)] == [DigitPressed("1"), audio(2), audio(3)]


async def test_digits_alone_are_bounded_too() -> None:
    inbox = Inbox(limit=2)
    for digit in "123":
        inbox.put(DigitPressed(digit))
    assert await inbox.get() == DigitPressed("2")
