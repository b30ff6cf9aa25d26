"""Promise: `gesso submit`, `result`, `server` and `doctor` say what came of it, to people and to scripts."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.command import Command, Terminal
from gesso_server.store.embedded.binary import find_binary
from support.system import System, free_port

NOWHERE = Command()
ADD = {"signature": {"task": "acceptance.tasks.add", "args": {"data": "WzEsIDJd"}}}  # [1, 2]
ADD_TEN = {"signature": {"task": "acceptance.tasks.add", "args": {"data": "WzEwXQ=="}}}  # [10]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Return a system with a coordinator and a worker."""
    with System(tmp_path_factory.mktemp("command")) as system:
        yield system


@pytest.fixture(scope="module")
def gesso(running: System) -> Command:
    """Return the command, which finds them."""
    coordinator = running.coordinator()
    running.worker(coordinator)
    return Command(address=coordinator.address)


@pytest.fixture
def gate(tmp_path: Path) -> str:
    """Return a named pipe that a task waits for."""
    path = str(tmp_path / "gate")
    os.mkfifo(path)
    return path


def test_submit_prints_the_value(gesso: Command) -> None:
    """A task by its name with JSON arguments prints its value as JSON, and nothing else."""
    done = gesso.run("submit", "acceptance.tasks.add", "[1]", "--kwargs", '{"y": 2}')

    assert (done.code, done.out, done.err) == (0, "3\n", "")


def test_submit_says_what_failed(gesso: Command) -> None:
    """A task that failed is one sentence behind its own traceback, and the exit code 1."""
    done = gesso.run("submit", "acceptance.tasks.boom", '["too hot"]')

    assert (done.code, done.out) == (1, "")
    assert re.search(r"^Error: [0-9a-f]{32}-0 ended with ValueError: too hot$", done.err, re.MULTILINE)
    assert "acceptance/tasks.py" in done.err
    assert "gesso/cli" not in done.err


def test_submit_tells_scripts_what_failed(gesso: Command) -> None:
    """With -o json a failure is one object on the standard output."""
    done = gesso.run("submit", "acceptance.tasks.boom", '["too hot"]', "-o", "json")

    told = json.loads(done.out)
    assert (done.code, done.err) == (1, "")
    assert told["state"] == "FAILURE"
    assert told["error"]["type"] == "builtins.ValueError"
    assert told["error"]["message"] == "too hot"


@pytest.mark.parametrize("wanted", ["an id", "an object"])
def test_result_finds_what_was_submitted(gesso: Command, wanted: str) -> None:
    """What --no-wait printed is what `gesso result` asks for; a canvas's id will do as well."""
    words = ("submit", "acceptance.tasks.add", "[1, 2]", "--no-wait")

    if wanted == "an id":
        asked = gesso.run(*words).out.strip()
    else:
        asked = json.loads(gesso.run(*words, "-o", "json").out)["canvas_id"]
    done = gesso.run("result", asked, "-o", "json")

    assert done.code == 0
    told = json.loads(done.out)
    assert (told["node_id"], told["state"], told["value"]) == (f"{asked[:32]}-0", "SUCCESS", 3)


@pytest.mark.parametrize("from_file", [True, False])
def test_submit_takes_a_canvas(gesso: Command, tmp_path: Path, *, from_file: bool) -> None:
    """A canvas as protobuf-JSON comes from a file or from the standard input."""
    file = tmp_path / "canvas.json"
    file.write_text(json.dumps({"chain": {}, "steps": [ADD, ADD_TEN]}))

    done = gesso.run("submit", "--canvas", str(file) if from_file else "-", stdin=file.read_text())

    assert (done.code, done.out) == (0, "13\n")


