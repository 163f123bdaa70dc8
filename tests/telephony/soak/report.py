"""The figures as Markdown tables, and the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import define, field

from tests.telephony.soak.figures import Gaps
from tests.telephony.soak.machine import Usage
from tests.telephony.soak.runs import Many, Overnight

__all__ = ["ADDED_P99_MS", "DRIFT_MS", "GROWTH_MB", "Report"]

ADDED_P99_MS: Final = 10.0
"""Most that the gaps' p99 may be above that of Asterisk playing a file itself."""
DRIFT_MS: Final = 40.0
"""Most that two clocks may come apart between the first and the last minute: two packets, which is what a look is off."""
GROWTH_MB: Final = 5.0
_FULL: Final = 0.85


def _gaps(gaps: Gaps) -> str:
    return f"{gaps.packets} | {gaps.p50_ms:.1f} | {gaps.p99_ms:.1f} | {gaps.max_ms:.1f} | {gaps.over_40}"


def _cpu(usage: Usage) -> str:
    named = " ".join(f"{name} {share:.0%}" for name, share in usage.processes.items())
    return f"{named}; everything else {usage.others:.0%}, taken by the host {usage.steal:.0%} (100% = one core)"


def _stood(many: Many) -> str:
    if not many.standstills:
        return "no standstill of ours"
    late, gc = zip(*many.standstills, strict=True)
    return f"{len(late)} standstills of ours, longest {max(late):.0f} ms, garbage collection in it {max(gc):.0f} ms at most"


def limiting(many: Many) -> str:
    """Name what was short, from the CPU used."""
    usage = many.usage
    single = {name: share for name, share in usage.processes.items() if name in ("ours", "vendor")}
    full = [name for name, share in single.items() if share >= _FULL]
    if full:
        return f"{' and '.join(full)}: one core is full"
    most = sorted(usage.processes.items(), key=lambda item: -item[1])[:3]
    total = sum(usage.processes.values()) + usage.others + usage.steal
    return f"all cores together ({total:.0%}; most: {', '.join(f'{n} {s:.0%}' for n, s in most)})"


@define
class Report:
    """What was measured so far."""

    long: Overnight | None = None
    parallel: Sequence[Many] = ()
    capacity: dict[str, Sequence[Many]] = field(factory=dict)

    def text(self) -> str:
        """Give all of it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.long is not None:
            yield from self._long(self.long)
        if self.parallel:
            yield from self._many("In parallel", self.parallel)
        for extension, rounds in self.capacity.items():
            yield from self._many(f"Capacity over {extension}", rounds)
            clean = max((done.calls for done in rounds if done.clean), default=0)
            yield f"most calls with clean pacing: {clean}; limited by {limiting(rounds[-1])}"

    @staticmethod
    def _long(run: Overnight) -> Iterator[str]:
        yield f"\n## A call of {run.seconds:.0f} s\n"
        yield "| leg | gaps | p50 ms | p99 ms | max ms | > 40 ms | added p99 ms | replies | speeches | barge-ins |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        for call in run.calls:
            yield (
                f"| {call.extension} | {_gaps(call.gaps)} | {call.gaps.p99_ms - run.reference.p99_ms:+.1f}"
                f" | {call.report['replies']} | {call.stretches.count} | {call.report['barge_ins']} |"
            )
        yield f"| Asterisk plays a file | {_gaps(run.reference)} | | | {run.reference_stretches.count} | |"
        yield "\n| leg | played by our account - sent to the phone, ms | sent - wall time, ms | heard - wall time, ms | stalls | latest ms | filled ms | ended by |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
        for call in run.calls:
            paced = "-" if call.extension.startswith("ws") else f"{call.drift.paced_ms:+.1f}"
            yield (
                f"| {call.extension} | {call.drift.played_ms:+.1f} | {paced} | {call.drift.heard_ms:+.1f}"
                f" | {call.report['stalls']} | {call.report['latest_ms']:.1f} | {call.report['filled_ms']} | {call.report['ended_by']} |"
            )
        memory = ", ".join(
            f"{at:.0f} s {mb:.2f}" for at, mb in run.rss_mb[:: max(1, len(run.rss_mb) // 10)]
        )
        yield f"\nmemory of our process, MB: {memory}; growth {run.growth_mb:+.2f}"
        yield f"CPU: {_cpu(run.usage)}; load {run.load[0]:.1f} to {run.load[1]:.1f}"

    @staticmethod
    def _many(title: str, rounds: Sequence[Many]) -> Iterator[str]:
        yield f"\n## {title}\n"
        yield (
            "| leg | calls | gaps | p50 ms | p99 ms | max ms | > 40 ms | Asterisk's own p99 ms | max ms | stalls | latest ms"
            " | CPU ms a call and second | calls whole | clean |"
        )
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
        for done in rounds:
            yield (
                f"| {done.extension} | {done.calls} | {_gaps(done.gaps)} | {done.reference.p99_ms:.1f}"
                f" | {done.reference.max_ms:.1f} | {done.stalls} | {done.latest_ms:.1f} | {done.cpu_ms:.2f}"
                f" | {done.completed} | {'yes' if done.clean else 'no'} |"
            )
        yield ""
        for done in rounds:
            yield f"- {done.extension}, {done.calls}: {_cpu(done.usage)}; load {done.load:.1f}; {done.endings}; {_stood(done)}"

    def missed(self) -> list[str]:
        """Name the limits that were missed; capacity has none."""
        return list(self._missed())

    def _missed(self) -> Iterator[str]:
        if self.long is not None:
            for call in self.long.calls:
                added = call.gaps.p99_ms - self.long.reference.p99_ms
                if not added <= ADDED_P99_MS:
                    yield f"{call.extension}: p99 of the gaps is {added:.1f} ms above Asterisk's own"
                drifts = [abs(call.drift.played_ms), abs(call.drift.heard_ms)]
                if not call.extension.startswith("ws"):
                    # After a stall the pace begins anew, so that no burst follows: what it took is lost, once.
                    lost_ms = call.report["stalls"] * call.report["latest_ms"]
                    drifts.append(abs(call.drift.paced_ms) - lost_ms)
                if not max(drifts) <= DRIFT_MS:
                    yield f"{call.extension}: it drifts: {call.drift}"
                if call.report["ended_by"] != "caller" or not call.report["barge_ins"]:
                    yield f"{call.extension}: the call went otherwise: {call.report}"
                if call.stretches.count > call.report["replies"]:
                    yield f"{call.extension}: speech was torn: {call.stretches.count} stretches of {call.report['replies']} replies"
            if not self.long.growth_mb < GROWTH_MB:
                yield f"our process grew by {self.long.growth_mb:.2f} MB"
        for done in self.parallel:
            if not done.clean:
                yield (
                    f"{done.extension}: {done.completed} of {done.calls} calls went well ({done.endings}), p99"
                    f" {done.added_p99_ms:+.1f} ms over Asterisk's own"
                )
