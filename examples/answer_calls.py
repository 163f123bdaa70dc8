"""
Answers telephone calls from Asterisk, over AudioSocket and over its WebSocket channel.

`docs/telephony-asterisk.md` has the configuration of Asterisk. Without `--credential` the loopback vendor says back what it
hears; `{"provider": "local"}` in the file is a model on this machine, without a key.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

import realtime_core as rt
from realtime_core.testing import LoopbackVendor
from realtime_telephony import CallControl, CallLeg, DigitPressed, attach, options_for
from realtime_telephony.asterisk_websocket import asterisk_handler
from realtime_telephony.audiosocket import AudioSocketListener


class Desk:
    """Answers every call with an agent of its own."""

    def __init__(self, credential: dict[str, Any]) -> None:
        self.credential = credential

    async def answer(self, leg: CallLeg) -> None:
        """Hold one call, until one side ends it."""
        control = CallControl()
        options = options_for(
            leg, rt.Options(system_prompt="Answer in a sentence or two.", tools=control.tools)
        )
        # In a thread: a model on this machine reads its script.
        agent = await asyncio.to_thread(rt.new_agent_from_credential, self.credential, options)
        report = await attach(agent, leg, control=control, greeting="", on_event=self.on_event)
        print(
            f"{leg.info.leg} {leg.info.call_id}: ended by {report.ended_by} after {report.duration_s:.1f} s"
        )

    def on_event(self, event: rt.Event | DigitPressed) -> None:
        """Print what is said."""
        match event:
            case DigitPressed(digit):
                print("pressed:  ", digit)
            case rt.UserTranscript(final=True):
                print("caller:   ", event.text)
            case rt.AssistantText(final=True):
                print("assistant:", event.text)
            case rt.Interrupted():
                print(f"interrupted: {event.heard_ms} ms heard, {event.cut_ms} ms cut")
            case _:
                pass


async def main() -> None:
    """Listen until Ctrl-C or SIGTERM."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # into a log, too, each line goes at once
        sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description="Answer calls from Asterisk.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    parser.add_argument("--audiosocket-port", type=int, default=9092)
    parser.add_argument("--http-port", type=int, default=8080)
    arguments = parser.parse_args()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises instead
            loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        if arguments.credential is not None:
            credential = json.loads(arguments.credential.read_text("utf-8"))
        else:
            vendor = await stack.enter_async_context(LoopbackVendor())
            credential = vendor.credential("openai_ga")
        desk = Desk(credential)
        app = web.Application()
        app.router.add_get("/asterisk", asterisk_handler(desk.answer))
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        # On loopback: neither way in asks who calls. `realtime serve-calls` does.
        await web.TCPSite(runner, "127.0.0.1", arguments.http_port).start()
        listener = await stack.enter_async_context(
            AudioSocketListener("127.0.0.1", arguments.audiosocket_port, desk.answer)
        )
        print(f"AudioSocket on port {listener.port}, WebSocket on port {runner.addresses[0][1]}")
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
