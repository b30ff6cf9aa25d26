"""ListCanvases: filters, and pages that hold while canvases come and go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import grpc
import pytest

from gesso.v1 import canvas_pb2, worker_service_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1.canvas_summary_pb2 import CanvasSummary
from gesso_server.config import ServerConfig
from gesso_server.dispatch import search
from gesso_server.main import Started
from support.client import Client
from support.grpc_worker import FAILING, failing, working
from support.messages import chain, group, refusal, sig

PARTITIONS = pytest.mark.parametrize("config", [ServerConfig(partitions=3)], indirect=True)


async def submit(client: Client, canvas: canvas_pb2.Canvas | None = None) -> str:
    """Submit a canvas and return its id."""
    return (await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=canvas or sig()))).canvas_id


def stamped(canvas: canvas_pb2.Canvas, **stamps: object) -> canvas_pb2.Canvas:
    """Return a canvas that bears stamps."""
    for key, value in stamps.items():
        values = value if isinstance(value, list) else [value]
        canvas.stamps[key].values.extend(map(json.dumps, values))
    return canvas


def asked(**stamps: object) -> pb.CanvasFilter:
    """Return a filter by stamps."""
    return pb.CanvasFilter(stamps=stamped(canvas_pb2.Canvas(), **stamps).stamps)


async def listed(client: Client, filter_: pb.CanvasFilter | None = None, size: int = 100) -> list[str]:
    """Return the ids of all canvases that a filter lets through, page by page."""
    found, token = [], ""
    while True:
        request = pb.ListCanvasesRequest(filter=filter_, page_size=size, page_token=token)
        page = await client.ListCanvases(request)
        assert len(page.canvases) <= size
        found += [canvas.canvas_id for canvas in page.canvases]
        token = page.next_page_token
        if not token:
            return found


async def ended(client: Client, ids: Iterable[str]) -> None:
    """Wait until canvases have ended."""
    for each in ids:
        await client.WaitNode(pb.WaitNodeRequest(node_id=f"{each}-0"))


@PARTITIONS
@pytest.mark.parametrize("size", [1, 7, 100])
async def test_canvases_come_newest_first_over_all_partitions(client: Client, size: int) -> None:
    """Each canvas stands on exactly one page, in the order of acceptance turned round, whatever the pages' size."""
    ids = await asyncio.gather(*(submit(client) for _ in range(30)))

    found = await listed(client, size=size)

    assert sorted(found) == sorted(ids)
    created = {each: (await client.GetCanvas(pb.GetCanvasRequest(canvas_id=each))).canvas for each in ids}
    keys = [(created[each].create_time.ToMilliseconds(), each) for each in found]
    assert keys == sorted(keys, reverse=True)


@PARTITIONS
async def test_pages_hold_while_canvases_come_and_go(started: Started, client: Client) -> None:
    """What is there all the time is listed exactly once, though others come, and those at the seams are removed."""
    ids = set(await asyncio.gather(*(submit(client) for _ in range(20))))
    found: list[str] = []
    gone: set[str] = set()
    request = pb.ListCanvasesRequest(page_size=4)
    while True:
        page = await client.ListCanvases(request)
        found += [canvas.canvas_id for canvas in page.canvases]
        if not page.next_page_token:
            break
        # The place that the token names is removed, and the first page would have another canvas now.
        gone.add(last := page.canvases[-1].canvas_id)
        for partition in started.coordinator.store.partitions:
            await started.coordinator.store.redis.zrem(f"gesso:{{{partition.number}}}:live:default", last)
        await submit(client)
        request.page_token = page.next_page_token

    assert len(found) == len(set(found))
    assert ids - gone <= set(found) <= ids


async def test_states_choose_canvases(client: Client, channel: grpc.aio.Channel) -> None:
    """Canvases are found by how they stand; several states are alternatives."""
    good, bad, cancelled = [await submit(client, sig(name)) for name in ("add", FAILING, "idle")]
    waiting = await submit(client, sig("idle"))
    await client.CancelCanvas(pb.CancelCanvasRequest(canvas_id=cancelled))
    async with working(channel, answer=failing, tasks=["add", FAILING]):
        await ended(client, [good, bad])

        async def in_states(*states: CanvasSummary.State) -> list[str]:
            return await listed(client, pb.CanvasFilter(states=states))

        assert await in_states(CanvasSummary.STATE_SUCCEEDED) == [good]
        assert await in_states(CanvasSummary.STATE_FAILED) == [bad]
        assert await in_states(CanvasSummary.STATE_CANCELLED) == [cancelled]
        assert await in_states(CanvasSummary.STATE_ACTIVE) == [waiting]
        assert await in_states(CanvasSummary.STATE_FAILED, CanvasSummary.STATE_SUCCEEDED) == [bad, good]


@PARTITIONS
async def test_task_chooses_canvases_that_have_it_anywhere(client: Client) -> None:
    """A task is found in members, steps, links and error links, and not by part of its name."""
    linked = sig("add")
    linked.links.append(sig("found"))
    guarded = sig("add")
    guarded.error_links.append(sig("found"))
    with_it = [
        await submit(client, canvas)
        for canvas in (sig("found"), chain(sig(), sig("found")), group(sig(), sig("found")), linked, guarded)
    ]
    for other in ("foun", "founder", "proj.found"):
        await submit(client, sig(other))

    found = await listed(client, pb.CanvasFilter(task="found"))

    assert found == with_it[::-1]
    (first, *_) = (await client.ListCanvases(pb.ListCanvasesRequest(filter={"task": "founder"}))).canvases
    assert first.tasks == ["founder"]


