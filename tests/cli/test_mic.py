"""A microphone and a speaker, with a library of the test's own in the place of sounddevice."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from realtime_core.cli.dialogue import Ear
from realtime_core.cli.handset import HandsetError
from realtime_core.cli.mic import SoundCard
from tests.cli.conftest import Invoke

EAR = Ear(t_ms=0)
LOUD = b"\x00\x20" * 320


class PortAudioError(Exception):
    pass


class Stream:
    """A stream that is moved by hand."""

    opened: list[Stream] = []  # noqa: RUF012 - the fixture makes a new one

    def __init__(
        self,
        *,
        samplerate: int,
        blocksize: int,
        channels: int,
        dtype: str,
        callback: Callable[[Any, int, Any, Any], None],
    ) -> None:
        assert (channels, dtype) == (1, "int16")
        self.rate_hz, self.blocksize, self.callback = samplerate, blocksize, callback
        self.running = self.closed = False
        self.latency = 0.03
        Stream.opened.append(self)

    def start(self) -> None:
        self.running = True

    def close(self) -> None:
        self.running, self.closed = False, True

    def moved(self, data: bytes | bytearray) -> None:
        """Call back on a thread of its own, as the library does."""
        thread = threading.Thread(
            target=self.callback, args=(data, len(data) // 2, None, None), daemon=True
        )
        thread.start()
        thread.join(5)


class Deaf(Stream):
    def __init__(self, **_: Any) -> None:
        raise PortAudioError("Error querying device -1")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    Stream.opened = []
    fake = ModuleType("sounddevice")
    vars(fake).update(RawInputStream=Stream, RawOutputStream=Stream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def played(speaker: Stream, size: int = 960) -> bytes:
    data = bytearray(size)
    speaker.moved(memoryview(data))  # type: ignore[arg-type]
    return bytes(data)


async def test_frames_come_from_the_microphone_and_go_to_the_speaker(library: ModuleType) -> None:
    with SoundCard(16000, 24000) as card:
        microphone, speaker = Stream.opened
        assert (microphone.blocksize, speaker.blocksize) == (320, 480)
        waits = asyncio.create_task(card.frame(EAR))
        await asyncio.sleep(0)
        microphone.moved(LOUD)
        assert await waits == LOUD
        assert played(speaker) == bytes(960)
        card.play(b"\1\2" * 480)
        assert played(speaker) == b"\1\2" * 480
        assert (card.said_s, card.is_done, card.current) == (0.02, False, 0)
    assert microphone.closed
    assert speaker.closed
    microphone.moved(LOUD)  # a last one, behind the end


async def test_a_cut_silences_the_speaker_at_once(library: ModuleType) -> None:
    with SoundCard(16000, 24000) as card:
        card.play(b"\1\2" * 480)
        card.hush()
        assert played(Stream.opened[1]) == bytes(960)


async def test_what_was_played_last_is_heard_before_the_speaker_is_closed(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("realtime_core.cli.mic.asyncio.sleep", sleep)
    with SoundCard(16000, 24000) as card:
        card.play(bytes(960 * 3))
        await card.drain()
        Stream.opened[1].latency = 9.0  # a device that says nonsense
        await card.drain()
    assert waited == pytest.approx([0.06 + 0.03, 0.06 + 0.5])


async def test_both_buffers_are_bounded_and_drop_the_oldest(library: ModuleType) -> None:
    with SoundCard(16000, 24000) as card:
        microphone, speaker = Stream.opened
        for n in range(60):
            microphone.moved(bytes([n, 0]) * 320)
            card.play(bytes([n, 0]) * 480)
        assert card.dropped_frames == 10
        assert (await card.frame(EAR))[0] == 10
        assert played(speaker)[0] == 50  # 200 ms are ten frames


async def test_a_microphone_that_falls_silent_is_an_error(
    library: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.cli.mic._SILENT_S", 0.01)
    card = SoundCard(16000, 24000)
    with card, pytest.raises(HandsetError, match="was it disconnected"):
        await card.frame(EAR)


async def test_what_was_opened_is_closed_when_the_other_cannot_be(library: ModuleType) -> None:
    vars(library)["RawOutputStream"] = Deaf
    with pytest.raises(HandsetError, match="no speaker can be opened"), SoundCard(16000, 24000):
        pass
    assert [stream.closed for stream in Stream.opened] == [True]


# As a command


def test_a_call_by_microphone_ends_when_the_microphone_does(
    library: ModuleType, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("realtime_core.cli.mic._SILENT_S", 0.01)
    monkeypatch.chdir(tmp_path)
    result = invoke("talk", "--mic", "--loopback", "--plot", "call.svg", "--record", "call.wav")
    assert result.exit_code == 1
    assert "Use headphones" in result.stdout
    assert "files written                  call.wav, call.svg" in result.stdout
    assert "the end: the microphone gave nothing" in Path("call.svg").read_text("utf-8")
    assert "the microphone gave nothing for 0.01 s; was it disconnected?" in result.stderr
    assert "session close" in result.stdout


def test_without_a_device_it_says_what_to_connect(library: ModuleType, invoke: Invoke) -> None:
    vars(library)["RawInputStream"] = Deaf
    result = invoke("talk", "--mic", "--loopback")
    assert result.exit_code == 2
    assert "no microphone can be opened (Error querying device -1)" in result.stderr


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ModuleNotFoundError("No module named 'sounddevice'"), "pip install 'realtime-core[mic]'"),
        (OSError("PortAudio library not found"), "apt-get install libportaudio2"),
    ],
)
def test_without_the_library_it_says_what_to_install(
    error: Exception, says: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def import_module(name: str) -> ModuleType:
        raise error

    monkeypatch.setattr("realtime_core.cli.mic.import_module", import_module)
    result = invoke("talk", "--mic", "--loopback")
    assert result.exit_code == 2
    assert says in result.stderr
    assert "event" not in result.stdout


@pytest.mark.skipif(find_spec("sounddevice") is None, reason="needs the extra mic")
async def test_the_real_library_on_a_machine_without_devices() -> None:
    with suppress(OSError):  # no PortAudio, which is told as well
        if len(import_module("sounddevice").query_devices()):
            pytest.skip("this machine has devices")
    says = pytest.raises(
        HandsetError, match=r"needs PortAudio|no (microphone|speaker) can be opened"
    )
    with says, SoundCard(16000, 24000):
        pass
