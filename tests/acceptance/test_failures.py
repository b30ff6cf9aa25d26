"""Promise: every task ends or says what it waits for; a task that fails or kills its process harms no other."""

from __future__ import annotations

import os

import pytest

from acceptance.tasks import Ledger, call
from gesso import App, ChordError, TaskError, WorkerLost, chain, chord, group
from gesso.v1 import operations_service_pb2 as pb
from support.system import System, until


def test_error_of_a_task_reaches_whoever_waits(system: System) -> None:
    """A builtin error is raised as itself, another as a TaskError with its name, each with the traceback."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    system.client(coordinator)

    builtin = call("boom", "cracked").delay()
    strange = call("boom_strangely", "cold").delay()

    with pytest.raises(ValueError, match="cracked") as plain:
        builtin.get(timeout=30)
    with pytest.raises(TaskError, match="cold") as caught:
        strange.get(timeout=30)
    assert plain.value.args == ("cracked",)
    assert caught.value.type == "acceptance.tasks.KilnError"
    assert "in boom_strangely" in (strange.traceback or "")


def test_everything_behind_a_failure_is_final(system: System, ledger: Ledger) -> None:
    """In a chain and behind a chord's header, what comes after the failure ends with it and does not run."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    system.client(coordinator)

    steps = [call("mark_next", ledger.path) for _ in range(2)]
    in_chain = chain(call("boom", "cracked"), *steps).delay()
    in_header = chord([call("add", 1, 1), call("boom", "cracked")], call("close_books", ledger.path)).delay()

    for result in (in_chain, in_chain.parent, in_header):
        with pytest.raises(ValueError, match="cracked"):
            result.get(timeout=30)
        assert result.state == "FAILURE"
    with pytest.raises(ChordError, match="cracked"):
        type(in_header)(in_header.id).get(timeout=30)
    assert len(ledger) == 0


def test_task_that_ends_its_process_is_lost_after_three_times(system: System, ledger: Ledger) -> None:
    """It ends with WorkerLost after three crashes, and what waited in the same process is unharmed."""
    coordinator = system.coordinator()
    worker = system.worker(coordinator)
    system.client(coordinator)

    result = group(*(call("add", key, 1) for key in range(50)), call("leave", ledger.path),
                   *(call("mark", ledger.path, key) for key in range(50))).delay()  # fmt: skip
    values = result.get(timeout=30, propagate=False)

    assert values[:50] == list(range(1, 51))
    assert isinstance(values[50], WorkerLost)
    assert values[51:] == list(range(50))
    assert ledger.counts() == {"left": 3, **{str(key): 1 for key in range(50)}}
    assert worker.process.poll() is None


def test_task_that_ends_its_process_is_lost_however_late_the_next_one_comes(
    system: System, ledger: Ledger
) -> None:
    """Each session ends before the process in its place can say what was running, and it counts all the same."""
    (system.folder / "slow.py").write_text(SLOW)
    gate = system.folder / "gate"
    os.mkfifo(gate)
    coordinator = system.coordinator()
    system.worker(coordinator, module="slow")
    app = system.client(coordinator)

    result = app.send_task("slow.leave", (ledger.path,))
    for death in range(1, 4):
        until(lambda death=death: len(ledger) == death, "the task's next run")  # type: ignore[misc]  # its default
        until(lambda: not sessions(app), "the end of the dead process's session")
        gate.write_text("")

    with pytest.raises(WorkerLost):
        result.get(timeout=30)
    assert ledger.counts() == {"left": 3}


def sessions(app: App) -> list[str]:
    """Return the sessions that hold, or may take, tasks."""
    listed = app.coordinator.operate(lambda stub: stub.ListWorkers, pb.ListWorkersRequest())
    return [worker.session_id for worker in listed.workers]


SLOW = """
import os
from pathlib import Path

from gesso import App

app = App("slow")
if Path("ledger").exists():
    Path("gate").read_text()  # it takes the place of one that died, and is let in when that has been given up


@app.task
def leave(ledger):
    with open(ledger, "a") as file:
        file.write(f"left {os.getpid()}\\n")
    os._exit(7)
"""


def test_unknown_task_waits_for_a_worker_that_knows_it(system: System) -> None:
    """It waits while others run, and runs when a worker with its module has come."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    app = system.client(coordinator)

    waiting = app.send_task("later.triple", (14,))
    assert call("add", 1, 1).delay().get(timeout=30) == 2
    state = waiting.state
    (system.folder / "later.py").write_text(LATER)
    system.worker(coordinator, module="later")

    assert state == "PENDING"
    assert waiting.get(timeout=30) == 42
    assert call("add", 1, 1).delay().get(timeout=30) == 2


LATER = """
from gesso import App

app = App("later")


@app.task
def triple(x):
    return 3 * x
"""
