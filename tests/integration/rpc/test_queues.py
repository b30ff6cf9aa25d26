"""OperationsService: queues and workers, over all partitions and coordinators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as canvases
from gesso.v1 import operations_service_pb2 as pb
from gesso.v1 import worker_service_pb2 as work
from gesso.v1.operations_service_pb2_grpc import OperationsServiceStub
from gesso_server.config import ServerConfig
from gesso_server.main import Started, serving
from gesso_server.routes import Routes
from support.client import Client
from support.grpc_worker import Stream, done, hello, working
from support.messages import group, refusal, sig

if TYPE_CHECKING:
    from gesso.v1.operations_service_pb2_grpc import OperationsServiceAsyncStub

PARTITIONS = pytest.mark.parametrize("config", [ServerConfig(partitions=3)], indirect=True)
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def operations(channel: grpc.aio.Channel) -> OperationsServiceAsyncStub:
    """Return a client of the coordinator's people."""
    return OperationsServiceStub(channel)


async def submit(client: Client, count: int = 1) -> None:
    """Submit so many canvases of one task."""
    for _ in range(count):
        await client.SubmitCanvas(canvases.SubmitCanvasRequest(canvas=sig()))


@PARTITIONS
async def test_queue_is_counted_over_all_partitions(
    client: Client, channel: grpc.aio.Channel, operations: OperationsServiceAsyncStub
) -> None:
    """Wherever canvases lie, their tasks are counted once, and a worker counts once."""
    await submit(client, 20)
    stream = Stream(channel)
    await stream.send(hello())
    await stream.frame(credit_count=5)
    await stream.take(5)

    (queue,) = (await operations.ListQueues(pb.ListQueuesRequest())).queues
    (worker,) = (await operations.ListWorkers(pb.ListWorkersRequest())).workers
    await stream.close()

    assert (queue.queue, queue.waiting_count, queue.running_count, queue.worker_count) == (
        "default",
        15,
        5,
        1,
    )
    assert queue.HasField("oldest_age")
    assert (worker.worker, worker.held_count, worker.slot_count) == ("by-hand", 5, 4)
    assert (list(worker.queues), list(worker.tasks)) == (["default"], ["add", "tsum"])
    assert worker.seen_time.ToMilliseconds() > 0


@PARTITIONS
async def test_what_comes_in_goes_out_and_ends_is_counted(
    client: Client, channel: grpc.aio.Channel, operations: OperationsServiceAsyncStub
) -> None:
    """Counters of a queue and of a worker say how many tasks came, were handed out and ended; a retry comes twice."""

    def once_more(assignment: work.Assignment) -> work.Outcome:
        if assignment.signature.task == "add" or assignment.failure_count:
            return done(assignment)
        outcome = work.Outcome()
        outcome.retry.delay.FromNanoseconds(0)
        outcome.retry.error.type = "builtins.ValueError"
        return outcome

    await submit(client, 10)
    canvas = (await client.SubmitCanvas(canvases.SubmitCanvasRequest(canvas=sig("tsum")))).canvas_id
    async with working(channel, answer=once_more) as worker:
        await client.WaitNode(canvases.WaitNodeRequest(node_id=f"{canvas}-0"))
        await worker.take(12)
        await submit(client, 5)
        await worker.take(17)
        await worker.acknowledged()
        (queue,) = (await operations.ListQueues(pb.ListQueuesRequest())).queues
        (standing,) = (await operations.ListWorkers(pb.ListWorkersRequest())).workers

    assert (queue.entered_count, queue.delivered_count, queue.ended_count) == (17, 17, 16)
    assert standing.reported_count == 17


@PARTITIONS
async def test_paused_queue_goes_on_at_once_when_it_is_resumed(
    client: Client, channel: grpc.aio.Channel, operations: OperationsServiceAsyncStub
) -> None:
    """Nothing is delivered until the queue is resumed, and then to workers that waited all the time."""
    async with working(channel) as worker:
        await submit(client)
        await worker.take(1)
        await operations.PauseQueue(pb.PauseQueueRequest(queue="default"))
        await submit(client, 20)
        (queue,) = (await operations.ListQueues(pb.ListQueuesRequest())).queues
        assert (queue.waiting_count, queue.paused, len(worker.assignments)) == (20, True, 1)

        await operations.ResumeQueue(pb.ResumeQueueRequest(queue="default"))

        await worker.take(21)


