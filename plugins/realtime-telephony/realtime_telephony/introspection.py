"""What a control plane may ask: which providers there are, and which calls are up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any, final

from realtime_core.describe import describe_providers
from realtime_telephony.desk import RunningCall

__all__ = ["ProviderList", "calls_as_json"]


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


@final
class ProviderList:
    """
    The providers as JSON, described once, on another thread: that imports every provider there is.

    What is installed afterwards is seen after a restart.
    """

    def __init__(self) -> None:
        self._work: asyncio.Task[bytes] | None = None

    async def get(self) -> bytes:
        """Give the JSON; cancelling one who waits disturbs no other."""
        if self._work is None:
            self._work = asyncio.create_task(asyncio.to_thread(_describe))
        return await asyncio.shield(self._work)

    async def close(self) -> None:
        """Wait until the thread is done; a thread cannot be stopped."""
        if self._work is not None:
            await asyncio.wait([self._work])


def _describe() -> bytes:
    return json.dumps([info.as_json() for info in describe_providers()]).encode()
