"""Promise: limits of rate and concurrency hold over all workers, coordinators and partitions together."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from acceptance.tasks import Ledger, call
from gesso import group
from support.system import Coordinator, System, until

WORK = "acceptance.tasks.work"


def two_coordinators(system: System, partitions: int) -> tuple[Coordinator, Coordinator]:
    """Start two coordinators on one store."""
    store = system.store()
    return system.coordinator(store=store, partitions=partitions), system.coordinator(store=store)


def overlaps(spans: Sequence[Sequence[float]]) -> list[int]:
    """Return how many spans there were at each beginning of one."""
    return [sum(begin <= instant < end for begin, end in spans) for instant, _ in spans]


@pytest.mark.parametrize("partitions", [1, 4])
def test_concurrency_limit_holds_over_everything(system: System, ledger: Ledger, partitions: int) -> None:
    """Of a task limited to three, three run at one time and never four, whoever hands them over and runs them."""
    one, other = two_coordinators(system, partitions)
    system.worker(one, threads=4)
    system.worker(other, threads=4)
    client = system.client(one, other)
    client.control.limit(WORK, concurrency=3)

    results = [group(call("work", ledger.path, 0.05) for _ in range(6)).delay() for _ in range(5)]
    spans = [span for result in results for span in result.get(timeout=30)]

    assert max(overlaps(spans)) == 3


@pytest.mark.parametrize("partitions", [1, 4])
def test_rate_limit_holds_over_everything(system: System, partitions: int) -> None:
    """Of a task whose code says twenty a second, no more run than a bucket of two lets through, and no fewer come."""
    one, other = two_coordinators(system, partitions)
    system.worker(one, threads=4)
    system.worker(other, threads=4)
    system.client(one, other)
    begin = time.monotonic()

    results = [group(call("tick") for _ in range(10)).delay() for _ in range(4)]
    times = sorted(instant for result in results for instant in result.get(timeout=30))

    assert len(times) == 40
    for number, instant in enumerate(times, 1):
        assert number <= 3 + 20 * (instant - begin)  # one for the clocks' steps


def test_permits_of_a_killed_worker_come_back(system: System, ledger: Ledger) -> None:
    """When a worker dies that holds every permit, its tasks and those behind them run elsewhere."""
    coordinator = system.coordinator()
    client = system.client(coordinator)
    client.control.limit(WORK, concurrency=2)
    doomed = system.worker(coordinator, threads=2)
    stuck = group(call("work", ledger.path, 3600) for _ in range(2)).delay()
    until(lambda: len(ledger) == 2, "both permits are taken")
    behind = group(call("work", ledger.path, 0) for _ in range(4)).delay()
    stuck.revoke()

    doomed.kill()
    doomed.ended_with_children()
    system.worker(coordinator, threads=2)

    assert len(behind.get(timeout=30)) == 4


def test_limits_survive_a_coordinator(system: System, ledger: Ledger) -> None:
    """Permits that a killed coordinator was carrying are carried by another, and the limit is still known."""
    one, other = two_coordinators(system, 4)
    system.worker(other, threads=4)
    client = system.client(other)
    client.control.limit(WORK, concurrency=2)
    system.worker(one, other, threads=4)

    results = [group(call("work", ledger.path, 0.02) for _ in range(10)).delay() for _ in range(4)]
    until(lambda: len(ledger) >= 10, "the beginning")
    one.program.kill()
    spans = [span for result in results for span in result.get(timeout=30)]

    assert len(spans) == 40
    assert {limit.key: limit.concurrency for limit in client.control.limits()}[WORK] == 2


def test_limits_are_set_and_listed_by_command(system: System) -> None:
    """`gesso limit` sets, changes and removes; `gesso limits` shows what is set and what tasks declare."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    address = ("--address", coordinator.address)

    def gesso(*words: str) -> str:
        program = system.gesso("gesso", *words, *address)
        assert program.ended() == 0
        program.ended_with_children()
        return program.said

    gesso("limit", "tenant 7", "--rate", "10/m", "--concurrency", "4")
    declared = "acceptance.tasks.tick  rate 20/s  (declared by the task)\n"
    assert gesso("limits") == declared + "tenant 7  rate 10/m  concurrency 4\n"
    gesso("limit", "tenant 7")
    assert gesso("limits") == declared
    refused = system.gesso("gesso", "limit", "tenant 7", "--rate", "ten", *address)
    assert refused.ended() == 2
    refused.ended_with_children()
    assert refused.said == "Error: A rate is written '10/s', '10/m' or '10/h', not 'ten'.\n"
