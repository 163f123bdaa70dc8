"""
Measure the SDK against its floor, its import, and the libraries it stands on.

Nothing here passes or fails by a time: the figures go to the standard output as Markdown tables, or as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from typing import Any, Final

import attrs

from benchmarks.barge_in import measure_barge_in
from benchmarks.imports import import_times_ms
from benchmarks.libraries import codec_timings
from benchmarks.local_figures import cpu_table, cuts_table, turns_table
from benchmarks.machine import describe
from benchmarks.report import (
    barge_in_table,
    imports_table,
    modes_table,
    sessions_table,
    sockets_table,
    timings_table,
    understood_table,
)
from benchmarks.resamplers import resampler_modes
from benchmarks.rounds import Comparison, compare, interleaved, run_client
from benchmarks.workload import SCENARIOS, Outcome

_PARTS: Final = (
    "sessions",
    "barge_in",
    "sockets",
    "imports",
    "libraries",
    "local_threshold",
    "local_recognition",
    "local_turns",
)
_SOCKETS: Final = ("websockets", "picows")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _names(text: str) -> list[str]:
    return text.split(",")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"of {', '.join(_PARTS)}; all by default"
    )
    parser.add_argument("--sessions", type=_numbers, default=[1, 20, 100], metavar="1,20,100")
    parser.add_argument("--scenarios", type=_names, default=list(SCENARIOS), metavar="24k,16k,8k")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measured window")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds before it")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="20 sessions, one short round: a minute, not to be quoted",
    )
    parser.add_argument("--json", action="store_true", help="everything, every round, as JSON")
    return parser


def _progress(outcome: Outcome) -> None:
    print(
        f"{outcome.scenario:>4} {outcome.sessions:>4} sessions {outcome.client:<10} "
        f"{outcome.cpu_ms:6.2f} ms a session-second, p99 {outcome.p99_ms:6.2f} ms",
        file=sys.stderr,
    )


class _Benchmarks:
    """One run of the program, with all it measured."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self.tables: list[tuple[str, str]] = []
        self.results: dict[str, Any] = {"machine": describe()}

    def _compare(self, scenario: str, sessions: int, clients: list[str]) -> list[Comparison]:
        chosen = self._arguments
        outcomes = interleaved(
            ["floor", *clients], scenario, sessions,
            rounds=chosen.rounds, seconds=chosen.seconds, warm_up_s=chosen.warm_up, done=_progress,
        )  # fmt: skip
        for runs in outcomes.values():
            self.results.setdefault("outcomes", []).extend(attrs.asdict(run) for run in runs)
        return [compare(outcomes["floor"], outcomes[client]) for client in clients]

    def sessions(self) -> None:
        chosen = self._arguments
        rows = [
            row
            for scenario in chosen.scenarios
            for sessions in chosen.sessions
            for row in self._compare(scenario, sessions, ["sdk"])
        ]
        self.results["sessions"] = [attrs.asdict(row) for row in rows]
        self.tables.append(
            ("CPU per session-second and latency of an audio delta", sessions_table(rows))
        )
        pacing = [
            run_client("pacing", "24k", sessions, min(chosen.seconds, 5.0), chosen.warm_up)
            for sessions in chosen.sessions
        ]
        self.results["pacing"] = [attrs.asdict(run) for run in pacing]
        shown = ", ".join(f"{run.cpu_ms:.2f} ms at {run.sessions}" for run in pacing)
        self.tables.append(("Of which the schedule of the pushes alone, in every client", shown))

    def barge_in(self) -> None:
        rows = measure_barge_in(100 if self._arguments.quick else 1000)
        self.results["barge_in"] = [attrs.asdict(row) for row in rows]
        self.tables.append(
            ("Barge-in, from the vendor's event to its dispatch", barge_in_table(rows))
        )

    def sockets(self) -> None:
        clients = [name for name in _SOCKETS if find_spec(name) is not None]
        if not clients:
            print(f"sockets: left out, none of {', '.join(_SOCKETS)} is installed", file=sys.stderr)
            return
        rows = [row for n in self._arguments.sessions for row in self._compare("24k", n, clients)]
        self.results["sockets"] = [attrs.asdict(row) for row in rows]
        self.tables.append(("The floor on other WebSocket libraries, 24k", sockets_table(rows)))

    def imports(self) -> None:
        least_ms = import_times_ms()
        self.results["imports"] = least_ms
        self.tables.append(("Import, least of 20 interleaved runs", imports_table(least_ms)))

    def libraries(self) -> None:
        timings, modes = codec_timings(), resampler_modes()
        self.results["codec"] = [attrs.asdict(timing) for timing in timings]
        self.results["resamplers"] = [attrs.asdict(mode) for mode in modes]
        self.tables.append(("JSON and base64", timings_table(timings)))
        self.tables.append(("soxr, 20 ms at a time", modes_table(modes)))

    def local_threshold(self) -> None:
        if find_spec("realtime_local") is None or find_spec("pocketsphinx") is None:
            print("local_threshold: left out, realtime-local is not installed", file=sys.stderr)
            return
        from benchmarks.local_threshold import tuned  # needs what it measures

        tuning = tuned()
        self.results["local_threshold"] = attrs.asdict(tuning)
        shown = (
            f"{tuning.threshold:.2f}, middle of {tuning.least:.3f} to {tuning.greatest:.3f}: "
            f"{tuning.right} of {tuning.of} sentences come out right"
        )
        self.tables.append(("The recogniser's threshold, by the tuning voices alone", shown))

    def local_recognition(self) -> None:
        if find_spec("realtime_local") is None or find_spec("pocketsphinx") is None:
            print("local_recognition: left out, realtime-local is not installed", file=sys.stderr)
            return
        from benchmarks.local_recognition import understood  # needs what it measures

        rows = understood()
        self.results["local_recognition"] = [attrs.asdict(row) for row in rows]
        self.tables.append(
            ("Ten sentences of the script, ten of none, by voice and line", understood_table(rows))
        )

    def local_turns(self) -> None:
        if find_spec("realtime_local") is None or find_spec("pocketsphinx") is None:
            print("local_turns: left out, realtime-local is not installed", file=sys.stderr)
            return
        from benchmarks.local_cpu import measure_cpu  # both need what they measure
        from benchmarks.local_turns import measure_turns

        chosen = self._arguments
        rounds = measure_turns(min(chosen.rounds, 3))
        cpu = measure_cpu(min(chosen.rounds, 2), chosen.seconds)
        self.results["local_turns"] = [attrs.asdict(each) for each in rounds]
        self.results["local_cpu"] = [attrs.asdict(row) for row in cpu]
        self.tables += [
            ("Where the time goes, end of speech to first audio", turns_table(rounds)),
            ("Barge-in on the model in the box", cuts_table(rounds)),
            ("CPU per session-second of the model in the box", cpu_table(cpu)),
        ]


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(_PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if arguments.quick:
        arguments.sessions, arguments.rounds = [20], 1
        arguments.seconds, arguments.warm_up = 2.0, 1.0
    benchmarks = _Benchmarks(arguments)
    for part in arguments.parts or _PARTS:
        getattr(benchmarks, part)()
    if arguments.json:
        print(json.dumps(benchmarks.results, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in benchmarks.results["machine"].items()))
    for title, table in benchmarks.tables:
        print(f"\n{title}\n\n{table}")


if __name__ == "__main__":
    main()
