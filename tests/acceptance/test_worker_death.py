"""Promise: a task whose worker dies is run again, and its canvas ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from acceptance.tasks import Ledger, call
from gesso import chord, group
from support.system import Program, System, until

COUNT = 2_000
EARLY = 300
ALL = {str(key) for key in range(COUNT)}


def kill_a_child(worker: Program, ledger: Ledger) -> None:
    """Kill one of a worker's processes."""
    os.kill(ledger.process_ids()[0], signal.SIGKILL)
    worker.line("child.died", "by signal 9")


def kill_the_worker(worker: Program, _ledger: Ledger) -> None:
    """Kill a worker's parent; its children end with it."""
    worker.kill()
    worker.ended_with_children()


Kill = Callable[[Program, Ledger], None]


@pytest.mark.parametrize("kill", [kill_a_child, kill_the_worker])
def test_group_survives_kill_of_worker(system: System, ledger: Ledger, kill: Kill) -> None:
    """The values of a group are all there, in order, and every member has run."""
    coordinator = system.coordinator()
    worker = system.worker(coordinator, processes=2)
    system.client(coordinator)

    result = group(call("mark", ledger.path, key) for key in range(COUNT)).delay()
    until(lambda: len(ledger) >= EARLY, "the group's beginning")
    kill(worker, ledger)
    assert len(ledger) < COUNT
    system.worker(coordinator)

    assert result.get(timeout=30) == list(range(COUNT))
    assert ledger.counts().keys() == ALL


@pytest.mark.parametrize("kill", [kill_a_child, kill_the_worker])
def test_chord_body_runs_once_after_kill_of_worker(system: System, ledger: Ledger, kill: Kill) -> None:
    """The body of a chord gets every value and runs once, though members may have run twice."""
    coordinator = system.coordinator()
    worker = system.worker(coordinator, processes=2)
    system.client(coordinator)

    header = [call("mark", ledger.path, key) for key in range(COUNT)]
    result = chord(header, call("close_books", ledger=ledger.path)).delay()
    until(lambda: len(ledger) >= EARLY, "the header's beginning")
    kill(worker, ledger)
    assert len(ledger) < COUNT
    system.worker(coordinator)

    assert result.get(timeout=30) == sum(range(COUNT))
    assert ledger.counts().keys() == ALL | {"body"}
    assert ledger.counts()["body"] == 1
