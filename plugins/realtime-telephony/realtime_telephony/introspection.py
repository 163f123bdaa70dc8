"""What a control plane may ask: which providers there are, and which calls are up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final, final

from realtime_core.describe import describe_providers
from realtime_telephony.desk import Desk, RunningCall
from realtime_telephony.making import Making

__all__ = [
    "DESCRIBE_LIMIT_S",
    "ProviderList",
    "calls_as_json",
    "health_as_json",
    "health_as_metrics",
]


DESCRIBE_LIMIT_S: Final = 30.0
"""How long all providers may take to be imported, in seconds."""


def calls_as_json(calls: Iterable[RunningCall]) -> list[dict[str, Any]]:
    """Write the running calls as plain values, without numbers of callers."""
    return [
        {
            "leg": call.info.leg,
            "call_id": call.info.call_id,
            "route": call.route.name,
            "provider": call.route.provider,
            "started_at": call.started_at.isoformat(timespec="milliseconds"),
            "duration_s": round(call.duration_s, 1),
        }
        for call in calls
    ]


def health_as_json(desk: Desk) -> dict[str, Any]:
    """Say how a desk is, as plain values."""
    counts = {name: desk.counts[name] for name in ("served", "failed", "refused")}
    status = "ok" if desk.accepting else "draining"
    return {"status": status, "calls": len(desk.calls), "most_calls": desk.most_calls, **counts}


def health_as_metrics(desk: Desk) -> str:
    """Say the same in the text format of Prometheus; `failed` calls are not among the `ended` ones here."""
    counts = desk.counts
    return (
        "# HELP realtime_calls Calls that are up.\n# TYPE realtime_calls gauge\n"
        f"realtime_calls {len(desk.calls)}\n"
        "# HELP realtime_calls_limit Calls there may be.\n# TYPE realtime_calls_limit gauge\n"
        f"realtime_calls_limit {desk.most_calls}\n"
        "# HELP realtime_accepting 0 while the server drains.\n# TYPE realtime_accepting gauge\n"
        f"realtime_accepting {int(desk.accepting)}\n"
        "# HELP realtime_calls_total Calls that are over, or were refused.\n# TYPE realtime_calls_total counter\n"
        f'realtime_calls_total{{outcome="ended"}} {counts["served"] - counts["failed"]}\n'
        f'realtime_calls_total{{outcome="failed"}} {counts["failed"]}\n'
        f'realtime_calls_total{{outcome="refused"}} {counts["refused"]}\n'
    )


@final
class ProviderList:
    """
    The providers as JSON, described once, on another thread: that imports every provider there is.

    What is installed afterwards is seen after a restart.
    """

    def __init__(self) -> None:
        self._making = Making(most=1)
        self._work: asyncio.Task[bytes] | None = None

    async def get(self) -> bytes:
        """
        Give the JSON; cancelling one who waits disturbs no other.

        Raises:
            TimeoutError: A provider has not let itself be imported within `DESCRIBE_LIMIT_S`.
        """
        if self._work is None or (self._work.done() and self._work.exception() is not None):
            self._work = asyncio.create_task(self._making.run(_describe, DESCRIBE_LIMIT_S))
        return await asyncio.shield(self._work)

    async def close(self) -> None:
        """Leave alone what is still being imported: a thread cannot be stopped, and holds up nobody."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])


def _describe() -> bytes:
    return json.dumps([info.as_json() for info in describe_providers()]).encode()
