from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from aiohttp import WSMsgType, web

from realtime_core.g711 import alaw_decode, alaw_encode, ulaw_decode, ulaw_encode
from realtime_core.testing import ManualClock
from realtime_telephony import asterisk_leg
from realtime_telephony.asterisk_leg import AsteriskWebSocketLeg
from realtime_telephony.asterisk_media import SAMPLE_RATES_HZ
from realtime_telephony.asterisk_websocket import (
    CallRefusedError,
    asterisk_call,
    asterisk_handler,
)
from realtime_telephony.leg import CallerAudio, DigitPressed, LegClosed, LegEvent
from tests.telephony.fakes.asterisk import WebSocketChannel
from tests.telephony.fakes.raw_websocket import BINARY, TEXT, RawWebSocket
from tests.telephony.stalls import stalls_watched

FRAME = 320  # samples of 20 ms at 16 kHz
Control = Literal["json", "plain-text"]
CONTROLS: tuple[Control, ...] = ("json", "plain-text")


class Server:
    """A server whose calls the test gets in hand."""

    def __init__(self) -> None:
        self.legs: asyncio.Queue[AsteriskWebSocketLeg] = asyncio.Queue()
        self.over = asyncio.Event()
        self.port = 0
        self.refusals: asyncio.Queue[CallRefusedError] = asyncio.Queue()

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/asterisk", asterisk_handler(self._on_call))
        app.router.add_get("/bare", self._bare)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _on_call(self, leg: AsteriskWebSocketLeg) -> None:
        self.legs.put_nowait(leg)
        await self.over.wait()

    async def _bare(self, request: web.Request) -> web.StreamResponse:
        with pytest.raises(CallRefusedError) as refused:
            await asterisk_call(request, start_timeout_s=0.01)
        self.refusals.put_nowait(refused.value)
        return refused.value.response

    async def leg(self) -> AsteriskWebSocketLeg:
        async with asyncio.timeout(30):
            return await self.legs.get()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    runner = await server.start()
    before = asyncio.all_tasks()
    yield server
    server.over.set()
    await runner.cleanup()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=30)
    assert [task for task in left if not task.done()] == []


async def events(leg: AsteriskWebSocketLeg) -> list[LegEvent]:
    """All that comes, to the end."""
    found: list[LegEvent] = []
    async with asyncio.timeout(30):
        while not found or not isinstance(found[-1], LegClosed):
            found.append(await leg.receive())
    return found


def pcm(samples: int, start: int = 0) -> bytes:
    return b"".join(
        (index % 30_000).to_bytes(2, "little") for index in range(start, start + samples)
    )


