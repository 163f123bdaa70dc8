"""
The vendor of the soak: the loopback vendor in a process of its own, so that its CPU does not count as ours.

Answers every turn with a tone of `--reply-ms` without a pause in it, at `--speed` times real time. Prints a credential, serves
until its standard input ends, and prints how many sessions there were and what clients did against the documents.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from realtime_core.testing.loopback import LoopbackVendor, Reply, Speech, Turn

__all__: list[str] = []


async def _serve(reply_ms: int, speed: float) -> None:
    reply = Reply(parts=(Speech(ms=reply_ms, transcript="One moment, let me tell you."),))

    def answer(_turn: Turn) -> Reply:
        return reply

    async with LoopbackVendor(voice=answer, speed=speed) as vendor:
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopped.set)
        print(json.dumps(vendor.credential("openai_ga")), flush=True)
        await stopped.wait()
        told = {
            "sessions": len(vendor.sessions),
            "violations": [str(violation) for violation in vendor.violations[:5]],
        }
        print(json.dumps(told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reply-ms", type=int, default=8000)
    parser.add_argument("--speed", type=float, default=4.0)
    settings = parser.parse_args()
    asyncio.run(_serve(settings.reply_ms, settings.speed))


if __name__ == "__main__":
    main()
