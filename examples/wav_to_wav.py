"""
Speak a WAV to a model at the pace of speech and write its answer as WAV.

Audio goes both ways at once: one task pushes while the other receives, as on a call. After the recording silence
follows, since a vendor measures the end of a turn by the audio it receives. Without `--credential` the loopback
vendor says back what it heard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import wave
from contextlib import AsyncExitStack
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import realtime_core as rt
from realtime_core.testing import LoopbackVendor

FRAME_MS = 20
QUESTION = Path(__file__).parent / "audio" / "question.wav"


def read_wav(path: Path) -> tuple[bytes, int]:
    """Give 16-bit mono PCM and its sample rate."""
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise SystemExit(f"{path}: expected 16-bit mono")
        return file.readframes(file.getnframes()), file.getframerate()


async def push(agent: rt.Agent, speech: bytes, speed: float) -> None:
    """Push the speech frame by frame on an absolute schedule, then silence until cancelled."""
    size = agent.options.input_sample_rate * FRAME_MS // 1000 * 2
    frames = (speech[at : at + size] for at in range(0, len(speech), size))
    loop = asyncio.get_running_loop()
    due = loop.time()
    try:
        for frame in chain(frames, repeat(bytes(size))):
            await agent.push_audio(frame)
            due += FRAME_MS / 1000 / speed
            await asyncio.sleep(due - loop.time())
    except rt.AgentClosedError:
        return  # the session is over; its events say why


async def receive(agent: rt.Agent, reply: wave.Wave_write) -> bool:
    """Write the reply's audio and print the words; tell whether the reply was completed."""
    async for event in agent:
        match event:
            case rt.AssistantAudio():
                reply.writeframes(event.audio)
            case rt.UserTranscript(final=True):
                print("caller:   ", event.text)
            case rt.AssistantText(final=True):
                print("assistant:", event.text)
            case rt.ErrorEvent():
                print(f"error ({event.error.kind}): {event.error}", file=sys.stderr)
            case rt.AssistantTurnEnd():
                return event.status == "completed"
            case _:
                pass
    return False


async def converse(
    credential: dict[str, Any], question: Path, answer: Path, speed: float
) -> rt.SessionStats:
    """Hold one turn."""
    speech, rate = read_wav(question)
    options = rt.Options(
        system_prompt="Answer in one short sentence.",
        input_sample_rate=rate,
        output_sample_rate=rate,
    )
    agent = rt.new_agent_from_credential(credential, options)
    with wave.open(str(answer), "wb") as reply:
        reply.setnchannels(1)
        reply.setsampwidth(2)
        reply.setframerate(rate)
        async with agent, asyncio.TaskGroup() as tasks:
            pushing = tasks.create_task(push(agent, speech, speed))
            completed = await receive(agent, reply)
            pushing.cancel()
    if not completed:
        raise SystemExit("the reply was not completed")
    return agent.stats


async def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Speak a WAV to a model, write its answer as WAV.")
    parser.add_argument("question", type=Path, nargs="?", default=QUESTION)
    parser.add_argument("answer", type=Path, nargs="?", default=Path("answer.wav"))
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    parser.add_argument("--speed", type=float, default=1.0, help="times the pace of speech")
    arguments = parser.parse_args()
    async with AsyncExitStack() as stack:
        if arguments.credential is not None:
            credential = json.loads(arguments.credential.read_text("utf-8"))
        else:
            vendor = await stack.enter_async_context(LoopbackVendor())
            credential = vendor.credential("dashscope_omni")
        stats = await converse(credential, arguments.question, arguments.answer, arguments.speed)
    print(f"{stats.audio_out_ms:.0f} ms of audio in {arguments.answer}")
    if stats.last_response_latency_ms is not None:
        print(f"first audio {stats.last_response_latency_ms:.0f} ms after the end of speech")


if __name__ == "__main__":
    asyncio.run(main())
