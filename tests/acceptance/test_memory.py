"""Promise: a coordinator's memory does not grow with the backlog."""

from __future__ import annotations

from acceptance.tasks import call
from gesso import group
from support.system import System

MIB = 1 << 20
GROUPS, MEMBERS = 20, 10_000


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
