"""
Records what `LoopbackVendor` says in one rich conversation, a file for each dialect beside this one.

    python -m tests.frames.record

Audio is cut to a few ms: the files are for what frames look like.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from realtime_core import (
    Agent,
    AssistantAudio,
    AssistantTurnEnd,
    Event,
    Options,
    Tool,
    new_agent_from_credential,
)
from realtime_core.testing import LoopbackVendor
from realtime_core.testing.loopback import DIALECTS, Call, Reply, Scenario, Speech, Text
from realtime_core.testing.speech import silence, speech_like

HERE = Path(__file__).parent
RATE_HZ = 16000
AUDIO_CHARS = 320  # 120 bytes are 5 ms of PCM at 24 kHz
LIMIT_S = 10.0

_CALL = Call(name="lookup", arguments='{"city": "Rome"}', call_id="call_rome")
_OTHER = Call(name="lookup", arguments="", call_id="call_bonn")
REPLIES = (
    Reply(parts=(Speech(ms=100, transcript="Hello, how can I help?"),)),
    Reply(parts=(Speech(ms=40, transcript="One moment."), _CALL), user_transcript="before"),
    Reply(parts=(Text("Rome:"), Speech(ms=60, transcript="It is sunny."))),
    Reply(parts=(_CALL, _OTHER), user_transcript="after"),
    Reply(
        parts=(Speech(ms=2000, transcript="A long story now.", hold_after_ms=80),), late_deltas=2
    ),
    Reply(parts=(), status="failed", error=("invalid_request_error", "rate_limit_exceeded", "No.")),
    Reply(
        parts=(Speech(ms=60, transcript="This is"),),
        status="incomplete",
        reason="max_output_tokens",
        user_transcript="failed",
    ),
)


def _shorter(event: Any) -> Any:
    """Give an event with less audio."""
    delta = event.get("delta")
    if "audio.delta" in event["type"] and isinstance(delta, str) and len(delta) > AUDIO_CHARS:
        return {**event, "delta": delta[:AUDIO_CHARS]}
    return event


async def record(dialect: str, wire_audio: str | None = None) -> list[dict[str, Any]]:
    """Hold the conversation and give what the vendor said."""
    said: list[dict[str, Any]] = []

    def listen(event: dict[str, Any], _: int) -> list[dict[str, Any]]:
        said.append(json.loads(json.dumps(_shorter(event))))
        return [event]

    events: list[Event] = []
    changed = asyncio.Event()

    def on_event(event: Event) -> None:
        events.append(event)
        changed.set()

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                changed.clear()
                await changed.wait()

    def count(kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in events)

    async def speak(agent: Agent) -> None:
        await agent.push_audio(silence(200, RATE_HZ) + speech_like(600, RATE_HZ))
        await agent.push_audio(silence(1500, RATE_HZ))

    async def turns(number: int) -> None:
        await until(lambda: count(AssistantTurnEnd) == number)

    vendor = LoopbackVendor(scenario=Scenario(replies=REPLIES, rewrite=listen))
    async with vendor:
        cfg = {**vendor.credential(dialect), **({"wireAudio": wire_audio} if wire_audio else {})}
        options = Options(
            on_event=on_event,
            tools=(Tool(name="lookup"),),
            tool_handler=lambda name, arguments: "sunny",
            input_sample_rate=RATE_HZ,
            max_buffered_ms=10_000,
        )
        async with new_agent_from_credential(cfg, options) as agent:
            await agent.create_response("Say hello.")
            await turns(1)
            await speak(agent)
            await turns(3)  # a call, and what is said of it
            await agent.send_text("And Bonn?")
            await turns(4)  # two calls; what is said of them is held
            heard = count(AssistantAudio)
            await until(lambda: count(AssistantAudio) > heard)
            await speak(agent)
            await turns(6)  # it is cut, and the answer fails
            await speak(agent)
            await turns(7)
            await agent.update_instructions("Be brief.")
            await vendor.sessions[0].wait_sent("session.updated", count=2)
    return said


async def _main() -> None:
    wires = [(dialect, dialect, None) for dialect in DIALECTS]
    for name, dialect, law in (*wires, ("openai_ga_g711", "openai_ga", "g711_ulaw")):
        said = await record(dialect, law)
        text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in said)
        (HERE / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(_main())
