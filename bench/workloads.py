"""What is measured, whoever is measured: each workload is done by a system's client process, timed there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bench.systems.side import Side

T = TypeVar("T")

_HOPS_AT_ONCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Something to do, as large as the benchmark says."""

    key: str
    size: int
    quick_size: int
    warm_size: int
    """So much is done once before anything counts."""


WORKLOADS = (
    Workload(key="call", size=500, quick_size=200, warm_size=50),
    Workload(key="chain", size=200, quick_size=100, warm_size=10),
    Workload(key="group", size=10_000, quick_size=2_000, warm_size=1_000),
    Workload(key="chord", size=10_000, quick_size=2_000, warm_size=1_000),
    Workload(key="submit", size=10_000, quick_size=2_000, warm_size=200),
    Workload(key="send", size=1_000, quick_size=300, warm_size=100),
    Workload(key="chains", size=100, quick_size=50, warm_size=10),
)
"""In the order in which they are done and shown."""

LIMITS = (
    Workload(key="transitions", size=10_000, quick_size=2_000, warm_size=1_000),
    Workload(key="frames", size=100_000, quick_size=20_000, warm_size=5_000),
)
"""What bounds Gesso, done in the same run."""

Work = Callable[[int], list[float]]
"""Does a workload of a size, and returns the seconds that it took; for `call`, those of each call."""


class WrongValueError(Exception):
    """A system returned another value than it should."""


def work_of(side: Side) -> Mapping[str, Work]:
    """Return what a side can do, by the keys of `WORKLOADS`. Values are checked; what is dropped is not timed."""

    def call(size: int) -> list[float]:
        return [_timed(lambda number=number: side.call(number, number), 2 * number) for number in range(size)]  # type: ignore[misc]

    def chain(size: int) -> list[float]:
        return [_timed(lambda: side.chain(size), size)]

    def group(size: int) -> list[float]:
        return [_timed(lambda: side.group(size), [2 * number for number in range(size)])]

    def chord(size: int) -> list[float]:
        return [_timed(lambda: side.chord(size), size)]

    def chains(size: int) -> list[float]:
        return [_timed(lambda: side.chains(size, _HOPS_AT_ONCE), [_HOPS_AT_ONCE] * size)]

    def submit(size: int) -> list[float]:
        seconds = _timed(lambda: side.submit(size), None)
        side.drop()
        return [seconds]

    def send(size: int) -> list[float]:
        seconds = _timed(lambda: side.send(size), None)
        side.drop()
        return [seconds]

    return {
        "call": call, "chain": chain, "group": group, "chord": chord, "submit": submit, "send": send, "chains": chains,
    }  # fmt: skip


def tasks_of(workload: str, size: int) -> int:
    """Return how many tasks a workload of a size runs."""
    return size * _HOPS_AT_ONCE if workload == "chains" else size


def _timed(work: Callable[[], T], value: T) -> float:
    begin = time.perf_counter()
    got = work()
    seconds = time.perf_counter() - begin
    if got != value:
        raise WrongValueError(f"it returned {str(got)[:60]}, not {str(value)[:60]}")
    return seconds
