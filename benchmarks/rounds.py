"""Runs clients in turn, each in a fresh process against a fresh vendor, and takes medians."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from attrs import frozen

from benchmarks.machine import two_cores
from benchmarks.workload import Outcome

__all__ = ["Comparison", "compare", "interleaved", "run_client"]

_ROOT: Final = Path(__file__).parent.parent
_FEW_ARRIVED: Final = 0.98


@contextmanager
def _vendor(core: int, appends: list[int]) -> Iterator[tuple[str, int]]:
    """Give a vendor's URL and process id; at its end, the appends it had."""
    command = [sys.executable, "-m", "benchmarks.vendor", "--core", str(core)]
    with subprocess.Popen(
        command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}/v1", process.pid
        finally:
            process.stdin.close()
            appends.append(int(process.stdout.readline() or 0))


def run_client(
    client: str, scenario: str, sessions: int, seconds: float, warm_up_s: float
) -> Outcome:
    """
    Measure once.

    Raises:
        RuntimeError: The client failed, or the vendor did not get what the client says it pushed.
    """
    vendor_core, client_core = two_cores()
    appends: list[int] = []
    with _vendor(vendor_core, appends) as (url, pid):
        command = [
            sys.executable, "-m", "benchmarks.client", client,
            "--scenario", scenario, "--sessions", str(sessions), "--seconds", str(seconds),
            "--warm-up", str(warm_up_s), "--core", str(client_core),
            "--url", url, "--vendor-pid", str(pid),
        ]  # fmt: skip
        environment = {
            name: value for name, value in os.environ.items() if "proxy" not in name.lower()
        }
        done = subprocess.run(
            command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"{client} in {scenario} with {sessions} sessions failed")
    outcome = Outcome(**json.loads(done.stdout))
    if client != "pacing" and appends[0] < _FEW_ARRIVED * outcome.pushed:
        raise RuntimeError(f"{client}: {outcome.pushed} chunks pushed, {appends[0]} arrived")
    return outcome


def interleaved(
    clients: Sequence[str],
    scenario: str,
    sessions: int,
    *,
    rounds: int,
    seconds: float,
    warm_up_s: float,
    done: Callable[[Outcome], None],
) -> dict[str, list[Outcome]]:
    """Measure every client once a round, so that a slow minute of the machine meets them all."""
    outcomes: dict[str, list[Outcome]] = {client: [] for client in clients}
    for _ in range(rounds):
        for client in clients:
            outcome = run_client(client, scenario, sessions, seconds, warm_up_s)
            outcomes[client].append(outcome)
            done(outcome)
    return outcomes


@frozen(kw_only=True)
class Comparison:
    """A client against the floor: medians of the rounds."""

    client: str
    scenario: str
    sessions: int
    floor_cpu_ms: float
    cpu_ms: float
    """Of the client, per session and second."""
    ratio: float
    """Median of the rounds' ratios, each of two neighbouring runs."""
    ratio_least: float
    ratio_most: float
    floor_p50_ms: float
    p50_ms: float
    floor_p99_ms: float
    p99_ms: float
    added_p99_ms: float
    """Median of the rounds' differences."""
    busy: float
    vendor_busy: float
    push_late_p99_ms: float
    heard_share: float


def compare(floor: Sequence[Outcome], other: Sequence[Outcome]) -> Comparison:
    """Put runs of the same rounds side by side."""

    def middle(outcomes: Sequence[Outcome], figure: str) -> float:
        figures: list[float] = [getattr(outcome, figure) for outcome in outcomes]
        return median(figures)

    pairs = list(zip(floor, other, strict=True))
    ratios = [mine.cpu_ms / least.cpu_ms for least, mine in pairs]
    return Comparison(
        client=other[0].client,
        scenario=other[0].scenario,
        sessions=other[0].sessions,
        floor_cpu_ms=middle(floor, "cpu_ms"),
        cpu_ms=middle(other, "cpu_ms"),
        ratio=median(ratios),
        ratio_least=min(ratios),
        ratio_most=max(ratios),
        floor_p50_ms=middle(floor, "p50_ms"),
        p50_ms=middle(other, "p50_ms"),
        floor_p99_ms=middle(floor, "p99_ms"),
        p99_ms=middle(other, "p99_ms"),
        added_p99_ms=median(mine.p99_ms - least.p99_ms for least, mine in pairs),
        busy=middle(other, "busy"),
        vendor_busy=max(outcome.vendor_busy for pair in pairs for outcome in pair),
        push_late_p99_ms=middle(other, "push_late_p99_ms"),
        heard_share=middle(other, "heard_share"),
    )
