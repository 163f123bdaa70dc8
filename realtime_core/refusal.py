"""What the driver itself says no to, in words: commands out of turn, wrong arguments, a slow start, a full queue."""

from __future__ import annotations

from realtime_core.checks import is_number, wrong
from realtime_core.errors import (
    AgentClosedError,
    AgentStateError,
    ConnectError,
    ErrorKind,
    RealtimeError,
    UnsupportedError,
)
from realtime_core.wire import WireState

__all__ = ["ms_of", "nobody_fetches", "not_open", "start_too_slow", "text_of", "unsupported"]


def not_open(command: str, state: WireState, *, over: bool) -> AgentStateError:
    """
    Make the error of a command while the session is not open.

    Args:
        command: Its name.
        state: Where the wire stands.
        over: The session was closed, by whomever.
    """
    if over:
        return AgentClosedError(f"{command}: the session is over")
    if state is WireState.ENDING:
        return AgentClosedError(f"{command}: the session is over after a fatal error")
    return AgentStateError(f"{command}: the session is not open yet; await start() first")


def text_of(command: str, value: str) -> str:
    """
    Check a text before anything is done with it.

    Raises:
        ConfigError: It is none; a session that kept it would fail later.
    """
    if not isinstance(value, str):
        raise wrong(command, "a string", value)
    return value


def ms_of(command: str, played_ms: float) -> int:
    """
    Check a time heard before anything is done with it, and give it in whole ms, as vendors want it.

    Raises:
        ConfigError: It is no finite number.
    """
    if type(played_ms) is int:
        return played_ms
    if not is_number(played_ms):
        raise wrong(command, "a number of ms", played_ms)
    return int(played_ms)


def unsupported(command: str, vendor: str, flag: str) -> UnsupportedError:
    """Make the error of a command that a capability rules out."""
    why = f"{vendor} cannot do that (capabilities.{flag} is false)"
    return UnsupportedError(f"{command}: {why}; nothing was sent")


def start_too_slow(limit_s: float) -> ConnectError:
    """Make the error of a start that took longer than `Options.start_timeout_s`."""
    return ConnectError(
        f"the vendor did not open the session within {limit_s:g} s (Options.start_timeout_s)",
        kind=ErrorKind.STALLED,
        retryable=True,
    )


def nobody_fetches() -> RealtimeError:
    """Make the error of a full event queue."""
    return RealtimeError(
        "ten minutes of events were not fetched; iterate over the agent all the time",
        kind=ErrorKind.OVERFLOW,
    )
