"""Promise: `gesso dev` runs everything in one go, and ends all of it, in order, however it is ended."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from acceptance.command import Command
from acceptance.tasks import Ledger
from support.system import Program, System, until


def start(system: System, data: Path, *words: str, app: str = "acceptance.tasks") -> Program:
    """Start `gesso dev` on a free port with one worker process."""
    options = ["--address", "localhost:0", "--data", str(data), "--processes", "1", *words]
    return system.gesso("dev", "dev", "-A", app, *options)


def command_of(dev: Program) -> Command:
    """Return the command that finds it, once it is ready."""
    return Command(address=dev.line("dev ready: submit to ").split()[4].rstrip(";"))


def worker_pid(dev: Program) -> int:
    """Return the process id of its worker's parent."""
    return int(dev.line("worker ", " ready: ").split()[1].rpartition(":")[2])


def alive(process_id: int) -> bool:
    """Return whether a process is there."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_dev_ends_in_order(system: System, tmp_path: Path, ledger: Ledger) -> None:
    """After Ctrl-C the running task is finished and its result kept; the coordinator goes last; the code is 0."""
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    dev = start(system, tmp_path / "data")
    gesso = command_of(dev)
    submitted = gesso.run(
        "submit", "acceptance.tasks.hold", json.dumps([gate, ledger.path, 5]), "--no-wait", "-o", "json"
    )
    until(lambda: len(ledger) == 1, "the task's start")

    dev.process.send_signal(signal.SIGINT)
    dev.line("gesso.worker", "worker.draining")
    assert "coordinator.draining" not in dev.said
    Path(gate).write_text("on")

    assert dev.ended() == 0
    dev.ended_with_children()
    assert "coordinator.draining" in dev.said
    again = command_of(start(system, tmp_path / "data"))
    assert again.run("result", json.loads(submitted.out)["node_id"], "--timeout", "20").out == "5\n"


def test_dev_serves_on_a_unix_socket(system: System, tmp_path: Path) -> None:
    """Its worker and its clients reach it there by the address that it names, and the socket is gone with it."""
    socket = tmp_path / "gesso.sock"
    dev = start(system, tmp_path / "data", "--address", f"unix:{socket}")
    gesso = command_of(dev)

    assert gesso.address == f"unix:{socket}"
    assert gesso.run("submit", "acceptance.tasks.add", "[2, 3]", "--timeout", "20").out.endswith("5\n")

    dev.process.send_signal(signal.SIGINT)
    assert dev.ended() == 0
    assert not socket.exists()


def test_second_signal_ends_dev_at_once(system: System, tmp_path: Path, ledger: Ledger) -> None:
    """Who presses Ctrl-C twice does not wait for a task."""
    gate = str(tmp_path / "gate")
    os.mkfifo(gate)
    dev = start(system, tmp_path / "data")
    command_of(dev).run("submit", "acceptance.tasks.hold", json.dumps([gate, ledger.path, 5]), "--no-wait")
    until(lambda: len(ledger) == 1, "the task's start")

    dev.process.send_signal(signal.SIGINT)
    dev.line("gesso.worker", "worker.draining")
    dev.process.send_signal(signal.SIGINT)

    dev.ended()
    dev.ended_with_children()


def test_dev_ends_when_its_worker_dies(system: System, tmp_path: Path) -> None:
    """If the worker is killed, the coordinator is ended too, and the code is 1."""
    dev = start(system, tmp_path / "data")
    command_of(dev)

    os.kill(worker_pid(dev), signal.SIGKILL)

    assert dev.ended() == 1
    dev.ended_with_children()
    assert "Error: The worker ended by signal 9. Everything else was ended, too." in dev.said


def test_dev_says_why_tasks_cannot_be_loaded(system: System, tmp_path: Path) -> None:
    """A module that is not there ends it with 1 and a sentence."""
    dev = start(system, tmp_path / "data", app="nowhere")

    assert dev.ended() == 1
    assert "there is no module 'nowhere'" in dev.said
    assert "Traceback" not in dev.said


def test_dev_says_why_it_is_refused(system: System, tmp_path: Path) -> None:
    """What the coordinator is refused with, 2 and a sentence, is what dev ends with."""
    dev = start(system, tmp_path / "data", "--address", "0.0.0.0:0")

    assert dev.ended() == 2
    assert "can be reached from other machines" in dev.said
    assert "Traceback" not in dev.said


def test_nothing_outlives_a_killed_dev(system: System, tmp_path: Path) -> None:
    """After kill -9 of dev its worker, its coordinator and its store end as well."""
    dev = start(system, tmp_path / "data")
    command_of(dev)
    worker = worker_pid(dev)

    dev.kill()

    dev.ended_with_children()
    until(lambda: not alive(worker), "the worker's end")
    assert not (tmp_path / "data" / "store.address").exists()


def test_dev_tells_scripts_when_it_is_ready(tmp_path: Path, system: System) -> None:
    """With -o json its line is an object, with all that a script needs, as its log may be; SIGTERM ends it with 0."""
    dev = start(system, tmp_path / "data", "--output", "json", "--log-format", "json")

    told = json.loads(dev.line('"dev.ready"'))

    assert Command(address=told["address"]).run("submit", "acceptance.tasks.add", "[1, 2]").out == "3\n"
    assert told["data"] == str(tmp_path / "data")
    dev.terminate()
    assert dev.ended() == 0
    events = ("worker.draining", "coordinator.draining")
    assert [json.loads(dev.line(f'"{event}"'))["event"] for event in events] == list(events)
