"""CPU and memory of the processes of a run, and of everything else on the machine beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ["Reading", "Usage", "load", "read", "rss_mb", "usage"]

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_MB: Final = os.sysconf("SC_PAGE_SIZE") / 2**20
_IDLE, _IOWAIT, _STEAL = 3, 4, 7


@frozen
class Reading:
    """CPU used so far, in seconds."""

    processes: Mapping[str, float]
    busy: float
    """Of all cores."""
    steal: float
    """What the host took."""
    time_s: float


@frozen
class Usage:
    """CPU used between two readings, in cores: 1.0 is one core all the time."""

    processes: Mapping[str, float]
    others: float
    """Everything that has nothing to do with the run, the kernel's own threads too."""
    steal: float


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def read(pids: Mapping[str, int], time_s: float) -> Reading:
    """
    Look at the clocks of the kernel.

    Args:
        pids: Processes by what they are called in the report; with all their threads.
        time_s: Now, on the monotonic clock.
    """
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(value) for value in fields[:8]]
    steal = ticks[_STEAL]
    busy = sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT] - steal
    return Reading(
        processes={name: _cpu_s(pid) for name, pid in pids.items()},
        busy=busy / _TICKS_PER_S,
        steal=steal / _TICKS_PER_S,
        time_s=time_s,
    )


def usage(before: Reading, after: Reading) -> Usage:
    """Say what was used between two readings of the same processes."""
    seconds = after.time_s - before.time_s
    processes = {
        name: (after.processes[name] - before.processes[name]) / seconds
        for name in before.processes
    }
    busy = (after.busy - before.busy) / seconds
    return Usage(
        processes=processes,
        others=max(0.0, busy - sum(processes.values())),
        steal=(after.steal - before.steal) / seconds,
    )


def rss_mb(pid: int) -> float:
    """Give the resident memory of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_MB


def load() -> float:
    """Give the machine's load of the last minute."""
    return os.getloadavg()[0]
