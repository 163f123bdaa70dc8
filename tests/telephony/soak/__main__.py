"""
The soak: long calls, many calls, as many calls as go; real phones, a real Asterisk, our server, the loopback vendor.

`nox -s soak` runs it. Needs root and the real parts, like `nox -s calls`. Prints what it does while it does it, then a report;
exits with 1 when a limit is missed, with 3 when the parts cannot be had.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import attrs

from tests.telephony.real import parts as real_parts
from tests.telephony.real.parts import MissingPartsError
from tests.telephony.soak.plot import draw_gaps
from tests.telephony.soak.report import Report
from tests.telephony.soak.rig import PORTS
from tests.telephony.soak.runs import Settings, capacity, long, parallel

__all__: list[str] = []

RUNS = ("long", "parallel", "capacity")
LEGS = ("ws-slin16", "audiosocket")
STEPS = (10, 20, 30, 40, 50, 60, 70, 80, 100, 120, 140, 160, 200)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.telephony.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{', '.join(RUNS)}; all of them")
    parser.add_argument("--seconds", type=float, default=600, help="of the long call (600)")
    parser.add_argument("--calls", type=int, default=20, help="in parallel (20)")
    parser.add_argument("--parallel-seconds", type=float, default=60, help="each (60)")
    parser.add_argument("--step-seconds", type=float, default=30, help="of a step of capacity (30)")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS, help="calls at each step")
    parser.add_argument(
        "--legs", nargs="+", default=LEGS, help="extensions of the test Asterisk (both channels)"
    )
    parser.add_argument("--agent", choices=("openai", "local"), default="openai")
    parser.add_argument(
        "--first-port",
        type=int,
        default=26000,
        help=f"UDP ports from here on, {PORTS} of them (26000); two soaks at once need two ranges",
    )
    parser.add_argument(
        "--nice", type=int, default=0, help="priority of our process, -20 is the highest (0)"
    )
    parser.add_argument("--svg", type=Path, help="draw the gaps of the long call there")
    parser.add_argument("--profile", type=Path, help="write cProfile's view of our process there")
    parser.add_argument("--keep", type=Path, help="keep the logs in this directory")
    settings = parser.parse_args()
    for run in settings.runs:
        if run not in RUNS:
            parser.error(f"no run {run!r}; there are {', '.join(RUNS)}")
    return settings


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


async def _soak(asked: argparse.Namespace, settings: Settings) -> Report:
    report = Report()
    for run in asked.runs or RUNS:
        here = attrs.evolve(settings, directory=settings.directory / run)
        here.directory.mkdir(parents=True, exist_ok=True)
        if run == "long":
            report.long = await long(here, asked.legs, asked.seconds)
            if asked.svg is not None:
                asked.svg.write_text(draw_gaps(report.long))
        elif run == "parallel":
            report.parallel = await parallel(here, asked.legs, asked.calls, asked.parallel_seconds)
        else:
            for leg in asked.legs:
                report.capacity[leg] = await capacity(here, leg, asked.steps, asked.step_seconds)
        print(report.text(), flush=True)
    return report


def main() -> int:
    asked = _arguments()
    try:
        parts = real_parts.find()
    except MissingPartsError as error:
        print(f"soak: the real parts cannot be had: {error}", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        settings = Settings(
            parts=parts,
            directory=asked.keep or Path(scratch),
            first_port=asked.first_port,
            agent=asked.agent,
            say=_say,
            profile=asked.profile,
            nice=asked.nice,
        )
        report = asyncio.run(_soak(asked, settings))
    for miss in report.missed():
        print(f"soak: MISSED: {miss}")
    return 1 if report.missed() else 0


if __name__ == "__main__":
    sys.exit(main())
