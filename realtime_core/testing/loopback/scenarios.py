"""The named scenarios: what vendors were seen to do, and what their documents allow them to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from . import edits, endings, oddities
from .reply import Call, Reply, Speech, Text
from .scenario import Scenario

__all__ = ["SCENARIOS"]

_CALL = Call(name="lookup", arguments='{"city": "Berlin"}', call_id="call_berlin")
_OTHER = Call(name="lookup", arguments='{"city": "Paris"}', call_id="call_paris")


def _failed(kind: str, code: str, message: str) -> tuple[Reply, ...]:
    return (Reply(parts=(), status="failed", error=(kind, code, message)),)


_TURNS = (
    Scenario(name="plain", summary="Every turn is answered by the voice."),
    Scenario(
        name="transcript_before",
        summary="The user's transcript is complete before the response begins.",
        replies=(Reply(user_transcript="before"),) * 3,
    ),
    Scenario(
        name="transcript_during",
        summary="The user's transcript comes after the first audio of the answer.",
        replies=(Reply(user_transcript="during"),) * 3,
    ),
    Scenario(
        name="transcript_after",
        summary="The user's transcript comes after response.done.",
        replies=(Reply(user_transcript="after"),) * 3,
    ),
    Scenario(
        name="transcript_failed",
        summary="The user's speech cannot be transcribed; it is answered all the same.",
        replies=(Reply(user_transcript="failed"),) * 3,
    ),
    Scenario(
        name="long_reply",
        summary="Twenty seconds of audio in one burst.",
        replies=(Reply(parts=(Speech(ms=20_000, transcript="A very long answer."),)),),
    ),
    Scenario(
        name="held_reply",
        summary="The first answer stays in progress after 400 of its 2000 ms, until released.",
        replies=(
            Reply(parts=(Speech(ms=2000, transcript="Wait for it now.", hold_after_ms=400),)),
        ),
    ),
    Scenario(
        name="two_messages",
        summary="One response with two message items.",
        replies=(
            Reply(
                parts=(
                    Speech(ms=400, transcript="Let me see."),
                    Speech(ms=600, transcript="Here it is."),
                )
            ),
        ),
    ),
    Scenario(
        name="text_and_speech",
        summary="A text item before the spoken one.",
        replies=(Reply(parts=(Text("Thinking."), Speech())),),
    ),
    Scenario(
        name="late_deltas",
        summary="A held answer; once cancelled and done, two more audio deltas of it arrive.",
        replies=(
            Reply(
                parts=(Speech(ms=2000, transcript="Wait for it now.", hold_after_ms=400),),
                late_deltas=2,
            ),
        ),
    ),
    Scenario(
        name="turn_invalid",
        summary="The first turn is judged not to be meant for the model (Qwen-Audio).",
        invalid_turns=frozenset({0}),
    ),
)
_TOOLS = (
    Scenario(
        name="tool_call", summary="The first answer is one call.", replies=(Reply(parts=(_CALL,)),)
    ),
    Scenario(
        name="two_tool_calls",
        summary="The first answer is two calls at once.",
        replies=(Reply(parts=(_CALL, _OTHER)),),
    ),
    Scenario(
        name="message_and_call",
        summary="The first answer speaks, then calls.",
        replies=(Reply(parts=(Speech(ms=400, transcript="One moment."), _CALL)),),
    ),
    Scenario(
        name="interrupted_call",
        summary="The call stops half-way: item incomplete, response cancelled.",
        replies=(
            Reply(
                parts=(Call(name="lookup", arguments=_CALL.arguments, status="incomplete"),),
                status="cancelled",
                reason="turn_detected",
            ),
        ),
    ),
    Scenario(
        name="held_call",
        summary="The call stops half-way until released, or interrupted by speech.",
        replies=(Reply(parts=(Call(name="lookup", arguments=_CALL.arguments, hold=True),)),),
    ),
    Scenario(
        name="leading_space_arguments",
        summary="The arguments begin with a blank, as Model Studio was seen to send them.",
        replies=(Reply(parts=(Call(name="lookup", arguments=' {"city": "Berlin"}'),)),),
    ),
    Scenario(
        name="empty_arguments",
        summary="A call of a tool without parameters has empty arguments.",
        replies=(Reply(parts=(Call(name="lookup", arguments=""),)),),
    ),
    Scenario(
        name="unparsable_arguments",
        summary="The arguments are no JSON.",
        replies=(Reply(parts=(Call(name="lookup", arguments='{"city": Berlin'),)),),
    ),
)
_FAILURES = (
    Scenario(
        name="rate_limited",
        summary="The first response fails: rate_limit_exceeded.",
        replies=_failed("invalid_request_error", "rate_limit_exceeded", "Rate limit reached."),
    ),
    Scenario(
        name="quota_exceeded",
        summary="The first response fails: insufficient_quota.",
        replies=_failed("insufficient_quota", "insufficient_quota", "You exceeded your quota."),
    ),
    Scenario(
        name="model_not_found",
        summary="The first response fails: the account lacks the model.",
        replies=_failed("invalid_request_error", "model_not_found", "The model does not exist."),
    ),
    Scenario(
        name="incomplete_response",
        summary="The first response stops at max_output_tokens.",
        replies=(
            Reply(
                parts=(Speech(ms=600, transcript="This is where"),),
                status="incomplete",
                reason="max_output_tokens",
            ),
        ),
    ),
    Scenario(
        name="usage_null",
        summary="response.done has usage: null.",
        replies=(Reply(usage=False),) * 3,
    ),
    Scenario(
        name="status_details_text",
        summary="A failed response's status_details is a plain string.",
        replies=_failed("server_error", "server_error", "The server had an error."),
        rewrite=edits.change("response.done", oddities.status_details_as_text),
    ),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (*_TURNS, *_TOOLS, *_FAILURES, *oddities.ODDITIES, *endings.ENDINGS)
    }
)
"""Scenarios by name; each with a sentence on what it does."""