def test_submit_stops_waiting_in_time(gesso: Command, gate: str, tmp_path: Path) -> None:
    """At the end of --timeout the command ends with 4 and says how to go on; the task goes on."""
    done = gesso.run(
        "submit", "acceptance.tasks.hold", json.dumps([gate, str(tmp_path / "ledger"), 5]), "--timeout", "0.2"
    )

    assert (done.code, done.out) == (4, "")
    node_id = done.err.split()[-1]
    assert f"gesso result {node_id}" in done.err
    Path(gate).write_text("on")
    assert gesso.run("result", node_id, "--timeout", "20").out == "5\n"


def test_submit_shows_how_far_it_is(gesso: Command, gate: str, tmp_path: Path) -> None:
    """On a terminal a bar shows how many nodes of a canvas have ended; the value alone is on the output."""
    held = {"task": "acceptance.tasks.hold", "args": {"data": _base64([gate, str(tmp_path / "ledger"), 5])}}
    file = tmp_path / "canvas.json"
    file.write_text(json.dumps({"group": {}, "members": [ADD, {"signature": held}]}))

    with Terminal(gesso, "submit", "--canvas", str(file)) as terminal:
        terminal.shows("1/3")
        Path(gate).write_text("on")
        out = terminal.ended()

    assert out == "[3,5]\n"
    assert terminal.process.returncode == 0


def test_colours_are_left_out_if_asked(gesso: Command, gate: str, tmp_path: Path) -> None:
    """With NO_COLOR nothing on the terminal has a colour."""
    held = {"task": "acceptance.tasks.hold", "args": {"data": _base64([gate, str(tmp_path / "ledger"), 5])}}
    file = tmp_path / "canvas.json"
    file.write_text(json.dumps({"group": {}, "members": [ADD, {"signature": held}]}))

    with Terminal(gesso, "submit", "--canvas", str(file), NO_COLOR="1") as terminal:
        terminal.shows("1/3")
        Path(gate).write_text("on")
        terminal.ended()

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.shown)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["submit"], "Say a task's name, or --canvas FILE"),
        (["submit", "tasks.add", "[1"], "ARGS is a JSON list, such as '[1, 2]'"),
        (["submit", "tasks.add", "{}"], "ARGS is a JSON list, such as '[1, 2]', not {}."),
        (["submit", "tasks.add", "--kwargs", "[]"], "--kwargs is a JSON object"),
        (["submit", "--canvas", "-", "--queue", "mail"], "a canvas has its own"),
        (["submit", "--canvas", "nowhere.json"], "nowhere.json cannot be read"),
        (["submit", "--canvas", "-"], "no gesso.v1.Canvas as protobuf-JSON"),
        (["sumbit"], "Did you mean 'submit'?"),
        (["server", "--store", "localhost:6379"], "begins with redis://, rediss://, unix://"),
        (["server", "--address", "0.0.0.0:0"], "--insecure"),
        (["server", "--address", "nowhere"], "An address is HOST:PORT"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(tmp_path: Path, words: list[str], sentence: str) -> None:
    """What cannot be meant ends with 2 and says what to write instead."""
    done = NOWHERE.run(*words, stdin="nonsense", GESSO_DATA=str(tmp_path))

    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["submit", ""], 2, "task"),
        (["result", f"{'0' * 32}-0"], 2, "was never submitted to"),
        (["result", "nonsense"], 2, "32 lower-case hexadecimal digits"),
    ],
)
def test_refusals_are_told_in_a_sentence(gesso: Command, words: list[str], code: int, sentence: str) -> None:
    """What the coordinator refuses ends with 2 and its reason."""
    done = gesso.run(*words)

    assert done.code == code
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_absence_of_a_coordinator_is_told() -> None:
    """Where nobody listens the command ends with 3 and says how to start one."""
    address = f"localhost:{free_port()}"

    done = NOWHERE.run("submit", "tasks.add", "[1, 2]", "--address", address)

    assert (done.code, done.out) == (3, "")
    assert f"No coordinator answers at {address}: start one with `gesso dev`" in done.err


