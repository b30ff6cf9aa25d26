"""A worker's parent and children: started, replaced with blame, drained, and never left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from integration.worker.peer import Peer, assignment, assignments, value_of
from integration.worker.workers import Gate, running_worker


async def test_ready_line(peer: Peer) -> None:
    """When every child is welcomed the parent says what it serves, in one line."""
    async with running_worker(peer.address, processes=2, threads=3, name="kiln") as worker:
        line = await worker.line("ready")

    assert line.startswith("worker kiln ready: 2 processes × 3 threads, queues default, tasks ")  # noqa: RUF001
    assert line.endswith(f", coordinator {peer.address}\n")


async def test_killed_child_is_replaced_and_blames_exactly(peer: Peer, gate: Gate) -> None:
    """The hello of the new child names the dead session, and of its tasks those that were running."""
    async with running_worker(peer.address, threads=2):
        first = await peer.stream()
        first.assign(assignment(1, "process_id"))
        pid = value_of(await first.report_of(1))
        await first.until(lambda stream: stream.credit_count > 10)
        first.assign(*(assignment(nonce, "wait_for", gate.path) for nonce in (2, 3)))
        await first.until(lambda stream: sorted(stream.started) == [2, 3])
        first.assign(*assignments((4, 5), "add", 1, 1))

        os.kill(pid, signal.SIGKILL)
        second = await peer.stream(2)

    (dead,) = second.hello.dead_sessions
    assert dead.session_id == first.hello.session_id != second.hello.session_id
    crashed = {(token.node_id, token.attempt, token.nonce) for token in dead.crashed}
    tokens = [assignment(nonce, "wait_for").token for nonce in (2, 3)]
    assert crashed == {(token.node_id, token.attempt, token.nonce) for token in tokens}
    assert (second.hello.epoch, len(second.hello.held)) == (1, 0)


async def test_task_that_exits_its_process_is_blamed_at_once(peer: Peer) -> None:
    """A task that ends the process, even with 0, is named as crashed though it was never told as started."""
    async with running_worker(peer.address):
        first = await peer.stream()

        first.assign(assignment(1, "leave", 0))
        second = await peer.stream(2)
        second.assign(assignment(2, "add", 1, 1))
        report = await second.report_of(2)

    assert first.started == []
    assert [token.nonce for token in second.hello.dead_sessions[0].crashed] == [1]
    assert value_of(report) == 2


async def test_death_is_told_once(peer: Peer) -> None:
    """A child's death is named by the child that takes its place, and by none after that."""
    async with running_worker(peer.address):
        for number in (1, 2):
            stream = await peer.stream(number)
            stream.assign(assignment(number, "leave", 1))
        third = await peer.stream(3)

    assert [dead.session_id for dead in third.hello.dead_sessions] == [peer.streams[1].hello.session_id]


async def test_drain_finishes_what_runs_and_returns_the_rest(peer: Peer, gate: Gate) -> None:
    """After SIGTERM the unstarted goes back, what runs is reported, and the worker leaves with 0."""
    async with running_worker(peer.address) as worker:
        stream = await peer.stream()
        stream.assign(assignment(1, "add", 1, 1))
        await stream.until(lambda stream: stream.credit_count > 10)
        stream.assign(assignment(2, "wait_for", gate.path), *assignments(range(3, 9), "add", 1, 1))
        await stream.until(lambda stream: 2 in stream.started)

        worker.signal(signal.SIGTERM)
        await peer.board.until(lambda: peer.all_returned() == list(range(3, 9)))
        await gate.open("finished")
        code = await worker.ended()

    last = peer.streams[-1]
    assert code == 0
    assert value_of(await last.report_of(2)) == "finished"
    assert last.said_goodbye
    assert last.credit_count == 0


