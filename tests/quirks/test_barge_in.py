"""
Barge-in over sockets, on every wire.

A vendor that can be told gets one `conversation.item.truncate`, never beyond what was received; one that cannot
gets nothing, and `Interrupted.truncated` says so.
"""

from __future__ import annotations

import asyncio

import pytest

from realtime_core import (
    AssistantTurnEnd,
    Event,
    Interrupted,
    ServerVAD,
    ToolCall,
    UserSpeechStarted,
)
from realtime_core.playout import Playout
from realtime_core.testing.loopback import Call as FunctionCall
from realtime_core.testing.loopback import Reply, Speech
from tests.quirks.call import ALL, HELD_MS, OPENAI, Call, calling, held, spoken

FRAME_MS = 20


def playing(call: Call) -> Playout:
    """Put an output side behind a call."""
    playout = Playout(call.agent, frame_ms=FRAME_MS)
    call.listeners.append(playout.feed)
    return playout


def play(playout: Playout, ms: int) -> None:
    for _ in range(ms // FRAME_MS):
        playout.read()


def cuts(call: Call) -> list[tuple[str, int | None]]:
    """What the vendor was told to forget: item and ms, or item and `None` for all of it."""
    return [
        (str(event["item_id"]), event.get("audio_end_ms"))
        for event in call.session.received
        if event["type"] in ("conversation.item.truncate", "conversation.item.delete")
    ]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reply_cut_by_speech_ends_in_the_documented_order(dialect: str) -> None:
    async with calling(dialect, held(late_deltas=2)) as call:
        playout = playing(call)
        item = await call.greeting_audible()
        play(playout, 100)
        before = len(call.events)
        started = await call.speak()
        await call.turn_end()
        await call.all_is_heard()
        assert started.interrupts
        assert playout.buffered_ms == 0
        # No audio after the speech, though the vendor sent five more deltas of it.
        assert call.kinds(before) == [
            "UserSpeechStarted",
            "AssistantText",
            "Interrupted",
            "AssistantTurnEnd",
        ]
        assert call.agent.stats.drops == {"late_audio": 5}
        settled = call.of(Interrupted)[0]
        truncates = call.agent.capabilities.truncation
        assert settled == Interrupted(
            vendor=call.agent.vendor,
            item_id=item,
            heard_ms=100,
            cut_ms=HELD_MS - 100,
            truncated=truncates,
        )
        assert cuts(call) == ([(item, 100)] if truncates else [])
        assert call.sent("response.cancel") == [], "the vendor cancels by itself"
        # The call goes on.
        await call.fall_silent()
        assert (await call.turn_end(2)).status == "completed"
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ALL)
async def test_nothing_played_yet(dialect: str) -> None:
    async with calling(dialect, held()) as call:
        playing(call)
        item = await call.greeting_audible()
        await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.heard_ms, settled.cut_ms) == (0, HELD_MS)
        assert cuts(call) == ([(item, 0)] if call.agent.capabilities.truncation else [])


@pytest.mark.parametrize("dialect", ALL)
async def test_everything_played_already_is_no_interruption(dialect: str) -> None:
    async with calling(dialect, spoken(400)) as call:
        playout = playing(call)
        await call.greeting_audible(400)
        await call.turn_end()
        play(playout, 420)
        started = await call.speak()
        await call.fall_silent()
        await call.turn_end(2)
        assert not started.interrupts
        assert call.of(Interrupted) == []
        assert cuts(call) == []


@pytest.mark.parametrize("dialect", ALL)
async def test_barge_in_during_the_last_twenty_ms(dialect: str) -> None:
    async with calling(dialect, held()) as call:
        playout = playing(call)
        item = await call.greeting_audible()
        play(playout, HELD_MS - 20)
        started = await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        assert started.interrupts
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) == (item, HELD_MS - 20, 20)
        expected = [(item, HELD_MS - 20)] if call.agent.capabilities.truncation else []
        assert cuts(call) == expected
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["cancelled"]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reply_faster_than_real_time_is_cut_while_it_is_heard(dialect: str) -> None:
    async with calling(dialect, spoken(20_000)) as call:
        playout = playing(call)
        item = await call.greeting_audible(20_000)
        await call.turn_end()
        assert playout.buffered_ms == 20_000
        play(playout, 1000)
        await call.speak()
        assert playout.buffered_ms == 0
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.heard_ms, settled.cut_ms) == (1000, 19_000)
        assert cuts(call) == ([(item, 1000)] if call.agent.capabilities.truncation else [])


