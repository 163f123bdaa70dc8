"""What a call cost, how fast it was, and what stands in the log of it."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import Any

import pytest

from realtime_core import Event, ServerVAD, UserSpeechStarted
from realtime_core.playout import Playout
from realtime_core.testing.loopback import Call as FunctionCall
from realtime_core.testing.loopback import Reply, Speech
from tests.quirks.call import ALL, HELD_MS, OPENAI, Call, calling, held, spoken


@pytest.mark.parametrize("dialect", ALL)
async def test_latencies_mean_the_same_everywhere(dialect: str) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with calling(dialect, held()) as call:
        stats = call.agent.stats
        assert stats.time_to_session_ms is not None
        assert 0 < stats.time_to_session_ms <= (loop.time() - began) * 1000
        assert stats.last_response_latency_ms is None
        playout = Playout(call.agent)
        call.listeners.append(playout.feed)
        ended = loop.time()
        await call.say()
        await call.until(lambda: call.audio_ms() >= HELD_MS)
        latency_ms = call.agent.stats.last_response_latency_ms
        assert latency_ms is not None
        assert 0 <= latency_ms <= (loop.time() - ended) * 1000
        assert call.agent.stats.last_playout_latency_ms is None
        playout.read()
        played_ms = call.agent.stats.last_playout_latency_ms
        assert played_ms is not None
        assert latency_ms <= played_ms <= (loop.time() - ended) * 1000
        assert call.agent.stats.last_silence_latency_ms is None
        left_ms: list[float] = []

        def look(event: Event) -> None:
            if isinstance(event, UserSpeechStarted):
                left_ms.append(playout.buffered_ms)

        call.listeners.append(look)
        spoke = loop.time()
        await call.speak()
        silence_ms = call.agent.stats.last_silence_latency_ms
        assert silence_ms is not None
        assert 0 <= silence_ms <= (loop.time() - spoke) * 1000
        assert left_ms == [0], "the playout is flushed in the same breath"


@pytest.mark.parametrize("dialect", OPENAI)
async def test_the_rest_of_an_older_reply_is_no_answer(dialect: str) -> None:
    """The caller spoke without interrupting; the greeting goes on and says nothing of the latency."""
    async with calling(dialect, held(), vad=ServerVAD(interrupt=False, respond=False)) as call:
        playout = Playout(call.agent)
        call.listeners.append(playout.feed)
        await call.greeting_audible()
        await call.say()
        await call.session.release()
        await call.turn_end()
        playout.read()
        stats = call.agent.stats
        assert (stats.last_response_latency_ms, stats.last_playout_latency_ms) == (None, None)


@pytest.mark.parametrize("dialect", ALL)
async def test_usage_has_the_same_names_everywhere(dialect: str) -> None:
    async with calling(dialect, spoken(1000), spoken(1000)) as call:
        await call.say()
        first = await call.turn_end()
        await call.say()
        second = await call.turn_end(2)
        assert first.usage is not None
        assert second.usage is not None
        for usage in (first.usage, second.usage):
            assert usage.input_tokens
            assert usage.output_tokens
            assert usage.input_audio_tokens
            assert usage.output_audio_tokens
            assert usage.output_text_tokens is not None
        assert call.agent.stats.usage == first.usage + second.usage
        assert call.agent.stats.turns == 2


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reply_without_usage_counts_as_nothing(dialect: str) -> None:
    async with calling(dialect, Reply(parts=(Speech(ms=60),), usage=False)) as call:
        await call.agent.create_response()
        end = await call.turn_end()
        assert end.usage is None
        assert call.agent.stats.usage.output_tokens is None


@pytest.mark.parametrize("dialect", ALL)
async def test_no_secret_and_no_audio_is_ever_logged(
    dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A whole conversation at DEBUG: greeting, tool, barge-in, an error that quotes the key, a loss."""
    caplog.set_level(logging.DEBUG)
    key, header = "loopback-key", "another-secret"

    async def lookup(name: str, arguments: dict[str, Any]) -> str:
        return "sunny"

    call_item = FunctionCall(name="lookup", call_id="call_1")
    reply = Reply(parts=(Speech(ms=200, transcript="One moment."), call_item))
    async with calling(
        dialect,
        reply,
        held(late_deltas=2),
        credential={"headers": {"X-Tenant": header}},
        tool_handler=lookup,
        include_raw=True,
    ) as call:
        await call.say()
        await call.until(lambda: call.audio_ms() >= HELD_MS + 200)
        await call.speak()
        await call.turn_end(2)
        await call.fall_silent()
        await call.turn_end(3)
        for code in ("invalid_value", "response_cancel_not_active"):
            message = f"Incorrect API key provided: {key}; {header}; none active response"
            error = {"type": "invalid_request_error", "code": code, "message": message}
            await call.session.send({"type": "error", "error": {**error, "event_id": "x"}})
        await call.session.send({"type": "odd.news", "audio": "A" * 100})
        await call.session.send({"type": "response.output_audio.delta", "delta": f"* {key} *"})
        await call.vendor_is_heard()
        await call.session.close(1011, f"bad key {key}")
        await call.until(lambda: call.kinds()[-1] == "SessionClose")
        heard = _spoken(call)
        told = [repr(event) for event in call.events] + [str(event.raw) for event in call.events]
        told += [str(error.error) for error in call.errors()]
    log = "\n".join(
        f"{record.getMessage()} {record.exc_text or ''}"
        for record in caplog.records
        # The server's side of the connection is the test's own.
        if not record.name.startswith("aiohttp.")
    )
    assert "realtime" in {record.name.partition("_")[0] for record in caplog.records}
    for secret in (key, header):
        assert secret not in log
        assert not [line for line in told if secret in line]
    assert not [piece for piece in heard if piece in log]


