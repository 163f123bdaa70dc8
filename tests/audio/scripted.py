"""A real agent, its wire and its resampler; the vendor is the test, and the clock stands still."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Literal, Self

from realtime_aliyun._dialect import OMNI_FLAT
from realtime_core import AssistantAudio, Event, Options
from realtime_core.backends.codec import FAST_CODEC
from realtime_core.backends.soxr import SoxrResampler
from realtime_core.session import SessionAgent
from realtime_core.testing.clock import ManualClock
from realtime_core.testing.scripted import ScriptedTransport
from realtime_core.wire import OpenAIWire, SessionSettings
from realtime_openai._dialect import OPENAI_GA

Name = Literal["openai_ga", "dashscope_omni"]
WIRE_IN: dict[Name, int] = {"openai_ga": 24000, "dashscope_omni": 16000}
WIRE_OUT: dict[Name, int] = {"openai_ga": 24000, "dashscope_omni": 24000}
_DIALECTS = {"openai_ga": OPENAI_GA, "dashscope_omni": OMNI_FLAT}


def spoken(pcm: bytes, number: int = 1, item: str = "a") -> bytes:
    """Write a piece of a reply as the vendor does."""
    delta = {
        "type": "response.output_audio.delta",
        "response_id": f"resp_{number}",
        "item_id": f"item_{number}{item}",
        "delta": base64.b64encode(pcm).decode(),
    }
    return json.dumps(delta).encode()


class Session:
    """An open session, and both streams of its audio."""

    def __init__(self, dialect: Name, *, to_hz: int = 24000, from_hz: int = 16000, **more: Any):
        self.events: list[Event] = []
        self.transport, self.clock = ScriptedTransport(), ManualClock()
        options = Options(
            input_sample_rate=from_hz,
            output_sample_rate=to_hz,
            on_event=self.events.append,
            **more,
        )
        wire = OpenAIWire(
            vendor="test",
            dialect=_DIALECTS[dialect],
            settings=SessionSettings(),
            options=options,
            codec=FAST_CODEC,
        )
        self.agent = SessionAgent(
            options=options,
            wire=wire,
            transport=self.transport,
            resampler=SoxrResampler,
            clock=self.clock,
        )
        self._read = 0

    async def __aenter__(self) -> Self:
        self.transport.feed(
            {"type": "session.created", "session": {}}, {"type": "session.updated", "session": {}}
        )
        await self.agent.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.agent.close()

    async def settle(self) -> None:
        """Let the session take in what was fed."""
        for _ in range(10):
            await asyncio.sleep(0)

    def sent_audio(self) -> bytes:
        """Give the audio that was sent since the last call."""
        frames, self._read = self.transport.sent[self._read :], len(self.transport.sent)
        events = [json.loads(frame) for frame in frames]
        return b"".join(base64.b64decode(event["audio"]) for event in events if "audio" in event)

    def sent_samples(self) -> int:
        """Count the samples sent since the last call, without decoding them."""
        encoded = [frame.partition(b'"audio":"')[2][:-2] for frame in self.transport.sent]
        self.transport.sent.clear()
        return sum(len(text) * 3 // 4 - text.count(b"=", -2) for text in encoded if text) // 2

    def heard_audio(self) -> bytes:
        """Give the audio delivered since the last call."""
        audio = b"".join(e.audio for e in self.events if isinstance(e, AssistantAudio))
        self.events.clear()
        return audio

    def begins(self, number: int = 1) -> None:
        """Begin a reply."""
        response = {"id": f"resp_{number}", "status": "in_progress"}
        self.transport.feed({"type": "response.created", "response": response})

    def speaks(self, pcm: bytes, number: int = 1, item: str = "a") -> None:
        """Say a piece of a reply."""
        self.transport.feed(spoken(pcm, number, item))

    def spoke(self, number: int = 1, item: str = "a") -> None:
        """End the audio of an item."""
        self.transport.feed(
            {
                "type": "response.output_audio.done",
                "response_id": f"resp_{number}",
                "item_id": f"item_{number}{item}",
            }
        )

    def ends(self, number: int = 1, status: str = "completed") -> None:
        """End a reply."""
        response = {"id": f"resp_{number}", "status": status}
        self.transport.feed({"type": "response.done", "response": response})