@pytest.mark.parametrize("dialect", ALL)
async def test_of_several_items_the_one_that_plays_is_cut_and_the_rest_is_deleted(
    dialect: str,
) -> None:
    async with calling(dialect, spoken(400, 600, 200)) as call:
        playout = playing(call)
        await call.greeting_audible(1200)
        await call.turn_end()
        play(playout, 500)
        await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        _, second, third = call.items()
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) == (second, 500, 700)
        expected = [(second, 100), (third, None)] if call.agent.capabilities.truncation else []
        assert cuts(call) == expected
        assert len(call.of(AssistantTurnEnd)) == 1


@pytest.mark.parametrize("dialect", OPENAI)
async def test_an_item_behind_the_one_that_was_cut_counts_as_unheard(dialect: str) -> None:
    """The line lags: by the clock the second item plays already, by the only report the first still did."""
    async with calling(dialect, spoken(200, 9000)) as call:

        def report(event: Event) -> None:
            if isinstance(event, UserSpeechStarted):
                call.agent.report_playback(call.items()[0], 100, final=True)

        call.listeners.append(report)
        await call.greeting_audible(9200)
        await call.turn_end()
        await asyncio.sleep(0.4)  # the clock is what it is about
        await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        first, second = call.items()
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) == (first, 100, 9100)
        assert cuts(call) == [(first, 100), (second, None)]


@pytest.mark.usefixtures("reports_in_time")
@pytest.mark.parametrize("dialect", ALL)
async def test_an_application_without_playout_reports_within_the_limit(dialect: str) -> None:
    async with calling(dialect, held()) as call:
        item = await call.greeting_audible()
        await call.speak()
        assert call.of(Interrupted) == [], "it waits for the report"
        call.agent.report_playback(item, 250, final=True)
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.heard_ms, settled.cut_ms) == (250, HELD_MS - 250)
        assert cuts(call) == ([(item, 250)] if call.agent.capabilities.truncation else [])


@pytest.mark.usefixtures("reports_in_time")
@pytest.mark.parametrize("dialect", ALL)
async def test_a_report_beyond_what_was_received_is_clamped(dialect: str) -> None:
    async with calling(dialect, spoken(400, 300)) as call:
        await call.greeting_audible(700)
        await call.turn_end()
        first, second = call.items()
        call.agent.report_playback(first, 100_000, final=True)
        call.agent.report_playback(second, 0)
        await call.speak()
        call.agent.report_playback(second, 290, final=True)
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) in (
            (second, 690, 10),
            # The account of what was heard to its end may be closed already.
            (second, 290, 10),
        )
        assert cuts(call) == ([(second, 290)] if call.agent.capabilities.truncation else [])


@pytest.mark.parametrize("dialect", ALL)
async def test_without_any_report_the_clock_is_the_upper_bound(dialect: str) -> None:
    async with calling(dialect, spoken(20_000)) as call:
        began = asyncio.get_running_loop().time()
        item = await call.greeting_audible(20_000)
        await call.turn_end()
        await call.speak()
        bound_ms = (asyncio.get_running_loop().time() - began) * 1000
        settled = await call.interrupted()
        await call.all_is_heard()
        assert 0 <= settled.heard_ms <= bound_ms
        assert settled.heard_ms + settled.cut_ms == 20_000
        expected = [(item, settled.heard_ms)] if call.agent.capabilities.truncation else []
        assert cuts(call) == expected


@pytest.mark.parametrize("dialect", ALL)
async def test_without_any_report_a_short_reply_counts_as_heard_after_its_length(
    dialect: str,
) -> None:
    async with calling(dialect, spoken(60)) as call:
        await call.greeting_audible(60)
        await call.turn_end()
        await asyncio.sleep(0.08)  # the clock is what it is about
        started = await call.speak()
        await call.all_is_heard()
        assert not started.interrupts
        assert cuts(call) == []


@pytest.mark.parametrize("dialect", ALL)
async def test_speech_that_does_not_interrupt_lets_the_reply_go_on(dialect: str) -> None:
    async with calling(dialect, held(), vad=ServerVAD(interrupt=False)) as call:
        playout = playing(call)
        await call.greeting_audible()
        started = await call.speak()
        await call.all_is_heard()
        assert not started.interrupts
        assert playout.buffered_ms == HELD_MS
        await call.session.release()
        await call.turn_end()
        assert call.audio_ms() == 2000
        assert cuts(call) == []
        assert call.sent("response.cancel") == []
        assert call.of(Interrupted) == []


