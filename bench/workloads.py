"""What is measured, whoever is measured: each peer is a `Side`, and runs the same two workloads."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Protocol

_WARM_TASKS, _WARM_CALLS = 1_000, 50


class Side(Protocol):
    """One system, running, with a task `add` that its workers know."""

    name: str

    def conditions(self) -> dict[str, str]:
        """Return what its numbers depend on, by name."""

    def group(self, count: int) -> list[int]:
        """Submit a group of `add(i, i)` for each i below `count`, and return its values in order."""

    def call(self, x: int, y: int) -> int:
        """Submit one `add(x, y)`, and return its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How many tasks of a group were done in a second, from before it was submitted until all values were there."""

    tasks: int
    rates: tuple[float, ...]
    """Tasks a second, one for each time."""

    @property
    def median(self) -> float:
        """The median of the rates."""
        return statistics.median(self.rates)

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        rates = [round(rate) for rate in self.rates]
        return {"tasks": self.tasks, "tasks_per_s": round(self.median), "tasks_per_s_each": rates}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """How long one task took there and back."""

    calls: int
    p50_ms: float
    p99_ms: float

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return {"calls": self.calls, "p50_ms": round(self.p50_ms, 3), "p99_ms": round(self.p99_ms, 3)}


def measure_throughput(side: Side, *, tasks: int, repeats: int) -> Throughput:
    """Run a group several times, after a smaller one that does not count.

    Raises:
        RuntimeError: If the values are not the right ones.
    """
    _timed_group(side, min(tasks, _WARM_TASKS))
    return Throughput(tasks=tasks, rates=tuple(tasks / _timed_group(side, tasks) for _ in range(repeats)))


def measure_round_trip(side: Side, *, calls: int) -> RoundTrip:
    """Run one task many times, one after the other, after some that do not count."""
    for number in range(_WARM_CALLS):
        side.call(number, number)
    taken = []
    for number in range(calls):
        begin = time.perf_counter()
        side.call(number, number)
        taken.append(1000 * (time.perf_counter() - begin))
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return RoundTrip(calls=calls, p50_ms=cuts[49], p99_ms=cuts[98])


def _timed_group(side: Side, count: int) -> float:
    begin = time.perf_counter()
    values = side.group(count)
    seconds = time.perf_counter() - begin
    if values != [2 * number for number in range(count)]:
        raise RuntimeError(f"{side.name} returned other values than it should.")
    return seconds
