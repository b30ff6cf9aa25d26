"""OperationsService: dead tasks are listed, replayed and purged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import node_pb2
from gesso.v1 import operations_service_pb2 as pb
from gesso.v1 import worker_service_pb2 as ws
from gesso.v1.operations_service_pb2_grpc import OperationsServiceStub
from gesso_server.config import ServerConfig
from gesso_server.main import Started
from gesso_server.store.store import Store
from support.client import Client
from support.grpc_worker import Stream, hello, working
from support.messages import chain, group, refusal, sig

if TYPE_CHECKING:
    from gesso.v1.operations_service_pb2_grpc import OperationsServiceAsyncStub as Operations
else:
    Operations = Any

THREE = ServerConfig(partitions=3)
NOBODY = "0" * 32 + "-0"


@pytest.fixture
async def operations(channel: grpc.aio.Channel) -> Operations:
    """A client for operators."""
    return OperationsServiceStub(channel)


async def dead(client: Client, channel: grpc.aio.Channel, *, count: int = 1) -> list[str]:
    """Submit tasks that are delivered too often; return the ids of their nodes."""
    made = [
        await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=chain(sig(), sig("tsum"))))
        for _ in range(count)
    ]

    def reject(_: ws.Assignment) -> ws.Outcome:
        return ws.Outcome(rejected=ws.Outcome.Rejected(requeue=True))

    async with working(channel, answer=reject):
        for each in made:
            await client.WaitNode(cs.WaitNodeRequest(node_id=each.last.node_id), timeout=20)
    return [f"{each.canvas_id}-0" for each in made]


@pytest.mark.parametrize("config", [THREE], indirect=True)
async def test_dead_tasks_are_listed_in_pages(
    client: Client, channel: grpc.aio.Channel, operations: Operations
) -> None:
    """Over all partitions, the latest first, each once."""
    nodes = await dead(client, channel, count=7)

    found: list[node_pb2.Node] = []
    token = ""
    while True:
        page = await operations.ListDeadLetters(pb.ListDeadLettersRequest(page_size=2, page_token=token))
        found += page.nodes
        token = page.next_page_token
        if not token:
            break

    assert sorted(node.handle.node_id for node in found) == sorted(nodes)
    assert {node.state for node in found} == {node_pb2.Node.STATE_DEAD}
    times = [node.finish_time.ToMilliseconds() for node in found]
    assert times == sorted(times, reverse=True)
    assert found[0].delivery_count == 20
    assert page.trimmed_count == 0


async def test_dead_task_is_replayed_once_per_request(
    client: Client, channel: grpc.aio.Channel, operations: Operations
) -> None:
    """A new canvas runs it and what stood behind it; the letter is off the list."""
    (node_id,) = await dead(client, channel)
    request = pb.ReplayDeadLetterRequest(node_id=node_id, request_id="r")

    replayed = await operations.ReplayDeadLetter(request)
    again = await operations.ReplayDeadLetter(request)
    async with working(channel):
        ended = await client.WaitNode(cs.WaitNodeRequest(node_id=f"{replayed.canvas_id}-1"), timeout=20)

    assert again.canvas_id == replayed.canvas_id
    assert ended.value.data == b'["tsum", ["add", null]]'
    assert not (await operations.ListDeadLetters(pb.ListDeadLettersRequest())).nodes
    gone = await refusal(operations.ReplayDeadLetter(pb.ReplayDeadLetterRequest(node_id=node_id)))
    assert (gone.code, gone.reason) == (grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND")


async def test_task_that_may_not_run_twice_is_replayed_by_a_person(
    client: Client, channel: grpc.aio.Channel, operations: Operations
) -> None:
    """One with `at_most_once` is given up at the first crash and listed, and runs again when it is replayed."""
    once = sig()
    once.signature.options.at_most_once = True
    dying = Stream(channel)
    await dying.send(hello("d" * 16))
    await dying.until(lambda: dying.frames)
    await dying.frame(credit_count=1)
    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=chain(once, sig("tsum"))))
    (held,) = await dying.take()
    await dying.frame(started=[held.token])
    await dying.acknowledged()
    dying.call.cancel()
    heir = Stream(channel)
    await heir.send(
        hello(dead_sessions=[ws.WorkRequest.DeadSession(session_id="d" * 16, crashed=[held.token])])
    )
    await client.WaitNode(cs.WaitNodeRequest(node_id=made.last.node_id), timeout=20)
    (listed,) = (await operations.ListDeadLetters(pb.ListDeadLettersRequest())).nodes

    assert (listed.handle.node_id, listed.crash_count, listed.delivery_count) == (held.token.node_id, 1, 1)
    replayed = await operations.ReplayDeadLetter(pb.ReplayDeadLetterRequest(node_id=held.token.node_id))
    await heir.close()
    async with working(channel):
        ended = await client.WaitNode(cs.WaitNodeRequest(node_id=f"{replayed.canvas_id}-1"), timeout=20)
    assert ended.value.data == b'["tsum", ["add", null]]'


async def test_dead_tasks_are_purged(
    client: Client, channel: grpc.aio.Channel, operations: Operations
) -> None:
    """Some of them, or all; their canvases stay."""
    nodes = await dead(client, channel, count=3)

    one = await operations.PurgeDeadLetters(pb.PurgeDeadLettersRequest(node_ids=[nodes[0], NOBODY]))
    rest = await operations.PurgeDeadLetters(pb.PurgeDeadLettersRequest())

    assert (one.purged_count, rest.purged_count) == (1, 2)
    assert not (await operations.ListDeadLetters(pb.ListDeadLettersRequest())).nodes
    assert (await client.GetNode(cs.GetNodeRequest(node_id=nodes[0]))).node.state == node_pb2.Node.STATE_DEAD


@pytest.mark.parametrize("index", [0, 1])
async def test_unreadable_row_is_listed_with_its_bytes(
    client: Client, channel: grpc.aio.Channel, operations: Operations, started: Started, index: int
) -> None:
    """A task's or a group's; the node is shown as dead."""
    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=chain(sig(), group(sig(), sig()))))
    store = Store(started.store, "test")
    await store.connect(None)
    key = f"gesso:{{0}}:c:{made.canvas_id}:d:0"
    await store.redis.hset(key, str(index), "garbage")
    async with working(channel):
        await client.CancelCanvas(cs.CancelCanvasRequest(canvas_id=made.canvas_id))
        await client.WaitNode(cs.WaitNodeRequest(node_id=f"{made.canvas_id}-3"), timeout=20)

    listed = await operations.ListDeadLetters(pb.ListDeadLettersRequest())
    await store.close()

    assert [(row.kind, row.node_id, row.data) for row in listed.parked_rows] == [
        ("node", f"{made.canvas_id}-{index}", b"garbage")
    ]
    assert [node.handle.node_id for node in listed.nodes] == [f"{made.canvas_id}-{index}"]


BAD: dict[str, tuple[str, Any, grpc.StatusCode, str, str]] = {
    "page size": (
        "ListDeadLetters", pb.ListDeadLettersRequest(page_size=-1), grpc.StatusCode.INVALID_ARGUMENT,
        "OUT_OF_RANGE", "page_size",
    ),
    "page token": (
        "ListDeadLetters", pb.ListDeadLettersRequest(page_token="x"), grpc.StatusCode.INVALID_ARGUMENT,
        "BAD_PAGE_TOKEN", "page_token",
    ),
    "id to replay": (
        "ReplayDeadLetter", pb.ReplayDeadLetterRequest(node_id="x"), grpc.StatusCode.INVALID_ARGUMENT, "BAD_ID",
        "node_id",
    ),
    "unknown id to replay": (
        "ReplayDeadLetter", pb.ReplayDeadLetterRequest(node_id=NOBODY), grpc.StatusCode.NOT_FOUND,
        "NODE_NOT_FOUND", "",
    ),
    "partition to replay from": (
        "ReplayDeadLetter", pb.ReplayDeadLetterRequest(node_id="f" * 32 + "-0"), grpc.StatusCode.NOT_FOUND,
        "NODE_NOT_FOUND", "",
    ),
    "id to purge": (
        "PurgeDeadLetters", pb.PurgeDeadLettersRequest(node_ids=["x"]), grpc.StatusCode.INVALID_ARGUMENT, "BAD_ID",
        "node_ids",
    ),
    "too many to purge": (
        "PurgeDeadLetters", pb.PurgeDeadLettersRequest(node_ids=[NOBODY] * 1001), grpc.StatusCode.INVALID_ARGUMENT,
        "OUT_OF_RANGE", "node_ids",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "request_", "code", "reason", "path"), BAD.values(), ids=BAD)
async def test_bad_call_is_refused(
    operations: Operations, method: str, request_: Any, code: grpc.StatusCode, reason: str, path: str
) -> None:
    """Each with its reason and field."""
    found = await refusal(getattr(operations, method)(request_))

    assert (found.code, found.reason, found.path) == (code, reason, path)


async def test_task_that_runs_is_told_when_its_stamp_is_revoked(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """And whether it is to be killed; a worker that brought it from another stream is told as well."""
    session = "s" * 16
    canvas = sig()
    canvas.stamps["who"].values.append('"me"')
    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas))
    first = Stream(channel)
    await first.send(hello(session))
    await first.until(lambda: first.frames)
    await first.frame(credit_count=1)
    (held,) = await first.take()
    first.call.cancel()
    stream = Stream(channel)
    await stream.send(hello(session, epoch=2, held=[held.token]))
    await stream.until(lambda: stream.frames)

    request = cs.RevokeNodesRequest(terminate=True)
    request.stamps["who"].values.append('"me"')
    await client.RevokeNodes(request)

    def told() -> list[ws.WorkResponse.Cancellation]:
        return [each for frame in stream.frames for each in frame.cancellations]

    (cancellation, *_) = await stream.until(told)
    assert cancellation.token == held.token
    assert cancellation.terminate
    await stream.report([held])
    ended = await client.WaitNode(cs.WaitNodeRequest(node_id=made.last.node_id), timeout=20)
    assert ended.state == node_pb2.Node.STATE_CANCELLED
    await stream.close()
