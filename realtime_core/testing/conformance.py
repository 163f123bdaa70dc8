"""
The suite every provider must pass, ours and anybody's.

Subclass `AgentConformance` in a test module and say how your vendor's double is reached:

```python
class TestMyVendor(AgentConformance):
    def vendor(self) -> AbstractAsyncContextManager[VendorDouble]:
        return MyDouble()
```

The tests are plain functions that run a loop of their own, so no pytest plugin is needed.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from realtime_core.errors import (
    AgentClosedError,
    AgentStateError,
    ConfigError,
    ConnectError,
    ErrorKind,
    UnsupportedError,
)
from realtime_core.events import (
    AssistantAudio,
    AssistantText,
    AssistantTurnEnd,
    ErrorEvent,
    Event,
    Interrupted,
    SessionClose,
    SessionOpen,
    ToolCall,
    UserSpeechEnded,
    UserSpeechStarted,
)
from realtime_core.factory import new_agent_from_credential
from realtime_core.options import Options
from realtime_core.playout import Playout
from realtime_core.testing.recorder import LIMIT_S, Recorder, commands_of, push, say
from realtime_core.testing.speech import silence, speech_like
from realtime_core.tools import Tool

__all__ = ["AgentConformance", "VendorDouble"]


class VendorDouble(Protocol):
    """What the suite needs of a vendor's double: a server on loopback, or a model in the process."""

    @property
    def credential(self) -> Mapping[str, Any]:
        """A credential that works."""
        ...

    @property
    def refused_credential(self) -> Mapping[str, Any] | None:
        """A credential whose key is refused; `None` where a provider needs no key."""
        ...

    async def hold_reply(self) -> None:
        """Let the first reply of sessions started from now on begin, give some audio, and not end by itself."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Let the first reply of sessions started from now on be a call of this tool; the next one speaks."""

    @property
    def tool_answers(self) -> list[str]:
        """Answers to tool calls that the vendor received, in order."""
        ...

    async def break_connection(self) -> bool | None:
        """Cut the connection of the newest session without a goodbye; `False` where a session has none to be cut."""

    @property
    def violations(self) -> list[Any]:
        """What the client did against the vendor's documents, so far."""
        ...


