"""Times a call in nanoseconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

from attrs import frozen

__all__ = ["Timing", "time_each"]

_BATCH_S = 0.005


@frozen
class Timing:
    """One way of doing one thing."""

    task: str
    way: str
    median_ns: float
    least_ns: float


def _batch_ns(call: Callable[[], object], count: int) -> float:
    began = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - began) / count


def time_each(
    task: str, ways: Mapping[str, Callable[[], object]], *, batches: int = 41
) -> list[Timing]:
    """Time several ways in turn, batch by batch; the loop's own 20 to 40 ns are in all of them."""
    counts = {way: max(1, int(_BATCH_S * 1e9 / _batch_ns(call, 20))) for way, call in ways.items()}
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(batches):
        for way, call in ways.items():
            taken[way].append(_batch_ns(call, counts[way]))
    return [Timing(task, way, median(ns), min(ns)) for way, ns in taken.items()]
