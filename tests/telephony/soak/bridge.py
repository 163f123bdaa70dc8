"""
Our side of the soak: the server of `realtime serve-calls` in a process of its own, so that what it takes is what it takes.

Reads the routing file from the path given, prints a JSON line when it listens, one a call that is over, and with `--watch` one a
second with the position of every call. Serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from realtime_core.agent import Agent
from realtime_core.events import AssistantAudio, Event
from realtime_telephony import CallControl, CallReport, DigitPressed, attach
from realtime_telephony.call_record import CallRecord, RefusedCall
from realtime_telephony.leg import (
    CallerAudio,
    CallInfo,
    CallLeg,
    LegCapabilities,
    LegClosed,
    LegEvent,
)
from realtime_telephony.pacer import LATE_MS
from realtime_telephony.routing import load_routing
from realtime_telephony.server import CallServer

__all__: list[str] = []

_BEAT_S = 0.01


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


class WatchedLeg(CallLeg):
    """A leg with counters on both directions."""

    def __init__(self, leg: CallLeg) -> None:
        self._leg = leg
        self.info: CallInfo = leg.info
        self.capabilities: LegCapabilities = leg.capabilities
        self.sample_rate_hz: int = leg.sample_rate_hz
        self.codec: Literal["pcm", "g711_ulaw", "g711_alaw"] = leg.codec
        self.given = 0
        self.heard = 0
        self.over = False

    async def receive(self) -> LegEvent:
        event = await self._leg.receive()
        if isinstance(event, CallerAudio):
            self.heard += len(event.pcm) // 2
        elif isinstance(event, LegClosed):
            self.over = True
        return event

    def play(self, pcm: bytes) -> None:
        self.given += len(pcm) // 2
        self._leg.play(pcm)

    def played_samples(self) -> int:
        return self._leg.played_samples()

    async def flush(self) -> int:
        return await self._leg.flush()

    async def drained(self, timeout_s: float) -> bool:
        return await self._leg.drained(timeout_s)

    async def hang_up(self) -> None:
        await self._leg.hang_up()

    async def close(self) -> None:
        await self._leg.close()

    @property
    def position(self) -> dict[str, Any]:
        """In seconds of audio: given to the leg, played by its own account, heard from the caller."""
        rate = self.sample_rate_hz
        return {
            "leg": self.info.leg,
            "given_s": self.given / rate,
            "played_s": self.played_samples() / rate,
            "heard_s": self.heard / rate,
        }


def _counting(
    replies: set[str | None], on_event: Callable[[Event | DigitPressed], None] | None
) -> Callable[[Event | DigitPressed], None]:
    """Note which items had audio."""

    def take(event: Event | DigitPressed) -> None:
        if isinstance(event, AssistantAudio):
            replies.add(event.item_id)
        if on_event is not None:
            on_event(event)

    return take


class _Bridge:
    def __init__(self, *, watch: bool) -> None:
        self._watch = watch
        self._legs: set[WatchedLeg] = set()
        self._gc_began = 0.0
        self._gc_ms = 0.0
        self.gc_max_ms = 0.0

    async def join(
        self,
        agent: Agent,
        leg: CallLeg,
        *,
        control: CallControl | None,
        greeting: str | None,
        on_event: Callable[[Event | DigitPressed], None] | None,
        fallback: Path | None,
        record: Path | None,
        picture: Path | None,
    ) -> CallReport:
        replies: set[str | None] = set()
        tell = on_event
        if self._watch:
            leg = WatchedLeg(leg)
            self._legs.add(leg)
            tell = _counting(replies, on_event)
        report = await attach(
            agent,
            leg,
            control=control,
            greeting=greeting,
            on_event=tell,
            fallback=fallback,
            record=record,
            picture=picture,
        )
        if isinstance(leg, WatchedLeg):
            self._legs.discard(leg)
        _say(
            {
                "kind": "call",
                "leg": leg.info.leg,
                "ended_by": report.ended_by,
                "detail": report.detail,
                "error": report.error,
                "duration_s": report.duration_s,
                "replies": len(replies),
                "gc_max_ms": self.gc_max_ms,
                "barge_ins": report.barge_ins,
                "stalls": report.stalls,
                "latest_ms": report.latest_ms,
                "filled_ms": report.silence_filled_ms,
                "frames_dropped": getattr(leg, "frames_dropped", 0),
            }
        )
        return report

    async def watch_the_loop(self) -> None:
        """Tell when the loop stood still for longer than a pacer forgives, and how much of that was the garbage collector's."""
        due = time.monotonic() + _BEAT_S
        while True:
            await asyncio.sleep(due - time.monotonic())
            late_ms = (time.monotonic() - due) * 1000
            if late_ms > LATE_MS:
                _say({"kind": "stall", "at_s": due, "late_ms": late_ms, "gc_ms": self._gc_ms})
            self._gc_ms = 0.0
            due = time.monotonic() + _BEAT_S

    def on_gc(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began = time.monotonic()
        else:
            took_ms = (time.monotonic() - self._gc_began) * 1000
            self._gc_ms += took_ms
            self.gc_max_ms = max(self.gc_max_ms, took_ms)

    async def tell(self) -> None:
        while True:
            await asyncio.sleep(1)
            for leg in tuple(self._legs):
                if not leg.over:
                    _say({"kind": "position", "at_s": time.monotonic(), **leg.position})


def _refused(record: CallRecord | RefusedCall) -> None:
    if isinstance(record, RefusedCall):
        _say({"kind": "refused", "why": record.why})


async def _serve(config: Path, *, watch: bool) -> None:
    routing = load_routing(config)
    routing.check()
    bridge = _Bridge(watch=watch)
    server = CallServer(routing, on_record=_refused, join=bridge.join)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stopped.set)
    async with server:
        gc.collect()  # as serve-calls does
        gc.freeze()
        gc.callbacks.append(bridge.on_gc)
        telling = asyncio.gather(bridge.tell(), bridge.watch_the_loop())
        _say({"kind": "ready"})
        await stopped.wait()
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--watch", action="store_true")
    parser.add_argument("--profile", type=Path)
    settings = parser.parse_args()
    if settings.profile is None:
        asyncio.run(_serve(settings.config, watch=settings.watch))
        return
    import cProfile

    profiler = cProfile.Profile()
    profiler.runcall(asyncio.run, _serve(settings.config, watch=settings.watch))
    profiler.dump_stats(settings.profile)


if __name__ == "__main__":
    main()
