"""What a conversation's outcome means: an exit code, and one sentence when it went wrong."""

from __future__ import annotations

from attrs import frozen

from realtime_core.cli.conversation import Outcome
from realtime_core.cli.narration import one_line
from realtime_core.errors import ConnectError, ErrorKind, RealtimeError

__all__ = ["Verdict", "judge"]

_ADVICE = {
    ErrorKind.AUTH: "check the key and that it is entitled to the model",
    ErrorKind.QUOTA: "check the account's balance and limits",
    ErrorKind.RATE_LIMIT: "wait and try again",
    ErrorKind.CONFIG: "check the credential and the options",
    ErrorKind.MODEL: "check the model's name and that the account may use it",
    ErrorKind.EXPIRED: "use a shorter recording",
    ErrorKind.IDLE: "check that the recording holds speech",
    ErrorKind.TRANSPORT: "check the network and the base URL, then try again",
    ErrorKind.STALLED: "try again; if it stays, check the network and the vendor's status page",
    ErrorKind.OVERFLOW: "try again on a faster connection",
    ErrorKind.VENDOR: "try again; if it stays, ask the vendor",
}


@frozen
class Verdict:
    """The end of the command."""

    exit_code: int
    """0: a reply was completed. 1: none was, or the session failed. 130: Ctrl-C."""
    problem: str = ""
    """What went wrong and what to do; empty when nothing did."""


def judge(outcome: Outcome, timeout_s: float | None, *, is_live: bool = False) -> Verdict:
    """
    Judge an outcome.

    Args:
        outcome: Of the conversation.
        timeout_s: Its bound, for the message.
        is_live: A person spoke, who ends the call with Ctrl-C or by saying goodbye.
    """
    progress = outcome.progress
    if outcome.interrupted:
        return Verdict(0 if is_live and outcome.opened else 130)
    if outcome.failed is not None:
        return Verdict(1, f"{outcome.failed}; the conversation was ended")
    if outcome.refused is not None:
        return Verdict(1, "the session did not start: " + _told(outcome.refused))
    if progress.fatal is not None:
        return Verdict(1, "the session ended: " + _told(progress.fatal))
    if progress.hung_up_at is not None and not outcome.timed_out:
        return Verdict(0)
    if progress.completed:
        cut = f"stopped after {timeout_s:g} s (--timeout), before the call was over"
        return Verdict(0, cut if outcome.timed_out else "")
    if progress.statuses and progress.error is not None:
        return Verdict(1, "no reply was completed: " + _told(progress.error))
    if progress.statuses:
        return Verdict(
            1, f"no reply was completed: it ended as {progress.statuses[-1]}; see the events"
        )
    if outcome.timed_out:
        return Verdict(1, f"no reply within {timeout_s:g} s (--timeout): {_missing(outcome)}")
    return Verdict(1, f"the session ended without a reply: {_missing(outcome)}")


def _told(error: RealtimeError) -> str:
    text = one_line(str(error))
    advice = _ADVICE.get(error.kind)
    # What a connection refuses with an HTTP status says already what to check.
    if advice is None or (isinstance(error, ConnectError) and error.status is not None):
        return f"{text} ({error.kind})"
    return f"{text.rstrip('.')} ({error.kind}); {advice}"


def _missing(outcome: Outcome) -> str:
    progress = outcome.progress
    if not outcome.opened:
        return "the session did not open; check the network, or give it more time"
    if progress.replying:
        return "the reply began and did not end; give it more time"
    if progress.speaking:
        return "the vendor heard speech and no end of it; is the recording noisy?"
    if progress.heard:
        return "the vendor heard speech and sent no reply; see the events"
    return "the vendor heard no speech; listen to the recording, is it too faint?"
