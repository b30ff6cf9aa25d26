"""A worker runs what it is assigned and reports each attempt once."""

from __future__ import annotations

from gesso import codec
from gesso.v1.value_item_pb2 import ValueItem
from integration.worker.peer import Peer, assignment, assignments, value_of
from integration.worker.workers import Gate, running_worker


async def test_worker_says_who_it_is(peer: Peer) -> None:
    """The hello bears everything that the contract asks for."""
    async with running_worker(peer.address, queues=("mail", "default"), threads=3, name="tester"):
        stream = await peer.stream()

    hello = stream.hello
    assert (hello.protocol_version, hello.epoch, hello.slot_count) == (1, 1, 3)
    assert list(hello.queues) == ["mail", "default"]
    assert "sample_tasks.add" in hello.tasks
    assert hello.worker == "tester/1"
    assert 16 <= len(hello.session_id) <= 64
    assert not hello.held
    assert not hello.dead_sessions


async def test_batch_of_assignments_is_run_and_reported(peer: Peer) -> None:
    """Each of 500 assignments is reported once, with its value, and frames bring many reports each."""
    async with running_worker(peer.address) as _:
        stream = await peer.stream()

        stream.assign(*(assignment(nonce, "add", nonce, 1) for nonce in range(1, 501)))
        await stream.until(lambda stream: len(stream.reports) >= 500)

    assert {report.token.nonce: value_of(report) for report in stream.reports} == {
        nonce: nonce + 1 for nonce in range(1, 501)
    }
    assert len(stream.reports) == 500
    assert [frame.frame for frame in stream.frames] == list(range(1, len(stream.frames) + 1))
    assert len(stream.frames) < 250


async def test_coroutines_run_beside_plain_functions(peer: Peer) -> None:
    """An `async def` task and plain ones, assigned together, all give their values."""
    async with running_worker(peer.address, threads=2):
        stream = await peer.stream()

        stream.assign(
            *assignments(range(1, 20), "add", 1, 2),
            *assignments(range(20, 40), "add_soon", 1, 2),
            *assignments(range(40, 60), "add", 1, 2),
        )
        await stream.until(lambda stream: len(stream.reports) >= 59)

    assert [value_of(report) for report in stream.reports] == [3] * 59


async def test_error_is_reported_as_data(peer: Peer) -> None:
    """A task that raises is reported with the error's type, text and traceback."""
    async with running_worker(peer.address):
        stream = await peer.stream()

        stream.assign(assignment(1, "fail", "no tea"))
        report = await stream.report_of(1)

    error = report.outcome.error
    assert (error.type, error.message) == ("builtins.ValueError", "no tea")
    assert "raise ValueError(text)" in error.traceback
    assert "gesso_worker" not in error.traceback


async def test_unknown_task_goes_back(peer: Peer) -> None:
    """A task that the worker does not have is rejected as such, for another worker."""
    async with running_worker(peer.address):
        stream = await peer.stream()

        stream.assign(assignment(1, "nobody_knows_me"))
        report = await stream.report_of(1)

    assert report.outcome.rejected.requeue
    assert report.outcome.rejected.unknown_task


async def test_long_task_is_told_to_have_started(peer: Peer, gate: Gate) -> None:
    """A task that runs on is reported as started without waiting for its end."""
    async with running_worker(peer.address):
        stream = await peer.stream()

        stream.assign(assignment(7, "wait_for", gate.path))
        await stream.until(lambda stream: stream.started == [7])
        assert not stream.reports
        await gate.open("done")
        report = await stream.report_of(7)

    assert value_of(report) == "done"
    assert stream.started == [7]


async def test_large_input_is_read_from_the_coordinator(peer: Peer) -> None:
    """An input that is elsewhere is fetched, put together and prepended."""
    begin, end = ValueItem(begin={}), ValueItem(end={})
    one, two, three = (ValueItem(value=codec.encode(number)) for number in (1, 2, 3))
    peer.inputs["join"] = [begin, one, begin, two, three, end, end]
    async with running_worker(peer.address):
        stream = await peer.stream()

        stream.assign(
            assignment(1, "collect", "more", elsewhere={"node_id": "join"}),
            assignment(2, "collect", "more", elsewhere={"node_id": "lost"}),
        )
        report, lost = await stream.report_of(1), await stream.report_of(2)

    assert value_of(report) == [[1, [2, 3]], "more"]
    assert lost.outcome.error.type == "gesso_worker.errors.InputUnavailable"
