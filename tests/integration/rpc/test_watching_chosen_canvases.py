"""WatchCanvases for a filter: what matches comes, when it is there and later, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest

from gesso.v1 import canvas_pb2, signature_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.canvas_summary_pb2 import CanvasSummary
from gesso_server.config import ServerConfig
from support.client import Client
from support.grpc_worker import FAILING, failing, working
from support.messages import chain, group, refusal, sig
from support.watched import Watched

LIMIT_SECONDS = 30.0
PARTITIONS = pytest.mark.parametrize(
    "config", [ServerConfig(partitions=1), ServerConfig(partitions=3)], indirect=True, ids=["1", "3"]
)


def stamped(canvas: canvas_pb2.Canvas, **stamps: object) -> canvas_pb2.Canvas:
    """Return a canvas that bears stamps."""
    for key, value in stamps.items():
        canvas.stamps[key].values.append(json.dumps(value))
    return canvas


def keyed(count: int, task: str) -> canvas_pb2.Canvas:
    """Return a group whose members have a key each, the last one of another task than the rest."""
    members = [sig("add" if number < count - 1 else task) for number in range(count)]
    for number, member in enumerate(members):
        member.signature.options.concurrency_key = f"key-{number}"
    return group(*members)


async def submit(client: Client, canvas: canvas_pb2.Canvas | None = None) -> str:
    """Submit a canvas and return its id."""
    return (await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=canvas or sig()))).canvas_id


async def ended(client: Client, *ids: str) -> None:
    """Wait until canvases have ended."""
    for each in ids:
        await client.WaitNode(pb.WaitNodeRequest(node_id=f"{each}-0"))


class Watching:
    """A watch, and what it has told."""

    def __init__(
        self, call: grpc.aio.UnaryStreamCall[pb.WatchCanvasesRequest, pb.WatchCanvasesResponse]
    ) -> None:
        self._messages = aiter(call)
        self.told = Watched()

    @property
    def ids(self) -> set[str]:
        """Canvases that it has told of."""
        return set(self.told.canvases)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Take messages until something is so."""
        while not condition():
            self.told.take(await anext(self._messages))

    async def until_told(self, *ids: str) -> None:
        """Take messages until it has told of canvases."""
        await self.until(lambda: self.ids >= set(ids))

    async def until_ended(self, *ids: str) -> None:
        """Take messages until it has told that canvases have ended."""
        await self.until(
            lambda: all(each in self.ids and self.told.canvases[each].HasField("finish_time") for each in ids)
        )


@asynccontextmanager
async def watch(client: Client, filter_: pb.CanvasFilter, token: str = "") -> AsyncGenerator[Watching]:
    """Watch canvases; without a token up to the end of the snapshot."""
    request = pb.WatchCanvasesRequest(filter=filter_, resume_token=token)
    call = client.WatchCanvases(request, timeout=LIMIT_SECONDS)
    try:
        watching = Watching(call)
        if not token:
            await watching.until(lambda: watching.told.snapshots > 0)
        yield watching
    finally:
        call.cancel()


def task_in(canvas: canvas_pb2.Canvas) -> canvas_pb2.Canvas:
    """Return a canvas that has a task further inside."""
    return chain(sig(), group(sig(), canvas))


@pytest.mark.parametrize(
    ("filter_", "matching", "others"),
    [
        pytest.param(
            pb.CanvasFilter(task="tsum"), [sig("tsum"), task_in(sig("tsum"))], [sig(), task_in(sig())], id="task"
        ),
        pytest.param(
            pb.CanvasFilter(stamps=stamped(canvas_pb2.Canvas(), customer=7).stamps),
            [stamped(sig(), customer=7, order=1), task_in(stamped(sig(), customer=7))],
            [stamped(sig(), customer=8), stamped(sig(), order=7), sig()],
            id="stamp",
        ),
        pytest.param(
            pb.CanvasFilter(stamps={"customer": signature_pb2.Stamp()}),
            [stamped(sig(), customer=7), stamped(sig(), customer="x")],
            [stamped(sig(), order=7)],
            id="any value",
        ),
        pytest.param(
            pb.CanvasFilter(task="tsum", stamps=stamped(canvas_pb2.Canvas(), customer=7).stamps),
            [stamped(sig("tsum"), customer=7)],
            [sig("tsum"), stamped(sig(), customer=7)],
            id="both",
        ),
    ],
)  # fmt: skip
@PARTITIONS
async def test_watch_tells_of_what_matches_and_of_nothing_else(
    client: Client,
    channel: grpc.aio.Channel,
    filter_: pb.CanvasFilter,
    matching: list[canvas_pb2.Canvas],
    others: list[canvas_pb2.Canvas],
) -> None:
    """The snapshot has the matching canvases; later ones come when accepted, and all of them when they have ended."""
    before = {await submit(client, each) for each in matching}
    other = [await submit(client, each) for each in others]
    async with watch(client, filter_) as watching:
        assert watching.ids == before
        other += [await submit(client, each) for each in others]
        after = {await submit(client, each) for each in matching}
        await watching.until_told(*after)
        async with working(channel):
            await watching.until_ended(*before, *after)
            await ended(client, *other)
            # A partition's log is read in order: behind this one nothing of the others is still to come.
            await watching.until_told(last := await submit(client, matching[0]))

        assert watching.ids == {*before, *after, last}