async def test_drain_of_an_idle_worker_takes_no_time(peer: Peer) -> None:
    """A worker that holds nothing says goodbye at once; Ctrl-C does it too."""
    async with running_worker(peer.address, processes=2) as worker:
        await worker.line("ready")

        worker.signal(signal.SIGINT)
        code = await worker.ended()

    assert code == 0
    assert sum(stream.said_goodbye for stream in peer.streams) == 2


async def test_drain_has_a_limit(peer: Peer, gate: Gate) -> None:
    """What still runs at the end of the drain is to be run elsewhere, and the process ends."""
    async with running_worker(peer.address, drain_timeout=timedelta(milliseconds=100)) as worker:
        stream = await peer.stream()
        stream.assign(assignment(1, "wait_for", gate.path))
        await stream.until(lambda stream: stream.started == [1])

        worker.signal(signal.SIGTERM)
        code = await worker.ended()

    report = await peer.streams[-1].report_of(1)
    assert report.outcome.rejected.requeue
    assert not report.outcome.rejected.unknown_task
    assert code == 0


async def test_second_signal_kills(peer: Peer, gate: Gate) -> None:
    """A second signal does not wait for what runs."""
    async with running_worker(peer.address) as worker:
        stream = await peer.stream()
        stream.assign(assignment(1, "wait_for", gate.path))
        await stream.until(lambda stream: stream.started == [1])

        worker.signal(signal.SIGTERM)
        await worker.line("SIGTERM")
        worker.signal(signal.SIGTERM)
        code = await worker.ended()

    assert code == 1


async def test_children_end_with_their_parent(peer: Peer, gate: Gate) -> None:
    """When the parent is killed its children end soon, whatever they run, and give back what they can."""
    async with running_worker(peer.address, processes=2) as worker:
        await worker.line("ready")
        stream = peer.streams[0]
        stream.assign(assignment(1, "wait_for", gate.path))
        await stream.until(lambda stream: stream.started == [1])

        worker.process.kill()
        began = time.monotonic()
        await worker.said()

    assert time.monotonic() - began < 3
    await peer.board.until(lambda: all(stream.ended for stream in peer.streams))


async def test_signals_of_a_forked_process_are_its_own(peer: Peer) -> None:
    """A task can end what it forked, and the child that ran it goes on."""
    async with running_worker(peer.address):
        stream = await peer.stream()

        stream.assign(*assignments(range(1, 4), "fork_and_terminate"))
        codes = [value_of(await stream.report_of(nonce)) for nonce in range(1, 4)]
        stream.assign(assignment(4, "add", 1, 1))
        await stream.report_of(4)

    assert codes == [-signal.SIGTERM] * 3
    assert not stream.said_goodbye


async def test_import_error_is_told_once(peer: Peer, tmp_path: Path) -> None:
    """A module that cannot be imported ends the worker with one message and exit code 1."""
    (tmp_path / "broken.py").write_text("import no_such_module_anywhere\n")
    async with running_worker(peer.address, cwd=tmp_path, app="broken", processes=2) as worker:
        code = await worker.ended()

    said = await worker.said()
    assert code == 1
    assert said.count("importing 'broken' failed") == 1
    assert "No module named 'no_such_module_anywhere'" in said
    assert 'broken.py", line 1' in said


async def test_module_that_kills_its_process_ends_the_worker(peer: Peer, tmp_path: Path) -> None:
    """Children that die while they start are not started for ever."""
    (tmp_path / "deadly.py").write_text("import os\nos._exit(7)\n")
    async with running_worker(peer.address, cwd=tmp_path, app="deadly") as worker:
        code = await worker.ended()

    assert code == 1
    assert "die with code 7 before they are ready" in await worker.said()


def test_parent_imports_neither_grpc_nor_the_users_side() -> None:
    """The parent's modules are the standard library's and its own."""
    script = (
        "import gesso_worker.__main__, sys;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )

    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert not set(done.stdout.split()) & {"gesso", "google", "grpc", "opentelemetry", "typer"}
    assert "gesso_worker" in done.stdout.split()
