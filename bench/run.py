"""Measures throughput and round trips, and prints them with the conditions they were measured under.

python bench/run.py [--tasks 10000] [--repeats 3] [--calls 500] [--processes 2] [-o json]

Nothing is asserted about time: the numbers are for a person, who knows the machine.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `bench` is a package from there

from bench.conditions import conditions
from bench.gesso_side import gesso_side
from bench.workloads import RoundTrip, Throughput, measure_round_trip, measure_throughput


def main() -> None:
    """Run what the command line says."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the system is stopped
    with gesso_side(options.processes) as side:
        throughput = measure_throughput(side, tasks=options.tasks, repeats=options.repeats)
        round_trip = measure_round_trip(side, calls=options.calls)
        told = conditions() | side.conditions()
    if options.output == "json":
        print(json.dumps(told | {"side": side.name} | throughput.as_json() | round_trip.as_json()))
    else:
        _show(side.name, told, throughput, round_trip)


def _show(name: str, told: dict[str, str], throughput: Throughput, round_trip: RoundTrip) -> None:
    for what, text in told.items():
        print(f"{what:12} {text}")
    rates = ", ".join(f"{rate:,.0f}" for rate in throughput.rates)
    print()
    print(
        f"{name}: a group of {throughput.tasks:,} add(i, i) with its results, {len(throughput.rates)} times"
    )
    print(f"  {throughput.median:,.0f} tasks/s in the median ({rates})")
    print(f"{name}: one task there and back, {round_trip.calls} times, one after the other")
    print(f"  p50 {round_trip.p50_ms:.2f} ms, p99 {round_trip.p99_ms:.2f} ms")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure throughput and round trips.")
    parser.add_argument("--tasks", type=int, default=10_000, help="members of the group (default 10000)")
    parser.add_argument("--repeats", type=int, default=5, help="groups, one after the other (default 5)")
    parser.add_argument("--calls", type=int, default=500, help="round trips (default 500)")
    parser.add_argument("--processes", type=int, default=2, help="worker processes (default 2)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    return parser.parse_args()


if __name__ == "__main__":
    main()
