"""Who may start a reply, over sockets: greeting, commit, text, the vendor's own, and all of them at once."""

from __future__ import annotations

import asyncio

import pytest

from realtime_core import (
    AgentStateError,
    AssistantTurnEnd,
    ErrorEvent,
    Interrupted,
    ServerVAD,
    UserSpeechEnded,
    UserTranscript,
)
from realtime_core.testing import SCENARIOS, Scenario
from tests.quirks.call import ALL, DASHSCOPE, HELD_MS, OPENAI, calling, held, spoken

HALF_A_SECOND = bytes(16_000)
TRANSCRIPTION = "conversation.item.input_audio_transcription"


# Manual turns


@pytest.mark.parametrize("dialect", ALL)
async def test_a_commit_is_answered_and_the_audio_is_whole(dialect: str) -> None:
    async with calling(dialect, disable_server_vad=True) as call:
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.turn_end()
        assert call.commands() == ["input_audio_buffer.commit", "response.create"]
        per_ms = call.session.turns[0].heard.bytes_per_ms
        assert len(call.session.turns[0].audio) == 500 * per_ms
        assert call.of(UserSpeechEnded) == []


@pytest.mark.parametrize("dialect", ALL)
async def test_a_commit_during_a_reply_cancels_it_first(dialect: str) -> None:
    async with calling(dialect, held(), spoken(80), disable_server_vad=True) as call:
        await call.greeting_audible()
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.turn_end(2)
        await call.all_is_heard()
        kinds = [kind for kind in call.commands() if "truncate" not in kind]
        assert kinds == [
            "response.create",
            "response.cancel",
            "input_audio_buffer.commit",
            "response.create",
        ]
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["cancelled", "completed"]
        assert len(call.of(Interrupted)) == 1
        assert call.session.benign == []


@pytest.mark.parametrize("dialect", ALL)
async def test_a_commit_while_the_last_reply_is_still_heard_cuts_it(dialect: str) -> None:
    async with calling(dialect, spoken(20_000), spoken(80), disable_server_vad=True) as call:
        item = await call.greeting_audible(20_000)
        await call.turn_end()
        call.agent.report_playback(item, 1000)
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.turn_end(2)
        await call.interrupted()
        await call.all_is_heard()
        assert call.sent("response.cancel") == []
        assert 1000 <= call.of(Interrupted)[0].heard_ms < 3000


@pytest.mark.parametrize("dialect", ALL)
async def test_too_little_audio_is_said_and_nothing_sent(dialect: str) -> None:
    async with calling(dialect, disable_server_vad=True) as call:
        await call.push(bytes(2560))  # 80 ms
        await call.agent.commit_input_audio()
        error = await call.event(ErrorEvent)
        assert not error.fatal
        assert isinstance(error.error, AgentStateError)
        assert "80 ms" in str(error.error)
        await call.agent_is_heard()
        assert call.commands() == []
        await call.push(bytes(2560))  # what was pushed is not lost
        await call.agent.commit_input_audio()
        await call.turn_end()


@pytest.mark.parametrize("dialect", ALL)
async def test_cleared_audio_is_not_committed(dialect: str) -> None:
    async with calling(dialect, disable_server_vad=True) as call:
        await call.push(HALF_A_SECOND)
        await call.agent.clear_input_audio()
        await call.agent.commit_input_audio()
        await call.event(ErrorEvent)
        await call.agent_is_heard()
        assert call.commands() == ["input_audio_buffer.clear"]


@pytest.mark.parametrize("dialect", ALL)
async def test_audio_pushed_right_behind_a_commit_counts_for_the_next(dialect: str) -> None:
    async with calling(dialect, disable_server_vad=True) as call:
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.push(HALF_A_SECOND)
        await call.turn_end()
        await call.agent.commit_input_audio()
        await call.vendor_is_heard()
        assert call.errors() == []
        await call.turn_end(2)


@pytest.mark.parametrize("dialect", ALL)
async def test_two_commits_at_once_give_one_wanted_reply(dialect: str) -> None:
    async with calling(
        dialect,
        spoken(60),
        spoken(80),
        disable_server_vad=True,
        when_full="drop_oldest",  # which never waits, so that it is at once
        max_buffered_ms=5000,
    ) as call:
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.turn_end(2)
        await call.all_is_heard()
        statuses = [end.status for end in call.of(AssistantTurnEnd)]
        assert statuses[-1] == "completed"
        assert len(call.sent("response.create")) == 2
        assert call.audio_ms() == 80


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta", "dashscope_omni"])
async def test_a_commit_at_any_moment_of_a_reply_breaks_no_rule(dialect: str) -> None:
    for turns in range(40):
        async with calling(dialect, spoken(60), spoken(80), disable_server_vad=True) as call:
            await call.push(HALF_A_SECOND)
            await call.agent.commit_input_audio()
            for _ in range(turns):
                await asyncio.sleep(0)
            await call.push(HALF_A_SECOND)
            await call.agent.commit_input_audio()
            await call.turn_end(2)
            await call.all_is_heard()
            assert call.of(AssistantTurnEnd)[-1].status == "completed"


