from __future__ import annotations

import asyncio
import itertools
import math
import random
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest

from realtime_core.errors import ConfigError
from realtime_core.g711 import alaw_encode, ulaw_encode
from realtime_core.testing import ManualClock
from realtime_telephony import audiosocket
from realtime_telephony.audiosocket import AudioSocketLeg, AudioSocketListener
from realtime_telephony.audiosocket_codec import SURE
from realtime_telephony.audiosocket_frames import RATES_HZ, Digit, HangUp, PeerError, encode
from realtime_telephony.leg import FASTEST_HZ, CallerAudio, DigitPressed, LegClosed, LegEvent
from realtime_telephony.pacer import Pacer
from tests.telephony.fakes.asterisk import AudioSocketCaller
from tests.telephony.kit import until

FRAME = bytes(range(160)) * 2


class Server:
    """A listener whose calls the test gets in hand."""

    def __init__(self) -> None:
        self.legs: asyncio.Queue[AudioSocketLeg] = asyncio.Queue()
        self.listener = AudioSocketListener("127.0.0.1", 0, self._on_call)
        self.over = asyncio.Event()

    async def _on_call(self, leg: AudioSocketLeg) -> None:
        self.legs.put_nowait(leg)
        await self.over.wait()

    @property
    def port(self) -> int:
        return self.listener.port

    async def leg(self) -> AudioSocketLeg:
        async with asyncio.timeout(30):
            return await self.legs.get()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    async with server.listener:
        yield server
        server.over.set()
    assert server.listener.connections == 0


async def events(leg: AudioSocketLeg) -> list[LegEvent]:
    """All that comes, to the end."""
    found: list[LegEvent] = []
    async with asyncio.timeout(30):
        while not found or not isinstance(found[-1], LegClosed):
            found.append(await leg.receive())
    return found


