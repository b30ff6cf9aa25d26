"""Limits and back-pressure: what is over a limit is refused for now, what runs is finished, and then there is room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import worker_service_pb2 as worker_pb
from gesso_server.config import Limits, ServerConfig
from gesso_server.main import Started
from support.client import Client, client_of
from support.grpc_worker import Stream, hello, working
from support.messages import Refused, group, read, refusal, sig

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


async def submit(client: Client, size: int = 1, task: str = "add") -> pb.SubmitCanvasResponse:
    """Submit a group of tasks."""
    return await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=group(*[sig(task)] * size)))


async def fill(started: Started, client: Client) -> tuple[int, Refused]:
    """Submit until that is refused; return how many canvases went in, and the refusal."""
    payload = json.dumps(["x" * 100_000]).encode()
    for count in range(10_000):
        request = pb.SubmitCanvasRequest(canvas=sig(args=payload))
        try:
            await client.SubmitCanvas(request)
        except grpc.aio.AioRpcError:
            return count, await refusal(client.SubmitCanvas(request))
        await started.coordinator.submissions.pressure.look()
    pytest.fail("the store is never full")


async def limit_memory(started: Started, extra: int) -> None:
    """Let the store have so much more memory than it uses."""
    redis = started.coordinator.store.redis
    used = int((await redis.info("memory"))["used_memory"])
    await redis.config_set("maxmemory", used + extra)


async def test_nearly_full_store_takes_nothing_new_until_work_is_done(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """Over the watermark submissions are BACKPRESSURE and say when to retry; what runs is finished, then they go in."""
    await limit_memory(started, 8 << 20)

    count, found = await fill(started, client)
    async with working(channel) as worker:
        await worker.take(count)
    await started.coordinator.store.redis.config_set("maxmemory", 0)
    await started.coordinator.submissions.pressure.look()

    assert count > 0
    assert (found.code, found.reason, found.retries) == (EXHAUSTED, "BACKPRESSURE", True)
    assert (await submit(client)).canvas_id


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(store_watermark=1.0))], indirect=True)
async def test_full_store_refuses_submissions_and_finishes_and_frees(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """A store at its limit refuses what is new as STORE_FULL; results are kept and canvases cancelled all the same."""
    await limit_memory(started, 4 << 20)
    redis = started.coordinator.store.redis
    first = (await submit(client)).last.node_id
    request = pb.SubmitCanvasRequest(canvas=sig("nobody-knows", json.dumps(["x" * 50_000]).encode()))
    found, waiting = None, ""
    while found is None:
        try:
            waiting = (await client.SubmitCanvas(request)).canvas_id
        except grpc.aio.AioRpcError as error:
            found = read(error)

    async with working(channel):
        ended = await client.WaitNode(pb.WaitNodeRequest(node_id=first, timeout={"seconds": 20}))
    cancelled = await client.CancelCanvas(pb.CancelCanvasRequest(canvas_id=waiting))
    await redis.config_set("maxmemory", 0)

    assert (found.code, found.retries) == (EXHAUSTED, True)
    assert found.reason in {"STORE_FULL", "BACKPRESSURE"}
    assert ended.WhichOneof("outcome") == "values"
    assert not cancelled.already_terminal
    assert (await submit(client)).canvas_id


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(open_nodes=7))], indirect=True)
async def test_namespace_over_its_quota_waits_for_its_own_work(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """What would exceed the quota is QUOTA, and goes in when something has ended; a repeated request is not counted."""
    again = pb.SubmitCanvasRequest(canvas=group(sig(), sig()), request_id="again")
    first = await client.SubmitCanvas(again)
    await submit(client, 2)

    found = await refusal(submit(client))
    repeated = await client.SubmitCanvas(again)
    async with working(channel):
        await client.WaitNode(pb.WaitNodeRequest(node_id=first.last.node_id, timeout={"seconds": 20}))
        taken = await submit(client)

    assert (found.code, found.reason, found.retries) == (EXHAUSTED, "QUOTA", True)
    assert repeated.canvas_id == first.canvas_id
    assert taken.canvas_id


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(open_nodes=1000))], indirect=True)
async def test_canvas_over_the_quota_is_refused_before_it_is_staged(started: Started, client: Client) -> None:
    """A canvas too large for the quota leaves nothing in the store."""
    found = await refusal(submit(client, 1500))

    assert (found.code, found.reason) == (EXHAUSTED, "QUOTA")
    assert not await started.coordinator.store.redis.keys("gesso:{*:c:*")


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(open_nodes=50))], indirect=True)
async def test_open_nodes_come_back_however_they_end(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """Succeeded, failed, cancelled and revoked nodes all leave the quota as it was."""
    done, cancelled = await submit(client, 3), await submit(client, 4)
    revoked = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig("nobody-knows")))

    async with working(channel):
        await client.WaitNode(pb.WaitNodeRequest(node_id=done.last.node_id, timeout={"seconds": 20}))
        await client.CancelCanvas(pb.CancelCanvasRequest(canvas_id=cancelled.canvas_id))
        await client.RevokeNodes(pb.RevokeNodesRequest(node_ids=[revoked.last.node_id]))
        await client.WaitNode(pb.WaitNodeRequest(node_id=cancelled.last.node_id, timeout={"seconds": 20}))

    assert not await started.coordinator.store.redis.exists("gesso:{0}:load")


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(strict_tasks=True))], indirect=True)
async def test_strict_coordinator_refuses_tasks_that_no_worker_knows(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """With strict_tasks an unknown name is UNKNOWN_TASK, and taken once a worker that knows it is connected."""
    found = await refusal(submit(client))
    async with working(channel, tasks=["add"]):
        taken = await submit(client)
        other = await refusal(submit(client, task="other"))

    assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "UNKNOWN_TASK")
    assert taken.canvas_id
    assert other.reason == "UNKNOWN_TASK"
    assert "other" in other.message


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(crashes=1))], indirect=True)
async def test_number_of_crashes_is_a_setting(client: Client, channel: grpc.aio.Channel) -> None:
    """With one crash allowed, a task is dead after the first."""
    dying = Stream(channel)
    await dying.send(hello("session-that-dies"))
    await dying.frame(credit_count=1)
    answer = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
    (assignment,) = await dying.take()
    await dying.frame(started=[assignment.token])
    await dying.acknowledged()
    dying.call.cancel()
    await dying.ended()

    heir = Stream(channel)
    dead = worker_pb.WorkRequest.DeadSession(session_id="session-that-dies", crashed=[assignment.token])
    await heir.send(hello(dead_sessions=[dead]))
    ended = await client.WaitNode(pb.WaitNodeRequest(node_id=answer.last.node_id, timeout={"seconds": 20}))
    await heir.close()

    assert ended.error.type == "gesso.WorkerLost"


@pytest.fixture
async def second(started: Started) -> AsyncIterator[Client]:
    """A client with a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(started.address, options=options) as channel:
        yield client_of(channel)