@pytest.fixture
def asterisk_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let its count arrive however slow this machine is, on which both sides run."""
    monkeypatch.setattr(asterisk_leg, "_STATUS_TIMEOUT_S", 30.0)


async def has(channel: WebSocketChannel, frames: int) -> None:
    await channel.wait_for(lambda: channel.queue_length == frames)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("name", [name for name in SAMPLE_RATES_HZ if name.startswith("slin")])
async def test_every_linear_rate_carries_audio_both_ways(
    server: Server, name: str, control: Control
) -> None:
    async with WebSocketChannel(server.port, audio_format=name, control=control) as channel:
        leg = await server.leg()
        assert (leg.sample_rate_hz, leg.codec) == (SAMPLE_RATES_HZ[name], "pcm")
        heard = pcm(leg.sample_rate_hz // 50)
        channel.say(heard)
        assert await leg.receive() == CallerAudio(heard)
        said = pcm(leg.sample_rate_hz // 50 * 12)
        leg.play(said)
        await has(channel, 12)
        channel.tick(14)
        assert b"".join(channel.played) == said


@pytest.mark.parametrize(
    ("name", "encode", "decode"),
    [("ulaw", ulaw_encode, ulaw_decode), ("alaw", alaw_encode, alaw_decode)],
)
async def test_g711_is_g711_on_the_wire_and_pcm_here(
    server: Server, name: str, encode: type[bytes], decode: type[bytes]
) -> None:
    async with WebSocketChannel(server.port, audio_format=name) as channel:
        leg = await server.leg()
        assert (leg.sample_rate_hz, leg.codec) == (8_000, f"g711_{name}")
        channel.say(bytes(range(160)))
        assert await leg.receive() == CallerAudio(decode(bytes(range(160))))
        leg.play(pcm(320))
        await has(channel, 2)
        channel.tick(2)
        assert b"".join(channel.played) == encode(pcm(320))


async def test_the_dialplans_parameters_are_known(server: Server) -> None:
    path = "/asterisk?dialled=100&caller=%2B4930123&plan=gold%26more"
    async with WebSocketChannel(server.port, path):
        info = (await server.leg()).info
    assert (info.leg, info.call_id) == ("asterisk", "1795390505.1")
    assert (info.dialled, info.caller) == ("100", "+4930123")
    assert info.parameters["plan"] == "gold&more"


@pytest.mark.parametrize("control", CONTROLS)
async def test_digits_and_pings_and_unknown_text_do_what_they_should(
    server: Server, control: Control
) -> None:
    async with WebSocketChannel(server.port, control=control) as channel:
        leg = await server.leg()
        channel.press("5")
        channel.ping()
        channel.event("SOMETHING_NEW")
        channel.event("ERROR", error_text="no such thing")
        channel.event("QUEUE_DRAINED")
        channel.socket.send(BINARY, b"")
        channel.event("MEDIA_MARK_PROCESSED", correlation_id="nonsense")
        channel.press("#")
        assert [await leg.receive() for _ in range(2)] == [DigitPressed("5"), DigitPressed("#")]


async def test_what_asterisk_writes_cannot_forge_a_line_of_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    channel = WebSocketChannel(server.port)
    channel.channel_id = "1\n2 call"
    async with channel:
        leg = await server.leg()
        assert leg.info.call_id == "1\n2 call"
        channel.event("ERROR", error_text="no\nsuch \x1b[2Jthing" + "!" * 300)
        channel.press("5")
        assert await leg.receive() == DigitPressed("5")
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith("call 1_2_call: Asterisk: no\\nsuch \\x1b[2Jthing!!!")
    assert len(told) < 250


async def test_any_sizes_of_audio_join_without_a_seam(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        said = pcm(10 * FRAME)
        at = 0
        for samples in (1, 7, 700, 319, 1500, 673):
            leg.play(said[2 * at : 2 * (at + samples)])
            at += samples
        await has(channel, 10)
        channel.tick(12)
        assert b"".join(channel.played) == said


async def test_a_last_piece_of_a_frame_goes_out_with_silence_when_nothing_follows(
    server: Server,
) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg.play(pcm(FRAME + 10))
        await has(channel, 2)
        channel.tick(2)
        assert b"".join(channel.played) == pcm(FRAME + 10).ljust(4 * FRAME, b"\0")


@pytest.mark.parametrize("control", CONTROLS)
async def test_drained_returns_when_the_last_frame_was_played(
    server: Server, control: Control
) -> None:
    async with WebSocketChannel(server.port, control=control) as channel:
        leg = await server.leg()
        assert await leg.drained(0)
        leg.play(pcm(3 * FRAME + 5))
        waiting = asyncio.create_task(leg.drained(30))
        await has(channel, 4)
        await channel.wait_for(lambda: len(channel.queue) == 5)
        channel.tick(4)
        assert not await leg.drained(0.01)
        assert not waiting.done()
        channel.tick()
        assert await waiting
        assert leg.played_samples() == 3 * FRAME + 5


@pytest.mark.usefixtures("asterisk_answers_in_time")
@pytest.mark.parametrize("control", CONTROLS)
async def test_a_flush_empties_the_queue_and_is_settled_by_asterisks_own_count(
    server: Server, control: Control
) -> None:
    async with WebSocketChannel(server.port, control=control) as channel:
        leg = await server.leg()
        leg.play(pcm(30 * FRAME))
        waiting = asyncio.create_task(leg.drained(30))
        await has(channel, 30)
        channel.tick(13)
        del channel.commands[:]
        assert await leg.flush() == 13 * FRAME
        assert channel.commands[:3] == ["GET_STATUS", "FLUSH_MEDIA", "START_MEDIA_BUFFERING"]
        assert not await waiting
        assert channel.queue_length == 0
        assert channel.buffering
        leg.play(pcm(2 * FRAME, 7))
        await has(channel, 2)
        channel.tick(2)
        assert b"".join(channel.played) == pcm(13 * FRAME) + pcm(2 * FRAME, 7)
        assert (await asyncio.gather(leg.drained(30), _later(channel)))[0]
        assert leg.played_samples() == 15 * FRAME


async def _later(channel: WebSocketChannel) -> None:
    await channel.wait_for(lambda: channel.queue)
    channel.tick()


async def test_the_flush_is_on_its_way_before_the_first_await(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg.play(pcm(5 * FRAME))
        await has(channel, 5)
        flushing = leg.flush()
        flushing.send(None)
        flushing.close()
        await has(channel, 0)


@pytest.mark.usefixtures("asterisk_answers_in_time")
async def test_audio_played_during_a_flush_counts_on_from_what_is_settled(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg.play(pcm(30 * FRAME))
        await has(channel, 30)
        channel.tick(13)
        flushing = asyncio.create_task(leg.flush())
        await asyncio.sleep(0)
        leg.play(pcm(FRAME, 9))
        await flushing
        draining = asyncio.create_task(leg.drained(30))
        await channel.wait_for(lambda: len(channel.queue) == 2)
        channel.tick(2)
        assert await draining
        assert leg.played_samples() == 14 * FRAME


async def test_a_flush_without_an_answer_keeps_to_the_limit_and_the_clock(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg, channel.answers_status = await server.leg(), False
        leg.play(pcm(5 * FRAME))
        assert 0 <= await leg.flush() <= 5 * FRAME
        assert "no STATUS" in caplog.text
        channel.answers_status = True
        leg.play(pcm(5 * FRAME))
        assert await leg.flush() <= 10 * FRAME


async def test_a_pause_somebody_left_is_ended_at_a_flush(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        channel.paused = True
        await leg.flush()
        await channel.wait_for(lambda: not channel.paused)


@pytest.mark.usefixtures("asterisk_answers_in_time")
async def test_what_is_held_back_is_neither_sent_nor_counted_after_a_flush(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg._clock = ManualClock(leg._clock.now())  # Asterisk's stands still too
        for second in range(30):
            leg.play(pcm(16_000, second))
        await channel.wait_for(lambda: channel.queue_length >= 500)
        assert channel.queue_length <= 510  # the clock may be up to a mark ahead of ours
        before = channel.queue_length
        channel.tick(31)
        await channel.wait_for(lambda: channel.queue_length > before - 31)
        assert await leg.flush() == 31 * FRAME
        await has(channel, 0)
        leg.play(pcm(FRAME))
        await has(channel, 1)


@pytest.mark.usefixtures("asterisk_answers_in_time")
async def test_xoff_stops_and_xon_resumes(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        channel.event("MEDIA_XOFF")
        channel.press("1")
        await leg.receive()
        leg.play(pcm(5 * FRAME))
        assert await leg.flush() == 0
        leg.play(pcm(5 * FRAME))
        assert not channel.queue
        channel.event("MEDIA_XON")
        await has(channel, 5)


async def test_a_stop_that_is_never_followed_by_go_does_not_silence_the_call(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg, clock = await server.leg(), ManualClock(50)
        leg._clock = clock
        channel.event("MEDIA_XOFF")
        channel.press("1")
        await leg.receive()
        leg.play(pcm(5 * FRAME))
        clock.advance(3.9)
        assert caplog.text == ""
        clock.advance(0.2)  # from 900 frames to 800 are two seconds, and two for the rest
        assert "never go on" in caplog.text
        await has(channel, 5)
        channel.event("MEDIA_XOFF")
        channel.hang_up()
        await events(leg)
        clock.advance(10)
        assert caplog.text.count("never go on") == 1


async def test_played_follows_asterisks_clock(server: Server) -> None:
    async with stalls_watched() as stalls, WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg.play(pcm(40 * FRAME))
        await has(channel, 40)
        channel.run_clock()
        await channel.wait_for(lambda: len(channel.played) >= 25)
        # Within two frames: the one on its way, and the start between two ticks.
        error = abs(leg.played_samples() - len(channel.played) * FRAME)
        assert error <= 3 * FRAME + stalls.total_ms * 16
        assert await leg.drained(30)
        assert leg.played_samples() == 40 * FRAME


@pytest.mark.parametrize("control", CONTROLS)
async def test_our_hang_up_is_a_command_and_asterisk_closes(
    server: Server, control: Control
) -> None:
    async with WebSocketChannel(server.port, control=control) as channel:
        leg = await server.leg()
        leg.play(pcm(5 * FRAME))
        await leg.hang_up()
        await leg.hang_up()
        await channel.wait_ended()
        assert channel.hung_up
        assert await events(leg) == [LegClosed("us")]
        leg.play(pcm(FRAME))
        assert not await leg.drained(1)
        assert await leg.flush() <= 5 * FRAME


async def test_close_ends_the_media_in_order(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg.play(pcm(FRAME + 1))
        waiting = asyncio.create_task(leg.drained(30))
        await asyncio.sleep(0)
        await asyncio.gather(leg.close(), leg.close())
        await channel.wait_ended()
        assert channel.closed_with == 1000
        assert not await waiting
        assert await events(leg) == [LegClosed("us")]


@pytest.mark.parametrize(
    ("code", "closed"),
    [
        (1000, LegClosed("caller")),
        (1001, LegClosed("network", "Asterisk closed with code 1001")),
    ],
)
async def test_asterisks_goodbye_says_how_the_call_ended(
    server: Server, code: int, closed: LegClosed
) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        channel.say(pcm(FRAME))
        channel.hang_up(code)
        assert await events(leg) == [CallerAudio(pcm(FRAME)), closed]


async def test_a_connection_that_only_ends_is_the_network(server: Server) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg.play(pcm(5 * FRAME))
        channel.socket.abort()
        closed = (await events(leg))[-1]
        assert isinstance(closed, LegClosed)
        assert closed.reason == "network"
        leg.play(pcm(5 * FRAME))
        await leg.hang_up()


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"\xff\xff\xff\xff\xff", "1002"),
        (b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(70_000), "1009"),
        (b"\x81\x82\x00\x00\x00\x00\xff\xff", "1007"),
        (b"\x82\x83\x00\x00\x00\x00abc", "half a sample"),
        (b'\x81\xc5\x00\x00\x00\x00{"event":"MEDIA_START","channel_id":"1","format":"slin16","ptime":20}', "second"),
    ],
)  # fmt: skip
async def test_what_breaks_the_protocol_ends_the_call(
    server: Server, raw: bytes, word: str
) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        channel.socket.send_raw(raw)
        closed = (await events(leg))[-1]
        assert isinstance(closed, LegClosed)
        assert closed.reason == "protocol"
        assert word in closed.detail


async def test_a_peer_that_does_not_read_ends_the_call(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asterisk_leg, "SEND_LIMIT_BYTES", -1)
    async with WebSocketChannel(server.port):
        leg = await server.leg()
        leg.play(pcm(FRAME))
        assert await events(leg) == [LegClosed("network", "Asterisk does not read")]


async def test_what_is_written_to_a_connection_that_is_going_is_lost_in_silence(
    server: Server,
) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        leg._transport.close()
        leg.play(pcm(FRAME))
        assert (await events(leg))[-1].__class__ is LegClosed
        await channel.wait_ended()


async def test_a_write_never_waits(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async with WebSocketChannel(server.port) as channel:
        leg = await server.leg()
        send_frame = leg.response.send_frame

        async def full(data: bytes, kind: WSMsgType) -> None:
            await send_frame(data, kind)
            await asyncio.sleep(60)

        monkeypatch.setattr(leg.response, "send_frame", full)
        leg.play(pcm(FRAME))
        await has(channel, 1)
        monkeypatch.undo()


async def test_a_format_that_cannot_be_carried_is_refused_with_what_to_do(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebSocketChannel(server.port, audio_format="g722") as channel:
        await channel.wait_ended()
        assert channel.closed_with == 1003
    assert "c(slin16)" in caplog.text


@pytest.mark.parametrize("name", ["slin96", "slin192"])
async def test_a_rate_no_agent_takes_is_refused_with_what_to_do(
    server: Server, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebSocketChannel(server.port, audio_format=name) as channel:
        await channel.wait_ended()
        assert channel.closed_with == 1003
    assert f"the channel's format is '{name}'" in caplog.text
    assert "c(slin48)" in caplog.text


@pytest.mark.parametrize("frame_bytes", [-5, 1, 319, 641, 10**12])
async def test_frames_that_no_asterisk_plays_are_refused(
    server: Server, frame_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    channel = WebSocketChannel(server.port)
    channel.frame_bytes = frame_bytes
    async with channel:
        await channel.wait_ended()
    assert f"a frame of {frame_bytes} bytes" in caplog.text


async def test_a_phone_that_packs_otherwise_has_frames_of_its_own_length(server: Server) -> None:
    channel = WebSocketChannel(server.port)
    channel.frame_bytes = 960
    async with channel:
        (await server.leg()).play(pcm(960))
        await has(channel, 2)


async def test_what_does_not_begin_with_media_start_is_refused(server: Server) -> None:
    for opcode, payload in ((TEXT, b"hello"), (BINARY, bytes(640)), (None, b"")):
        socket = await RawWebSocket.connect(server.port, "/bare")
        assert isinstance(socket, RawWebSocket)
        if opcode is not None:
            socket.send(opcode, payload)
        frame = await socket.read()
        assert frame is not None
        assert frame.payload[:2] == (1003).to_bytes(2, "big")
        await socket.close()
        async with asyncio.timeout(30):
            assert "MEDIA_START" in str(await server.refusals.get())


@pytest.mark.parametrize("protocols", [None, "chat"])
async def test_without_the_sub_protocol_there_is_no_upgrade(
    server: Server, protocols: str | None
) -> None:
    assert await RawWebSocket.connect(server.port, "/asterisk", protocols) == 400


async def test_one_call_that_fails_is_logged_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(leg: AsteriskWebSocketLeg) -> None:
        raise RuntimeError("no model")

    app = web.Application()
    app.router.add_get("/asterisk", asterisk_handler(fail))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with WebSocketChannel(runner.addresses[0][1]) as channel:
        await channel.wait_ended()
    await runner.cleanup()
    assert "no model" in caplog.text