@pytest.mark.parametrize("rate", sorted(rate for rate in RATES_HZ.values() if rate <= FASTEST_HZ))
async def test_every_rate_carries_audio_both_ways(server: Server, rate: int) -> None:
    frame = bytes(range(4)) * (rate // 100)
    async with AudioSocketCaller(server.port, sample_rate_hz=rate) as caller:
        leg = await server.leg()
        assert (leg.sample_rate_hz, leg.codec) == (rate, "pcm")
        assert await leg.receive() == CallerAudio(bytes(rate // 50 * 2))
        caller.say(frame)
        assert await leg.receive() == CallerAudio(frame)
        leg.play(frame)
        await caller.wait_for(lambda: caller.heard == frame)
        assert leg.played_samples() == await leg.flush() == rate // 50


async def test_the_call_has_the_uuid_of_the_dialplan(server: Server) -> None:
    uuid = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")
    async with AudioSocketCaller(server.port, uuid=uuid):
        leg = await server.leg()
    assert (leg.info.leg, leg.info.call_id) == ("audiosocket", str(uuid))


async def test_every_frame_is_one_write_however_fast(server: Server) -> None:
    async with AudioSocketCaller(server.port, sample_rate_hz=48_000) as caller:
        leg = await server.leg()
        for _ in range(8):
            leg.play(bytes(1920))
        leg.play(b"")
        await caller.wait_for(lambda: len(caller.frames) == 8)
        assert set(caller.frames) == {1920}


async def test_digits_arrive_between_audio(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        caller.press("5")
        caller.press("#")
        caller.say(FRAME)
        caller.hang_up()
        assert await events(leg) == [
            CallerAudio(bytes(320)),
            DigitPressed("5"),
            DigitPressed("#"),
            CallerAudio(FRAME),
            LegClosed("caller"),
        ]


async def test_our_hang_up_is_a_type_of_its_own_and_then_the_end(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        await leg.hang_up()
        await leg.hang_up()
        await caller.wait_ended()
        assert caller.hung_up
        assert (await events(leg))[-1] == LegClosed("us")
        leg.play(FRAME)
        assert leg.played_samples() == 0


async def test_close_ends_the_call_and_returning_from_it_does_so_too(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        await leg.close()
        await caller.wait_ended()
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        server.over.set()
        await caller.wait_ended()
        assert not caller.hung_up
        assert (await events(leg))[-1] == LegClosed("us")


async def test_a_reset_is_how_asterisk_hangs_up_with_audio_unread(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        caller.reset()
        closed = (await events(leg))[-1]
    assert isinstance(closed, LegClosed)
    assert closed.reason == "caller"


@pytest.mark.parametrize(
    ("data", "reason", "word"),
    [
        (encode(HangUp()), "caller", "end of the call"),
        (encode(PeerError(4)), "network", "0x04"),
        (encode(PeerError(None)), "network", "none"),
        (b"\x10\x01\x41", "protocol", "whole 16-bit samples"),
        (b"\x10\xff\xfe", "protocol", "at most"),
        (b"\x42\x00\x00" * 11, "protocol", "unknown"),
        (b"\x12\x00\x02ab", "protocol", "8000 Hz"),
        (b"\x17\x00\x02ab", "protocol", "c(slin48)"),
    ],
)
async def test_what_breaks_the_format_ends_the_call_with_its_reason(
    server: Server, data: bytes, reason: str, word: str
) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        caller.send_raw(data)
        closed = (await events(leg))[-1]
        assert isinstance(closed, LegClosed)
        assert closed.reason == reason
        assert word in closed.detail
        await caller.wait_ended()


async def test_a_frame_in_pieces_and_empty_audio_are_taken(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        await leg.receive()
        caller.send_raw(b"\x10\x01")
        await asyncio.sleep(0)
        caller.send_raw(b"\x40" + FRAME[:7])
        await asyncio.sleep(0)
        caller.send_raw(FRAME[7:] + b"\x10\x00\x00")
        assert await leg.receive() == CallerAudio(FRAME)


SPOKEN = array("h", (round(2000 * math.sin(n / 3) * math.sin(n / 70)) for n in range(320)))


def hiss(level: int, encode: Callable[[bytes], bytes]) -> bytes:
    dice = random.Random(160)
    return encode(array("h", (round(dice.gauss(0, level)) for _ in range(160))).tobytes())


@pytest.mark.parametrize(
    "said",
    [b"\xff" * 160, b"\xd5" * 160]
    + [hiss(level, law) for level in (3, 10, 100) for law in (ulaw_encode, alaw_encode)],
    ids=range(8),
)
async def test_mu_law_labelled_as_pcm_never_becomes_a_call(
    server: Server, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with AudioSocketCaller(server.port, silent=True) as caller:
        for _ in range(SURE):
            caller.say(said)
        await caller.wait_ended()
    assert "pieces of 160 bytes, where 20 ms of PCM have 320" in caplog.text
    assert "c(slin16)" in caplog.text
    assert server.legs.empty()
    assert server.listener.refused == 1


async def test_mu_law_labelled_as_pcm_is_found_in_a_call_too(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    # 40 ms of it are as many bytes as 20 ms of PCM; silence, then speech.
    size = 320
    async with AudioSocketCaller(server.port, silent=True) as caller:
        for _ in range(50):
            caller.say(b"\xff" * size)
        leg = await server.leg()
        caller.press("1")
        for _ in range(50):
            caller.say(ulaw_encode(SPOKEN.tobytes())[:size])
        found = await events(leg)
        await caller.wait_ended()
    assert found.index(DigitPressed("1")) == 50
    assert len(found) < 50 + 1 + 15
    closed = found[-1]
    assert isinstance(closed, LegClosed)
    assert closed.reason == "protocol"
    assert "c(slin16)" in closed.detail
    server.over.set()
    await until(lambda: server.listener.connections == 0)
    assert closed.detail in caplog.text


async def test_a_codec_whose_pieces_are_no_length_of_pcm_never_becomes_a_call(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with AudioSocketCaller(server.port, silent=True) as caller:
        caller.say(bytes(20))
        await caller.wait_ended()
    assert "c(slin16)" in caplog.text
    assert server.legs.empty()
    assert server.listener.refused == 1


@pytest.mark.parametrize("rate", [96_000, 192_000])
async def test_a_rate_no_agent_takes_is_refused_with_what_to_do(
    server: Server, rate: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with AudioSocketCaller(server.port, sample_rate_hz=rate) as caller:
        await caller.wait_ended()
        assert not caller.frames
    assert f"the audio is at {rate} Hz" in caplog.text
    assert "c(slin48)" in caplog.text


@pytest.mark.parametrize("packed_ms", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
async def test_a_phone_is_welcome_whatever_it_packs(
    server: Server, packed_ms: int, rate: int
) -> None:
    piece = bytes(rate * packed_ms // 1000 * 2)
    async with AudioSocketCaller(server.port, sample_rate_hz=rate, silent=True) as caller:
        caller.say(piece)
        assert await (await server.leg()).receive() == CallerAudio(piece)


async def test_audio_that_was_in_doubt_is_heard_whole(server: Server) -> None:
    alike = array("h", [-3085, -4370] * 40).tobytes()
    said = [alike] * 3 + [array("h", [5, -5] * 40).tobytes(), alike]
    async with AudioSocketCaller(server.port, silent=True) as caller:
        for piece in said:
            caller.say(piece)
        leg = await server.leg()
        assert [await leg.receive() for _ in said] == [CallerAudio(piece) for piece in said]


async def test_garbage_instead_of_a_uuid_never_becomes_a_call(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    reader, other = await asyncio.open_connection("127.0.0.1", server.port)
    other.write(encode(HangUp()))
    assert await reader.read() == b""
    async with AudioSocketCaller(server.port):
        await server.leg()
    assert server.listener.refused == 2
    assert "UUID" in caplog.text
    for each in (writer, other):
        each.close()


async def test_a_peer_that_says_nothing_is_let_go(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audiosocket, "UUID_TIMEOUT_S", 0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    assert await reader.read() == b""
    assert "timeout" in caplog.text
    writer.close()


async def test_a_phone_that_is_silent_from_the_start_gets_a_call_at_8000_hz(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiosocket, "FIRST_AUDIO_TIMEOUT_S", 0.01)
    async with AudioSocketCaller(server.port, silent=True) as caller:
        leg = await server.leg()
        assert leg.sample_rate_hz == 8_000
        # A second of the two that Asterisk waits on a line on which nothing moves is gone.
        await caller.wait_for(lambda: caller.heard == bytes(320))
        assert leg.played_samples() == 0
        leg.play(FRAME)
        await caller.wait_for(lambda: caller.heard == bytes(320) + FRAME)
        caller.say(FRAME)
        assert await leg.receive() == CallerAudio(FRAME)


@pytest.mark.parametrize("rate", [16_000, 24_000])
async def test_audio_that_comes_late_at_a_rate_nobody_knew_is_converted(
    server: Server, monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    monkeypatch.setattr(audiosocket, "FIRST_AUDIO_TIMEOUT_S", 0.01)
    tone = array("h", (round(9000 * math.sin(math.tau * 500 * n / rate)) for n in range(rate)))
    async with AudioSocketCaller(server.port, sample_rate_hz=rate, silent=True) as caller:
        leg = await server.leg()
        assert leg.sample_rate_hz == 8_000
        said = tone.tobytes()
        for at in range(0, len(said), rate // 25):
            caller.say(said[at : at + rate // 25])
        caller.press("1")
        heard = array("h")
        while not isinstance(event := await leg.receive(), DigitPressed):
            assert isinstance(event, CallerAudio)
            heard.frombytes(event.pcm)
        caller.send_raw(b"\x13\x00\x02ab" if rate == 16_000 else b"\x12\x00\x02ab")
        closed = (await events(leg))[-1]
        caller.violations.clear()  # what it was sent is at the rate of the call, which any Asterisk takes
    assert 7_600 < len(heard) <= 8_000
    crossings = sum(a < 0 <= b for a, b in itertools.pairwise(heard))
    assert abs(crossings - 500 * len(heard) / 8_000) <= 2
    assert isinstance(closed, LegClosed)
    assert closed.reason == "protocol"


@pytest.mark.parametrize("rate", [11_025, 96_000])
async def test_a_rate_for_silent_phones_that_there_is_not_is_told_before_the_first_of_them(
    rate: int,
) -> None:
    async def nobody(leg: AudioSocketLeg) -> None: ...

    with pytest.raises(ConfigError, match=f"silent_rate_hz: expected one of 8000, .* got {rate}"):
        AudioSocketListener("127.0.0.1", 0, nobody, silent_rate_hz=rate)


async def test_drained_waits_until_what_was_written_had_its_time(server: Server) -> None:
    async with AudioSocketCaller(server.port):
        leg = await server.leg()
        assert await leg.drained(1)
        clock = ManualClock(50)
        leg._clock = clock
        leg.play(FRAME)
        leg.play(FRAME)
        waiting = asyncio.create_task(leg.drained(1))
        await asyncio.sleep(0)
        clock.advance(0.039)
        assert not waiting.done()
        clock.advance(0.002)
        assert await waiting
        leg.play(FRAME)
        waiting = asyncio.create_task(leg.drained(0.01))
        await asyncio.sleep(0)
        clock.advance(0.011)
        assert not await waiting


async def test_drained_ends_with_the_call(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        leg._clock = ManualClock(50)
        leg.play(FRAME)
        waiting = asyncio.create_task(leg.drained(60))
        await asyncio.sleep(0)
        caller.hang_up()
        assert not await waiting


async def test_frames_for_an_asterisk_that_does_not_read_are_dropped_and_then_the_call_ends(
    server: Server,
) -> None:
    async with AudioSocketCaller(server.port, sample_rate_hz=48_000) as caller:
        leg = await server.leg()
        assert caller._reader is not None
        caller._reader.cancel()
        caller._writer.transport.pause_reading()  # type: ignore[attr-defined] # a socket's transport reads too
        frame = bytes(1920)
        played = 0
        while played < 12_000:
            played += 1
            leg.play(frame)
            if leg._connection.inbox.closed is not None:
                break
        closed = (await events(leg))[-1]
        assert isinstance(closed, LegClosed)
        assert closed.reason == "network"
        assert leg.frames_dropped == 101
        assert leg.counters == {"unread_by_asterisk": 101}
        # Of what was dropped the time is over too, up to the frame at which we gave up.
        assert leg.played_samples() == (played - 1) * 960 < 12_000 * 960


async def test_what_comes_after_the_end_in_one_piece_is_not_heard(server: Server) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        await leg.receive()
        caller.send_raw(encode(HangUp()) + encode(Digit("1")))
        assert [type(event) for event in await events(leg)] == [LegClosed]


async def test_a_dead_network_is_not_the_caller(server: Server) -> None:
    async with AudioSocketCaller(server.port):
        leg = await server.leg()
        leg._connection.connection_lost(TimeoutError("no route"))
        assert (await events(leg))[-1] == LegClosed("network", "no route")


async def test_a_goodbye_to_an_asterisk_that_does_not_read_is_bounded(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiosocket, "_GOODBYE_S", 0.01)
    async with AudioSocketCaller(server.port, sample_rate_hz=48_000) as caller:
        leg = await server.leg()
        assert caller._reader is not None
        caller._reader.cancel()
        caller._writer.transport.pause_reading()  # type: ignore[attr-defined] # as above
        while not leg.frames_dropped:
            leg.play(bytes(1920))
        await leg.hang_up()
        assert leg._connection.gone.done()


async def test_one_call_that_fails_does_not_disturb_the_listener(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[str] = []

    async def fail(leg: AudioSocketLeg) -> None:
        calls.append(leg.info.call_id)
        raise RuntimeError("no model")

    async with AudioSocketListener("127.0.0.1", 0, fail) as listener:
        for _ in range(2):
            async with AudioSocketCaller(listener.port) as caller:
                await caller.wait_ended()
    assert len(calls) == 2
    assert "no model" in caplog.text


async def test_a_listener_that_stops_takes_no_call_and_close_ends_those_that_are_up() -> None:
    up = asyncio.Event()

    async def run(leg: AudioSocketLeg) -> None:
        up.set()
        assert (await events(leg))[-1] == LegClosed("us", "the server stops")

    listener = AudioSocketListener("127.0.0.1", 0, run)
    await listener.close()
    await listener.start()
    async with AudioSocketCaller(listener.port) as caller:
        await up.wait()
        listener.stop_accepting()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", listener.port)
        assert listener.connections == 1
        await listener.close()
        await caller.wait_ended()
    assert listener.connections == 0


@pytest.mark.parametrize("stubborn", [False, True])
async def test_close_waits_for_no_call_that_does_not_end(
    stubborn: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("realtime_telephony.audiosocket.CLOSE_LIMIT_S", 0.02)
    cancel_limit_s = 0.5 if stubborn else 30.0
    monkeypatch.setattr("realtime_telephony.audiosocket._CANCEL_LIMIT_S", cancel_limit_s)
    up, release = asyncio.Event(), asyncio.Event()
    cancelled: list[bool] = []

    async def run(leg: AudioSocketLeg) -> None:
        up.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                if not stubborn:
                    raise

    listener = AudioSocketListener("127.0.0.1", 0, run)
    await listener.start()
    async with AudioSocketCaller(listener.port) as caller:
        await up.wait()
        await asyncio.wait_for(listener.close(), 30)
        await caller.wait_ended()
        assert cancelled == [True]
        assert listener.connections == (1 if stubborn else 0)
        assert ("1 calls do not end" in caplog.text) is stubborn
        release.set()
        await listener.close()
    assert listener.connections == 0


async def paced(
    server: Server, run: Callable[[AudioSocketLeg, AudioSocketCaller, Pacer], Awaitable[None]]
) -> None:
    async with AudioSocketCaller(server.port) as caller:
        leg = await server.leg()
        pacer = Pacer(lambda: leg.play(bytes(320)))
        pacer.start()
        await run(leg, caller, pacer)
        pacer.stop()


async def test_a_pacer_keeps_silence_flowing(server: Server) -> None:
    async def run(leg: AudioSocketLeg, caller: AudioSocketCaller, pacer: Pacer) -> None:
        await caller.wait_for(lambda: len(caller.frames) >= 10)
        assert leg.played_samples() == pacer.ticks * 160

    await paced(server, run)


async def test_connections_beyond_the_bound_are_closed_unread_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = asyncio.Event()

    async def wait(leg: audiosocket.AudioSocketLeg) -> None:
        await over.wait()

    async with audiosocket.AudioSocketListener(
        "127.0.0.1", 0, wait, most_connections=1
    ) as listener:
        first = await asyncio.open_connection("127.0.0.1", listener.port)
        await until(lambda: listener.connections == 1)
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            assert await reader.read() == b""
            writer.close()
        assert listener.connections >= 1
        await until(lambda: listener.refused == 3)
        over.set()
        first[1].close()
    told = [record.getMessage() for record in caplog.records if "closed" in record.getMessage()]
    assert told == ["1 connections are open on the AudioSocket port: further ones are closed"]
    assert "not among those" not in caplog.text
    assert "not let in" not in caplog.text


async def test_strangers_are_closed_unread_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def never(leg: AudioSocketLeg) -> None:
        raise AssertionError("a call")

    async with AudioSocketListener("127.0.0.1", 0, never, admits=lambda peer: False) as listener:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            assert await reader.read() == b""
            writer.close()
        await until(lambda: listener.refused == 3)
    assert [record.getMessage() for record in caplog.records] == [
        "127.0.0.1 is not among those who may connect"
    ]
