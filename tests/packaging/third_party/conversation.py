"""Holds one spoken turn with the installed parrot against the loopback vendor; run in the environment under test."""

from __future__ import annotations

import asyncio
import json
import sys
import wave

import realtime_core as rt
from realtime_core.testing import LoopbackVendor


async def converse(recording: str) -> dict[str, object]:
    with wave.open(recording) as file:
        pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    spoken, kinds = 0, list[str]()
    async with LoopbackVendor() as vendor:
        given = vendor.credential("openai_beta")
        credential = {"provider": "Polly", "apiKey": given["apiKey"], "baseUrl": given["baseUrl"]}
        agent = rt.new_agent_from_credential(credential, rt.Options(input_sample_rate=rate))
        async with agent, asyncio.timeout(20):
            frame = rate // 50 * 2
            for start in range(0, len(pcm), frame):
                await agent.push_audio(pcm[start : start + frame])
                await asyncio.sleep(0)
            async for event in agent:
                if event.type not in kinds:
                    kinds.append(event.type)
                if isinstance(event, rt.AssistantAudio):
                    spoken += len(event.audio)
                if isinstance(event, rt.AssistantTurnEnd):
                    break
        violations = [str(violation) for violation in vendor.violations]
    return {
        "vendor": agent.vendor,
        "kinds": kinds,
        "spoken_s": spoken / 2 / agent.options.output_sample_rate,
        "violations": violations,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(converse(sys.argv[1]))))
