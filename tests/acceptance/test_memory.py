"""Promise: a coordinator's memory does not grow with the backlog, nor a worker's with what is due later."""

from __future__ import annotations

import subprocess

import pytest
from redis import Redis

from acceptance.tasks import call
from gesso import group, growing
from support.system import LIMIT_SECONDS, Program, System, until

MIB = 1 << 20
GROUPS, MEMBERS = 20, 10_000
TIMERS = [20_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
TIMERS_SECONDS = 1800


def test_backlog_stands_in_the_store(system: System) -> None:
    """200,000 queued tasks add less than 50 MiB to the coordinator."""
    coordinator = system.coordinator()
    system.client(coordinator)
    call("add", 1, 1).delay()
    before = coordinator.resident_bytes()

    results = [group(call("add", key, key) for key in range(MEMBERS)).delay() for _ in range(GROUPS)]
    added = coordinator.resident_bytes() - before

    print(f"{GROUPS * MEMBERS:,} queued tasks add {added / MIB:.1f} MiB to {before / MIB:.1f} MiB")  # noqa: T201
    assert all(len(result) == MEMBERS and not result.ready() for result in results)
    assert added < 50 * MIB


@pytest.mark.parametrize("count", TIMERS)
def test_timers_stand_in_the_store(system: System, count: int) -> None:
    """So many tasks that are due tomorrow add next to nothing to coordinator and worker, which begins none."""
    coordinator = system.coordinator()
    system.client(coordinator)
    worker = system.worker(coordinator, processes=2)
    group(call("add", key, key) for key in range(2 * growing.AHEAD_COUNT)).delay().get(timeout=LIMIT_SECONDS)
    before, worker_before = coordinator.resident_bytes(), resident_bytes(worker)

    result = group(call("add", key, key).set(countdown=86_400) for key in range(count)).delay()
    with Redis.from_url(coordinator.store) as store:

        def waiting() -> int:
            return sum(int(store.zcard(key)) for key in store.scan_iter("gesso:*:due"))

        until(lambda: waiting() == count, "every timer is set", limit=TIMERS_SECONDS)
    added, worker_added = coordinator.resident_bytes() - before, resident_bytes(worker) - worker_before

    print(  # noqa: T201 - the figures are what the test is for
        f"{count:,} timers add {added / MIB:.1f} MiB to the coordinator's {before / MIB:.0f}, "
        f"{worker_added / MIB:.1f} MiB to the worker's {worker_before / MIB:.0f}"
    )
    assert len(result) == count
    assert result.completed_count() == 0
    assert added < 20 * MIB
    assert worker_added < 10 * MIB


def resident_bytes(program: Program) -> int:
    """Return how much memory a program and its children take."""
    listed = subprocess.run(
        ["ps", "-axo", "rss=,pgid="],  # noqa: S607 - where a system has it
        capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS,
    ).stdout  # fmt: skip
    rows = (map(int, line.split()) for line in listed.splitlines())
    return 1024 * sum(size for size, leader in rows if leader == program.process.pid)
