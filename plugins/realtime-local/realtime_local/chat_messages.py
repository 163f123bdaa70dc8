"""A conversation in the words of the chat-completions API."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from realtime_core.tools import tools_for_session
from realtime_local.engines import CallTool, Message, TurnRequest

__all__ = ["chat_body", "chat_messages"]

_GREET = "(The call has begun. Greet the caller.)"
_CARRY_ON = "(Say something to the caller.)"


def chat_messages(history: Sequence[Message], instructions: str) -> list[dict[str, Any]]:
    """
    Write messages.

    The API refuses a call without an answer, and an answer that does not follow its call at once. A caller who cuts
    in leaves both, so answers are put behind their calls, and calls that wait for one are left out until it is there.

    Args:
        history: The conversation so far.
        instructions: The system message; none when blank.
    """
    answers = {message.call_id: message for message in history if message.role == "tool"}
    messages: list[dict[str, Any]] = []
    if instructions.strip():
        messages.append({"role": "system", "content": instructions})
    for message in history:
        if message.role == "user" and message.text.strip():
            messages.append({"role": "user", "content": message.text})
        elif message.role == "assistant":
            messages += _assistant(message, answers)
    return messages


def _assistant(message: Message, answers: Mapping[str | None, Message]) -> list[dict[str, Any]]:
    calls = [call for call in message.calls if call.call_id in answers]
    if not calls:
        return [{"role": "assistant", "content": message.text}] if message.text.strip() else []
    written: dict[str, Any] = {
        "role": "assistant",
        "content": message.text or None,
        "tool_calls": [_call(call) for call in calls],
    }
    told = [
        {"role": "tool", "tool_call_id": call.call_id, "content": answers[call.call_id].text}
        for call in calls
    ]
    return [written, *told]


def _call(call: CallTool) -> dict[str, Any]:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.call_id, "type": "function", "function": function}


def chat_body(request: TurnRequest, model: str, temperature: float | None) -> dict[str, Any]:
    """
    Write the body of a request for a streamed reply.

    Servers want something to answer: a greeting, or a reply that nobody asked for, gets a line in brackets.
    """
    messages = chat_messages(request.history, request.instructions)
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        text = _GREET if request.is_greeting and not request.history else _CARRY_ON
        messages.append({"role": "user", "content": text})
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True}
    tools = tools_for_session(request.tools)
    if tools:
        body["tools"] = tools
    if temperature is not None:
        body["temperature"] = temperature
    return body