async def test_watch_by_state_and_task_tells_when_both_hold(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """A canvas with the task comes when it gets into the state; one that gets there without the task never does."""
    chosen = pb.CanvasFilter(states=[CanvasSummary.STATE_FAILED], task="add")
    failed = [await submit(client, chain(sig(), sig(FAILING))), await submit(client, sig(FAILING))]
    async with watch(client, chosen) as watching:
        assert not watching.ids
        async with working(channel, answer=failing, tasks=["add", FAILING]):
            await ended(client, *failed, await submit(client))
            last = await submit(client, group(sig(), sig(FAILING)))
            await watching.until_told(failed[0], last)

        assert watching.ids == {failed[0], last}
        assert {each.state for each in watching.told.canvases.values()} == {CanvasSummary.STATE_FAILED}


async def accepted_apart(client: Client) -> tuple[list[str], list[int]]:
    """Submit three canvases, each accepted at another millisecond; return their ids and when that was, Unix ms."""
    ids: list[str] = []
    instants: list[int] = []
    while len(ids) < 3:
        canvas_id = await submit(client)
        canvas = (await client.GetCanvas(pb.GetCanvasRequest(canvas_id=canvas_id))).canvas
        if canvas.create_time.ToMilliseconds() not in instants:
            ids.append(canvas_id)
            instants.append(canvas.create_time.ToMilliseconds())
    return ids, instants


async def test_watch_by_time_tells_of_what_was_accepted_then(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """The first instant belongs to the span, the last does not, for the snapshot and for what ends later."""
    (_, second, third), (_, since, until) = await accepted_apart(client)
    chosen = pb.CanvasFilter()
    chosen.since_time.FromMilliseconds(since)
    chosen.until_time.FromMilliseconds(until)
    open_end = pb.CanvasFilter(since_time=chosen.since_time)
    async with watch(client, chosen) as watching, watch(client, open_end) as watching_on:
        assert second in watching.ids
        span = set(watching.ids)
        assert third in watching_on.ids
        later = await submit(client)
        await watching_on.until_told(later)
        async with working(channel):
            await watching_on.until_ended(*span, third, later)
        await watching.until_ended(*span)

        assert watching.ids == span
        for told in watching.told.canvases.values():
            assert since <= told.create_time.ToMilliseconds() < until
        assert all(since <= told.create_time.ToMilliseconds() for told in watching_on.told.canvases.values())


async def test_task_is_told_behind_more_lanes_than_one_call_looks_at(client: Client) -> None:
    """Canvases with 2,500 keys are looked through in several calls, and none next to them is lost."""
    before = [await submit(client, each) for each in (sig("last"), keyed(2500, "last"), sig("last"))]
    await submit(client, keyed(2500, "other"))
    async with watch(client, pb.CanvasFilter(task="last")) as watching:
        assert watching.ids == set(before)
        after = [
            await submit(client, each)
            for each in (sig("last"), keyed(2500, "other"), keyed(2500, "last"), sig("last"))
        ]
        await watching.until_told(after[-1])

        assert watching.ids == {*before, *after} - {after[1]}


async def test_matching_canvas_is_told_behind_more_than_one_call_looks_at(client: Client) -> None:
    """One of 1,100 canvases is found in the snapshot, and one of 1,100 changes when the watch goes on."""
    chosen = pb.CanvasFilter(task="rare")
    first = await submit(client, sig("rare"))
    async with watch(client, chosen) as watching:
        token = watching.told.token
    for _ in range(22):
        await asyncio.gather(*(submit(client) for _ in range(50)))
    second = await submit(client, sig("rare"))

    async with watch(client, chosen, token) as watching:
        await watching.until_told(second)
        assert watching.ids == {second}
    async with watch(client, chosen) as watching:
        assert watching.ids == {first, second}


@pytest.mark.parametrize(
    ("filter_", "reason", "path"),
    [
        (pb.CanvasFilter(states=[CanvasSummary.STATE_UNSPECIFIED]), "OUT_OF_RANGE", "filter.states"),
        (
            pb.CanvasFilter(stamps=stamped(canvas_pb2.Canvas(), **{"gesso.x": 1}).stamps),
            "BAD_STAMP",
            "filter.stamps['gesso.x']",
        ),
    ],
)
async def test_bad_filter_of_a_watch_is_refused_with_its_field(
    client: Client, filter_: pb.CanvasFilter, reason: str, path: str
) -> None:
    """As a list's."""
    messages: AsyncIterator[pb.WatchCanvasesResponse] = aiter(
        client.WatchCanvases(pb.WatchCanvasesRequest(filter=filter_))
    )

    found = await refusal(anext(messages))

    assert (found.code, found.reason, found.path) == (grpc.StatusCode.INVALID_ARGUMENT, reason, path)
