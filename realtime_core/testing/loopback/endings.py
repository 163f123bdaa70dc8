"""Scenarios in which the vendor ends the session, right after it was configured."""

from __future__ import annotations

from .frames import Event
from .scenario import Scenario, Step
from .session import LoopbackSession

__all__ = ["ENDINGS"]

_EXPIRED = "Your session hit the maximum duration of 60 minutes."


def _error(kind: str, code: str | None, message: str) -> Event:
    error = {"type": kind, "code": code, "message": message, "param": None, "event_id": None}
    return {"type": "error", "error": error}


def _ends(code: int, reason: str = "", error: Event | None = None) -> Step:
    async def run(session: LoopbackSession) -> None:
        if error is not None:
            await session.send(error)
        await session.close(code, reason)

    return run


async def _drops(session: LoopbackSession) -> None:
    await session.wait_sent("session.updated")
    session.abort()


ENDINGS: tuple[Scenario, ...] = (
    Scenario(
        name="session_expired",
        summary="OpenAI: the error session_expired, then close 1001.",
        on_open=_ends(1001, _EXPIRED, _error("invalid_request_error", "session_expired", _EXPIRED)),
    ),
    Scenario(
        name="session_ended",
        summary="Model Studio after 120 minutes: close 1000 without a word (the code is a guess).",
        on_open=_ends(1000),
    ),
    Scenario(
        name="idle_closed",
        summary="Model Studio: close 1007, no response was generated for a while.",
        on_open=_ends(1007, "no response was generated for 180 seconds"),
    ),
    Scenario(
        name="quota_closed",
        summary="Model Studio: close 1007, the quota is used up.",
        on_open=_ends(1007, "Allocated quota exceeded, please increase your quota limit."),
    ),
    Scenario(
        name="backend_closed",
        summary="Model Studio: close 1007, the backend failed.",
        on_open=_ends(1007, "Internal service error: null"),
    ),
    Scenario(
        name="server_error",
        summary="An error of type server_error, then close 1011.",
        on_open=_ends(1011, "", _error("server_error", None, "The server had an error.")),
    ),
    Scenario(
        name="connection_lost",
        summary="The TCP connection breaks after session.updated.",
        on_open=_drops,
    ),
)
"""Scenarios of the end."""
