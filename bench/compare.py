"""Measures Gesso, Celery and Dramatiq side by side, and prints what was measured under which conditions.

    python -m bench.compare [--quick] [--repeats 5] [--systems gesso,celery]

Nothing is asserted about time: the numbers are for a person, who knows the machine. A peer that cannot be installed,
started or measured has the reason in its column, and the others go on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import bars, table
from bench.conditions import conditions, warning
from bench.ending import end_on_signals, publish
from bench.processes import ProgramError
from bench.results import LIMITS_SYSTEM, Results
from bench.systems.launch import SYSTEMS, Running, Start, run_limits
from bench.targets import judge
from bench.workloads import LIMITS, WORKLOADS, Workload

_REPEATS, _QUICK_REPEATS = 5, 2
_ANSWER_S, _QUICK_ANSWER_S = 300.0, 45.0


@dataclass(slots=True)
class Comparison:
    """One run: every system runs all the time, and each workload is done by one after the other."""

    results: Results
    quick: bool
    stack: ExitStack
    """Ends what was started."""
    _running: dict[str, Running] = field(default_factory=dict)
    _stops: dict[str, ExitStack] = field(default_factory=dict)

    def start(self, name: str, start: Start, folder: Path) -> None:
        """Start a system, and note why if that fails."""
        print(f"Starting {name} …", file=sys.stderr)
        folder.mkdir()
        stop = self.stack.enter_context(ExitStack())
        try:
            running = stop.enter_context(start(folder))
        except (ProgramError, OSError, ValueError) as error:
            self._give_up(name, str(error))
            return
        self._running[name], self._stops[name] = running, stop
        _rest(running)
        self.results.conditions |= {
            what if what == name else f"{name} {what}": text for what, text in running.conditions.items()
        }

    def warm(self, workloads: Iterable[Workload]) -> None:
        """Do every workload once, small, before anything counts."""
        for workload in workloads:
            for name in [name for name in self._running if workload in _work_of(name)]:
                self._ask(name, workload, workload.warm_size, counts=False)

    def measure(self, workloads: Iterable[Workload], repeats: int) -> None:
        """Do every workload several times; who is first changes each time."""
        for repeat in range(repeats):
            for workload in workloads:
                names = [name for name in self._running if workload in _work_of(name)]
                for at in range(len(names)):
                    name = names[(at + repeat) % len(names)]
                    print(f"{repeat + 1}/{repeats}  {workload.key}  {name}", file=sys.stderr)
                    self._ask(name, workload, self.results.sizes[workload.key], counts=True)

    def _ask(self, name: str, workload: Workload, size: int, *, counts: bool) -> None:
        if name not in self._running:  # it was given up meanwhile
            return
        limit = _QUICK_ANSWER_S if self.quick else _ANSWER_S
        running = self._running[name]
        if running.workers is not None:
            running.workers.resume()
        try:
            answer = running.client.ask({"workload": workload.key, "size": size}, limit)
        except ProgramError as error:
            self._give_up(name, f"{workload.key}: {error}")
            return
        _rest(running)
        if "error" in answer:
            self.results.fail(name, workload.key, answer["error"])
        elif counts:
            self.results.add(name, workload.key, answer["seconds"])

    def _give_up(self, name: str, reason: str) -> None:
        print(f"{name} is left out from here on: {reason}", file=sys.stderr)
        self.results.faults[name] = reason
        self._running.pop(name, None)
        stop = self._stops.pop(name, None)
        if stop is not None:
            stop.close()


def _rest(running: Running) -> None:
    """Have a system that works even when it has nothing to do stand still while others are measured."""
    if running.workers is not None:
        running.workers.pause()


def _work_of(name: str) -> tuple[Workload, ...]:
    return LIMITS if name == LIMITS_SYSTEM else WORKLOADS


def compare(systems: Mapping[str, Start], *, repeats: int, quick: bool) -> Results:
    """Measure systems and the limits."""
    sizes = {each.key: each.quick_size if quick else each.size for each in (*WORKLOADS, *LIMITS)}
    results = Results(list(systems), sizes, conditions())
    with (
        tempfile.TemporaryDirectory(prefix="gb-") as name,
        ExitStack() as stack,
    ):  # short: it has sockets in it
        comparison = Comparison(results, quick, stack)
        for system, start in {**systems, LIMITS_SYSTEM: run_limits}.items():
            comparison.start(system, start, Path(name, system))
        workloads = [*WORKLOADS, *LIMITS]
        comparison.warm(workloads)
        comparison.measure(workloads, repeats)
    return results


def main() -> int:
    """Run what the command line says."""
    options = _options()
    end_on_signals()
    busy = warning()
    repeats = options.repeats or (_QUICK_REPEATS if options.quick else _REPEATS)
    chosen = {name: start for name, start in SYSTEMS.items() if name in options.systems.split(",")}
    try:
        results = compare(chosen, repeats=repeats, quick=options.quick)
    except KeyboardInterrupt:
        print("Ended before the end; everything that was started is ended, too.", file=sys.stderr)
        return 130
    results.conditions["runs"] = f"{repeats} of each, interleaved" + (
        ", small ones: --quick" if options.quick else ""
    )
    judged = {system: judge(results, system) for system in results.own}
    blocks = [
        table.facts(results.conditions), table.comparison(results), table.limits(results), table.verdicts(judged),
    ]  # fmt: skip
    print("\n\n".join("\n".join(block) for block in blocks))
    data = results.as_json() | {
        "targets": [
            {"system": system, "text": each.target.text, "ratio": each.ratio, "reached": each.reached}
            for system, verdicts in judged.items()
            for each in verdicts
        ]
    }
    written = publish("bench", data, bars.draw(results), quick=options.quick)
    print(f"\nWritten: {', '.join(map(str, written))}")
    if busy:
        print(busy)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.compare", description="Measure Gesso and its peers side by side."
    )
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, in less than 3 minutes")
    parser.add_argument(
        "--repeats", type=int, help=f"of each workload (default {_REPEATS}, quick {_QUICK_REPEATS})"
    )
    parser.add_argument(
        "--systems", default=",".join(SYSTEMS), help="which, with commas between (default: all)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
