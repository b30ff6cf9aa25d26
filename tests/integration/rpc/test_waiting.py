"""What nodes wait for: each reason, with a real store and real streams of workers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from gesso.v1 import canvas_pb2, limit_pb2, node_pb2, waiting_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import operations_service_pb2 as ops
from gesso.v1 import worker_service_pb2 as work
from gesso.v1.operations_service_pb2_grpc import OperationsServiceStub
from gesso_server.config import ServerConfig
from support.client import Client
from support.grpc_worker import LIMIT_SECONDS, Stream, done, hello
from support.messages import chain, chord, group, sig

if TYPE_CHECKING:
    from gesso.v1.operations_service_pb2_grpc import OperationsServiceAsyncStub

W = waiting_pb2.Waiting
Node = node_pb2.Node
PARTITIONS = pytest.mark.parametrize("config", [ServerConfig(partitions=3)], indirect=True)


async def submit(client: Client, canvas: canvas_pb2.Canvas | None = None) -> str:
    """Submit a canvas and return its id."""
    return (await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=canvas or sig()))).canvas_id


async def node_of(client: Client, node_id: str) -> node_pb2.Node:
    """Return a node, and what it waits for."""
    return (await client.GetNode(pb.GetNodeRequest(node_id=node_id, with_waiting=True))).node


async def reason_of(client: Client, node_id: str) -> waiting_pb2.Waiting:
    """Return what a node waits for."""
    node = await node_of(client, node_id)
    assert node.waits_for == node.waiting.text != ""
    return node.waiting


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await look():  # noqa: ASYNC110  a look is a call, and takes its time
            await asyncio.sleep(0)


async def standing(client: Client, node_id: str, reason: W.Reason) -> waiting_pb2.Waiting:
    """Wait until a node waits for one reason, and return all of it."""

    async def look() -> bool:
        return (await reason_of(client, node_id)).reason == reason

    await until(look)
    return await reason_of(client, node_id)


@asynccontextmanager
async def connected(channel: grpc.aio.Channel, session: str = "", **fields: object) -> AsyncGenerator[Stream]:
    """Connect a worker that asks for nothing yet."""
    stream = Stream(channel)
    await stream.send(hello(session or secrets.token_hex(8), **fields))
    await stream.until(lambda: stream.frames)
    try:
        yield stream
    finally:
        await stream.close()


def operations(channel: grpc.aio.Channel) -> OperationsServiceAsyncStub:
    """Return a client of those who run a fleet."""
    return OperationsServiceStub(channel)


@PARTITIONS
async def test_no_worker(client: Client) -> None:
    """While no worker of its queue is connected, a task waits for one."""
    canvas = sig("add")
    canvas.signature.options.queue = "gpu"

    found = await reason_of(client, f"{await submit(client, canvas)}-0")

    assert (found.reason, found.queue, found.task) == (W.REASON_NO_WORKER, "gpu", "add")
    assert found.HasField("since_time")
    assert "takes tasks of queue gpu" in found.text


@PARTITIONS
@pytest.mark.parametrize("asks", [False, True])
async def test_unknown_task(client: Client, channel: grpc.aio.Channel, asks: bool) -> None:  # noqa: FBT001
    """A task that no worker of its queue knows waits for one that does, whether one has asked for work or not."""
    node_id = f"{await submit(client, sig('proj.foo'))}-0"
    async with connected(channel, queues=["other"], tasks=["proj.foo"]), connected(channel) as worker:
        if asks:
            await worker.frame(credit_count=1)
            await worker.acknowledged()
        found = await reason_of(client, node_id)

    assert (found.reason, found.worker_count) == (W.REASON_UNKNOWN_TASK, 1)
    assert found.text.startswith("waits for a worker that knows proj.foo on queue default")


async def test_worker_that_left_does_not_count(client: Client, channel: grpc.aio.Channel) -> None:
    """A worker whose connection broke is not one that takes tasks, though its session lives on for a while."""
    node_id = f"{await submit(client)}-0"
    stream = Stream(channel)
    await stream.send(hello())
    await stream.until(lambda: stream.frames)
    assert (await reason_of(client, node_id)).reason == W.REASON_MOMENT
    stream.call.cancel()

    await standing(client, node_id, W.REASON_NO_WORKER)


@PARTITIONS
async def test_paused_queue(client: Client, channel: grpc.aio.Channel) -> None:
    """What waits in a paused queue waits for that, worker or not."""
    node_id = f"{await submit(client)}-0"
    await operations(channel).PauseQueue(ops.PauseQueueRequest(queue="default"))
    async with connected(channel):
        found = await reason_of(client, node_id)

    assert (found.reason, found.queue) == (W.REASON_QUEUE_PAUSED, "default")


@PARTITIONS
async def test_busy(client: Client, channel: grpc.aio.Channel) -> None:
    """When every slot is taken a task waits behind the others of its queue, which are counted over all partitions."""
    async with connected(channel, slot_count=2) as worker:
        await worker.frame(credit_count=2)
        for _ in range(2):
            await submit(client)
        await worker.take(2)
        ids = [await submit(client) for _ in range(5)]
        found = await reason_of(client, f"{ids[0]}-0")

    assert found.reason == W.REASON_BUSY
    assert (found.done_count, found.total_count, found.other_count, found.worker_count) == (2, 2, 4, 1)


@PARTITIONS
async def test_concurrency_limit(client: Client, channel: grpc.aio.Channel) -> None:
    """A task under a limit that is used up waits for that, and is told how many workers hold."""
    await operations(channel).SetLimit(ops.SetLimitRequest(key="add", concurrency_count=1))
    canvas = await submit(client, group(sig(), sig(), sig()))
    async with connected(channel) as worker:
        await worker.frame(credit_count=3)
        await worker.take(1)
        held = worker.assignments[0].token.node_id
        other = next(each for each in (f"{canvas}-{index}" for index in (1, 2, 3)) if each != held)
        found = await standing(client, other, W.REASON_CONCURRENCY_LIMIT)
        (limit,) = (await operations(channel).ListLimits(ops.ListLimitsRequest())).limits

    assert (found.limit_key, found.done_count, found.total_count) == ("add", 1, 1)
    assert limit == limit_pb2.Limit(key="add", concurrency_count=1, held_count=1, waiting_count=2)


async def test_rate_limit(client: Client, channel: grpc.aio.Channel) -> None:
    """A task under a rate waits until the next may start, and is told when that is."""
    request = ops.SetLimitRequest(key="shared", rate_count=1)
    request.rate_period.FromSeconds(3600)
    await operations(channel).SetLimit(request)
    members = [sig(), sig()]
    for member in members:
        member.signature.options.concurrency_key = "shared"
    canvas = await submit(client, group(*members))
    async with connected(channel) as worker:
        await worker.frame(credit_count=2)
        await worker.take(1)
        held = worker.assignments[0].token.node_id
        other = next(each for each in (f"{canvas}-1", f"{canvas}-2") if each != held)
        found = await standing(client, other, W.REASON_RATE_LIMIT)
        created = (await node_of(client, other)).create_time.ToSeconds()

    assert (found.limit_key, found.total_count) == ("shared", 1)
    assert created + 3000 < found.until_time.ToSeconds() <= created + 3700
    assert "1 in 3600 s" in found.text


async def test_max_in_flight(client: Client, channel: grpc.aio.Channel) -> None:
    """A member whose turn has not come waits for it, and is not taken for one that waits in its queue."""
    canvas = group(*(chain(sig(), sig("tsum")) for _ in range(4)))
    canvas.group.max_in_flight = 1
    canvas_id = await submit(client, canvas)
    async with connected(channel) as worker:
        await worker.frame(credit_count=4)
        (running,) = await worker.take(1)
        answer = await client.GetCanvas(pb.GetCanvasRequest(canvas_id=canvas_id, with_waiting=True))
        crowds = {each.waiting.reason: each for each in answer.waiting}

    turn = crowds[W.REASON_MAX_IN_FLIGHT]
    assert (turn.node_count, turn.waiting.done_count, turn.waiting.total_count) == (3, 1, 1)
    assert list(turn.waiting.node_ids) == [f"{canvas_id}-0"]
    assert crowds[W.REASON_GRANTED].first.node_id == running.token.node_id
    assert set(crowds) == {W.REASON_MAX_IN_FLIGHT, W.REASON_GRANTED}
    assert (await reason_of(client, turn.first.node_id)).reason == W.REASON_MAX_IN_FLIGHT


@pytest.mark.parametrize("how", ["countdown", "eta"])
async def test_delay(client: Client, how: str) -> None:
    """A task with a countdown or an eta waits until then."""
    canvas = sig()
    if how == "countdown":
        canvas.signature.options.countdown.FromSeconds(1000)
    else:
        canvas.signature.options.eta.FromSeconds(4_000_000_000)
    node_id = f"{await submit(client, canvas)}-0"

    found = await reason_of(client, node_id)

    created = (await node_of(client, node_id)).create_time.ToMilliseconds()
    due = created + 1_000_000 if how == "countdown" else 4_000_000_000_000
    assert (found.reason, found.until_time.ToMilliseconds()) == (W.REASON_DELAY, due)


async def test_retry_delay(client: Client, channel: grpc.aio.Channel) -> None:
    """A task that is to be tried again waits until then."""
    node_id = f"{await submit(client)}-0"

    def again(_: work.Assignment) -> work.Outcome:
        outcome = work.Outcome()
        outcome.retry.delay.FromSeconds(1000)
        outcome.retry.error.type = "builtins.ValueError"
        return outcome

    async with connected(channel) as worker:
        await worker.frame(credit_count=1)
        await worker.report(await worker.take(1), again)
        await worker.acknowledged()
        found = await reason_of(client, node_id)

    assert (found.reason, found.done_count) == (W.REASON_RETRY_DELAY, 1)
    assert found.HasField("until_time")
    assert (await node_of(client, node_id)).worker == "by-hand"


async def test_inputs(client: Client, channel: grpc.aio.Channel) -> None:
    """What stands behind others waits for them, and is told for how many, and for which."""
    canvas_id = await submit(client, chord([sig() for _ in range(12)], sig("tsum")))
    async with connected(channel) as worker:
        await worker.frame(credit_count=1)
        (first,) = await worker.take(1)
        await worker.report([first])
        await worker.acknowledged()
        nodes = [await node_of(client, f"{canvas_id}-{index}") for index in range(14)]
        (join,) = (node for node in nodes if node.handle.kind == Node.KIND_JOIN)
        (body,) = (node for node in nodes if node.task == "tsum")
        answer = await client.GetCanvas(pb.GetCanvasRequest(canvas_id=canvas_id, with_waiting=True))

    assert (body.waiting.reason, list(body.waiting.node_ids)) == (W.REASON_INPUTS, [join.handle.node_id])
    assert (body.waiting.done_count, body.waiting.total_count) == (1, 12)
    assert (join.waiting.reason, join.waiting.done_count, join.waiting.total_count) == (
        W.REASON_INPUTS,
        1,
        12,
    )
    assert len(join.waiting.node_ids) == 10
    assert first.token.node_id not in join.waiting.node_ids
    assert [(each.state, each.count) for each in join.state_counts] == [
        (Node.STATE_WAITING, 11),
        (Node.STATE_SUCCEEDED, 1),
    ]
    assert [(each.state, each.count) for each in answer.state_counts] == [
        (Node.STATE_WAITING, 12),
        (Node.STATE_OPEN, 1),
        (Node.STATE_SUCCEEDED, 1),
    ]
    assert [(each.node_count, each.waiting.task) for each in answer.waiting] == [(11, "add")]


async def test_running_and_cancelling(client: Client, channel: grpc.aio.Channel) -> None:
    """A task that a worker has says which and since when; one that was told to stop, too."""
    node_id = f"{await submit(client)}-0"
    async with connected(channel, worker="host:7") as worker:
        await worker.frame(credit_count=1)
        (assignment,) = await worker.take(1)
        granted = await reason_of(client, node_id)
        await worker.frame(started=[assignment.token])
        await worker.acknowledged()
        running = await node_of(client, node_id)
        await client.RevokeNodes(pb.RevokeNodesRequest(node_ids=[node_id]))
        cancelling = await reason_of(client, node_id)

    assert (granted.reason, granted.worker) == (W.REASON_GRANTED, "host:7")
    assert (running.waiting.reason, running.worker) == (W.REASON_RUNNING, "host:7")
    assert running.waiting.since_time == running.start_time
    assert (cancelling.reason, cancelling.worker) == (W.REASON_CANCELLING, "host:7")


async def test_isolation(client: Client, channel: grpc.aio.Channel) -> None:
    """A task whose workers died twice waits for one that holds nothing."""
    await submit(client)
    async with connected(channel) as helper:
        await helper.frame(credit_count=1)
        (other,) = await helper.take(1)
        node_id = f"{await submit(client)}-0"
        for number in range(2):
            session, dead = f"{number:016}", work.WorkRequest.DeadSession
            async with connected(channel, session) as victim:
                await victim.frame(credit_count=1)
                (taken,) = await victim.take(1)
                await victim.frame(started=[taken.token])
                await victim.acknowledged()
                lost = dead(session_id=session, crashed=[taken.token])
                async with connected(channel, dead_sessions=[lost]):
                    pass
        await helper.frame(credit_count=1)
        await helper.acknowledged()
        found = await standing(client, node_id, W.REASON_ISOLATION)
        await helper.report([other])
        await helper.take(2)

    assert found.done_count == 2
    assert helper.assignments[-1].token.node_id == node_id


async def test_replaced(client: Client, channel: grpc.aio.Channel) -> None:
    """A task that was replaced waits for what took its place."""
    node_id = f"{await submit(client)}-0"

    def replaced(_: work.Assignment) -> work.Outcome:
        outcome = work.Outcome()
        outcome.replacement.canvas.CopyFrom(chain(sig("tsum"), sig("tsum")))
        return outcome

    async with connected(channel) as worker:
        await worker.frame(credit_count=1)
        await worker.report(await worker.take(1), replaced)
        await worker.acknowledged()
        found = await reason_of(client, node_id)

    assert (found.reason, found.done_count, found.total_count, len(found.node_ids)) == (
        W.REASON_REPLACED,
        0,
        2,
        2,
    )


async def test_task_that_may_run_once_says_why_it_was_given_up(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """A task whose only delivery was lost with its worker says that it is not delivered again."""
    canvas = sig()
    canvas.signature.options.at_most_once = True
    node_id = f"{await submit(client, canvas)}-0"
    async with connected(channel, "0" * 16) as worker:
        await worker.frame(credit_count=1)
        (assignment,) = await worker.take(1)
        await worker.frame(started=[assignment.token])
        await worker.acknowledged()
        dead = work.WorkRequest.DeadSession(session_id="0" * 16, crashed=[assignment.token])
        async with connected(channel, dead_sessions=[dead]):
            pass

    node = await node_of(client, node_id)

    assert node.state == Node.STATE_DEAD
    assert "at most once" in node.error.message
    assert not node.HasField("waiting")


async def test_node_that_has_ended_waits_for_nothing(client: Client, channel: grpc.aio.Channel) -> None:
    """Nothing is said of a node that has ended, and a canvas that has ended waits for nothing."""
    canvas_id = await submit(client)
    async with connected(channel) as worker:
        await worker.frame(credit_count=1)
        await worker.report(await worker.take(1))
        await worker.acknowledged()
    answer = await client.GetCanvas(pb.GetCanvasRequest(canvas_id=canvas_id, with_waiting=True))

    node = await node_of(client, f"{canvas_id}-0")

    assert not node.HasField("waiting")
    assert node.waits_for == ""
    assert [(each.state, each.count) for each in answer.state_counts] == [(Node.STATE_SUCCEEDED, 1)]
    assert not answer.waiting


async def test_canvas_of_many_nodes_is_counted_whole(client: Client) -> None:
    """Five thousand members are counted in several calls, and told of as one crowd."""
    canvas_id = await submit(client, group(*(sig() for _ in range(5000))))

    answer = await client.GetCanvas(pb.GetCanvasRequest(canvas_id=canvas_id, with_waiting=True))

    assert [(each.state, each.count) for each in answer.state_counts] == [
        (Node.STATE_WAITING, 5000),
        (Node.STATE_OPEN, 1),
    ]
    assert [(each.node_count, each.waiting.reason) for each in answer.waiting] == [(5000, W.REASON_NO_WORKER)]


async def test_times_of_what_is_run_again(client: Client, channel: grpc.aio.Channel) -> None:
    """What a canvas takes over keeps its times; what it runs again has new ones."""

    def first_fails(assignment: work.Assignment) -> work.Outcome:
        if assignment.signature.task == "add":
            return done(assignment)
        outcome = work.Outcome()
        outcome.error.type = "builtins.ValueError"
        return outcome

    old = await submit(client, chain(sig("add"), sig("tsum")))
    async with connected(channel) as worker:
        await worker.frame(credit_count=3)
        await worker.report(await worker.take(1))
        await worker.report((await worker.take(2))[1:], first_fails)
        await worker.acknowledged()
        new = (await client.RetryCanvas(pb.RetryCanvasRequest(canvas_id=old))).submitted.canvas_id
        waiting = await node_of(client, f"{new}-1")
        await worker.report((await worker.take(3))[2:])
        await worker.acknowledged()

    before, taken = [await node_of(client, f"{each}-0") for each in (old, new)]
    failed, again = [await node_of(client, f"{each}-1") for each in (old, new)]
    assert before.HasField("ready_time")
    assert (taken.ready_time, taken.start_time, taken.finish_time) == (
        before.ready_time,
        before.start_time,
        before.finish_time,
    )
    assert not waiting.HasField("ready_time") or waiting.state != Node.STATE_WAITING
    assert failed.ready_time.ToMilliseconds() < again.create_time.ToMilliseconds() + 1
    assert again.ready_time.ToMilliseconds() >= again.create_time.ToMilliseconds()
