"""Client events that begin and stop responses."""

from __future__ import annotations

from attrs import evolve

from . import dashscope_schema
from .frames import Event
from .mind import Mind
from .openai_schema import BETA_RESPONSE, GA_RESPONSE
from .refusal import Refusal
from .settings import Settings, read_settings

__all__ = ["cancel", "create"]


def create(mind: Mind, event: Event) -> None:
    """Answer on demand."""
    facts = mind.facts
    request = event.get("response")
    if request is not None or "response" in event:
        if facts.openai:
            (GA_RESPONSE if facts.ga_session else BETA_RESPONSE)(request, "response")
        else:
            dashscope_schema.RESPONSE(request, "response")
            if facts.nested_audio and not request:
                # Model Studio, Client events (Qwen3.8): omit an empty `response`.
                raise Refusal(
                    "invalid_value",
                    "response must not be empty",
                    param="response",
                    rule="empty-response-object",
                )
    request = request or {}
    if request.get("conversation") != "none":
        _check_free(mind)
    mind.answer(request, settings=_settings(mind, request))


def _check_free(mind: Mind) -> None:
    facts = mind.facts
    if not facts.openai and mind.ear.speaking:
        raise Refusal(
            "invalid_value",
            "Cannot create response while user is speaking.",
            param="response.create",
            rule="create-while-user-speaks",
            benign=mind.recent("speech began"),
        )
    active = mind.active
    if active is None:
        return
    text = f"Conversation already has an active response in progress: {active.id}."
    if not facts.openai:
        text = f"Conversation already has an active response; another response is in progress: {active.id}"
    # Beta-era servers answer without a code; clients must know the text.
    code = None if facts.name == "openai_beta" else "conversation_already_has_active_response"
    raise Refusal(
        code,
        text,
        rule="create-while-active",
        expected="response.create only after response.done",
        benign=mind.recent("response created"),
    )


def _settings(mind: Mind, request: Event) -> Settings:
    settings, facts = mind.settings, mind.facts
    modalities = request.get("output_modalities" if facts.ga_session else "modalities")
    if modalities is not None:
        settings = evolve(settings, speaks="audio" in modalities)
    output = (request.get("audio") or {}).get("output") or {}
    if "format" in output:
        view = mind.config | {
            "audio": mind.config["audio"] | {"output": mind.config["audio"]["output"] | output}
        }
        settings = evolve(settings, spoken=read_settings(view, facts).spoken)
    return settings


def cancel(mind: Mind, event: Event) -> None:
    """Stop the response named, or the one in progress."""
    wanted = event.get("response_id")
    found = mind.active
    if wanted is not None:
        found = next((run for run in mind.running if run.id == wanted), None)
    if found is None or found.status != "in_progress":
        openai, benign = mind.facts.openai, mind.recent("response done")
        if not openai:
            # Model Studio, Server events: code and param are empty here.
            message = "Conversation has none active response"
            raise Refusal("", message, param="", rule="cancel-without-response", benign=benign)
        raise Refusal(
            None if mind.facts.name == "openai_beta" else "response_cancel_not_active",
            "Cancellation failed: no active response found",
            rule="cancel-without-response",
            benign=benign,
        )
    mind.cancel(found, "client_cancelled")