async def test_pause_outlives_its_coordinator(
    started: Started, client: Client, operations: OperationsServiceAsyncStub
) -> None:
    """Another coordinator of the store delivers nothing of a queue that was paused at the first."""
    await operations.PauseQueue(pb.PauseQueueRequest(queue="default"))
    await submit(client)
    async with (
        serving(ServerConfig(address="localhost:0", store=started.store)) as other,
        grpc.aio.insecure_channel(other.address) as there,
        working(there) as worker,
    ):
        await worker.acknowledged()
        listed = await OperationsServiceStub(there).ListQueues(pb.ListQueuesRequest())
        assert [(queue.queue, queue.paused) for queue in listed.queues] == [("default", True)]
        assert worker.assignments == []
        await operations.ResumeQueue(pb.ResumeQueueRequest(queue="default"))
        await worker.take(1)


@PARTITIONS
async def test_queues_and_workers_come_in_pages(
    channel: grpc.aio.Channel, operations: OperationsServiceAsyncStub
) -> None:
    """Each queue and each session stands on exactly one page, in order."""
    names = [f"q{number:02}" for number in range(25)]
    streams = [Stream(channel) for _ in range(12)]
    for number, stream in enumerate(streams):
        await stream.send(hello(f"session-{number:016}", queues=names))
        await stream.until(lambda stream=stream: stream.frames)  # type: ignore[misc]  # its own stream
    found = [queue.queue async for queue in _queues(operations, 7)]
    sessions = [worker.session_id async for worker in _workers(operations, 5)]
    for stream in streams:
        await stream.close()

    assert found == names
    assert sessions == [f"session-{number:016}" for number in range(12)]


@pytest.mark.parametrize(
    ("request_", "reason", "path"),
    [
        (pb.ListQueuesRequest(page_size=1001), "OUT_OF_RANGE", "page_size"),
        (pb.ListQueuesRequest(page_size=-1), "OUT_OF_RANGE", "page_size"),
        (pb.ListQueuesRequest(page_token="a b"), "BAD_PAGE_TOKEN", "page_token"),
        (pb.ListWorkersRequest(page_token="short"), "BAD_PAGE_TOKEN", "page_token"),
        (pb.ListWorkersRequest(page_size=1001), "OUT_OF_RANGE", "page_size"),
        (pb.PauseQueueRequest(), "BAD_QUEUE_NAME", "queue"),
        (pb.ResumeQueueRequest(queue="no spaces"), "BAD_QUEUE_NAME", "queue"),
    ],
)
async def test_bad_input_is_refused_with_its_field(
    operations: OperationsServiceAsyncStub, request_: object, reason: str, path: str
) -> None:
    """Pages, tokens and names that cannot be are refused as such."""
    method = getattr(operations, type(request_).__name__.removesuffix("Request"))

    refused = await refusal(method(request_))

    assert (refused.code, refused.reason, refused.path) == (INVALID, reason, path)


@pytest.mark.parametrize("config", [ServerConfig(routes=Routes.parse(["ad*=sums", "*=rest"]))], indirect=True)
async def test_routing_table_decides_where_the_signature_does_not(
    client: Client, operations: OperationsServiceAsyncStub
) -> None:
    """Tasks without a queue go where the coordinator's table says; one that names a queue goes there."""
    named = sig()
    named.signature.options.queue = "own"
    await client.SubmitCanvas(canvases.SubmitCanvasRequest(canvas=group(sig(), sig(), sig("tsum"), named)))

    listed = (await operations.ListQueues(pb.ListQueuesRequest())).queues

    assert {queue.queue: queue.waiting_count for queue in listed} == {"sums": 2, "rest": 1, "own": 1}


async def _queues(operations: OperationsServiceAsyncStub, size: int) -> AsyncIterator[pb.QueueSummary]:
    request = pb.ListQueuesRequest(page_size=size)
    while True:
        page = await operations.ListQueues(request)
        assert len(page.queues) <= size
        for queue in page.queues:
            yield queue
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def _workers(operations: OperationsServiceAsyncStub, size: int) -> AsyncIterator[pb.WorkerSummary]:
    request = pb.ListWorkersRequest(page_size=size)
    while True:
        page = await operations.ListWorkers(request)
        assert len(page.workers) <= size
        for worker in page.workers:
            yield worker
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
