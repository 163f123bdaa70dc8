"""A wrong argument is refused where it is given, and does no harm to the session."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_core import Agent, ConfigError, Interrupted

from .kit import CANCELLED, CREATED, DONE, Line, audio, pcm

WRONG = [
    ("update_instructions", (None,), {}, "update_instructions: expected a string, got None"),
    ("create_response", (5,), {}, "create_response: expected a string, got 5"),
    ("send_text", (b"hello",), {}, "send_text: expected a string, got bytes"),
    ("cancel", (), {"played_ms": "120"}, "cancel: expected a number of ms, got '120'"),
    ("cancel", (), {"played_ms": float("nan")}, "cancel: expected a number of ms, got nan"),
    ("cancel", (), {"played_ms": True}, "cancel: expected a number of ms, got True"),
]


@pytest.mark.parametrize(("command", "arguments", "named", "says"), WRONG)
async def test_a_command_refuses_an_argument_of_another_type(
    command: str, arguments: tuple[Any, ...], named: dict[str, Any], says: str
) -> None:
    line = await Line().open()
    await line.say(CREATED, audio(pcm(100)))
    before = line.sent
    with pytest.raises(ConfigError, match=says):
        await getattr(line.agent, command)(*arguments, **named)
    assert line.sent == before
    # The reply goes on, and the next one can be asked for.
    await line.say(audio(pcm(100)), DONE)
    await line.agent.create_response("Go on.")
    assert line.sent[-1] == "response.create"
    assert "assistant.turn.end" in line.kinds
    assert "error" not in line.kinds
    await line.agent.close()


@pytest.mark.parametrize("played_ms", [None, "5", float("inf"), float("nan")])
async def test_a_report_that_is_no_number_is_refused(played_ms: Any) -> None:
    line = await Line().open()
    await line.say(CREATED, audio(pcm(100)))
    with pytest.raises(ConfigError, match="report_playback: expected a number of ms, got"):
        line.agent.report_playback("A1", played_ms, final=True)
    await line.agent.cancel()
    assert "conversation.item.truncate" not in line.sent, "what was heard is still awaited"
    await line.agent.close()


@pytest.mark.parametrize("by", ["report", "cancel"])
async def test_a_fraction_of_a_ms_is_left_out(by: str) -> None:
    line = await Line().open()
    await line.say(CREATED, audio(pcm(100)))
    agent: Agent = line.agent
    heard_ms: Any = 50.7
    if by == "report":
        agent.report_playback("A1", heard_ms, final=True)
        await agent.cancel()
    else:
        await agent.cancel(played_ms=heard_ms)
    await line.say(CANCELLED)
    told = [each for each in line.transport.events if each["type"] == "conversation.item.truncate"]
    assert [each["audio_end_ms"] for each in told] == [50]
    (cut,) = (each for each in line.events if isinstance(each, Interrupted))
    assert cut.heard_ms == 50
    await agent.close()