@pytest.mark.parametrize("dialect", ALL)
async def test_speech_that_does_not_interrupt_leaves_the_decision_to_cancel(dialect: str) -> None:
    async with calling(dialect, held(), vad=ServerVAD(interrupt=False)) as call:
        item = await call.greeting_audible()
        await call.speak()
        await call.agent.cancel(played_ms=200)
        end = await call.turn_end()
        await call.all_is_heard()
        assert end.status == "cancelled"
        assert call.of(Interrupted)[0].heard_ms == 200
        assert len(call.sent("response.cancel")) == 1
        assert cuts(call) == ([(item, 200)] if call.agent.capabilities.truncation else [])


@pytest.mark.parametrize("dialect", ALL)
async def test_speech_during_a_tool_call_cuts_nothing_and_is_answered(dialect: str) -> None:
    """The call was made, its reply is over, the tool runs: the caller asks something else."""
    release, ran = asyncio.Event(), list[str]()

    async def lookup(name: str, arguments: object) -> str:
        ran.append(name)
        await release.wait()
        return "sunny"

    call_item = FunctionCall(name="lookup", call_id="call_1")
    async with calling(dialect, Reply(parts=(call_item,)), tool_handler=lookup) as call:
        await call.agent.create_response()
        await call.event(ToolCall)
        await call.turn_end()
        started = await call.speak()
        assert not started.interrupts
        release.set()
        output = await call.session.wait_for("conversation.item.create")
        assert output["item"]["output"] == "sunny"
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 1, "nobody talks over the caller"
        await call.fall_silent()
        end = await call.turn_end(2)
        await call.all_is_heard()
        # The reply to the caller knows the result, so none is asked for.
        assert end.status == "completed"
        assert len(call.sent("response.create")) == 1
        assert ran == ["lookup"]
        assert call.session.turns[-1].tool_outputs == ("sunny",)


@pytest.mark.parametrize("dialect", ALL)
async def test_a_reply_with_a_call_that_is_cut_finishes_its_tool_and_does_not_speak_up(
    dialect: str,
) -> None:
    ran: list[str] = []

    async def lookup(name: str, arguments: object) -> str:
        ran.append(name)
        return "sunny"

    parts = (
        FunctionCall(name="lookup", call_id="call_1"),
        Speech(ms=2000, transcript="Let me see.", hold_after_ms=400),
    )
    async with calling(dialect, Reply(parts=parts), tool_handler=lookup) as call:
        playing(call)
        await call.greeting_audible()
        await call.speak()
        end = await call.turn_end()
        output = await call.session.wait_for("conversation.item.create")
        await call.all_is_heard()
        assert (end.status, end.tool_names) == ("cancelled", ("lookup",))
        assert output["item"]["call_id"] == "call_1"
        assert len(call.sent("response.create")) == 1
        assert ran == ["lookup"]
        await call.fall_silent()
        assert (await call.turn_end(2)).status == "completed"


@pytest.mark.parametrize("dialect", ALL)
async def test_a_call_that_is_interrupted_half_way_is_not_run(dialect: str) -> None:
    ran: list[str] = []

    def lookup(name: str, arguments: object) -> str:
        ran.append(name)
        return "sunny"

    part = FunctionCall(name="lookup", arguments='{"city": "Berlin"}', hold=True)
    async with calling(dialect, Reply(parts=(part,)), tool_handler=lookup) as call:
        await call.agent.create_response()
        await call.session.wait_sent("response.function_call_arguments.delta")
        await call.vendor_is_heard()
        started = await call.speak()
        end = await call.turn_end()
        await call.fall_silent()
        await call.turn_end(2)
        await call.all_is_heard()
        assert started.interrupts
        assert (end.status, end.tool_names) == ("cancelled", ())
        assert ran == []
        assert call.of(ToolCall) == []
        assert cuts(call) == []
        assert call.sent("conversation.item.create") == []


# By the application's hand