@pytest.mark.parametrize("config", [ServerConfig(limits=Limits(streams_per_connection=2))], indirect=True)
async def test_streams_over_the_limit_wait_and_other_connections_do_not(
    channel: grpc.aio.Channel, client: Client, second: Client
) -> None:
    """A connection with as many streams as it may have opens no more until one ends; others are not touched."""
    streams = [Stream(channel) for _ in range(2)]
    for stream in streams:
        await stream.send(hello())
        await stream.until(partial(len, stream.frames))
    blocked = asyncio.ensure_future(submit(client))

    other = await submit(second)
    assert not blocked.done()
    for stream in streams:
        await stream.close()

    assert other.canvas_id
    assert (await blocked).canvas_id


@pytest.mark.parametrize(
    "config",
    [ServerConfig(limits=Limits(metadata_bytes=1 << 10, message_bytes=64 << 10, payload_bytes=1 << 20))],
    indirect=True,
)
async def test_transport_limits_are_settings(client: Client) -> None:
    """Messages and metadata over what was set are refused by the transport."""
    large = await refusal(client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig(args=b"x" * (65 << 10)))))
    heavy = await refusal(client.GetCanvas(pb.GetCanvasRequest(), metadata=[("x", "y" * 4096)]))

    assert large.code is EXHAUSTED
    assert heavy.code is EXHAUSTED


async def test_stream_waits_for_room_in_the_store(started: Started, client: Client) -> None:
    """The parts of a streamed canvas wait while the store is nearly full, and go on when it is not."""
    pressure = started.coordinator.submissions.pressure
    redis = started.coordinator.store.redis
    first = pb.StreamCanvasRequest(
        start=pb.SubmitCanvasRequest(canvas=group()), open_paths=["canvas"],
        growths=[pb.StreamCanvasRequest.Growth(open_index=0, members=[sig()])],
    )  # fmt: skip
    later = pb.StreamCanvasRequest(growths=[pb.StreamCanvasRequest.Growth(members=[sig()], sealed=True)])
    call = client.StreamCanvas()
    await call.write(first)
    async with asyncio.timeout(20):
        while not await redis.keys("gesso:{0}:c:*:m"):
            pass
    await redis.config_set("maxmemory", 1 << 20)
    await pressure.look()
    await call.write(later)
    await call.done_writing()
    done = asyncio.ensure_future(_answer(call))

    await submit_refused(client)
    assert not done.done()
    await redis.config_set("maxmemory", 0)
    await pressure.look()

    assert (await done).submitted.last.member_count == 2


async def _answer(call: object) -> pb.StreamCanvasResponse:
    return await call  # type: ignore[no-any-return, misc]


async def submit_refused(client: Client) -> None:
    """Check that submissions are refused now."""
    assert (await refusal(submit(client))).reason == "BACKPRESSURE"
