"""
Ask a recorded question and print what comes back.

Without an argument the loopback vendor answers and no key is needed; `--credential file.json` names a real one, such
as `{"provider": "openai", "apiKey": "..."}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import wave
from pathlib import Path
from typing import Any

from realtime_core import AssistantTurnEnd, Options, new_agent_from_credential
from realtime_core.testing import LoopbackVendor

RECORDING = Path(__file__).parent / "audio" / "question.wav"


async def ask(credential: dict[str, Any], recording: Path) -> None:
    """Push one recording of 16 kHz mono and print the events until the reply has ended."""
    with wave.open(str(recording)) as file:
        speech = file.readframes(file.getnframes())
    async with new_agent_from_credential(credential, Options(when_full="wait")) as agent:
        await agent.push_audio(speech)
        async for event in agent:
            print(event)
            if isinstance(event, AssistantTurnEnd):
                break


async def main() -> None:
    """Choose who answers."""
    parser = argparse.ArgumentParser(description="Ask a recorded question, print what comes back.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    arguments = parser.parse_args()
    if arguments.credential is not None:
        await ask(json.loads(arguments.credential.read_text("utf-8")), RECORDING)
    else:
        async with LoopbackVendor() as vendor:
            await ask(vendor.credential("openai_ga"), RECORDING)


if __name__ == "__main__":
    asyncio.run(main())
