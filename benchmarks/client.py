"""
One measurement: a fresh process with so many sessions of one client, pinned to one core.

Every session pushes 20 ms of audio every 20 ms on an absolute schedule, phases spread, and receives what the
vendor sends. After a warm-up the window is measured, and the outcome printed as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs

from benchmarks.machine import cpu_seconds_of, pin_to
from benchmarks.workload import (
    CHUNK_MS,
    SCENARIOS,
    Arrivals,
    Caller,
    Outcome,
    Scenario,
    percentile,
    tone,
)

__all__ = ["CLIENTS", "main"]

CLIENTS: Final = ("floor", "sdk", "pacing", "websockets", "picows")
_PERIOD_S: Final = CHUNK_MS / 1000
_TONE_CHUNKS: Final = 5  # whole periods of 440 Hz
_SETTLE_S: Final = 0.3

_New = Callable[[], Caller]


class _NoCaller:
    """Does nothing: what remains is the cost of the schedule itself."""

    async def start(self) -> None:
        pass

    async def push(self, pcm: bytes) -> None:
        pass

    async def close(self) -> None:
        pass


@asynccontextmanager
async def _maker(
    client: str, url: str, scenario: Scenario, arrivals: Arrivals
) -> AsyncIterator[_New]:
    """Give what makes a session; a client's libraries are loaded in its own process only."""
    match client:
        case "floor":
            import aiohttp

            from benchmarks.floor import FloorCaller

            async with aiohttp.ClientSession() as session:
                yield lambda: FloorCaller(session, url, scenario, arrivals)
        case "sdk":
            from benchmarks.sdk import SdkCaller

            yield lambda: SdkCaller(url, scenario, arrivals)
        case "websockets":
            from benchmarks.floor_websockets import WebsocketsCaller

            yield lambda: WebsocketsCaller(url, scenario, arrivals)
        case "picows":
            from benchmarks.floor_picows import PicowsCaller

            yield lambda: PicowsCaller(url, scenario, arrivals)
        case _:
            yield _NoCaller


class _Pacer:
    """Pushes for all sessions on time, and writes down how late it was. One task, so that it costs little."""

    def __init__(self, scenario: Scenario) -> None:
        sound = tone(scenario.input_hz, _TONE_CHUNKS * CHUNK_MS)
        size = len(sound) // _TONE_CHUNKS
        self._chunks = [sound[at : at + size] for at in range(0, len(sound), size)]
        self.late_s: list[float] = []
        self.pushed = 0

    async def run(self, callers: Sequence[Caller]) -> None:
        clock, late = asyncio.get_running_loop().time, self.late_s
        pushes = [caller.push for caller in callers]
        step = _PERIOD_S / len(pushes)
        due = clock() + _PERIOD_S
        while True:
            for chunk in self._chunks:
                await asyncio.sleep(0)  # a client past its limit must still get to read
                for push in pushes:
                    if due > (now := clock()):
                        await asyncio.sleep(due - now)
                        now = clock()
                    late.append(now - due)
                    await push(chunk)
                    self.pushed += 1
                    due += step


async def measure(
    client: str,
    url: str,
    scenario: Scenario,
    *,
    sessions: int,
    seconds: float,
    warm_up_s: float,
    vendor_pid: int,
) -> Outcome:
    """Run the sessions and measure the window."""
    loop = asyncio.get_running_loop()
    arrivals, pacer = Arrivals(), _Pacer(scenario)
    async with _maker(client, url, scenario, arrivals) as new_caller:
        callers = [new_caller() for _ in range(sessions)]
        await asyncio.gather(*(caller.start() for caller in callers))
        pushing = asyncio.create_task(pacer.run(callers))
        await asyncio.sleep(warm_up_s)
        gc.collect()  # from here on it runs as in any program, in every client
        await asyncio.sleep(_SETTLE_S)
        arrivals.clear()
        pacer.late_s.clear()
        began, vendor_began, used = loop.time(), cpu_seconds_of(vendor_pid), _cpu()
        await asyncio.sleep(seconds)
        took, vendor_used = loop.time() - began, cpu_seconds_of(vendor_pid) - vendor_began
        user, system = (after - before for after, before in zip(_cpu(), used, strict=True))
        latencies = [ns / 1e6 for ns in arrivals.latencies_ns]
        late_ms, heard = [late * 1000 for late in pacer.late_s], arrivals.pcm_bytes
        pushing.cancel()
        await asyncio.wait({pushing})
        await asyncio.gather(*(caller.close() for caller in callers))
    return Outcome(
        client=client,
        scenario=scenario.name,
        sessions=sessions,
        seconds=took,
        cpu_ms=(user + system) * 1000 / (sessions * took),
        system_share=system / (user + system),
        busy=(user + system) / took,
        vendor_busy=vendor_used / took,
        p50_ms=percentile(latencies, 0.5),
        p99_ms=percentile(latencies, 0.99),
        push_late_p99_ms=percentile(late_ms, 0.99),
        deltas=len(latencies),
        pushed=pacer.pushed,
        heard_share=heard / (2 * scenario.output_hz * sessions * took),
        sent_share=len(late_ms) * _PERIOD_S / (sessions * took),
    )


def _cpu() -> tuple[float, float]:
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime, now.ru_stime


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--scenario", choices=SCENARIOS, default="24k")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=2.0)
    parser.add_argument("--url", required=True)
    parser.add_argument("--vendor-pid", type=int, required=True)
    parser.add_argument("--core", type=int, required=True)
    arguments = parser.parse_args()
    pin_to(arguments.core)
    outcome = asyncio.run(
        measure(
            arguments.client,
            arguments.url,
            SCENARIOS[arguments.scenario],
            sessions=arguments.sessions,
            seconds=arguments.seconds,
            warm_up_s=arguments.warm_up,
            vendor_pid=arguments.vendor_pid,
        )
    )
    print(json.dumps(attrs.asdict(outcome)))


if __name__ == "__main__":
    main()
