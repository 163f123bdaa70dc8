"""A conversation with a replier, as a provider leads it."""

from __future__ import annotations

from collections.abc import Sequence

from realtime_core import Tool
from realtime_local.engines import CallTool, Message, Replier, Say, TurnRequest


class Conversation:
    """Keeps the history and asks."""

    def __init__(
        self, replier: Replier, tools: Sequence[Tool] = (), instructions: str = ""
    ) -> None:
        self.replier = replier
        self.tools = tools
        self.instructions = instructions
        self.history: list[Message] = []
        self.calls: list[CallTool] = []

    async def greeting(self) -> str:
        return await self._reply(is_greeting=True)

    async def say(self, text: str) -> str:
        self.history.append(Message(role="user", text=text))
        return await self._reply()

    async def tell(self, output: str, call: CallTool | None = None) -> str:
        """Answer a call, the last by default."""
        call = call if call is not None else self.calls[-1]
        self.history.append(Message(role="tool", text=output, call_id=call.call_id))
        return await self._reply()

    def request(self, *, is_greeting: bool = False) -> TurnRequest:
        return TurnRequest(
            history=tuple(self.history),
            tools=self.tools,
            instructions=self.instructions,
            is_greeting=is_greeting,
        )

    async def _reply(self, *, is_greeting: bool = False) -> str:
        said: list[str] = []
        calls: list[CallTool] = []
        async for piece in self.replier.reply(self.request(is_greeting=is_greeting)):
            match piece:
                case Say(text=text):
                    said.append(text)
                case CallTool():
                    calls.append(piece)
        self.calls += calls
        text = " ".join(said)
        if text or calls:
            self.history.append(Message(role="assistant", text=text, calls=tuple(calls)))
        return text
