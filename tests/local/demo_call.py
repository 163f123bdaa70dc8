"""The call of the demonstration through the provider `local`: the recordings go in, each reply's audio comes out."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

from attrs import define, field

import realtime_core as rt
from realtime_core.playout import Playout
from realtime_local.restaurant import BookingBook, restaurant_tools

RATE_HZ, FRAME_MS = 16000, 20
FRAME_BYTES = RATE_HZ * FRAME_MS // 1000 * 2
SPEED = 8
CUTS_IN = "desk-3-table"
"""This recording begins into the answer before it, when 2.5 s were heard and the second sentence is on its way."""

AUDIO = Path(__file__).parents[2] / "examples" / "audio"
RECORDINGS = sorted(AUDIO.glob("desk-*.wav"))


@define
class Reply:
    """What came of a reply."""

    response_id: str | None
    sentences: list[str] = field(factory=list)
    """As announced; the last may not be complete when the reply was cut."""
    starts: list[int] = field(factory=list)
    """Where the audio of each begins, in bytes."""
    pcm: bytearray = field(factory=bytearray)
    """As it was delivered, at `RATE_HZ`."""
    status: str = ""

    def whole(self) -> tuple[list[str], bytes]:
        """Give the sentences that were delivered to their end, and their audio."""
        if self.status == "completed":
            return self.sentences, bytes(self.pcm)
        return self.sentences[:-1], bytes(self.pcm[: self.starts[-1]])


class DemoCall:
    """One call, several times faster than on the telephone."""

    def __init__(self, synthesiser: str) -> None:
        self.replies: list[Reply] = []
        self.understood: list[str] = []
        self.interrupted: list[rt.Interrupted] = []
        self.tools: list[str] = []
        self.book = BookingBook()
        self._answered = False
        self._heard_ms = 0
        options = rt.Options(
            output_sample_rate=RATE_HZ, tools=restaurant_tools(self.book), on_event=self._take
        )
        credential = {"provider": "local", "synthesiser": synthesiser}
        self._agent = rt.new_agent_from_credential(credential, options)
        self._playout = Playout(self._agent, frame_ms=FRAME_MS)

    def _take(self, event: rt.Event) -> None:
        self._playout.feed(event)
        match event:
            case rt.UserSpeechStarted():
                self._answered = False
            case rt.UserTranscript(final=True):
                self.understood.append(event.text)
            case rt.AssistantText(final=False):
                reply = self._reply(event.response_id)
                reply.sentences.append(event.text.strip())
                reply.starts.append(len(reply.pcm))
            case rt.AssistantAudio():
                self._reply(event.response_id).pcm.extend(event.audio)
            case rt.Interrupted():
                self.interrupted.append(event)
            case rt.ToolCall():
                self.tools.append(event.name)
            case rt.ErrorEvent():
                raise AssertionError(event)
            case rt.AssistantTurnEnd():
                if event.response_id in [reply.response_id for reply in self.replies]:
                    self._reply(event.response_id).status = event.status
                self._answered = event.status == "completed" and not event.tool_names
            case _:
                pass

    def _reply(self, response_id: str | None) -> Reply:
        if not self.replies or self.replies[-1].response_id != response_id:
            self.replies.append(Reply(response_id))
        return self.replies[-1]

    async def hold(self) -> None:
        """Say all recordings."""
        async with asyncio.timeout(150), self._agent:
            for path, following in zip(RECORDINGS, [*RECORDINGS[1:], None], strict=True):
                await self._say(path)
                if following is not None and following.stem == CUTS_IN:
                    while self._heard_ms < 2500 or len(self.replies[-1].sentences) < 2:
                        # However long the second sentence takes on this machine, no more is heard until it comes.
                        await self._beat(bytes(FRAME_BYTES), listens=self._heard_ms < 2500)
                    continue
                while not self._answered:
                    await self._beat(bytes(FRAME_BYTES))
                while self._playout.buffered_ms:  # heard to its end, as fast as can be
                    self._playout.read()

    async def _say(self, path: Path) -> None:
        with wave.open(str(path)) as file:
            pcm = file.readframes(file.getnframes())
        self._answered = False
        for at in range(0, len(pcm) - FRAME_BYTES, FRAME_BYTES):
            await self._beat(pcm[at : at + FRAME_BYTES])
        self._heard_ms = 0

    async def _beat(self, frame: bytes, *, listens: bool = True) -> None:
        await self._agent.push_audio(frame)
        if listens:
            self._heard_ms += FRAME_MS * any(self._playout.read())
        await asyncio.sleep(FRAME_MS / 1000 / SPEED)
