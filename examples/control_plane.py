"""
What a control plane asks of the SDK: which providers there are, what their form looks like, does this credential work.

Prints one JSON object. `providers` holds a JSON Schema of each credential, secrets marked `writeOnly`; `check` is the
answer to a "test connection" button. Without `--credential` the check is made against the loopback vendor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import attrs

import realtime_core as rt
from realtime_core.testing import LoopbackVendor


async def check(credential: dict[str, Any]) -> dict[str, Any]:
    """Open a session with this credential and close it again."""
    try:
        agent = rt.new_agent_from_credential(credential, rt.Options())
        async with agent:
            pass
    except rt.RealtimeError as error:
        return {
            "ok": False,
            "kind": error.kind.value,
            "retryable": error.retryable,
            "message": str(error),
        }
    return {
        "ok": True,
        "timeToSessionMs": agent.stats.time_to_session_ms,
        "capabilities": attrs.asdict(agent.capabilities),
    }


async def main() -> None:
    """Print the answer; the exit code says whether the credential works."""
    parser = argparse.ArgumentParser(
        description="Describe the providers and try a credential, as JSON."
    )
    parser.add_argument("--credential", type=Path, help="JSON file; default: the loopback vendor")
    arguments = parser.parse_args()
    if arguments.credential is not None:
        result = await check(json.loads(arguments.credential.read_text("utf-8")))
    else:
        async with LoopbackVendor() as vendor:
            result = await check(vendor.credential("openai_ga"))
    providers = [info.as_json() for info in rt.describe_providers()]
    print(json.dumps({"providers": providers, "check": result}, indent=2))
    if not result["ok"]:
        raise SystemExit(1)


if __name__ == "__main__":
    asyncio.run(main())
