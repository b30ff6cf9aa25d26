"""OperationsService.SetLimit and ListLimits, and what workers declare in their hello."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from gesso.v1 import operations_service_pb2 as pb
from gesso.v1.limit_pb2 import Limit
from gesso_server.config import ServerConfig
from gesso_server.main import Started
from gesso_server.store.limits import Limit as StoredLimit
from support.grpc_worker import LIMIT_SECONDS, Stream, hello
from support.messages import Refused, read, refusal

INVALID = grpc.StatusCode.INVALID_ARGUMENT
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no key": ({}, "BAD_LIMIT_KEY", "key"),
    "long key": ({"key": "é" * 129}, "BAD_LIMIT_KEY", "key"),
    "key with a NUL": ({"key": "a\0b"}, "BAD_LIMIT_KEY", "key"),
    "negative rate": ({"key": "k", "rate_count": -1}, "OUT_OF_RANGE", "rate_count"),
    "large rate": ({"key": "k", "rate_count": 1_000_001}, "OUT_OF_RANGE", "rate_count"),
    "negative concurrency": ({"key": "k", "concurrency_count": -1}, "OUT_OF_RANGE", "concurrency_count"),
    "period of nothing": ({"key": "k", "rate_count": 1, "rate_period": {}}, "BAD_DURATION", "rate_period"),
    "negative period": (
        {"key": "k", "rate_count": 1, "rate_period": {"seconds": -1}}, "BAD_DURATION", "rate_period",
    ),
    "period of two days": (
        {"key": "k", "rate_count": 1, "rate_period": {"seconds": 2 * 86_400}}, "BAD_DURATION", "rate_period",
    ),
}  # fmt: skip


class Operations:
    """OperationsService's limits, called."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        path = "/gesso.v1.OperationsService"
        self.set = channel.unary_unary(
            f"{path}/SetLimit",
            request_serializer=pb.SetLimitRequest.SerializeToString,
            response_deserializer=pb.SetLimitResponse.FromString,
        )
        self._list = channel.unary_unary(
            f"{path}/ListLimits",
            request_serializer=pb.ListLimitsRequest.SerializeToString,
            response_deserializer=pb.ListLimitsResponse.FromString,
        )

    async def limits(self) -> list[Limit]:
        """Return all limits."""
        return list((await self._list(pb.ListLimitsRequest())).limits)


@pytest.fixture
def operations(channel: grpc.aio.Channel) -> Operations:
    """Return the service."""
    return Operations(channel)


async def declare(channel: grpc.aio.Channel, *limits: Limit) -> None:
    """Say hello with limits, and be welcome."""
    stream = Stream(channel)
    await stream.send(hello(limits=limits))
    await stream.until(lambda: stream.frames)
    await stream.close()


async def refused(channel: grpc.aio.Channel, *limits: Limit) -> Refused:
    """Say hello with limits; return how it was refused."""
    stream = Stream(channel)
    await stream.send(hello(limits=limits))
    return read(await stream.ended())


@pytest.mark.parametrize(("fields", "reason", "path"), BAD.values(), ids=BAD)
async def test_bad_limit_is_refused_with_its_path(
    operations: Operations, fields: dict[str, Any], reason: str, path: str
) -> None:
    """What is wrong with a limit is INVALID_ARGUMENT, and nothing is set."""
    found = await refusal(operations.set(pb.SetLimitRequest(**fields)))

    assert (found.code, found.reason, found.path) == (INVALID, reason, path)
    assert await operations.limits() == []


@pytest.mark.parametrize("config", [ServerConfig(partitions=1), ServerConfig(partitions=5)], indirect=True)
async def test_limit_is_known_to_every_partition_when_it_is_set(
    started: Started, operations: Operations
) -> None:
    """When SetLimit has answered, every partition has the table; and a limit of nothing removes."""
    await operations.set(pb.SetLimitRequest(key="b", rate_count=10, rate_period={"seconds": 60}))
    await operations.set(pb.SetLimitRequest(key="a", concurrency_count=3))

    tables = [await partition.limit_table() for partition in started.coordinator.store.partitions]
    assert all(table == tables[0] for table in tables)
    assert await operations.limits() == [
        Limit(key="a", concurrency_count=3),
        Limit(key="b", rate_count=10, rate_period={"seconds": 60}),
    ]
    await operations.set(pb.SetLimitRequest(key="b"))
    assert await operations.limits() == [Limit(key="a", concurrency_count=3)]


@pytest.mark.parametrize("config", [ServerConfig(partitions=3)], indirect=True)
async def test_copy_that_was_not_finished_is_finished_by_a_sweep(started: Started) -> None:
    """A coordinator that died between two partitions leaves no partition behind for long."""
    first, *others = started.coordinator.store.partitions
    await first.set_limit("default\0k", StoredLimit(concurrency=1))

    async with asyncio.timeout(LIMIT_SECONDS):
        for partition in others:
            while (await partition.limit_table()).version < 1:
                pass


async def test_limits_of_a_hello_are_declared(channel: grpc.aio.Channel, operations: Operations) -> None:
    """What a worker's tasks declare holds; a later declaration takes its place, and never that of a person's."""
    await declare(channel, Limit(key="add", rate_count=5))
    await declare(channel, Limit(key="add", concurrency_count=2), Limit(key="nothing"))
    assert await operations.limits() == [Limit(key="add", concurrency_count=2, declared=True)]

    await operations.set(pb.SetLimitRequest(key="add", concurrency_count=9))
    await declare(channel, Limit(key="add", concurrency_count=2))
    assert await operations.limits() == [Limit(key="add", concurrency_count=9)]


async def test_bad_limit_in_a_hello_is_refused_with_its_path(channel: grpc.aio.Channel) -> None:
    """The path says which one."""
    found = await refused(channel, Limit(key="add"), Limit(key="add", rate_count=-1))

    assert (found.code, found.reason, found.path) == (INVALID, "OUT_OF_RANGE", "hello.limits[1].rate_count")


async def test_more_limits_than_there_may_be_are_refused(started: Started, operations: Operations) -> None:
    """The thousand-and-first is RESOURCE_EXHAUSTED, and one that exists can be changed."""
    redis = started.coordinator.store.redis
    fields: dict[Any, Any] = {f"default\0k{number}": "0,1000,1,1,o" for number in range(1000)} | {"": "1"}
    await redis.hset("gesso:{0}:limits", mapping=fields)

    found = await refusal(operations.set(pb.SetLimitRequest(key="more", concurrency_count=1)))
    await operations.set(pb.SetLimitRequest(key="k7", concurrency_count=2))

    assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA")
