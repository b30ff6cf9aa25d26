"""WatchCanvases for a filter: canvases come as they are accepted and as they end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from gesso.v1 import canvas_summary_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.config import ServerConfig
from gesso_server.main import Started, serving
from support.client import Client, client_of
from support.grpc_worker import working
from support.messages import group, refusal, sig
from support.watched import Watched

LIMIT_SECONDS = 20.0
Summary = canvas_summary_pb2.CanvasSummary
FOUR_PARTITIONS = pytest.mark.parametrize(
    "config", [ServerConfig(partitions=1), ServerConfig(partitions=4)], indirect=True, ids=["1", "4"]
)


@pytest.fixture
async def other(started: Started) -> AsyncIterator[Client]:
    """A client of another coordinator on the same store."""
    config = ServerConfig(address="localhost:0", store=started.store)
    async with serving(config) as other, grpc.aio.insecure_channel(other.address) as channel:
        yield client_of(channel)


@asynccontextmanager
async def watch(
    client: Client, filter_: pb.CanvasFilter | None = None, **fields: object
) -> AsyncGenerator[AsyncIterator[pb.WatchCanvasesResponse]]:
    """Open a watch, and break it at the end."""
    request = pb.WatchCanvasesRequest(filter=filter_ or pb.CanvasFilter(), **fields)  # type: ignore[arg-type]  # the fields' own
    call = client.WatchCanvases(request, timeout=LIMIT_SECONDS)
    try:
        yield aiter(call)
    finally:
        call.cancel()


async def submit(client: Client, count: int = 1) -> list[str]:
    """Submit canvases; return their ids."""
    return [
        (await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=group(sig(), sig())))).canvas_id
        for _ in range(count)
    ]


async def until_ended(messages: AsyncIterator[pb.WatchCanvasesResponse], watched: Watched, *ids: str) -> None:
    """Take messages until these canvases have ended."""
    while not all(id_ in watched.canvases and watched.canvases[id_].HasField("finish_time") for id_ in ids):
        watched.take(await anext(messages))


@FOUR_PARTITIONS
async def test_watch_of_all_canvases_begins_with_those_there_are_and_goes_on(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """A snapshot has what is there, and what is accepted, or ends, follows."""
    before = await submit(client, 5)
    watched = Watched()
    async with watch(client) as messages:
        while not watched.snapshots:
            watched.take(await anext(messages))
        assert sorted(watched.canvases) == sorted(before)
        after = await submit(client, 3)
        async with working(channel):
            await until_ended(messages, watched, *before, *after)

    assert watched.snapshots == 1
    assert {canvas.state for canvas in watched.canvases.values()} == {Summary.STATE_SUCCEEDED}


@FOUR_PARTITIONS
async def test_watch_of_all_canvases_goes_on_at_another_coordinator(
    client: Client, other: Client, channel: grpc.aio.Channel
) -> None:
    """Broken after each message and resumed elsewhere, nothing is missed and nothing is repeated."""
    watched, ids, turn = Watched(), list[str](), 0
    async with working(channel):
        while turn < 12:
            turn += 1
            async with watch((client, other)[turn % 2], resume_token=watched.token) as messages:
                ids += await submit(client)
                watched.take(await anext(messages))
        async with watch(client, resume_token=watched.token) as messages:
            await until_ended(messages, watched, *ids)

    assert watched.resets == 0
    assert sorted(watched.canvases) == sorted(ids)


async def test_watch_of_changes_leaves_the_snapshot_out(client: Client) -> None:
    """Whoever wants changes only gets none of what is there already."""
    before = await submit(client, 2)
    watched = Watched()
    async with watch(client, changes_only=True) as messages:
        watched.take(await anext(messages))
        (after,) = await submit(client)
        watched.take(await anext(messages))

    assert (list(watched.canvases), watched.snapshots) == ([after], 1)
    assert after not in before


async def test_filter_by_state_lets_a_canvas_through_when_it_gets_there(client: Client) -> None:
    """A canvas comes when it changes and matches then; a cancelled one with its state."""
    first, second = await submit(client, 2)
    watched = Watched()
    chosen = pb.CanvasFilter(states=[Summary.STATE_CANCELLED])
    async with watch(client, chosen) as messages:
        watched.take(await anext(messages))
        assert not watched.canvases
        await client.CancelCanvas(pb.CancelCanvasRequest(canvas_id=second))
        await until_ended(messages, watched, second)
    assert first not in watched.canvases


async def test_token_of_another_filter_is_refused(client: Client) -> None:
    """A token goes on with the filter that it was made for, and with no canvas."""
    (canvas_id,) = await submit(client)
    watched = Watched()
    async with watch(client) as messages:
        watched.take(await anext(messages))
    chosen = pb.CanvasFilter(states=[Summary.STATE_FAILED])
    async with watch(client, chosen, resume_token=watched.token) as messages:
        found = await refusal(anext(messages))
    assert (found.reason, found.path) == ("BAD_RESUME_TOKEN", "resume_token")
    request = pb.WatchCanvasesRequest(canvas_id=canvas_id, resume_token=watched.token)
    assert (await refusal(anext(aiter(client.WatchCanvases(request))))).reason == "BAD_RESUME_TOKEN"


async def test_lost_log_of_canvases_is_told_by_a_new_snapshot(started: Started, client: Client) -> None:
    """When what changed since is not known any more, the next message says so and begins with everything."""
    first = await submit(client)
    watched = Watched()
    async with watch(client) as messages:
        while not watched.snapshots:
            watched.take(await anext(messages))
    for partition in started.coordinator.store.partitions:
        await started.coordinator.store.redis.delete(f"gesso:{{{partition.number}}}:logs")
    second = await submit(client)
    async with watch(client, resume_token=watched.token) as messages:
        while watched.snapshots < 2:
            watched.take(await anext(messages))

    assert watched.resets == 1
    assert sorted(watched.canvases) == sorted(first + second)
