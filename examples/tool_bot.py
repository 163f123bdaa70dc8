"""
A bot with two tools, one an async function, one a plain one, which runs in a thread of its own.

The SDK runs them side by side, gives their answers back together and asks for the reply that speaks of them.
Without `--credential` the loopback vendor plays a model that calls both at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import realtime_core as rt
from realtime_core.testing import LoopbackVendor, Scenario
from realtime_core.testing.loopback import Call, Reply

QUESTION = "When are you open tonight, and is there a table for two at eight?"


async def opening_hours(name: str, arguments: dict[str, Any]) -> str:
    """Look it up somewhere; other tools and the audio go on meanwhile."""
    await asyncio.sleep(0.02)
    return f"open on {arguments.get('day', 'every day')} from 18:00 to 23:00"


def free_tables(name: str, arguments: dict[str, Any]) -> str:
    """Ask a blocking library; it may take its time, up to `Options.tool_timeout_s`."""
    time.sleep(0.02)
    return json.dumps({"people": arguments.get("people", 2), "free": ["20:00", "20:30"]})


def parameters(**properties: str) -> dict[str, Any]:
    """Write the JSON Schema of some arguments by name and type."""
    return {"type": "object", "properties": {name: {"type": t} for name, t in properties.items()}}


TOOLS = (
    rt.Tool(
        name="opening_hours",
        description="Opening hours of a day",
        parameters=parameters(day="string"),
        handler=opening_hours,
    ),
    rt.Tool(
        name="free_tables",
        description="Free tables tonight",
        parameters=parameters(people="integer"),
        handler=free_tables,
    ),
)
BOTH = Reply(
    parts=(Call(name="opening_hours", arguments='{"day": "Friday"}'), Call(name="free_tables"))
)


async def converse(credential: dict[str, Any]) -> None:
    """Ask in writing, and print until a reply ends that called no tool."""
    options = rt.Options(system_prompt="You are a receptionist. Use your tools.", tools=TOOLS)
    async with rt.new_agent_from_credential(credential, options) as agent:
        await agent.send_text(QUESTION)
        async for event in agent:
            match event:
                case rt.ToolCall():
                    print(f"calls {event.name}({event.arguments})")
                case rt.AssistantText(final=True):
                    print("assistant:", event.text)
                case rt.ErrorEvent():
                    print(f"error ({event.error.kind}): {event.error}", file=sys.stderr)
                case rt.AssistantTurnEnd(tool_names=()):
                    return
                case _:
                    pass


async def main() -> None:
    """Choose who answers."""
    parser = argparse.ArgumentParser(description="Answer a question with the help of two tools.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    arguments = parser.parse_args()
    if arguments.credential is not None:
        await converse(json.loads(arguments.credential.read_text("utf-8")))
    else:
        async with LoopbackVendor(scenario=Scenario(replies=(BOTH,))) as vendor:
            await converse(vendor.credential("openai_ga"))


if __name__ == "__main__":
    asyncio.run(main())
