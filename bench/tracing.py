"""Measures what tracing costs: the same work with tracing off, sampled at 1 %, and at 100 %, in one run.

    python -m bench.tracing [--quick] [--repeats 5]

Every way has a deployment of its own; all of them run all the time, and each workload is done by one after the other.
Client, coordinator and workers export to a receiver on the same machine, which takes its part of the cores, too.
Nothing is asserted about time, but every span that must come is waited for and counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench import table
from bench.compare import Comparison
from bench.conditions import conditions, warning
from bench.ending import end_on_signals, publish
from bench.measures import MEASURES
from bench.processes import Client, python
from bench.results import Results
from bench.systems.launch import PROCESSES, Running, run_gesso
from bench.workloads import WORKLOADS

_REPEATS, _QUICK_REPEATS = 5, 2
_SIZES = {"call": 300, "group": 10_000, "chains": 500}
_QUICK_SIZES = {"call": 100, "group": 2_000, "chains": 100}
_START_S, _SPANS_S, _POLL_S = 30.0, 30.0, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way in which a deployment is traced."""

    name: str
    sampled: str = ""
    """Which part of the traces is recorded; empty for a deployment that has no exporter."""
    group_threshold: int | None = None
    """Above so many members a group is one span. None for what coordinators have."""

    def environment(self, receiver: str) -> dict[str, str]:
        """Return what its processes are told, beside nothing of a person's own."""
        if not self.sampled:
            return {}
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver}",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": self.sampled,
        }

    def spans(self, workload: str, size: int) -> int | None:
        """Return how many spans a workload has; None where chance decides. Each task has its own and its attempt's."""
        if self.sampled != "1":
            return None if self.sampled else 0
        match workload:
            case "group":
                return 2 + (2 * size if self.group_threshold else 0)
            case "chains":
                return 7 * size
            case _:
                return 3 * size


WAYS = (
    Way(name="off"),
    Way(name="off, again"),
    Way(name="1 %", sampled="0.01"),
    Way(name="100 %", sampled="1"),
    Way(name="100 %, each member", sampled="1", group_threshold=1_000_000),
)
"""In the order in which they are shown. The others are compared to the first; the second says how far to trust that."""


@dataclass(frozen=True, slots=True)
class Came:
    """The spans of one way."""

    count: int
    wanted: int | None
    """How many there had to be. None where chance decides."""


def main() -> int:
    """Run what the command line says."""
    options = _options()
    end_on_signals()
    busy = warning()
    repeats = options.repeats or (_QUICK_REPEATS if options.quick else _REPEATS)
    try:
        results, came = measured(_QUICK_SIZES if options.quick else _SIZES, repeats, quick=options.quick)
    except KeyboardInterrupt:
        print("Ended before the end; everything that was started is ended, too.", file=sys.stderr)
        return 130
    results.conditions["runs"] = f"{repeats} of each, interleaved; quotients are to the first column's median"
    print(
        "\n\n".join(
            "\n".join(block) for block in (table.facts(results.conditions), costs(results), sent(came))
        )
    )
    data = results.as_json() | {"spans": {name: each.count for name, each in came.items()}}
    written = publish("tracing", data, None, quick=options.quick)
    print(f"\nWritten: {', '.join(map(str, written))}")
    if busy:
        print(busy)
    lost = [name for name, each in came.items() if each.wanted not in {None, each.count}]
    return 1 if results.faults or lost else 0


def measured(sizes: Mapping[str, int], repeats: int, *, quick: bool) -> tuple[Results, dict[str, Came]]:
    """Do every workload in every way, and wait for the spans."""
    results = Results([way.name for way in WAYS], sizes, conditions())
    workloads = [each for each in WORKLOADS if each.key in sizes]
    with tempfile.TemporaryDirectory(prefix="gb-") as name, ExitStack() as stack:
        folder = Path(name)
        collectors = {way.name: stack.enter_context(collecting(folder, at)) for at, way in enumerate(WAYS)}
        comparison = Comparison(results, quick, stack)
        for at, way in enumerate(WAYS):
            _, address = collectors[way.name]
            comparison.start(way.name, partial(run_traced, way, address), folder / str(at))
        comparison.warm(workloads)
        comparison.measure(workloads, repeats)
        came = {way.name: _awaited(collectors[way.name][0], _wanted(way, sizes, repeats)) for way in WAYS}
    versions = results.conditions["off versions"]
    results.conditions = {
        what: text for what, text in results.conditions.items() if "off" not in what and "%" not in what
    }
    results.conditions["versions"] = f"{versions}, opentelemetry-sdk {version('opentelemetry-sdk')}"
    results.conditions["each way"] = (
        f"1 coordinator, {PROCESSES} worker processes of 1 thread, a client, a receiver"
    )
    return results, came


@contextmanager
def collecting(folder: Path, number: int) -> Generator[tuple[Client, str]]:
    """Run a receiver; return what asks it, and its address."""
    with Client(f"collector-{number}", [python(), "-m", "bench.collector"], folder) as client:
        yield client, client.answer(_START_S)["address"]


def run_traced(way: Way, receiver: str, folder: Path) -> AbstractContextManager[Running]:
    """Run Gesso in one of the ways."""
    settings = [] if way.group_threshold is None else [f"tracing.group_threshold={way.group_threshold}"]
    return run_gesso(folder, way.environment(receiver), settings)


def _wanted(way: Way, sizes: Mapping[str, int], repeats: int) -> int | None:
    found = [
        way.spans(each.key, size)
        for each in WORKLOADS
        if each.key in sizes
        for size in (each.warm_size, *[sizes[each.key]] * repeats)
    ]
    return None if None in found else sum(filter(None, found))


def _awaited(collector: Client, wanted: int | None) -> Came:
    """Wait until all spans have come that must; where chance decides, until no more come."""
    deadline = time.monotonic() + _SPANS_S
    while True:
        count = collector.ask({}, _START_S)["spans"]
        if count == wanted or time.monotonic() > deadline:
            return Came(count, wanted)
        time.sleep(_POLL_S)


def costs(results: Results) -> list[str]:
    """Return each measure in each way, and what it is to the first way."""
    rows = [["", "", "range", f"to {results.systems[0]}"]]
    for measure in MEASURES:
        if measure.workload not in results.sizes:
            continue
        rows.append([f"{results.title(measure)}, {measure.unit}", "", "", ""])
        first = results.spread(results.systems[0], measure.key)
        for system in results.systems:
            spread = results.spread(system, measure.key)
            if spread is None:
                rows.append([f"  {system}: {results.fault(system, measure.key)}", "n/a", "", ""])
                continue
            low, high = table.number(spread.low), table.number(spread.high)
            quotient = table.ratio_text(spread.to(first) if first else None)
            rows.append([f"  {system}", table.number(spread.median), f"{low}–{high}", quotient])
    return table.columns(rows)


def sent(came: Mapping[str, Came]) -> list[str]:
    """Return how many spans came in each way, and how many had to."""
    rows = [["spans that came", "", "of"]]
    for name, each in came.items():
        wanted = "as chance has it" if each.wanted is None else f"{each.wanted:,}"
        rows.append([f"  {name}", f"{each.count:,}", wanted])
    return table.columns(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.tracing", description="Measure what tracing costs.")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer")
    parser.add_argument(
        "--repeats", type=int, help=f"of each workload (default {_REPEATS}, quick {_QUICK_REPEATS})"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
