"""Promise: no task runs longer than its limit, whatever it does, and whatever becomes of its worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from acceptance.limited_tasks import call
from acceptance.tasks import Ledger
from gesso import TimeLimitExceeded, WorkerLost, group
from gesso.errors import TaskError, TaskRevokedError
from support.system import Coordinator, Program, System, until

MODULE = "acceptance.limited_tasks"
HARD = {"time_limit": 0.5}


def limited_worker(system: System, coordinator: Coordinator, *options: str, threads: int = 1) -> Program:
    """Start a worker, with one process."""
    return system.worker(coordinator, module=MODULE, threads=threads, options=options)


def test_task_is_killed_at_its_limit(system: System, ledger: Ledger) -> None:
    """A task that spins, blocks in C or holds the event loop fails once; its process is replaced, and works on."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator)
    system.client(coordinator)

    results = [call(task, ledger.path, **HARD).delay() for task in ("spin", "block", "hog")]
    for result in results:
        with pytest.raises(TimeLimitExceeded):
            result.get(timeout=30)

    assert call("where").delay().get(timeout=30) not in ledger.process_ids()
    assert ledger.counts() == {"spin": 1, "block": 1, "hog": 1}
    assert [result.retries for result in results] == [0, 0, 0]


def test_soft_limit_is_raised_in_the_task(system: System, ledger: Ledger) -> None:
    """A task catches it and ends in good order, and its process goes on."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator, threads=2)
    system.client(coordinator)

    for task in ("clean_up", "clean_up_soon"):
        assert call(task, ledger.path, soft_time_limit=0.3).delay().get(timeout=30) == "cleaned"

    assert [call("where").delay().get(timeout=30)] == ledger.process_ids()


def test_stopped_worker_is_fenced(system: System, ledger: Ledger) -> None:
    """A task in a worker that is frozen whole ends at its limit, before the worker's lease is over."""
    system.lease_seconds = 60
    coordinator = system.coordinator()
    worker = limited_worker(system, coordinator)
    system.client(coordinator)

    result = call("spin", ledger.path, **HARD).delay()
    until(lambda: len(ledger) == 1, "the task's start")
    os.killpg(worker.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeLimitExceeded):
            result.get(timeout=30)
    finally:
        os.killpg(worker.process.pid, signal.SIGCONT)

    assert call("where").delay().get(timeout=30) != ledger.process_ids()[0]


def test_others_in_the_process_may_finish(system: System, ledger: Ledger, tmp_path: Path) -> None:
    """The guilty task fails at once; what runs beside it ends in its own time, in the same process, and once."""
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    coordinator = system.coordinator()
    worker = limited_worker(system, coordinator, "--allow-shared-limits", threads=2)
    system.client(coordinator)

    beside = call("hold", gate, ledger.path).delay()
    until(lambda: len(ledger) == 1, "the other task's start")
    with pytest.raises(TimeLimitExceeded):
        call("spin", ledger.path, **HARD).delay().get(timeout=30)
    Path(gate).write_text("on")

    assert beside.get(timeout=30) == ledger.process_ids()[0]
    worker.line("child.left")
    assert call("where").delay().get(timeout=30) != ledger.process_ids()[0]
    assert ledger.counts() == {"hold": 1, "spin": 1}


def test_shared_process_refuses_tasks_that_would_end_it(system: System, ledger: Ledger) -> None:
    """A worker with two threads fails them, with a sentence that says what to do, unless it was told otherwise."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator, threads=2)
    system.client(coordinator)

    for options in (HARD, {"at_most_once": True}):
        with pytest.raises(TaskError, match="--allow-shared-limits"):
            call("spin", ledger.path, **options).delay().get(timeout=30)

    assert len(ledger) == 0


def test_at_most_once_runs_at_most_once(system: System, ledger: Ledger) -> None:
    """A task whose worker died fails as WorkerLost, and nobody runs it again."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator)
    system.client(coordinator)

    result = call("block", ledger.path, at_most_once=True).delay()
    until(lambda: len(ledger) == 1, "the task's start")
    os.kill(ledger.process_ids()[0], signal.SIGKILL)
    with pytest.raises(WorkerLost):
        result.get(timeout=30)

    call("where").delay().get(timeout=30)
    assert ledger.counts() == {"block": 1}


# --- revoking --------------------------------------------------------------------------------------------


def test_terminate_kills(system: System, ledger: Ledger) -> None:
    """A task that is revoked with `terminate` is killed, and ends as revoked."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator)
    system.client(coordinator)

    result = call("block", ledger.path).delay()
    until(lambda: result.state == "STARTED" and len(ledger) == 1, "the task's start")
    result.revoke(terminate=True)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=30)

    assert result.state == "REVOKED"
    assert call("where").delay().get(timeout=30) != ledger.process_ids()[0]
    assert ledger.counts() == {"block": 1}


def test_revoked_task_is_told(system: System, ledger: Ledger) -> None:
    """A running task that is revoked can see it, a coroutine is cancelled; the process goes on."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator, threads=2)
    system.client(coordinator)

    results = [call(task, ledger.path).delay() for task in ("watch_for_end", "wait_for_end")]
    until(lambda: {result.state for result in results} == {"STARTED"}, "the tasks' starts")
    for result in results:
        result.revoke()
    for result in results:
        with pytest.raises(TaskRevokedError):
            result.get(timeout=30)

    until(lambda: len(ledger) == 4, "the tasks' ends")
    assert ledger.counts() == {"watching": 2, "aborted": 2}
    assert [call("where").delay().get(timeout=30)] == ledger.process_ids()


# --- a worker's life -------------------------------------------------------------------------------------


def test_child_is_replaced_after_its_number_of_tasks(system: System) -> None:
    """Each process runs exactly so many, and nothing is lost or repeated between two."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator, "--max-tasks-per-child", "3")
    system.client(coordinator)

    pids = group(call("where") for _ in range(9)).delay().get(timeout=60)

    assert sorted(pids.count(pid) for pid in set(pids)) == [3, 3, 3]


def test_child_that_takes_too_much_memory_is_replaced(system: System) -> None:
    """It finishes what it runs, and another takes its place."""
    coordinator = system.coordinator()
    limited_worker(system, coordinator, "--max-memory-per-child", "250000")
    system.client(coordinator)

    first = call("where").delay().get(timeout=30)
    large = call("grow", 300).delay().get(timeout=30)
    after = call("where").delay().get(timeout=30)

    assert (first == large, large == after) == (True, False)


def test_quit_ends_at_once(system: System, ledger: Ledger) -> None:
    """SIGQUIT waits for nothing."""
    coordinator = system.coordinator()
    worker = limited_worker(system, coordinator)
    system.client(coordinator)
    call("block", ledger.path).delay()
    until(lambda: len(ledger) == 1, "the task's start")

    worker.process.send_signal(signal.SIGQUIT)

    assert worker.ended() == 1