@PARTITIONS
async def test_stamps_choose_canvases(client: Client) -> None:
    """Each stamp asked for must be there, with one of its values, or any; wherever in the canvas it was put."""
    red = await submit(client, stamped(sig(), colour="red", size=1))
    inside = await submit(client, chain(sig(), group(sig(), stamped(sig(), colour=["blue", "red"]))))
    link = sig()
    link.links.append(stamped(sig(), colour="green"))
    green = await submit(client, link)
    await submit(client)

    assert await listed(client, asked(colour="red")) == [inside, red]
    assert await listed(client, asked(colour="red", size=1)) == [red]
    assert await listed(client, asked(colour=["green", "blue"])) == [green, inside]
    assert await listed(client, asked(colour=[])) == [green, inside, red]
    assert await listed(client, asked(colour="re")) == []
    assert await listed(client, asked(colour=1)) == []


async def test_times_choose_canvases(client: Client) -> None:
    """The first instant belongs to the span asked for, the last does not."""
    ids = [await submit(client) for _ in range(3)]
    created = [
        (await client.GetCanvas(pb.GetCanvasRequest(canvas_id=each))).canvas.create_time for each in ids
    ]
    instants = [instant.ToMilliseconds() for instant in created]

    found = await listed(client, pb.CanvasFilter(since_time=created[1], until_time=created[2]))

    assert set(found) == {
        each for each, at in zip(ids, instants, strict=True) if instants[1] <= at < instants[2]
    }
    assert set(await listed(client, pb.CanvasFilter(since_time=created[2]))) >= {ids[2]}


async def test_canvas_is_found_by_what_its_tasks_brought(client: Client, channel: grpc.aio.Channel) -> None:
    """What replaces a task counts with its tasks and stamps, and so does a canvas that is run again."""

    def replaced(assignment: worker_service_pb2.Assignment) -> worker_service_pb2.Outcome:
        if assignment.signature.task != "add":
            return failing(assignment)
        outcome = worker_service_pb2.Outcome()
        outcome.replacement.canvas.CopyFrom(stamped(sig(FAILING), late="yes"))
        return outcome

    canvas = await submit(client, stamped(sig(), early="yes"))
    async with working(channel, answer=replaced, tasks=["add", FAILING]):
        await ended(client, [canvas])
        again = (await client.RetryCanvas(pb.RetryCanvasRequest(canvas_id=canvas))).submitted.canvas_id

        for choice in (asked(late="yes"), asked(early="yes"), pb.CanvasFilter(task=FAILING)):
            assert await listed(client, choice) == [again, canvas]
        page = await client.ListCanvases(pb.ListCanvasesRequest())
        assert [each.retried_canvas_id for each in page.canvases] == [canvas, ""]


async def test_canvas_is_found_by_members_that_came_later(client: Client) -> None:
    """Members of a group that grows bring their stamps along."""
    start = pb.StreamCanvasRequest(start=pb.SubmitCanvasRequest(canvas=group(sig())), open_paths=["canvas"])
    later = pb.StreamCanvasRequest()
    later.growths.add(members=[stamped(sig("later"), late="yes")])

    submitted = (await client.StreamCanvas(iter([start, later]))).submitted

    assert await listed(client, asked(late="yes")) == [submitted.canvas_id]
    assert await listed(client, pb.CanvasFilter(task="later")) == [submitted.canvas_id]


async def test_more_stamps_than_one_call_takes(client: Client) -> None:
    """A canvas is found by each of 1,500 stamps."""
    canvas = await submit(client, group(*(stamped(sig(), number=number) for number in range(1500))))

    for number in (0, 700, 1499):
        assert await listed(client, asked(number=number)) == [canvas]


async def test_task_is_found_behind_more_lanes_than_one_call_looks_at(client: Client) -> None:
    """A canvas with 2,500 keys is looked through in several calls, and is found by the task that comes last."""
    members = []
    for number in range(2500):
        members.append(sig("add" if number < 2499 else "last"))
        members[-1].signature.options.concurrency_key = f"key-{number}"
    before, canvas, after = [await submit(client, each) for each in (sig(), group(*members), sig())]

    assert await listed(client, pb.CanvasFilter(task="last")) == [canvas]
    assert await listed(client, pb.CanvasFilter(task="add")) == [after, canvas, before]


@PARTITIONS
async def test_page_that_looks_at_too_many_ends_with_a_token(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a page may not ask the store again it is short, and the next one goes on where it stopped."""
    monkeypatch.setattr(search, "_MOST_CALLS", 0)
    monkeypatch.setattr(search, "_SPARE", 0)
    ids = await asyncio.gather(*(submit(client) for _ in range(12)))

    # Three of each partition are looked at.
    first = await client.ListCanvases(pb.ListCanvasesRequest(page_size=10))

    assert len(first.canvases) < 10
    assert first.next_page_token
    assert sorted(await listed(client, size=10)) == sorted(ids)


@pytest.mark.parametrize(
    ("request_", "reason", "path"),
    [
        (pb.ListCanvasesRequest(page_token="1-2"), "BAD_PAGE_TOKEN", "page_token"),
        (pb.ListCanvasesRequest(filter={"states": [99]}), "OUT_OF_RANGE", "filter.states"),
        (pb.ListCanvasesRequest(filter={"states": [0]}), "OUT_OF_RANGE", "filter.states"),
        (pb.ListCanvasesRequest(filter=asked(**{"gesso.x": 1})), "BAD_STAMP", "filter.stamps['gesso.x']"),
    ],
)
async def test_bad_filter_is_refused_with_its_field(
    client: Client, request_: pb.ListCanvasesRequest, reason: str, path: str
) -> None:
    """Tokens, states and stamps that cannot be are refused as such."""
    refused = await refusal(client.ListCanvases(request_))

    assert (refused.reason, refused.path) == (reason, path)
