"""The machine: cores to pin to, CPU time of a process, and what to print beside the figures."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

__all__ = ["cpu_seconds_of", "cpu_seconds_of_children", "describe", "pin_to", "two_cores"]

_LIBRARIES: Final = (
    "aiohttp", "msgspec", "pybase64", "soxr", "numpy", "attrs", "orjson", "websockets", "picows",
)  # fmt: skip
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def two_cores() -> tuple[int, int]:
    """Choose a core for the vendor and one for the client; the same twice on a machine with one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


def pin_to(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})


def cpu_seconds_of(pid: int) -> float:
    """Give the CPU time another process used so far, user and system, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def cpu_seconds_of_children() -> float:
    """Give the CPU time that the living processes used which this one started, to 10 ms each."""
    total = 0.0
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread or a process that has just ended
            total += sum(map(cpu_seconds_of, map(int, (task / "children").read_text().split())))
    return total


def describe(libraries: Sequence[str] = _LIBRARIES) -> dict[str, str]:
    """Name the kind of machine, the interpreter and the libraries; nothing that tells one host from another."""
    found = {"cores": str(len(os.sched_getaffinity(0))), "machine": platform.machine()}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            found["cpu"] = line.partition(":")[2].strip()
            break
    found["kernel"] = f"{platform.system()} {platform.release().split('-')[0]}"
    found["python"] = f"{platform.python_implementation()} {sys.version.split()[0]}"
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
