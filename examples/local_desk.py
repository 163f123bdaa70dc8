"""
The telephone desk of a restaurant, all of it on this machine: no vendor, no key, no network.

A caller says the recordings examples/audio/desk-*.wav, cuts the menu off when 2.5 s of it were heard, and books a
table, which the agent does by a tool. The agent hears, understands and speaks with the provider `local`; another
credential, and the same program talks to a vendor. Needs `pip install realtime-local`, and flite or `realtime-local[espeak]`.
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
from realtime_local.restaurant import BookingBook, restaurant_tools

RATE_HZ, FRAME_MS = 16000, 20
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000 * 2
RECORDINGS = sorted((Path(__file__).parent / "audio").glob("desk-*.wav"))
PAUSE_MS = 600
CUTS_IN = {2: 2500}
"""The third recording begins when so many ms of the answer before it were heard."""


def frames_of(path: Path) -> list[bytes]:
    """Cut a recording into frames."""
    with wave.open(str(path)) as file:
        pcm = file.readframes(file.getnframes())
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES, FRAME_BYTES)]


class Caller:
    """Says one recording after the other, each when the answer before it was heard."""

    def __init__(self) -> None:
        self.recordings = [frames_of(path) for path in RECORDINGS]
        self.number, self.to_say = 0, list(self.recordings[0])
        self.answered, self.failed = False, False
        self.heard_ms = self.quiet_ms = 0

    @property
    def done(self) -> bool:
        """Whether everything was said and answered."""
        is_last = self.number == len(self.recordings) - 1
        return self.failed or (is_last and self.answered and self.quiet_ms >= PAUSE_MS)

    def speak(self) -> bytes:
        """Give the next frame, silence when there is nothing to say."""
        answered = self.answered and self.quiet_ms >= PAUSE_MS
        cuts_in = self.heard_ms >= CUTS_IN.get(self.number + 1, sys.maxsize)
        if (answered or cuts_in) and not self.to_say and not self.done:
            self.number += 1
            self.to_say = list(self.recordings[self.number])
            self.answered, self.heard_ms = False, 0
        return self.to_say.pop(0) if self.to_say else bytes(FRAME_BYTES)

    def listen(self, frame: bytes, waiting_ms: float) -> None:
        """Take what the line plays, and how much more is to come."""
        self.heard_ms += FRAME_MS * any(frame)
        self.quiet_ms = 0 if waiting_ms else self.quiet_ms + FRAME_MS

    def on_event(self, event: rt.Event) -> None:
        """Print what is said and done."""
        match event:
            case rt.UserSpeechStarted():
                self.answered = False
            case rt.UserTranscript(final=True):
                print("caller:   ", event.text or "(not understood)")
            case rt.AssistantText(final=True):
                print("assistant:", event.text)
            case rt.Interrupted():
                print(f"interrupted: {event.heard_ms} ms heard, {event.cut_ms} ms cut")
            case rt.ToolCall():
                print(f"calls {event.name}({event.arguments})")
            case rt.ErrorEvent():
                print(f"error ({event.error.kind}): {event.error}", file=sys.stderr)
                self.failed = self.failed or event.fatal
            case rt.AssistantTurnEnd(tool_names=()):
                self.answered = event.status != "cancelled"
                self.quiet_ms = 0
            case _:
                pass


async def call(credential: dict[str, Any], speed: float) -> BookingBook:
    """Hold the call on an absolute schedule; give the book the agent wrote into."""
    caller, book = Caller(), BookingBook()

    def on_event(event: rt.Event) -> None:
        playout.feed(event)
        caller.on_event(event)

    options = rt.Options(
        system_prompt="You answer the telephone of a restaurant. Use your tools.",
        tools=restaurant_tools(book),
        on_event=on_event,
    )
    agent = rt.new_agent_from_credential(credential, options)
    playout, loop = Playout(agent, frame_ms=FRAME_MS), asyncio.get_running_loop()
    async with asyncio.timeout(300), agent:
        due = loop.time()
        while not caller.done:
            caller.listen(playout.read(), playout.buffered_ms)
            await agent.push_audio(caller.speak())
            due += FRAME_MS / 1000 / speed
            await asyncio.sleep(due - loop.time())
    return book


async def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Call the desk of a restaurant.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the provider local")
    parser.add_argument("--speed", type=float, default=1.0, help="times the pace of speech")
    arguments = parser.parse_args()
    credential = {"provider": "local"}
    if arguments.credential is not None:
        credential = json.loads(arguments.credential.read_text("utf-8"))
    for booking in (await call(credential, arguments.speed)).bookings.values():
        print(f"booked: {booking.people} people, {booking.day} at {booking.time}")


if __name__ == "__main__":
    asyncio.run(main())