@pytest.mark.parametrize("dialect", ALL)
async def test_with_server_vad_a_commit_is_nothing(dialect: str) -> None:
    async with calling(dialect) as call:
        await call.push(HALF_A_SECOND)
        await call.agent.commit_input_audio()
        await call.agent_is_heard()
        assert call.commands() == []
        assert call.errors() == []


# Greeting, text, live updates


@pytest.mark.parametrize("dialect", ALL)
async def test_a_greeting_that_the_caller_talks_over_is_cut_and_they_are_answered(
    dialect: str,
) -> None:
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.say()
        await call.turn_end(2)
        await call.all_is_heard()
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["cancelled", "completed"]
        assert len(call.sent("response.create")) == 1
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ALL)
async def test_a_greeting_asked_for_while_the_caller_speaks_waits_for_their_answer(
    dialect: str,
) -> None:
    async with calling(dialect, held()) as call:
        await call.speak()
        await call.agent.create_response()
        await call.all_is_heard()
        assert call.commands() == []
        await call.fall_silent()
        await call.until(lambda: call.audio_ms() >= HELD_MS)
        await call.all_is_heard()
        assert call.commands() == [], "the vendor's own answer comes first"
        await call.session.release()
        await call.turn_end(2)
        assert len(call.sent("response.create")) == 1
        assert call.session.benign == []


@pytest.mark.parametrize("dialect", ALL)
async def test_a_greeting_and_a_turn_that_cross_are_both_answered(dialect: str) -> None:
    """The request leaves in the moment the turn ends: one of them runs, the other follows."""
    async with calling(dialect) as call:
        await call.speak()
        tasks: list[asyncio.Task[None]] = []

        def greet(event: object) -> None:
            if isinstance(event, UserSpeechEnded):
                tasks.append(asyncio.create_task(call.agent.create_response("Greet.")))

        call.listeners.append(greet)
        await call.fall_silent()
        await asyncio.gather(*tasks)
        await call.turn_end(2)
        await call.all_is_heard()
        assert [end.status for end in call.of(AssistantTurnEnd)] == ["completed"] * 2
        assert len(call.sent("response.create")) == 1
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ALL)
async def test_text_is_added_at_once_and_answered_in_turn(dialect: str) -> None:
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.agent.send_text("First.", respond=False)
        await call.agent.send_text("Second.")
        await call.agent.send_text("   ")
        await call.all_is_heard()
        texts = [e["item"]["content"][0]["text"] for e in call.sent("conversation.item.create")]
        assert texts == ["First.", "Second."]
        assert len(call.sent("response.create")) == 1
        await call.session.release()
        await call.turn_end(2)
        assert call.session.turns[-1].text == "First. Second."


@pytest.mark.parametrize("dialect", ALL)
async def test_cancel_drops_requests_that_wait(dialect: str) -> None:
    async with calling(dialect, held()) as call:
        await call.greeting_audible()
        await call.agent.create_response("Never mind.")
        await call.agent.cancel()
        await call.turn_end()
        await call.all_is_heard()
        assert len(call.sent("response.create")) == 1


@pytest.mark.parametrize("dialect", ALL)
async def test_instructions_change_in_the_middle_of_a_reply(dialect: str) -> None:
    async with calling(
        dialect,
        held(),
        credential={"instructions": "You work for ACME."},
        system_prompt="Be brief.",
    ) as call:
        await call.greeting_audible()
        await call.agent.update_instructions("Be long.")
        await call.session.wait_for("session.update", count=2)
        await call.vendor_is_heard()
        assert call.session.config["instructions"] == "You work for ACME.\n\nBe long."
        assert call.of(AssistantTurnEnd) == []
        await call.session.release()
        assert (await call.turn_end()).status == "completed"
        assert call.audio_ms() == 2000
        assert call.errors() == []


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta", "dashscope_omni"])
async def test_audio_cleared_while_the_caller_speaks_ends_their_speech(dialect: str) -> None:
    """The vendor forgets the utterance, so no end of it is ever reported."""
    async with calling(dialect) as call:
        await call.speak()
        await call.agent.clear_input_audio()
        await call.session.wait_sent("input_audio_buffer.cleared")
        await call.vendor_is_heard()
        await call.agent.create_response()
        assert (await call.turn_end()).status == "completed"


