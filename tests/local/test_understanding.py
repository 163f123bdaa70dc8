"""Recognition that begins in a pause."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from realtime_local._understanding import Understanding
from realtime_local.engines import Heard
from tests.local.doubles import until


class Slow:
    """Recognises when it is let; its text is the audio."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.may = threading.Semaphore(0)
        self.at_once = 0
        self.fails = False

    def recognise(self, pcm: bytes) -> Heard:
        self.at_once += 1
        assert self.at_once == 1
        self.asked.append(pcm)
        assert self.may.acquire(timeout=30)
        self.at_once -= 1
        if self.fails:
            raise RuntimeError("no words")
        return Heard(text=pcm.decode())

    def let(self, count: int = 1) -> None:
        self.may.release(count)


class Bench:
    def __init__(self) -> None:
        self.recogniser = Slow()
        self.texts: list[tuple[str, str]] = []
        self.failures: list[tuple[str, bytes]] = []
        self.understanding = Understanding(
            lambda item, text: self.texts.append((item, text)),
            lambda error, pcm: self.failures.append((str(error), pcm)),
        )

    async def has(self, count: int) -> list[tuple[str, str]]:
        await until(lambda: len(self.texts) >= count)
        return self.texts

    async def asked(self, count: int) -> list[bytes]:
        await until(lambda: len(self.recogniser.asked) >= count)
        return self.recogniser.asked


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    await bench.understanding.load(lambda: bench.recogniser)
    yield bench
    bench.understanding.close()
    bench.recogniser.let(10)


async def test_what_was_begun_in_the_last_pause_is_taken(bench: Bench) -> None:
    bench.understanding.begin(b"one two", 700)
    await bench.asked(1)
    bench.recogniser.let()
    bench.understanding.recognise("u1", b"one two ...", 700)
    assert await bench.has(1) == [("u1", "one two")]
    assert bench.recogniser.asked == [b"one two"]


async def test_who_goes_on_speaking_is_recognised_anew(bench: Bench) -> None:
    bench.understanding.begin(b"one", 300)
    await bench.asked(1)
    bench.understanding.begin(b"one two", 700)  # waits for the thread
    bench.understanding.begin(b"one two three", 900)
    bench.recogniser.let(2)
    bench.understanding.recognise("u1", b"one two three ...", 900)
    assert await bench.has(1) == [("u1", "one two three")]
    assert bench.recogniser.asked == [b"one", b"one two three"]


async def test_an_utterance_that_ended_without_a_pause_is_recognised_whole(bench: Bench) -> None:
    bench.understanding.begin(b"one", 300)
    bench.recogniser.let(3)
    bench.understanding.recognise("u1", b"one two", 500)
    bench.understanding.recognise("u2", b"three")
    assert await bench.has(2) == [("u1", "one two"), ("u2", "three")]


async def test_a_failure_in_a_pause_counts_only_if_it_was_the_end(bench: Bench) -> None:
    bench.recogniser.fails = True
    bench.recogniser.let(2)
    bench.understanding.begin(b"one", 300)
    await bench.asked(1)
    await asyncio.sleep(0.01)  # it has failed meanwhile, and nobody asks
    bench.understanding.begin(b"one two", 700)
    bench.understanding.recognise("u1", b"one two ...", 700)
    assert await bench.has(1) == [("u1", "")]
    assert bench.failures == [("no words", b"one two ...")]


async def test_closing_forgets_what_waits(bench: Bench) -> None:
    bench.understanding.recognise("u1", b"one")
    bench.understanding.recognise("u2", b"two")
    await bench.asked(1)
    bench.understanding.close()
    bench.understanding.close()
    bench.recogniser.let(2)
    await asyncio.sleep(0.01)
    assert bench.texts == []
    assert bench.recogniser.asked == [b"one"]
