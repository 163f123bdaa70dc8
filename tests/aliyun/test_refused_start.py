"""How DashScope says no: by HTTP status, by an error event, or by a close whose reason tells."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_core import ConnectError, ErrorKind, Event, Options, new_agent_from_credential
from realtime_core.testing import Faults, LoopbackSession, LoopbackVendor, Scenario
from tests.core.live import nothing_left_behind

NEVER_UPDATED = Faults(withhold=frozenset({"session.updated"}))
DIALECTS = ["dashscope_omni", "dashscope_omni_nested", "qwen_audio"]


async def refused(
    dialect: str,
    scenario: Scenario | None = None,
    faults: Faults | None = None,
    **credential: Any,
) -> ConnectError:
    events: list[Event] = []
    async with LoopbackVendor(scenario=scenario, faults=faults) as vendor:
        cfg = {**vendor.credential(dialect), **credential}
        agent = new_agent_from_credential(cfg, Options(on_event=events.append))
        async with nothing_left_behind():
            with pytest.raises(ConnectError) as caught:
                await agent.start()
    assert events == []
    return caught.value


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_wrong_key_is_refused_with_401(dialect: str) -> None:
    error = await refused(dialect, apiKey="a key of another region")
    assert (error.kind, error.status, error.retryable) == (ErrorKind.AUTH, 401, False)
    assert "region" in str(error)


async def test_an_unknown_model_is_refused_with_404() -> None:
    error = await refused("dashscope_omni", model="qwen9-chat")
    assert (error.kind, error.status, error.retryable) == (ErrorKind.MODEL, 404, False)


def says(**error: Any) -> Scenario:
    async def on_connect(session: LoopbackSession) -> None:
        await session.send({"type": "error", "error": error})

    return Scenario(on_connect=on_connect)


def closes(code: int, reason: str) -> Scenario:
    async def on_connect(session: LoopbackSession) -> None:
        await session.close(code, reason)

    return Scenario(on_connect=on_connect)


ERRORS: list[tuple[dict[str, Any], ErrorKind]] = [
    ({"type": "invalid_request_error", "code": "InvalidApiKey"}, ErrorKind.AUTH),
    ({"type": "invalid_request_error", "code": "Model.AccessDenied"}, ErrorKind.MODEL),
    ({"type": "invalid_request_error", "code": "model_not_found"}, ErrorKind.MODEL),
    ({"type": "invalid_request_error", "code": "Arrearage"}, ErrorKind.QUOTA),
    ({"type": "x", "code": "AllocationQuota.FreeTierOnly"}, ErrorKind.QUOTA),
    ({"type": "x", "code": "Throttling.RateQuota"}, ErrorKind.RATE_LIMIT),
    ({"type": "invalid_request_error", "code": "invalid_value"}, ErrorKind.CONFIG),
    ({"type": "authentication_error"}, ErrorKind.AUTH),
    ({"type": "server_error"}, ErrorKind.VENDOR),
    ({"message": "Unauthorized."}, ErrorKind.AUTH),
    ({"message": "The free tier of the model is exhausted."}, ErrorKind.QUOTA),
    ({"message": "Access denied, your account is not in good standing."}, ErrorKind.QUOTA),
    ({"message": "Allocated quota exceeded."}, ErrorKind.RATE_LIMIT),
    ({"type": "invalid_request_error", "message": "invalid modalities"}, ErrorKind.CONFIG),
    # The type stands on almost every error; the text says more, and a code more than both.
    ({"type": "invalid_request_error", "message": "Invalid API-key provided."}, ErrorKind.AUTH),
    ({"type": "invalid_request_error", "message": "Rate limit."}, ErrorKind.RATE_LIMIT),
    (
        {"type": "invalid_request_error", "code": "invalid_value", "message": "Rate limit."},
        ErrorKind.CONFIG,
    ),
    (
        {"type": "invalid_request_error", "code": "unheard_of", "message": "Rate limit."},
        ErrorKind.CONFIG,
    ),
    ({"type": "authentication_error", "message": "Rate limit."}, ErrorKind.AUTH),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS)
async def test_any_error_before_the_session_is_configured_refuses_the_start(
    error: dict[str, Any], kind: ErrorKind
) -> None:
    assert (await refused("dashscope_omni", says(**error))).kind is kind


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (1007, "Allocated quota exceeded, please increase your quota limit.", ErrorKind.QUOTA),
        (1007, "Access denied.", ErrorKind.AUTH),
        (1007, "Internal service error: null", ErrorKind.VENDOR),
        (1011, "", ErrorKind.VENDOR),
    ],
)
async def test_a_close_while_starting_is_told_by_its_reason(
    code: int, reason: str, kind: ErrorKind
) -> None:
    error = await refused("dashscope_omni", closes(code, reason), NEVER_UPDATED)
    assert (error.kind, error.status) == (kind, None)
    assert str(code) in str(error)
    assert reason in str(error)
