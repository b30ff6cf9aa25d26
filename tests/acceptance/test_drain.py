"""Promise: SIGTERM loses nothing and repeats nothing; what is not started moves at once."""

from __future__ import annotations

import os
from pathlib import Path

from acceptance.tasks import Ledger, call
from gesso import chord, group
from support.system import System, until

COUNT = 2_000
EARLY = 300


def test_worker_gives_back_what_it_has_not_started(system: System, ledger: Ledger, tmp_path: Path) -> None:
    """After SIGTERM the running task is finished and the rest runs elsewhere meanwhile; the exit code is 0."""
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    coordinator = system.coordinator()
    leaving = system.worker(coordinator)
    system.client(coordinator)
    # Quick tasks first, so that the worker asks for more than it has slots.
    group(call("add", number, 1) for number in range(500)).delay().get(timeout=30)

    held = call("hold", gate, ledger.path, -1).delay()
    waiting = group(call("mark", ledger.path, key) for key in range(200)).delay()
    until(lambda: len(ledger) == 1, "the running task's start")
    until(lambda: waiting[0].state == "RECEIVED", "a grant to the busy worker")
    system.worker(coordinator)
    leaving.terminate()
    values = waiting.get(timeout=30)
    running = leaving.process.poll() is None
    Path(gate).write_text("on")

    assert values == list(range(200))
    assert running
    assert held.get(timeout=30) == -1
    assert leaving.ended() == 0
    assert set(ledger.counts().values()) == {1}


def test_workers_replace_each_other_without_repeating(system: System, ledger: Ledger) -> None:
    """A worker that gets SIGTERM in the middle of a chord runs nothing twice, nor does the one that follows."""
    coordinator = system.coordinator()
    leaving = system.worker(coordinator, processes=2)
    system.client(coordinator)
    header = [call("mark", ledger.path, key) for key in range(COUNT)]

    result = chord(header, call("close_books", ledger=ledger.path)).delay()
    until(lambda: len(ledger) >= EARLY, "the header's beginning")
    leaving.terminate()
    assert leaving.ended() == 0
    assert len(ledger) < COUNT
    system.worker(coordinator, processes=2)

    assert result.get(timeout=30) == sum(range(COUNT))
    assert ledger.counts() == {"body": 1, **{str(key): 1 for key in range(COUNT)}}


def test_coordinator_drains_and_everyone_moves(system: System, ledger: Ledger) -> None:
    """After SIGTERM a coordinator ends with 0; workers and clients go on at the other, and nothing runs twice."""
    store = system.store()
    leaving, staying = system.coordinator(store=store), system.coordinator(store=store)
    workers = [system.worker(leaving, staying) for _ in range(2)]
    system.client(leaving, staying)
    header = [call("mark", ledger.path, key) for key in range(COUNT)]

    result = chord(header, call("close_books", ledger=ledger.path)).delay()
    until(lambda: len(ledger) >= EARLY, "the header's beginning")
    leaving.program.terminate()
    assert leaving.program.ended() == 0
    more = call("add", 1, 1).delay()

    assert result.get(timeout=30) == sum(range(COUNT))
    assert more.get(timeout=30) == 2
    assert ledger.counts() == {"body": 1, **{str(key): 1 for key in range(COUNT)}}
    assert all(worker.process.poll() is None for worker in workers)
