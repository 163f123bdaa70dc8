"""The runs: one long call a leg, many at once, and more and more until it is no longer clean."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from attrs import field, frozen

from tests.telephony.real.baresip import Baresip
from tests.telephony.real.parts import Parts
from tests.telephony.real.sipp import Sipp
from tests.telephony.real.sound import silence, write_wav
from tests.telephony.soak.figures import (
    Drift,
    Gaps,
    Position,
    Stretches,
    audible,
    by_stream,
    drift_of,
    gaps_of,
    stretches_of,
)
from tests.telephony.soak.machine import Usage, load, rss_mb, usage
from tests.telephony.soak.rig import AgentKind, Rig
from tests.telephony.soak.sounds import caller_loop, caller_of

__all__ = ["Many", "OneCall", "Overnight", "Settings", "capacity", "long", "parallel"]

Say = Callable[[str], None]
REFERENCE: Final = "prompt"
_ALLOWED_MS: Final = 10.0
_LOOK_EVERY_S: Final = 5.0
_GROWTH_FROM_S: Final = 120.0
_RAMP: Final = 10
"""New calls a second."""
_SETTLE_S: Final = 4.0
_PICK_UP_S: Final = 3.0
_REFERENCE_CALLS: Final = 2


@frozen(kw_only=True)
class Settings:
    """Where and with what."""

    parts: Parts
    directory: Path
    first_port: int
    agent: AgentKind = "openai"
    say: Say = print
    profile: Path | None = None
    nice: int = 0


@frozen(kw_only=True)
class OneCall:
    """The long call over one leg."""

    extension: str
    gaps: Gaps
    stretches: Stretches = field(repr=False)
    drift: Drift
    report: dict[str, Any]
    seconds: float
    """Of audio that Asterisk sent to the phone."""


@frozen(kw_only=True)
class Overnight:
    """The long run."""

    seconds: float
    calls: tuple[OneCall, ...]
    reference: Gaps
    reference_stretches: Stretches = field(repr=False)
    rss_mb: tuple[tuple[float, float], ...] = field(repr=False)
    """When, in seconds, and how much."""
    growth_mb: float
    usage: Usage
    load: tuple[float, float]
    """Least and most."""


@frozen(kw_only=True)
class Many:
    """Many calls at once over one leg."""

    extension: str
    calls: int
    seconds: float
    gaps: Gaps
    stretches: tuple[Stretches, ...] = field(repr=False)
    reference: Gaps
    reference_stretches: tuple[Stretches, ...] = field(repr=False)
    usage: Usage
    completed: int
    """Calls that talked, to the moment at which the caller hung up."""
    scenario_ok: bool
    """By sipp's account."""
    standstills: tuple[tuple[float, float], ...]
    """How long the loop of our process stood still, for more than 60 ms, while these were taken; and how much of that was
    garbage collection; in ms."""
    stalls: int
    """From the first call's ring to the last one's end, of all calls: a standstill counts once a call."""
    latest_ms: float
    frames_dropped: int
    load: float
    endings: str

    @property
    def cpu_ms(self) -> float:
        """Of our process, per call and second."""
        return self.usage.processes["ours"] * 1000 / self.calls

    @property
    def added_p99_ms(self) -> float:
        """Over Asterisk's own."""
        return self.gaps.p99_ms - self.reference.p99_ms

    @property
    def whole(self) -> bool:
        """Whether every call went as it should."""
        return self.scenario_ok and self.completed == self.calls and self.gaps.packets > 0

    @property
    def clean(self) -> bool:
        """Whether every call went as it should and was paced as Asterisk paces."""
        return self.whole and self.added_p99_ms <= _ALLOWED_MS


def _growth(readings: Sequence[tuple[float, float]], seconds: float) -> float:
    """Give how much memory grew from minute two, or from a fifth of a shorter run."""
    start = min(_GROWTH_FROM_S, seconds / 5)
    window = max(_LOOK_EVERY_S * 2, seconds / 30)
    early = [mb for at, mb in readings if start <= at < start + window]
    late = [mb for at, mb in readings if at >= seconds - window]
    return float(np.median(late) - np.median(early)) if early and late else float("nan")