def _spoken(call: Call) -> list[str]:
    """Pieces of audio that would be recognised in a log."""
    audio = call.audio()
    return [base64.b64encode(audio[at : at + 48]).decode() for at in range(960, 9600, 960)] + [
        repr(audio[at : at + 24])[2:-1] for at in range(960, 9600, 960)
    ]


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta"])
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(
            "type of an event",
        ),
        "code",
        "type of an error",
    ],
)
async def test_a_key_quoted_in_an_odd_place_is_not_logged(
    dialect: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "loopback-key"
    error = {"type": "invalid_request_error", "code": "odd", "message": "none active response"}
    if place == "code":
        error |= {"code": key}
    if place == "type of an error":
        error |= {"type": key}
    async with calling(dialect) as call:
        kind = f"odd.{key}" if place == "type of an event" else "error"
        await call.session.send({"type": kind, "error": {**error, "event_id": "x"}})
        await call.session.wait_sent(kind)
        await call.agent_is_heard()
        await call.agent.create_response()
        await call.turn_end()
        told = [repr(vars(one.error)) for one in call.errors()]
    log = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("realtime"))
    assert key not in log
    assert not [line for line in told if key in line]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_plain_conversation_has_no_unknown_frames(dialect: str) -> None:
    async with calling(dialect, held()) as call:
        await call.say()
        await call.until(lambda: call.audio_ms() >= HELD_MS)
        await call.say()
        await call.turn_end(2)
        await call.all_is_heard()
        assert call.agent.stats.frames_ignored == 0


@pytest.mark.parametrize("dialect", ALL)
async def test_every_line_names_vendor_and_session(
    dialect: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with calling(dialect) as call:
        await call.session.send({"type": "vendor.news"})
        await call.vendor_is_heard()
        session_id, vendor = call.session.session_id, call.agent.vendor
    lines = [
        r for r in caplog.records if r.name.startswith("realtime_core") and "news" in r.message
    ]
    assert lines
    for record in lines:
        assert (vars(record)["vendor"], vars(record)["session_id"]) == (vendor, session_id)
