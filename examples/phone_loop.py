"""
A telephone call: 8 kHz both ways in frames of 20 ms, and a caller who talks into the answer.

Every 20 ms the line gives a frame and takes one, speech or silence. `Playout` has the frame to play, is emptied the
moment the vendor hears the caller, and tells the agent what was heard. Without `--credential` the loopback vendor
says back what it hears; `"wireAudio": "g711_ulaw"` in an OpenAI credential spares both resamplers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import realtime_core as rt
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.playout import Playout
from realtime_core.testing import LoopbackVendor

RATE_HZ, FRAME_MS = 8000, 20
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000 * 2
RECORDING = Path(__file__).parent / "audio" / "question.wav"


class Caller:
    """Says the recording, and once 600 ms of the answer were heard says it again."""

    def __init__(self) -> None:
        with wave.open(str(RECORDING)) as file:
            narrow = SoxrResampler(file.getframerate(), RATE_HZ)
            speech = narrow.process(file.readframes(file.getnframes()))
        starts = range(0, len(speech) - FRAME_BYTES, FRAME_BYTES)
        self.speech = [speech[at : at + FRAME_BYTES] for at in starts]
        self.to_say, self.heard_ms = list(self.speech), 0
        self.times_heard, self.done = 0, False

    def speak(self) -> bytes:
        """Give the next frame, silence when there is nothing to say."""
        return self.to_say.pop(0) if self.to_say else bytes(FRAME_BYTES)

    def listen(self, frame: bytes) -> None:
        """Take what the line plays."""
        before, self.heard_ms = self.heard_ms, self.heard_ms + FRAME_MS * any(frame)
        if before < 600 <= self.heard_ms:
            self.to_say = list(self.speech)

    def on_event(self, event: rt.Event) -> None:
        """Print what happens; the call is over when the second question is answered."""
        match event:
            case rt.UserSpeechStarted():
                self.times_heard += 1
            case rt.Interrupted():
                print(f"interrupted: {event.heard_ms} ms heard, {event.cut_ms} ms cut")
            case rt.AssistantText(final=True):
                print("assistant:", event.text)
            case rt.ErrorEvent():
                print(f"error ({event.error.kind}): {event.error}", file=sys.stderr)
                self.done = self.done or event.fatal
            case rt.AssistantTurnEnd() if event.status != "cancelled":
                self.done = self.done or self.times_heard > 1
            case _:
                pass


async def call(credential: dict[str, Any], speed: float) -> rt.SessionStats:
    """Hold the call on an absolute schedule, so that a late frame makes no later one late."""
    caller = Caller()

    def on_event(event: rt.Event) -> None:
        playout.feed(event)
        caller.on_event(event)

    options = rt.Options(input_sample_rate=RATE_HZ, output_sample_rate=RATE_HZ, on_event=on_event)
    agent = rt.new_agent_from_credential(credential, options)
    playout, loop = Playout(agent, frame_ms=FRAME_MS), asyncio.get_running_loop()
    async with asyncio.timeout(60), agent:
        due = loop.time()
        while not caller.done or playout.buffered_ms:
            caller.listen(playout.read())
            if not caller.done:
                await agent.push_audio(caller.speak())
            due += FRAME_MS / 1000 / speed
            await asyncio.sleep(due - loop.time())
    return agent.stats


async def main() -> None:
    """Choose who answers."""
    parser = argparse.ArgumentParser(description="Hold a telephone call with a barge-in.")
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    parser.add_argument("--speed", type=float, default=1.0, help="times the pace of speech")
    arguments = parser.parse_args()
    async with AsyncExitStack() as stack:
        if arguments.credential is not None:
            credential = json.loads(arguments.credential.read_text("utf-8"))
        else:
            vendor = await stack.enter_async_context(LoopbackVendor())
            credential = vendor.credential("openai_ga") | {"wireAudio": "g711_ulaw"}
        stats = await call(credential, arguments.speed)
    print(f"{stats.audio_in_ms:.0f} ms pushed, {stats.audio_out_ms:.0f} ms received")


if __name__ == "__main__":
    asyncio.run(main())
