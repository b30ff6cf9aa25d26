"""Promise: queues and workers are seen and steered from the command line, while everything runs."""

from __future__ import annotations

import json
from pathlib import Path

from acceptance.command import Command
from acceptance.tasks import Ledger, call
from gesso import group
from support.system import System, until


def test_queue_is_paused_and_resumed(system: System, ledger: Ledger) -> None:
    """While a queue is paused its tasks wait, are counted, and survive the coordinator; resumed, they run at once."""
    coordinator = system.coordinator()
    worker = system.worker(coordinator)
    app = system.client(coordinator)
    gesso = Command(address=coordinator.address)
    call("add", 1, 1).delay().get(timeout=30)

    paused = gesso.run("queues", "pause", "default")
    result = group(call("mark", ledger.path, key) for key in range(50)).delay()
    listed = gesso.run("queues", "-o", "json")
    shown = gesso.run("queues")
    coordinator.program.terminate()
    assert coordinator.program.ended() == 0
    successor = system.coordinator(port=int(coordinator.address.rpartition(":")[2]))
    again = json.loads(Command(address=successor.address).run("queues", "list", "-o", "json").out)
    assert len(ledger) == 0
    resumed = gesso.run("queues", "resume", "default", "-o", "json")

    assert result.get(timeout=30) == list(range(50))
    assert (paused.code, paused.out) == (0, "default is paused\n")
    assert (resumed.code, json.loads(resumed.out)) == (0, {"queue": "default", "paused": False})
    (queue,) = map(json.loads, listed.out.splitlines())
    assert (queue["waiting"], queue["running"], queue["workers"], queue["paused"]) == (50, 0, 1, True)
    assert (again["waiting"], again["paused"]) == (50, True)
    assert shown.out.splitlines()[0].split() == ["QUEUE", "WAITING", "RUNNING", "WORKERS", "OLDEST"]
    assert shown.out.splitlines()[1].split()[:4] == ["default", "50", "0", "1"]
    assert worker.process.poll() is None
    assert app.address


def test_workers_are_listed(system: System) -> None:
    """Each process of a worker is a line, and a worker that is gone is none."""
    coordinator = system.coordinator()
    worker = system.worker(coordinator, processes=2, threads=3)
    gesso = Command(address=coordinator.address)

    listed = [json.loads(line) for line in gesso.run("workers", "-o", "json").out.splitlines()]
    shown = gesso.run("workers").out.splitlines()
    worker.terminate()
    worker.ended()

    assert [(each["slots"], each["held"], each["queues"]) for each in listed] == [(3, 0, ["default"])] * 2
    assert all("acceptance.tasks.add" in each["tasks"] for each in listed)
    assert [line.split()[0] for line in shown] == ["WORKER", *(each["worker"] for each in listed)]
    until(lambda: gesso.run("workers", "-o", "json").out == "", "the end of the sessions")


def test_server_routes_tasks(system: System, tmp_path: Path) -> None:
    """`--route` and a file say the queues of tasks that name none; the option comes first."""
    file = tmp_path / "routes"
    file.write_text("# our queues\nacceptance.tasks.*=slow\n")
    coordinator = system.coordinator("--route", "*.add=sums", "--routes", str(file))
    system.client(coordinator)

    call("add", 1, 1).delay()
    call("total", [1]).delay()
    call("total", [1]).set(queue="own").delay()

    listed = Command(address=coordinator.address).run("queues", "-o", "json").out.splitlines()
    assert [json.loads(line)["queue"] for line in listed] == ["own", "slow", "sums"]


def test_wrong_routes_are_refused(system: System) -> None:
    """A route that is none ends the server with a sentence about it, and so does `pause` without a queue."""
    gesso = Command()
    done = gesso.run("server", "--data", str(system.folder / "x"), "--route", "nothing")
    nothing = gesso.run("queues", "pause")

    assert done.code == 2
    assert "PATTERN=QUEUE" in done.err
    assert nothing.code == 2
    assert "Name queues" in nothing.err
