"""Waits for ends, while the coordinator looks at nodes again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import grpc

from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.main import Started
from gesso_server.store.partition import Partition
from support.client import Client
from support.grpc_worker import working
from support.messages import sig

LIMIT_SECONDS = 20


class SlowAnswer:
    """Calls the store, and keeps the answer of the first `watch` back until it is told."""

    def __init__(self, partition: Partition) -> None:
        """Stand between a partition and its store."""
        self._call = partition._call  # noqa: SLF001 - what is in between has no other place
        partition._call = self  # noqa: SLF001
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        """Call a function."""
        answer = await self._call(function, key, args)
        if function == "watch" and not self.asked.is_set():
            self.asked.set()
            await self.go_on.wait()
        return answer


async def test_look_that_began_before_a_canvas_was_accepted_is_no_loss(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """A node that was not there yet when it was looked at is waited for all the same, not taken for lost."""
    coordinator = started.coordinator
    slow = SlowAnswer(coordinator.store.partitions[0])
    converse: Any = channel.stream_stream(
        "/gesso.v1.CoordinatorService/Converse",
        request_serializer=pb.ConverseRequest.SerializeToString,
        response_deserializer=pb.ConverseResponse.FromString,
    )()
    submission = pb.SubmitCanvasRequest(canvas=sig(), request_id="r", wait=True)
    expect = coordinator.waits.expect

    def expect_and_look(*args: Any) -> Any:
        future = expect(*args)
        coordinator.waits.recheck()
        return future

    coordinator.waits.expect = cast("Any", expect_and_look)  # type: ignore[method-assign]  # a look at the worst moment
    held = coordinator.store.partitions[0].submit

    async def submit_after_the_look(*args: Any) -> Any:
        await slow.asked.wait()
        return await held(*args)

    coordinator.store.partitions[0].submit = cast("Any", submit_after_the_look)  # type: ignore[method-assign]
    async with asyncio.timeout(LIMIT_SECONDS):
        await converse.write(
            pb.ConverseRequest(calls=[pb.ConverseRequest.Call(call_id=1, submit=submission)])
        )
        accepted = await converse.read()
        await client.GetCanvas(pb.GetCanvasRequest(canvas_id=accepted.replies[0].submitted.canvas_id))
        slow.go_on.set()
        async with working(channel):
            ended = await converse.read()
    converse.cancel()

    assert ended.replies[0].WhichOneof("result") == "ended"
