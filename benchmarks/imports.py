"""What `import realtime_core` adds to starting Python."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

__all__ = ["import_times_ms"]

_ROOT: Final = Path(__file__).parent.parent
_PROGRAMS: Final = {
    "bare": "pass",
    "attrs": "import attrs",
    "realtime_core": "import realtime_core",
}


def import_times_ms(runs: int = 20) -> dict[str, float]:
    """
    Start interpreters in turn and keep each program's least time, in ms.

    Returns:
        `bare`, an empty program; and what `attrs` (the one dependency imported with it) and `realtime_core`,
        attrs included, take beyond that.
    """
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    least: dict[str, float] = {}
    for run in range(runs + 1):  # the first fills __pycache__ and counts for nothing
        for name, program in _PROGRAMS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], cwd=_ROOT, env=environment, check=True)
            took_ms = (time.perf_counter() - began) * 1000
            if run:
                least[name] = min(took_ms, least.get(name, took_ms))
    return {name: ms if name == "bare" else ms - least["bare"] for name, ms in least.items()}