@pytest.mark.parametrize("dialect", ALL)
async def test_cancel_with_a_figure_across_items(dialect: str) -> None:
    async with calling(dialect, spoken(400, 600, 200)) as call:
        await call.greeting_audible(1200)
        await call.turn_end()
        await call.agent.cancel(played_ms=500)
        settled = await call.interrupted()
        await call.all_is_heard()
        _, second, third = call.items()
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) == (second, 500, 700)
        expected = [(second, 100), (third, None)] if call.agent.capabilities.truncation else []
        assert cuts(call) == expected
        assert call.sent("response.cancel") == [], "nothing was being generated"


@pytest.mark.parametrize("dialect", ALL)
async def test_cancel_with_a_figure_beyond_the_reply_sends_no_truncate(dialect: str) -> None:
    async with calling(dialect, spoken(400, 600)) as call:
        await call.greeting_audible(1000)
        await call.turn_end()
        await call.agent.cancel(played_ms=100_000)
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.item_id, settled.heard_ms, settled.cut_ms) == (None, 1000, 0)
        assert cuts(call) == []


@pytest.mark.parametrize("dialect", ALL)
async def test_cancel_after_generation_ended_but_still_audible(dialect: str) -> None:
    async with calling(dialect, spoken(2000)) as call:
        playout = playing(call)
        item = await call.greeting_audible(2000)
        await call.turn_end()
        play(playout, 300)
        await call.agent.cancel()
        assert playout.buffered_ms == 0
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.heard_ms, settled.cut_ms) == (300, 1700)
        assert cuts(call) == ([(item, 300)] if call.agent.capabilities.truncation else [])
        assert call.sent("response.cancel") == []
        # A second time there is nothing to cancel.
        await call.agent.cancel()
        await call.all_is_heard()
        assert len(call.of(Interrupted)) == 1
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["completed"]


@pytest.mark.parametrize("dialect", ALL)
async def test_cancel_before_the_first_audio_tells_the_vendor_nothing_but_cancel(
    dialect: str,
) -> None:
    part = FunctionCall(name="lookup", arguments='{"city": "Berlin"}', hold=True)
    async with calling(dialect, Reply(parts=(part,))) as call:
        await call.agent.create_response()
        await call.session.wait_sent("response.function_call_arguments.delta")
        await call.vendor_is_heard()
        await call.agent.cancel()
        assert (await call.turn_end()).status == "cancelled"
        await call.all_is_heard()
        assert call.commands() == ["response.create", "response.cancel"]


@pytest.mark.parametrize("dialect", ALL)
async def test_speech_and_cancel_at_once_are_one_cut(dialect: str) -> None:
    """An application that cancels on every start of speech does no harm."""
    async with calling(dialect, held()) as call:
        pending: list[asyncio.Task[None]] = []

        def cancel(event: Event) -> None:
            if isinstance(event, UserSpeechStarted):
                pending.append(asyncio.create_task(call.agent.cancel()))

        call.listeners.append(cancel)
        playout = playing(call)
        item = await call.greeting_audible()
        play(playout, 200)
        await call.speak()
        await call.turn_end()
        await asyncio.gather(*pending)
        await call.all_is_heard()
        assert len(call.of(Interrupted)) == len(call.of(AssistantTurnEnd)) == 1
        assert call.sent("response.cancel") == []
        assert cuts(call) == ([(item, 200)] if call.agent.capabilities.truncation else [])


@pytest.mark.parametrize("dialect", ALL)
async def test_audio_at_another_rate_is_counted_in_the_vendors_ms(dialect: str) -> None:
    async with calling(dialect, spoken(1000), output_sample_rate=8000) as call:
        playout = playing(call)
        item = await call.greeting_audible(1000)
        await call.turn_end()
        play(playout, 480)
        await call.speak()
        settled = await call.interrupted()
        await call.all_is_heard()
        assert (settled.heard_ms, settled.cut_ms) == (480, 520)
        assert cuts(call) == ([(item, 480)] if call.agent.capabilities.truncation else [])


@pytest.mark.parametrize("dialect", OPENAI)
async def test_a_cut_reply_is_shorter_at_the_vendor_too(dialect: str) -> None:
    """Generation ran ahead of what arrived: heard is all that came, and still less than was made."""
    async with calling(dialect, held()) as call:
        item = await call.greeting_audible()
        await call.agent.cancel(played_ms=HELD_MS)
        await call.turn_end()
        await call.all_is_heard()
        assert cuts(call) == [(item, HELD_MS)]
