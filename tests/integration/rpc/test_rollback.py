"""What a coordinator does when its store has forgotten what it had acknowledged."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as cs
from gesso_server.config import ServerConfig
from gesso_server.main import Started
from support.client import Client
from support.grpc_worker import Stream, hello
from support.messages import read, sig

LIMIT_SECONDS = 20.0


async def until_exists(started: Started, key: str) -> None:
    """Wait until the store has a key."""
    while not await started.coordinator.store.redis.exists(key):  # noqa: ASYNC110  of another process
        await asyncio.sleep(0.01)


async def test_store_that_goes_back_is_noticed(
    started: Started, channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted, and workers are asked to say anew what they hold."""
    redis = started.coordinator.store.redis
    stream = Stream(channel)
    await stream.send(hello())
    await stream.until(lambda: stream.frames)

    async with asyncio.timeout(LIMIT_SECONDS):
        key = f"gesso:{{0}}:canary:{started.coordinator.store.coordinator}"
        await until_exists(started, key)
        await redis.decrby(key, 1000)

        assert await stream.call.code() is grpc.StatusCode.ABORTED

    assert started.coordinator.rollbacks == 1
    assert "redis.rollback.detected partition=0" in caplog.text


async def test_wait_for_a_canvas_that_is_lost_ends(started: Started, client: Client) -> None:
    """Who waits for a node that the store has no more is told so, and does not wait for ever."""
    response = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig()))
    waiting = asyncio.ensure_future(client.WaitNode(cs.WaitNodeRequest(node_id=response.last.node_id)))
    async with asyncio.timeout(LIMIT_SECONDS):
        await until_exists(
            started, f"gesso:{{0}}:c:{response.canvas_id}:w"
        )  # so it was seen, and is then lost
        await started.coordinator.store.redis.flushall()

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await waiting

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("config", [ServerConfig(replicas=1)], indirect=True)
async def test_submission_without_its_replicas_is_not_acknowledged(client: Client) -> None:
    """Where no replica has it in time, the call fails as one to repeat."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig(), request_id="again"))

    found = read(refused.value)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert found.reason == "DURABILITY"