async def long(settings: Settings, extensions: Sequence[str], seconds: float) -> Overnight:
    """
    One call a leg, all at the same time, beside one to a file that Asterisk plays.

    Raises:
        RuntimeError: A call ended before its time.
    """
    say = settings.say
    wav = await asyncio.to_thread(
        write_wav, settings.directory / "caller.wav", caller_of(seconds, tail_s=60)
    )
    quiet = await asyncio.to_thread(
        write_wav, settings.directory / "quiet.wav", silence(seconds + 60, 8000)
    )
    rig = Rig(
        settings.parts,
        settings.directory,
        first_port=settings.first_port,
        agent=settings.agent,
        watch=True,
        profile=settings.profile,
        nice=settings.nice,
    )
    async with rig, AsyncExitStack() as stack:
        phones: dict[str, Baresip] = {}
        for number, extension in enumerate([*extensions, REFERENCE]):
            phones[extension] = await stack.enter_async_context(
                Baresip(
                    rig.parts,
                    settings.directory / f"phone{number}",
                    quiet if extension == REFERENCE else wav,
                    first_rtp_port=settings.first_port + 20 * number,
                    life_s=seconds + 120,
                )
            )
        for extension, phone in phones.items():
            await phone.dial(rig.asterisk.uri(extension))
        began = time.monotonic()
        before = rig.read()
        readings: list[tuple[float, float]] = []
        loads: list[float] = []
        last = before
        while (at := time.monotonic() - began) < seconds:
            await asyncio.sleep(min(_LOOK_EVERY_S, seconds - at))
            now = rig.read()
            readings.append((time.monotonic() - began, rss_mb(rig.bridge.pid)))
            loads.append(load())
            cpu = usage(last, now)
            last = now
            say(
                f"long: {readings[-1][0]:4.0f} of {seconds:.0f} s, {len(rig.bridge.of('call'))} calls ended, ours"
                f" {readings[-1][1]:.2f} MB {cpu.processes['ours']:.0%}, others {cpu.others:.0%},"
                f" steal {cpu.steal:.0%}, load {loads[-1]:.1f}"
            )
            if rig.bridge.of("call"):
                raise RuntimeError(f"a call ended early: {rig.bridge.of('call')}")
        total = usage(before, last)
        for phone in phones.values():
            await phone.hang_up()
        await asyncio.sleep(1.5)
        packets = {name: rig.capture.sent_to(phone.rtp_ports) for name, phone in phones.items()}
        lines = list(rig.bridge.lines)
    reference = stretches_of(packets[REFERENCE])
    return Overnight(
        seconds=seconds,
        calls=tuple(_one_call(extension, packets[extension], lines) for extension in extensions),
        reference=gaps_of([reference]),
        reference_stretches=reference,
        rss_mb=tuple(readings),
        growth_mb=_growth(readings, seconds),
        usage=total,
        load=(min(loads), max(loads)),
    )


def _leg_of(extension: str) -> str:
    return "audiosocket" if extension.startswith("audiosocket") else "asterisk"


def _one_call(extension: str, packets: list[Any], lines: list[dict[str, Any]]) -> OneCall:
    leg = _leg_of(extension)
    positions = [
        Position(line["at_s"], line["given_s"], line["played_s"], line["heard_s"])
        for line in lines
        if line["kind"] == "position" and line["leg"] == leg
    ]
    stretches = stretches_of(audible(packets))
    return OneCall(
        extension=extension,
        gaps=gaps_of([stretches]),
        stretches=stretches,
        drift=drift_of(positions, packets),
        report=next(line for line in lines if line["kind"] == "call" and line["leg"] == leg),
        seconds=len(packets) * 0.02,
    )


def _is_whole(report: dict[str, Any], seconds: float) -> bool:
    # A leg that is behind may find the connection reset before it has read the goodbye: `network` then, not `caller`.
    in_time = report["duration_s"] > seconds - _PICK_UP_S
    return in_time and report["ended_by"] in {"caller", "network"}


@asynccontextmanager
async def _phones(
    rig: Rig, extension: str, calls: int, seconds: float, name: str
) -> AsyncIterator[tuple[Sipp, Sipp]]:
    """Ring with many phones at an extension, and with two at the file that Asterisk plays."""
    ours = Sipp(
        rig.parts,
        rig.directory / f"sipp-{name}",
        rig.asterisk.sip_port,
        extension,
        says=caller_loop(),
        seconds=seconds,
        calls=calls,
        rate=_RAMP,
        first_rtp_port=rig.first_port + 100,
    )
    reference = Sipp(
        rig.parts,
        rig.directory / f"sipp-{name}-reference",
        rig.asterisk.sip_port,
        REFERENCE,
        says=silence(1, 8000),
        seconds=seconds,
        calls=_REFERENCE_CALLS,
        rate=_RAMP,
        first_rtp_port=rig.first_port + 150,
    )
    async with reference, ours:
        yield ours, reference