def test_server_says_who_has_its_data(running: System, gesso: Command, tmp_path: Path) -> None:
    """A second owner of a data directory, and of an address, is refused with 2; a store that is not there with 3."""
    taken = gesso.run("server", "--data", str(running.folder / "data"), "--address", "localhost:0")
    listening = gesso.run("server", "--data", str(tmp_path), "--address", gesso.address)
    absent = gesso.run("server", "--store", f"redis://localhost:{free_port()}")

    assert (taken.code, listening.code, absent.code) == (2, 2, 3)
    assert "belongs to another coordinator" in taken.err
    assert "--store unix://" in taken.err
    assert "cannot be listened on" in listening.err
    assert "does not answer" in absent.err
    assert "Traceback" not in taken.err + listening.err + absent.err


def test_server_says_what_it_listens_on(system: System, tmp_path: Path) -> None:
    """The ready line has the address, the store, how durable it is, and where the data lies."""
    server = system.gesso("server", "server", "--address", "localhost:0", "--data", str(tmp_path / "data"))

    line = server.line("coordinator ready: ")

    assert re.fullmatch(
        r"coordinator ready: listening on localhost:[0-9]+, store unix:///\S+ "
        rf"\(embedded, valkey [0-9.]+, appendfsync everysec\), data {tmp_path}/data\n",
        line,
    )


def test_doctor_examines_the_store_on_a_data_directory(running: System, gesso: Command) -> None:
    """For a store that will do it lists the promises and ends with 0."""
    done = gesso.run("doctor", "--data", str(running.folder / "data"))
    told = json.loads(gesso.run("doctor", "--data", str(running.folder / "data"), "-o", "json").out)

    assert done.code == 0
    assert f"ready at {gesso.address}" in done.out
    assert "holds    Nothing that is alive is thrown away" in done.out
    (primary,) = told["primaries"]
    assert primary["facts"]["appendfsync"] == "everysec"
    assert primary["missing_commands"] == []
    assert {finding["verdict"] for finding in told["findings"]} == {"holds", "limited"}
    assert set(primary["latency_ms"]) == {"round_trip", "write"}
    assert set(told["latency_ms"]) == {"fsync"}


def test_doctor_warns_of_a_store_that_will_not_do(system: System) -> None:
    """For a store that forgets, or that throws away, it says which promise is broken and ends with 1."""
    port = str(free_port())
    options = ["--port", port, "--save", "", "--appendonly", "no", "--maxmemory-policy", "allkeys-lru"]
    store = system.run("store", [str(find_binary().path), *options])
    store.line("Ready to accept connections")

    done = NOWHERE.run("doctor", "--store", f"redis://localhost:{port}")

    assert done.code == 1
    assert "broken   Nothing that is alive is thrown away" in done.out
    assert "set maxmemory-policy to noeviction" in done.out
    assert "broken   What was acknowledged survives when the store is killed" in done.out


@pytest.mark.parametrize(
    ("missing", "words", "sentence"),
    [
        ("typer", ["--help"], "needs typer, which comes with a worker or a server: pip install"),
        (
            "redis",
            ["server"],
            "`gesso server` needs redis, which is not installed: pip install 'gesso[server]'",
        ),
    ],
)
def test_what_is_not_installed_is_told(missing: str, words: list[str], sentence: str) -> None:
    """A command whose needs are not installed says in one sentence what to install."""
    done = NOWHERE.run(*words, prelude=f"import sys\nsys.modules[{missing!r}] = None")

    assert done.code != 0
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_workers_parent_holds_no_grpc(running: System, gesso: Command) -> None:
    """The process that `gesso worker` becomes has not loaded gRPC, with which it could not start others safely."""
    if not Path("/proc/self/maps").exists():
        pytest.skip("this system does not show what a process has loaded")

    worker = running.gesso("worker", "worker", "-A", "acceptance.tasks", "--address", gesso.address)
    worker.line("worker ", " ready: ")

    assert "cygrpc" not in Path(f"/proc/{worker.process.pid}/maps").read_text()


def _base64(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()
