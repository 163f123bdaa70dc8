"""
Push to talk: the application says when a turn ends, as with a key that is held down while speaking.

The caller talks twice, the second time into the answer: pressing the key stops what plays, and the model is told
how much of it was heard where the vendor can be told. Without `--credential` the loopback vendor answers.
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
from realtime_core.playout import Playout
from realtime_core.testing import LoopbackVendor

RECORDING = Path(__file__).parent / "audio" / "question.wav"
OPTIONS = rt.Options(
    system_prompt="Answer in one short sentence.", disable_server_vad=True, when_full="wait"
)


async def press(agent: rt.Agent, speech: bytes) -> None:
    """Hold the key down, speak, let go."""
    await agent.cancel()  # what still plays stops; sends nothing when nothing does
    await agent.clear_input_audio()  # what the line gave before the key went down
    await agent.push_audio(speech)
    await agent.commit_input_audio()  # ends the turn and asks for the reply


async def converse(credential: dict[str, Any]) -> None:
    """Talk, hear 300 ms of the answer, talk again."""
    with wave.open(str(RECORDING)) as file:
        speech = file.readframes(file.getnframes())
    async with rt.new_agent_from_credential(credential, OPTIONS) as agent:
        playout = Playout(agent)
        await press(agent, speech)
        presses, ended = 1, 0
        async for event in agent:
            playout.feed(event)
            match event:
                case rt.AssistantAudio() if presses == 1 and playout.buffered_ms >= 300:
                    for _ in range(15):  # a sound card takes a frame every 20 ms
                        playout.read()
                    await press(agent, speech)
                    presses = 2
                case rt.Interrupted():
                    print(f"cut: {event.heard_ms} ms heard, model told: {event.truncated}")
                case rt.AssistantText(final=True):
                    print("assistant:", event.text)
                case rt.ErrorEvent():
                    print(f"error ({event.error.kind}): {event.error}", file=sys.stderr)
                case rt.AssistantTurnEnd():
                    ended += 1
                    print("reply", ended, event.status)
                    if ended == 2:
                        return
                case _:
                    pass


async def main() -> None:
    """Choose who answers."""
    parser = argparse.ArgumentParser(description="Talk twice with manual turns.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    arguments = parser.parse_args()
    if arguments.credential is not None:
        await converse(json.loads(arguments.credential.read_text("utf-8")))
    else:
        async with LoopbackVendor() as vendor:
            await converse(vendor.credential("openai_ga"))


if __name__ == "__main__":
    asyncio.run(main())
