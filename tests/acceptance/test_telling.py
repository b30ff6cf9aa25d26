"""Promise: what becomes of a task can be seen while it runs, and is told to its hooks and to signals."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from acceptance import limited_tasks
from acceptance.limited_tasks import call
from acceptance.tasks import Ledger
from gesso_worker.config import available_cores
from support.system import System, until

MODULE = "acceptance.limited_tasks"


def test_state_of_a_running_task_is_seen(system: System, tmp_path: Path) -> None:
    """The last state it set shows with what it said; the value takes its place, but for an ignored task."""
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    coordinator = system.coordinator()
    system.worker(coordinator, module=MODULE)
    system.client(coordinator)

    baking = call("bake", gate).delay()
    until(lambda: baking.state == "BAKING", "the task's own state")
    info, ready = baking.info, baking.ready()
    Path(gate).write_text("on")
    burnt = call("burn").delay()

    assert (info, ready) == ({"done": 50}, False)
    assert baking.get(timeout=30) == "bread"
    assert (baking.state, baking.info) == ("SUCCESS", "bread")
    assert burnt.get(timeout=30) is None
    assert burnt.state == "BURNT"
    assert system.client(coordinator).AsyncResult(burnt.id).info == "black"


EXPECTED = {
    "hook:before_start": 4, "hook:on_success:0.5": 1, "hook:on_failure:ZeroDivisionError:ZeroDivisionError": 1,
    "hook:on_retry:KeyError": 1, "hook:on_failure:KeyError:KeyError": 1, "hook:after_return:SUCCESS": 1,
    "hook:after_return:FAILURE": 2, "hook:after_return:RETRY": 1, "signal:prerun:True": 2,
    "signal:postrun:SUCCESS": 1, "signal:postrun:FAILURE": 1, "signal:failure:told:ZeroDivisionError": 1,
    "signal:failure:told_again:KeyError": 1,
}  # fmt: skip


def test_hooks_and_signals_are_told(system: System, ledger: Ledger) -> None:
    """Each end of an attempt is told once to the hooks and signals it concerns, in Celery's states."""
    coordinator = system.coordinator()
    system.worker(coordinator, module=MODULE)
    system.client(coordinator)

    assert call("told", ledger.path, 2).delay().get(timeout=30) == 0.5
    with pytest.raises(ZeroDivisionError):
        call("told", ledger.path, 0).delay().get(timeout=30)
    with pytest.raises(KeyError):
        call("told_again", ledger.path).delay().get(timeout=30)

    assert ledger.counts() == EXPECTED


def test_eager_mode_tells_the_same(ledger: Ledger) -> None:
    """Hooks and signals do not depend on where a task runs."""
    limited_tasks.told.apply((ledger.path, 2))
    limited_tasks.told.apply((ledger.path, 0))
    limited_tasks.told_again.apply((ledger.path,))

    assert ledger.counts() == EXPECTED


def test_worker_tells_of_its_life(system: System, tmp_path: Path) -> None:
    """Each process tells when it begins, is welcomed, leaves and ends."""
    life = str(tmp_path / "life")
    coordinator = system.coordinator()
    worker = system.run(
        "worker",
        [sys.executable, "-P", "-m", "gesso", "worker", "-A", MODULE, "--address", coordinator.address],
        LIFE=life,
    )  # fmt: skip
    worker.line(" ready: ")
    worker.terminate()
    assert worker.ended() == 0

    told = [line.split()[0] for line in Path(life).read_text().splitlines()]
    for name in (
        "worker_init", "worker_process_init", "worker_ready", "worker_shutting_down", "worker_process_shutdown",
        "worker_shutdown",
    ):  # fmt: skip
        assert told.count(name) == available_cores()
