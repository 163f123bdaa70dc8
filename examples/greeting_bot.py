"""
A bot that speaks first: it greets, listens to a recorded caller, and answers.

A vendor's turn detection never starts a conversation, so the greeting is asked for with `create_response`. Its
instructions hold for that one reply. Without `--credential` the loopback vendor answers and no key is needed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from pathlib import Path
from typing import Any

import realtime_core as rt
from realtime_core.testing import LoopbackVendor

RECORDING = Path(__file__).parent / "audio" / "question.wav"
GREETING = "Say that this is the restaurant La Pergola and ask how you can help."


async def one_reply(agent: rt.Agent) -> bool:
    """Print what is said until a reply has ended; tell whether it was completed."""
    async for event in agent:
        match event:
            case rt.AssistantText(final=True):
                print("assistant:", event.text)
            case rt.UserTranscript(final=True):
                print("caller:   ", event.text)
            case rt.ErrorEvent():
                print(f"error ({event.error.kind}): {event.error}", file=sys.stderr)
            case rt.AssistantTurnEnd():
                return event.status == "completed"
            case _:
                pass
    return False


async def converse(credential: dict[str, Any]) -> None:
    """Greet, then hold one turn."""
    with wave.open(str(RECORDING)) as file:
        speech = file.readframes(file.getnframes())
    options = rt.Options(
        system_prompt="You are the receptionist of a restaurant. Answer in one sentence.",
        when_full="wait",
    )
    async with rt.new_agent_from_credential(credential, options) as agent:
        await agent.create_response(GREETING)
        greeted = await one_reply(agent)
        await agent.push_audio(speech)
        answered = await one_reply(agent)
    print(f"{agent.stats.audio_out_ms:.0f} ms of audio in {agent.stats.turns} replies")
    if not (greeted and answered):
        raise SystemExit("a reply was not completed")


async def main() -> None:
    """Choose who answers."""
    parser = argparse.ArgumentParser(description="Greet, hear a recorded caller, answer.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    arguments = parser.parse_args()
    if arguments.credential is not None:
        await converse(json.loads(arguments.credential.read_text("utf-8")))
    else:
        async with LoopbackVendor() as vendor:
            await converse(vendor.credential("openai_ga"))


if __name__ == "__main__":
    asyncio.run(main())
