"""How soon the tasks of a worker that is gone start elsewhere: at once, after the grace, or after the lease.

The times are printed, beside the settings that bound them; what is asserted is that they start.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from acceptance.tasks import Ledger, call
from chaos.network import Wire
from gesso import GroupResult, group
from support.system import Program, System, port_of, until

HELD = 4


def _kill_process(worker: Program, ledger: Ledger, _wire: Wire) -> None:
    os.kill(ledger.process_ids()[0], 9)
    worker.line("child.died", "by signal 9")


def _kill_worker(worker: Program, _ledger: Ledger, _wire: Wire) -> None:
    os.killpg(worker.process.pid, 9)


def _freeze(worker: Program, _ledger: Ledger, _wire: Wire) -> None:
    os.killpg(worker.process.pid, 19)


def _silence(_worker: Program, _ledger: Ledger, wire: Wire) -> None:
    wire.silence()


WAYS: dict[str, Callable[[Program, Ledger, Wire], None]] = {
    "its process is killed": _kill_process,
    "it is killed with its parent": _kill_worker,
    "it is frozen": _freeze,
    "its machine is silent": _silence,
}


def detect(folder: Path, way: str, *, lease_seconds: float, grace_seconds: float) -> float:
    """Return how long it took until everything that a worker held had started elsewhere."""
    with System(folder, lease_seconds=lease_seconds, grace_seconds=grace_seconds) as system:
        ledger, gate = Ledger(folder), str(folder / "gate")
        os.mkfifo(gate)
        coordinator = system.coordinator()
        with Wire(port_of(coordinator.address)) as wire:
            address = f"127.0.0.1:{wire.port}"
            worker = system.gesso("worker", "worker", "-A", "acceptance.tasks", "--address", address, "--processes",
                                  "1", "--threads", str(HELD))  # fmt: skip
            worker.line("worker ", " ready: ")
            system.client(coordinator)
            result = group(call("hold", gate, ledger.path, key) for key in range(HELD)).delay()
            until(lambda: len(ledger) == HELD, "the tasks' first start")
            system.worker(coordinator, threads=HELD)

            gone = time.monotonic()
            WAYS[way](worker, ledger, wire)
            until(lambda: len(ledger) >= 2 * HELD, "the tasks' second start", limit=lease_seconds + 60)
            seconds = time.monotonic() - gone
            # More than once: a task writes down that it has started before it waits at the gate.
            until(lambda: _let_through(gate, result), "the group's end", limit=60)

            assert result.get(timeout=60) == list(range(HELD))
        return seconds


def _let_through(gate: str, result: GroupResult[int]) -> bool:
    """Let those through who wait at the gate, if there are any; return whether the group has ended."""
    with suppress(OSError):
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    return result.ready()


@pytest.mark.parametrize("way", WAYS)
def test_tasks_of_a_worker_that_is_gone_start_elsewhere(tmp_path: Path, way: str) -> None:
    """Each of its tasks starts again on another worker, and the group ends right."""
    seconds = detect(tmp_path, way, lease_seconds=3, grace_seconds=1)

    print(f"\nwhen {way}: started elsewhere after {seconds:.2f} s (grace 1 s, lease 3 s)")  # noqa: T201 - the report


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_tasks_start_elsewhere_in_the_shipped_time(tmp_path: Path, way: str) -> None:
    """The same with the leases that are shipped."""
    seconds = detect(tmp_path, way, lease_seconds=30, grace_seconds=10)

    print(f"\nwhen {way}: started elsewhere after {seconds:.2f} s (grace 10 s, lease 30 s)")  # noqa: T201 - the report
