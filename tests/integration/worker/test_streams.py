"""A worker survives its streams: it connects again, says what it holds, and sends what may be lost."""

from __future__ import annotations

import grpc

from gesso_worker.frames import STUCK_AFTER_SECONDS
from integration.worker.peer import Peer, PeerStream, assignment, assignments, running_peer, value_of
from integration.worker.workers import Gate, running_worker


def nonces(stream: PeerStream) -> set[int]:
    """Return what the stream's hello lists as held."""
    return {token.nonce for token in stream.hello.held}


async def test_held_and_unacknowledged_are_listed_and_sent_again(peer: Peer, gate: Gate) -> None:
    """After a break the worker holds what runs and is not acknowledged, and reports the latter again."""
    peer.acknowledges = False
    async with running_worker(peer.address, threads=2):
        first = await peer.stream()
        first.assign(assignment(1, "wait_for", gate.path), assignment(2, "add", 1, 1))
        await first.report_of(2)
        first.end()

        second = await peer.stream(2)
        again = await second.report_of(2)
        second.acknowledge()
        await gate.open("late")
        late = await second.report_of(1)

    assert (second.hello.session_id, second.hello.epoch) == (first.hello.session_id, 2)
    assert nonces(second) == {1, 2}
    assert value_of(again) == 2
    assert value_of(late) == "late"
    assert [frame.frame for frame in second.frames] == list(range(1, len(second.frames) + 1))


async def test_acknowledged_reports_are_not_sent_again(peer: Peer) -> None:
    """After a break nothing that was acknowledged is held or sent."""
    async with running_worker(peer.address):
        first = await peer.stream()
        first.assign(assignment(1, "add", 1, 1))
        await first.report_of(1)
        first.send(acknowledged_frame=first.frames[-1].frame, assignments=[assignment(2, "add", 2, 2)])
        await first.report_of(2)
        first.send(assignments=[assignment(3, "add", 3, 3)])
        first.end()

        second = await peer.stream(2)
        second.assign(assignment(4, "add", 4, 4))
        await second.report_of(4)

    assert 1 not in nonces(second)
    assert 1 not in [report.token.nonce for report in second.reports]


async def test_dropped_task_is_not_reported(peer: Peer, gate: Gate) -> None:
    """What the welcome says the worker may not hold is never heard of again."""
    async with running_worker(peer.address, threads=2):
        first = await peer.stream()
        first.assign(assignment(1, "wait_for", gate.path))
        await first.until(lambda stream: stream.started == [1])
        peer.welcome.drops.add().CopyFrom(assignment(1, "wait_for").token)
        first.end()

        second = await peer.stream(2)
        await gate.open("for nothing")
        second.assign(*assignments(range(2, 100), "add", 1, 1))
        await second.until(lambda stream: len(stream.reports) >= 98)

    assert nonces(second) == {1}
    assert 1 not in [report.token.nonce for report in second.reports]


async def test_repeated_assignment_is_run_once(peer: Peer) -> None:
    """An assignment with a token that the worker has is not run again."""
    peer.acknowledges = False
    async with running_worker(peer.address):
        stream = await peer.stream()

        stream.assign(assignment(1, "process_id"), assignment(1, "process_id"), assignment(2, "process_id"))
        await stream.report_of(2)

    assert [report.token.nonce for report in stream.reports] == [1, 2]


async def test_draining_coordinator_is_left(peer: Peer, gate: Gate) -> None:
    """Asked to, the worker opens another stream and goes on with what it holds."""
    async with running_worker(peer.address):
        first = await peer.stream()
        first.assign(assignment(1, "wait_for", gate.path))
        await first.until(lambda stream: stream.started == [1])

        first.send(draining=True)
        second = await peer.stream(2)
        await gate.open("moved")
        report = await second.report_of(1)

    assert first.ended
    assert nonces(second) == {1}
    assert value_of(report) == "moved"


async def test_heartbeat_is_sent_in_every_interval(peer: Peer) -> None:
    """A worker with nothing to say sends empty frames, as often as the welcome asks."""
    peer.welcome.heartbeat_interval.FromMilliseconds(100)
    async with running_worker(peer.address):
        stream = await peer.stream()

        await stream.until(lambda stream: len(stream.frames) >= 5)

    assert not any(frame.credit_count or frame.reports for frame in stream.frames[1:])


async def test_worker_waits_for_a_coordinator(peer: Peer) -> None:
    """Without a coordinator the worker says so once, and connects when there is one, to whichever address."""
    port = int(peer.address.rpartition(":")[2])
    gone = "127.0.0.1:1"
    async with running_worker(f"{gone},127.0.0.1:{port}") as worker:
        await worker.line("ready")
        await peer.stop()
        await worker.line("coordinator.unreachable")
        async with running_peer(port) as another:
            stream = await another.stream()
            await worker.line("coordinator.found")
            await worker.close()

    assert stream.hello.epoch > 2
    assert (await worker.said()).count("coordinator.unreachable") == 1


async def test_refused_worker_ends(peer: Peer) -> None:
    """A worker whose first hello is refused for good says why and exits with 1."""
    peer.refusal = grpc.StatusCode.FAILED_PRECONDITION
    async with running_worker(peer.address, processes=2) as worker:
        code = await worker.ended()

    assert code == 1
    assert (await worker.said()).count("told to refuse") == 1


async def test_task_behind_a_long_one_is_given_back(peer: Peer, gate: Gate) -> None:
    """What was taken ahead and would wait is returned, and less is asked for."""
    async with running_worker(peer.address):
        stream = await peer.stream()
        stream.assign(assignment(1, "add", 1, 1))
        await stream.until(lambda stream: stream.credit_count > 10)

        stream.assign(assignment(2, "wait_for", gate.path), *assignments((3, 4), "add", 1, 1))
        await stream.until(lambda stream: sorted(stream.returned) == [3, 4])
        await gate.open("done")
        report = await stream.report_of(2)

    assert report.outcome.run_duration.ToTimedelta().total_seconds() >= STUCK_AFTER_SECONDS


async def test_cancelled_tasks(peer: Peer, gate: Gate) -> None:
    """A cancelled task that has not begun is returned; a running coroutine is told, and reports its end."""
    async with running_worker(peer.address):
        stream = await peer.stream()
        stream.assign(assignment(1, "add", 1, 1))
        await stream.until(lambda stream: stream.credit_count > 10)

        first, second = assignment(2, "wait_for_other", gate.path), assignment(3, "add", 1, 1)
        stream.assign(first, second)
        await stream.until(lambda stream: stream.started == [2])
        stream.send(cancellations=[{"token": second.token}, {"token": first.token}])
        report = await stream.report_of(2)
        await gate.open("for nothing")

    assert stream.returned == [3]
    assert report.outcome.error.type == "asyncio.exceptions.CancelledError"