@pytest.mark.parametrize("dialect", ["openai_ga", "openai_beta", "dashscope_omni"])
async def test_a_request_waits_only_so_long_for_the_vendors_own_answer(
    dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the turn never comes."""
    monkeypatch.setattr("realtime_core.arbiter.VAD_REPLY_LIMIT_S", 0.2)
    first: list[bool] = []

    async def on_turn(session: object, turn: object) -> None:
        if first:
            await session.respond(spoken(60))  # type: ignore[attr-defined]
        first.append(True)

    async with calling(dialect, scenario=Scenario(on_turn=on_turn)) as call:
        await call.speak()
        await call.agent.create_response()
        await call.fall_silent()
        assert (await call.turn_end()).status == "completed"
        assert len(call.sent("response.create")) == 1


@pytest.mark.parametrize("dialect", ALL)
async def test_turns_without_an_answer_of_the_vendors_are_answered_on_demand(dialect: str) -> None:
    async with calling(dialect, vad=ServerVAD(respond=False)) as call:
        await call.say()
        await call.all_is_heard()
        assert call.of(AssistantTurnEnd) == []
        await call.agent.create_response()
        await call.turn_end()
        assert call.session.turns[0].speech_ms > 0


# Failures


@pytest.mark.parametrize("dialect", ALL)
async def test_an_incomplete_reply_is_told_and_the_call_goes_on(dialect: str) -> None:
    async with calling(dialect, scenario=SCENARIOS["incomplete_response"]) as call:
        await call.agent.create_response()
        end = await call.turn_end()
        assert end.status == "incomplete"
        (error,) = call.errors()
        assert not error.fatal
        assert "max_output_tokens" in str(error.error)
        assert call.audio_ms() == 600
        await call.agent.create_response()
        assert (await call.turn_end(2)).status == "completed"


# Transcripts


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_a_transcript_comes_before_during_or_after_the_reply(dialect: str, when: str) -> None:
    async with calling(dialect, scenario=SCENARIOS[f"transcript_{when}"]) as call:
        await call.say()
        await call.turn_end()
        await call.until(lambda: [one for one in call.of(UserTranscript) if one.final])
        transcripts = call.of(UserTranscript)
        assert [one.final for one in transcripts][-1]
        assert transcripts[-1].text == "Speech of 0.4 seconds."
        for one in transcripts:
            assert transcripts[-1].text.startswith(one.text)
        lengths = [len(one.text) for one in transcripts]
        assert lengths == sorted(lengths), "a partial is the whole hypothesis"
        assert len({one.item_id for one in transcripts}) == 1
        kinds = call.kinds()
        if when == "after":
            assert kinds.index("AssistantTurnEnd") < len(kinds) - 1 - kinds[::-1].index(
                "UserTranscript"
            )


@pytest.mark.parametrize("dialect", ALL)
async def test_transcripts_of_two_utterances_may_cross(dialect: str) -> None:
    openai = dialect in OPENAI

    def partial(item: str, *words: str) -> list[dict[str, object]]:
        pieces = (
            [{"delta": word} for word in words]
            if openai
            else [
                {"text": "".join(words[:index]), "stash": words[index]}
                for index in range(len(words))
            ]
        )
        return [{"type": f"{TRANSCRIPTION}.delta", "item_id": item, **piece} for piece in pieces]

    first, second = partial("item_1", "How ", "are you"), partial("item_2", "Fine, ", "thanks")
    async with calling(dialect) as call:
        for event in (first[0], second[0], second[1], first[1]):
            await call.session.send(event)
        for item, text in (("item_2", "Fine, thanks."), ("item_1", "How are you?")):
            await call.session.send(
                {"type": f"{TRANSCRIPTION}.completed", "item_id": item, "transcript": text}
            )
        await call.vendor_is_heard()
        assert [(one.item_id, one.text, one.final) for one in call.of(UserTranscript)] == [
            ("item_1", "How ", False),
            ("item_2", "Fine, ", False),
            ("item_2", "Fine, thanks", False),
            ("item_1", "How are you", False),
            ("item_2", "Fine, thanks.", True),
            ("item_1", "How are you?", True),
        ]


@pytest.mark.parametrize("dialect", ALL)
async def test_a_failed_transcription_closes_the_partial(dialect: str) -> None:
    words = {"delta": "How are"} if dialect in OPENAI else {"text": "How", "stash": " are"}
    failed = {
        "type": f"{TRANSCRIPTION}.failed",
        "item_id": "item_1",
        "error": {"type": "transcription_error", "code": "audio_unintelligible", "message": "No."},
    }
    async with calling(dialect) as call:
        await call.session.send({"type": f"{TRANSCRIPTION}.delta", "item_id": "item_1", **words})
        await call.session.send(failed)
        await call.vendor_is_heard()
        assert [(one.text, one.final) for one in call.of(UserTranscript)] == [
            ("How are", False),
            ("How are", True),
        ]
        assert [one.fatal for one in call.errors()] == [False]
        await call.agent.create_response()
        await call.turn_end()


@pytest.mark.parametrize("dialect", DASHSCOPE)
async def test_a_partial_under_the_recognisers_own_name(dialect: str) -> None:
    async with calling(dialect) as call:
        for text, stash in (("", "Wie"), ("Wie", " geht"), ("Wie geht", "")):
            await call.session.send(
                {"type": f"{TRANSCRIPTION}.text", "item_id": "i", "text": text, "stash": stash}
            )
        await call.vendor_is_heard()
        assert [one.text for one in call.of(UserTranscript)] == ["Wie", "Wie geht", "Wie geht"]