class AgentConformance(ABC):
    """Inherit and give `vendor`; every test of the suite then runs over your provider."""

    @abstractmethod
    def vendor(self) -> AbstractAsyncContextManager[VendorDouble]:
        """Make a double that is not running yet."""

    def run(self, scenario: Callable[[VendorDouble], Awaitable[None]]) -> None:
        """Run a scenario on a loop of its own and check that it leaves nothing behind."""

        async def whole() -> None:
            before = asyncio.all_tasks()
            async with asyncio.timeout(3 * LIMIT_S), self.vendor() as vendor:
                await scenario(vendor)
                assert vendor.violations == []
            await asyncio.sleep(0)
            assert asyncio.all_tasks() - before == set()

        asyncio.run(whole())

    def test_a_session_opens_first_and_closes_last_once(self) -> None:
        """SessionOpen first, SessionClose last, once; close twice is fine."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            await agent.start()
            assert isinstance(recorder.events[0], SessionOpen)
            await agent.close()
            await agent.close()
            closes = recorder.of(SessionClose)
            assert recorder.events[-1:] == closes
            assert closes[0].initiator == "client"
            assert all(event.vendor == agent.vendor for event in recorder.events)

        self.run(scenario)

    def test_commands_in_the_wrong_state_are_refused(self) -> None:
        """Before start AgentStateError, after close AgentClosedError; a second start too."""

        async def scenario(vendor: VendorDouble) -> None:
            agent = new_agent_from_credential(vendor.credential, _options())
            for command in commands_of(agent):
                with pytest.raises(AgentStateError) as early:
                    await command()
                assert not isinstance(early.value, AgentClosedError)
            await agent.start()
            with pytest.raises(AgentStateError):
                await agent.start()
            await agent.close()
            for command in commands_of(agent):
                with pytest.raises(AgentClosedError):
                    await command()

        self.run(scenario)

    def test_a_refused_key_raises_and_emits_nothing(self) -> None:
        """The kind is auth, nothing is emitted, and the agent stays closed."""

        async def scenario(vendor: VendorDouble) -> None:
            if vendor.refused_credential is None:
                return
            recorder = Recorder()
            agent = new_agent_from_credential(
                vendor.refused_credential, _options(on_event=recorder)
            )
            with pytest.raises(ConnectError) as refused:
                await agent.start()
            assert refused.value.kind is ErrorKind.AUTH
            assert recorder.events == []

        self.run(scenario)

    def test_a_spoken_turn_comes_in_the_documented_order(self) -> None:
        """Speech started, ended, text and audio, exactly one end; ids agree; whole samples."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            async with agent:
                await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
            kinds = [type(event) for event in recorder.events]
            if agent.capabilities.speech_events:
                assert kinds.index(UserSpeechStarted) < kinds.index(UserSpeechEnded)
                assert kinds.index(UserSpeechEnded) < kinds.index(AssistantAudio)
            end = recorder.of(AssistantTurnEnd)
            assert [one.status for one in end] == ["completed"]
            assert kinds.index(AssistantTurnEnd) > _last(kinds, AssistantAudio)
            audio = recorder.of(AssistantAudio)
            assert all(piece.audio and len(piece.audio) % 2 == 0 for piece in audio)
            assert {piece.response_id for piece in audio} == {end[0].response_id}
            finals = [text for text in recorder.of(AssistantText) if text.final]
            assert finals
            assert agent.stats.turns == 1
            assert agent.stats.audio_out_samples == sum(len(a.audio) // 2 for a in audio)
            assert not recorder.of(ErrorEvent)

        self.run(scenario)

    def test_iteration_gives_what_the_callback_would(self) -> None:
        """Without on_event the events are iterated over, ending behind SessionClose."""

        async def scenario(vendor: VendorDouble) -> None:
            agent = new_agent_from_credential(vendor.credential, _options())
            seen: list[Event] = []
            over = asyncio.Event()

            async def consume() -> None:
                async for event in agent:
                    seen.append(event)
                    if isinstance(event, AssistantTurnEnd):
                        over.set()

            consumer = asyncio.create_task(consume())
            async with agent:
                await say(agent, over.is_set)
            await consumer
            assert isinstance(seen[0], SessionOpen)
            assert isinstance(seen[-1], SessionClose)
            assert any(isinstance(event, AssistantAudio) for event in seen)

        self.run(scenario)

    def test_a_raising_callback_does_not_end_the_call(self) -> None:
        """What the application raises is its own affair."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()

            def broken(event: Event) -> None:
                recorder(event)
                raise RuntimeError("the application's own fault")

            agent = new_agent_from_credential(vendor.credential, _options(on_event=broken))
            async with agent:
                await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)))
            assert isinstance(recorder.events[-1], SessionClose)

        self.run(scenario)

    def test_half_a_sample_is_refused_and_nothing_is_lost(self) -> None:
        """An odd byte count is an error that names it; empty audio is nothing."""

        async def scenario(vendor: VendorDouble) -> None:
            async with new_agent_from_credential(vendor.credential, _options()) as agent:
                with pytest.raises(ConfigError, match="641"):
                    await agent.push_audio(bytes(641))
                await agent.push_audio(b"")
                assert agent.stats.audio_in_samples == 0
                for pcm in (bytes(640), bytearray(640), memoryview(bytes(640))):
                    await agent.push_audio(pcm)
                assert agent.stats.audio_in_samples == 960

        self.run(scenario)

    def test_audio_pushed_while_starting_is_held(self) -> None:
        """A call may push before the vendor has answered; nothing of it is lost."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            starting = asyncio.create_task(agent.start())
            await asyncio.sleep(0)
            rate_hz = agent.options.input_sample_rate
            await push(agent, silence(200, rate_hz) + speech_like(800, rate_hz))
            await starting
            await say(agent, lambda: bool(recorder.of(AssistantTurnEnd)), speech_ms=0)
            await agent.close()
            assert len(recorder.of(AssistantTurnEnd)) == 1
            assert agent.stats.drops == {}

        self.run(scenario)

    def test_cancel_without_a_reply_is_nothing(self) -> None:
        """Nothing running, nothing audible: nothing is sent and nothing is said."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            async with agent:
                sent = agent.stats.frames_sent
                await agent.cancel()
                await agent.cancel(played_ms=100)
                assert agent.stats.frames_sent == sent
            assert [type(event) for event in recorder.events] == [SessionOpen, SessionClose]

        self.run(scenario)

    def test_nothing_of_a_cancelled_reply_is_delivered(self) -> None:
        """After cancel no audio comes, and the reply ends once, as cancelled."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            await vendor.hold_reply()
            async with agent:
                if not agent.capabilities.cancel:
                    return
                await say(agent, lambda: bool(recorder.of(AssistantAudio)))
                await agent.cancel()
                heard = len(recorder.of(AssistantAudio))
                end = await recorder.wait_for(AssistantTurnEnd)
            assert end.status == "cancelled"
            assert len(recorder.of(AssistantAudio)) == heard
            assert len(recorder.of(AssistantTurnEnd)) == 1

        self.run(scenario)

    def test_speech_cuts_a_reply_at_once_and_in_order(self) -> None:
        """Speech during a reply: nothing stale is delivered or played, and the end comes in its order."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            if not agent.capabilities.server_vad:
                return
            playout = Playout(agent)
            recorder.also = playout.feed
            await vendor.hold_reply()
            async with agent:
                await say(agent, lambda: bool(recorder.of(AssistantAudio)))
                playout.read()
                await say(agent, lambda: len(recorder.of(UserSpeechStarted)) > 1)
                stale = recorder.of(UserSpeechStarted)[1]
                assert stale.interrupts
                assert playout.buffered_ms == 0
                cut = await recorder.wait_for(Interrupted)
                end = await recorder.wait_for(AssistantTurnEnd)
            events = recorder.events
            assert events.index(stale) < events.index(cut) < events.index(end)
            assert end.status == "cancelled"
            late = events[events.index(stale) : events.index(end)]
            assert not any(isinstance(event, AssistantAudio) for event in late)
            assert cut.heard_ms <= 20
            assert cut.truncated == agent.capabilities.truncation

        self.run(scenario)

    def test_a_tool_is_run_once_and_answered(self) -> None:
        """The call is an event, its handler runs, the answer goes back, and the model speaks."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            ran: list[dict[str, Any]] = []

            async def look_up(name: str, arguments: dict[str, Any]) -> str:
                ran.append(arguments)
                return f"{name} found it"

            tool = Tool(name="look_up", handler=look_up)
            options = _options(on_event=recorder, tools=(tool,))
            agent = new_agent_from_credential(vendor.credential, options)
            if not agent.capabilities.tools:
                return
            await vendor.call_tool("look_up", {"city": "Berlin"})
            async with agent:
                await say(agent, lambda: len(recorder.of(AssistantTurnEnd)) > 1)
            assert ran == [{"city": "Berlin"}]
            assert [call.arguments for call in recorder.of(ToolCall)] == ran
            assert vendor.tool_answers == ["look_up found it"]
            assert recorder.of(AssistantTurnEnd)[0].tool_names == ("look_up",)
            assert recorder.of(AssistantAudio)

        self.run(scenario)

    def test_a_raising_tool_still_gets_an_answer(self) -> None:
        """The model hears that it failed, without a traceback, and the call goes on."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()

            def broken(name: str, arguments: dict[str, Any]) -> str:
                raise RuntimeError("secret of the application")

            options = _options(on_event=recorder, tools=(Tool(name="look_up", handler=broken),))
            agent = new_agent_from_credential(vendor.credential, options)
            if not agent.capabilities.tools:
                return
            await vendor.call_tool("look_up", {})
            async with agent:
                await say(agent, lambda: len(recorder.of(AssistantTurnEnd)) > 1)
            assert len(vendor.tool_answers) == 1
            assert "secret" not in vendor.tool_answers[0]

        self.run(scenario)

    def test_the_application_may_answer_a_call_by_itself(self) -> None:
        """Without handlers `send_tool_result` answers, once; a second answer is refused."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            options = _options(on_event=recorder, tools=(Tool(name="look_up"),))
            agent = new_agent_from_credential(vendor.credential, options)
            if not agent.capabilities.tools:
                return
            await vendor.call_tool("look_up", {})
            async with agent:
                await say(agent, lambda: bool(recorder.of(ToolCall)))
                call_id = recorder.of(ToolCall)[0].call_id
                await agent.send_tool_result(call_id, "by hand")
                with pytest.raises(ConfigError):
                    await agent.send_tool_result(call_id, "again")
                await recorder.wait_for(AssistantTurnEnd, 2)
            assert vendor.tool_answers == ["by hand"]

        self.run(scenario)

    def test_close_in_the_middle_of_a_reply_ends_it_first(self) -> None:
        """The open reply ends as cancelled, then the session closes."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            await vendor.hold_reply()
            await agent.start()
            await say(agent, lambda: bool(recorder.of(AssistantAudio)))
            await agent.close()
            assert [type(event) for event in recorder.events[-2:]] == [
                AssistantTurnEnd,
                SessionClose,
            ]
            assert recorder.of(AssistantTurnEnd)[0].status == "cancelled"

        self.run(scenario)

    def test_a_broken_connection_is_fatal_and_never_silent(self) -> None:
        """ErrorEvent(fatal), the end of the open reply, SessionClose; then commands are refused."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            await vendor.hold_reply()
            await agent.start()
            await say(agent, lambda: bool(recorder.of(AssistantAudio)))
            if await vendor.break_connection() is False:
                await agent.close()
                return
            close = await recorder.wait_for(SessionClose)
            assert close.initiator == "network"
            errors = [error for error in recorder.of(ErrorEvent) if error.fatal]
            assert len(errors) == 1
            # The text of the cut reply may come to its end between the two.
            rest = recorder.events[recorder.events.index(errors[0]) :]
            ends = [type(event) for event in rest if not isinstance(event, AssistantText)]
            assert ends == [ErrorEvent, AssistantTurnEnd, SessionClose]
            with pytest.raises(AgentClosedError):
                await agent.push_audio(bytes(640))
            await agent.close()

        self.run(scenario)

    def test_manual_turns_answer_a_commit(self) -> None:
        """Without server VAD a commit asks for the reply; too little audio is said, not sent."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            options = _options(on_event=recorder, disable_server_vad=True)
            agent = new_agent_from_credential(vendor.credential, options)
            async with agent:
                if not agent.capabilities.manual_turns:
                    return
                await agent.commit_input_audio()
                refused = await recorder.wait_for(ErrorEvent)
                assert not refused.fatal
                await push(agent, speech_like(600, agent.options.input_sample_rate))
                await agent.commit_input_audio()
                end = await recorder.wait_for(AssistantTurnEnd)
            assert end.status == "completed"
            assert recorder.of(AssistantAudio)

        self.run(scenario)

    def test_commands_beyond_the_capabilities_are_refused_before_sending(self) -> None:
        """A flag that is false means UnsupportedError; one that is true means no error."""

        async def scenario(vendor: VendorDouble) -> None:
            recorder = Recorder()
            agent = new_agent_from_credential(vendor.credential, _options(on_event=recorder))
            async with agent:
                able = agent.capabilities
                checks: list[tuple[bool, Callable[[], Awaitable[None]]]] = [
                    (able.text_input, lambda: agent.send_text("hello", respond=False)),
                    (able.live_instructions, lambda: agent.update_instructions("Be brief.")),
                ]
                for supported, command in checks:
                    sent = agent.stats.frames_sent
                    if supported:
                        await command()
                        continue
                    with pytest.raises(UnsupportedError):
                        await command()
                    assert agent.stats.frames_sent == sent
            assert not recorder.of(ErrorEvent)

        self.run(scenario)


def _options(**changes: Any) -> Options:
    """Speech is pushed faster than real time here, so pushing waits where a call would drop."""
    return Options(when_full="wait", **changes)


def _last(kinds: list[type[Event]], kind: type[Event]) -> int:
    return len(kinds) - 1 - kinds[::-1].index(kind)
