"""The public API as an application types it. Only checked, never run."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal, assert_never, assert_type

import realtime_core as rt
from realtime_core import (
    Agent,
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    Capabilities,
    ErrorEvent,
    ErrorKind,
    Event,
    EventType,
    Interrupted,
    Options,
    ProviderInfo,
    RealtimeError,
    SemanticVAD,
    ServerVAD,
    SessionClose,
    SessionOpen,
    SessionStats,
    Tool,
    ToolCall,
    ToolHandler,
    Usage,
    UserSpeechEnded,
    UserSpeechStarted,
    UserTranscript,
    new_agent_from_credential,
    tools_for_session,
)


def on_event(event: Event) -> None:
    assert_type(event.type, EventType)
    assert_type(event.vendor, str)
    assert_type(event.raw, str | None)
    match event:
        case AssistantAudio(audio=audio, item_id=item_id):
            assert_type(audio, bytes)
            assert_type(item_id, str | None)
        case AssistantText(text=text, final=final) | UserTranscript(text=text, final=final):
            assert_type(text, str)
            assert_type(final, bool)
        case AssistantTurnEnd(usage=usage, status=status):
            assert_type(usage, Usage | None)
            assert_type(status, Literal["completed", "cancelled", "failed", "incomplete"])
        case UserSpeechStarted(interrupts=interrupts, at_ms=at_ms):
            assert_type(interrupts, bool)
            assert_type(at_ms, int | None)
        case ToolCall(name=name, arguments=arguments):
            assert_type(name, str)
            assert_type(arguments, dict[str, Any])
        case ErrorEvent(error=error, fatal=fatal):
            assert_type(error, RealtimeError)
            assert_type(error.kind, ErrorKind)
            assert_type(fatal, bool)
        case Interrupted() | SessionOpen() | SessionClose() | UserSpeechEnded():
            pass
        case _:
            pass  # events of later versions


def weather(name: str, arguments: dict[str, Any]) -> str:
    return f"{name}: sunny in {arguments['city']}"


async def booking(name: str, arguments: dict[str, Any]) -> str:
    return f"{name}: {arguments}"


handlers: list[ToolHandler] = [weather, booking]
answer: str | Awaitable[str] = handlers[0]("weather", {"city": "Bremen"})

options = Options(
    system_prompt="Be brief.",
    voice="marin",
    input_sample_rate=8000,
    output_sample_rate=8000,
    on_event=on_event,
    vad=ServerVAD(threshold=0.5, silence_ms=500, interrupt=True),
    modalities=["audio", "text"],
    temperature=0.8,
    tools=[
        Tool(name="weather", parameters={"type": "object"}, handler=weather),
        Tool(name="booking"),
    ],
    tool_handler=booking,
    max_buffered_ms=1000,
    when_full="wait",
    vendor={"tracing": None},
)
semantic = Options(vad=SemanticVAD(eagerness="high"))
Options(when_full="drop_newest")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
options.voice = "cedar"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def converse() -> None:
    agent = new_agent_from_credential({"provider": "openai", "apiKey": "sk-..."}, options)
    assert_type(agent, Agent)
    async with agent as entered:
        assert_type(entered, Agent)
        await agent.push_audio(b"\0\0")
        await agent.push_audio(bytearray(2))
        await agent.push_audio(memoryview(b"\0\0"))
        await agent.push_audio("no")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await agent.commit_input_audio()
        await agent.clear_input_audio()
        await agent.create_response("Greet the caller.")
        await agent.send_text("hello", respond=False)
        await agent.cancel(played_ms=120)
        await agent.update_instructions("Be briefer.")
        await agent.send_tool_result("call_1", "42")
        agent.report_playback("item_1", 120, final=True)
        async for event in agent:
            assert_type(event, Event)
    assert_type(agent.vendor, str)
    assert_type(agent.options, Options)
    assert_type(agent.capabilities, Capabilities)
    assert_type(agent.stats, SessionStats)


def providers() -> None:
    assert_type(rt.registered_providers(), list[str])
    assert_type(rt.describe_providers(), list[ProviderInfo])
    assert_type(tools_for_session([Tool(name="a")], style="flat"), list[dict[str, Any]])
    tools_for_session([], style="round")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    found = rt.lookup("openai")
    if found is not None:
        assert_type(found({}, Options()), Agent)


def kinds(kind: ErrorKind) -> bool:
    """Every member is known to the checker, so a dashboard may be exhaustive."""
    match kind:
        case ErrorKind.AUTH | ErrorKind.QUOTA | ErrorKind.CONFIG | ErrorKind.MODEL:
            return False
        case ErrorKind.RATE_LIMIT | ErrorKind.TRANSPORT | ErrorKind.STALLED | ErrorKind.IDLE:
            return True
        case ErrorKind.CONFLICT | ErrorKind.EXPIRED | ErrorKind.OVERFLOW | ErrorKind.TOOL:
            return True
        case ErrorKind.PROTOCOL | ErrorKind.VENDOR:
            return False
        case _:
            assert_never(kind)