async def _round(rig: Rig, extension: str, calls: int, seconds: float, say: Say) -> Many:
    """Make so many calls at once and take their figures, from when all are up."""
    name = f"{extension}-{calls}-{time.monotonic():.0f}"
    known = len(rig.bridge.lines)
    ramp_s = calls / _RAMP + _SETTLE_S
    began = time.monotonic()
    async with _phones(rig, extension, calls, seconds + ramp_s, name) as (ours, reference):
        await asyncio.sleep(ramp_s)
        pids = {"sipp": ours.pid, "sipp, reference": reference.pid}
        start, before = time.monotonic(), rig.read(pids)
        last = before
        loads = [load()]
        while (left := start + seconds - 1 - time.monotonic()) > 0:
            await asyncio.sleep(min(_LOOK_EVERY_S, left))
            now = rig.read(pids)
            cpu = usage(last, now)
            last = now
            loads.append(load())
            shares = ", ".join(f"{name} {share:.0%}" for name, share in cpu.processes.items())
            say(
                f"{extension}: {calls} calls, {time.monotonic() - began:3.0f} s, {shares}, others {cpu.others:.0%},"
                f" steal {cpu.steal:.0%}, load {loads[-1]:.1f}"
            )
        end = time.monotonic()
        ok = await ours.finished()
        await reference.finished()
    await asyncio.sleep(1.5)
    reports = [line for line in rig.bridge.lines[known:] if line["kind"] == "call"]
    spoken = [
        [packet for packet in packets if start <= packet.time_s <= end]
        for packets in by_stream(audible(rig.capture.sent_to(ours.rtp_ports)))
    ]
    stretches = tuple(stretches_of(packets) for packets in spoken if packets)
    played = tuple(
        stretches_of([packet for packet in packets if start <= packet.time_s <= end])
        for packets in by_stream(rig.capture.sent_to(reference.rtp_ports))
    )
    rig.capture.clear()
    standstills = tuple(
        (line["late_ms"], line["gc_ms"])
        for line in rig.bridge.lines[known:]
        if line["kind"] == "stall" and start <= line["at_s"] <= end
    )
    endings = Counter(
        f"{line['ended_by']}{': ' + line['error'] if line['error'] else ''}" for line in reports
    )
    done = Many(
        extension=extension,
        calls=calls,
        seconds=seconds,
        gaps=gaps_of(stretches),
        stretches=stretches,
        reference=gaps_of(played),
        reference_stretches=played,
        usage=usage(before, last),
        completed=min(sum(_is_whole(line, seconds + ramp_s) for line in reports), len(stretches)),
        scenario_ok=ok,
        standstills=standstills,
        stalls=sum(line["stalls"] for line in reports),
        latest_ms=max((line["latest_ms"] for line in reports), default=float("nan")),
        frames_dropped=sum(line["frames_dropped"] for line in reports),
        load=float(np.median(loads)),
        endings=", ".join(f"{count} {ending}" for ending, count in endings.most_common(3)),
    )
    say(
        f"{extension}: {calls} calls: p99 {done.gaps.p99_ms:.1f} ms, Asterisk's own {done.reference.p99_ms:.1f} ms,"
        f" {done.completed} whole, {'clean' if done.clean else 'not clean'}"
    )
    return done


def _rig(settings: Settings) -> Rig:
    return Rig(
        settings.parts,
        settings.directory,
        first_port=settings.first_port,
        agent=settings.agent,
        profile=settings.profile,
        nice=settings.nice,
    )


async def parallel(
    settings: Settings, extensions: Sequence[str], calls: int, seconds: float
) -> list[Many]:
    """Many calls at once, one leg after the other."""
    async with _rig(settings) as rig:
        return [
            await _round(rig, extension, calls, seconds, settings.say) for extension in extensions
        ]


async def capacity(
    settings: Settings, extension: str, steps: Sequence[int], seconds: float
) -> list[Many]:
    """More and more calls, until a step is not clean twice."""
    rounds: list[Many] = []
    async with _rig(settings) as rig:
        for calls in steps:
            done = await _round(rig, extension, calls, seconds, settings.say)
            rounds.append(done)
            if not done.clean:  # the machine may have had a bad half minute
                settings.say(f"{extension}: {calls} calls were not clean; once more")
                again = await _round(rig, extension, calls, seconds, settings.say)
                rounds.append(again)
                if not again.clean:
                    break
    return rounds
