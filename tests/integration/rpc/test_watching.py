"""WatchCanvases for one canvas: a snapshot, what changes, where it goes on, and what it refuses."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
import pytest

from gesso.v1 import canvas_pb2, canvas_summary_pb2, node_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import worker_service_pb2 as worker_pb
from gesso_server.config import Limits, ServerConfig
from gesso_server.main import Started, serving
from support.client import Client, client_of
from support.grpc_worker import done, working
from support.messages import PYTHON, chain, chord, group, read, refusal, sig
from support.watched import Watched

LIMIT_SECONDS = 20.0
INVALID = grpc.StatusCode.INVALID_ARGUMENT
SUCCEEDED = canvas_summary_pb2.CanvasSummary.STATE_SUCCEEDED


@pytest.fixture
async def other(started: Started) -> AsyncIterator[Client]:
    """A client of another coordinator on the same store."""
    config = ServerConfig(address="localhost:0", store=started.store)
    async with serving(config) as other, grpc.aio.insecure_channel(other.address) as channel:
        yield client_of(channel)


async def submit(client: Client, canvas: canvas_pb2.Canvas) -> pb.SubmitCanvasResponse:
    """Submit a canvas."""
    return await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=canvas))


@asynccontextmanager
async def watch(
    client: Client, canvas_id: str, **fields: object
) -> AsyncGenerator[AsyncIterator[pb.WatchCanvasesResponse]]:
    """Open a watch, and break it at the end."""
    request = pb.WatchCanvasesRequest(canvas_id=canvas_id, **fields)  # type: ignore[arg-type]  # the fields' own
    call = client.WatchCanvases(request, timeout=LIMIT_SECONDS)
    try:
        yield aiter(call)
    finally:
        call.cancel()


async def follow(client: Client, canvas_id: str, watched: Watched, **fields: object) -> None:
    """Watch from where that is, to the end."""
    async with watch(client, canvas_id, resume_token=watched.token, **fields) as messages:
        async for message in messages:
            watched.take(message)


async def nodes_of(client: Client, canvas_id: str, count: int) -> dict[str, node_pb2.Node.State]:
    """Return the states of all nodes."""
    listed = await client.ListNodes(pb.ListNodesRequest(canvas_id=canvas_id, page_size=1000))
    assert len(listed.nodes) == count
    return {node.handle.node_id: node.state for node in listed.nodes}


async def test_watch_of_a_canvas_ends_with_every_node_as_it_ended(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """Begun before anything runs, a watch has every node in its final state when the canvas is final, and ends then."""
    answer = await submit(client, chain(sig(), chord([sig(), chain(sig(), sig())], sig("tsum"))))
    watched = Watched()
    async with watch(client, answer.canvas_id) as messages:
        watched.take(await anext(messages))
        assert watched.snapshots == 1
        assert len(watched.nodes) == answer.node_count
        async with working(channel):
            async for message in messages:
                watched.take(message)

    assert watched.canvases[answer.canvas_id].state == SUCCEEDED
    assert watched.canvases[answer.canvas_id].HasField("finish_time")
    states = await nodes_of(client, answer.canvas_id, answer.node_count)
    assert {node_id: node.state for node_id, node in watched.nodes.items()} == states


async def test_watch_of_a_final_canvas_is_its_snapshot(client: Client, channel: grpc.aio.Channel) -> None:
    """Of a canvas that is final there is a snapshot and nothing else; with its token there is nothing."""
    async with working(channel):
        answer = await submit(client, chain(sig(), sig()))
        await client.WaitNode(pb.WaitNodeRequest(node_id=answer.last.node_id))
    watched = Watched()

    await follow(client, answer.canvas_id, watched)
    assert (watched.messages, watched.snapshots, len(watched.nodes)) == (1, 1, 2)
    await follow(client, answer.canvas_id, watched)
    assert watched.messages == 1


async def test_large_group_is_counted_and_not_shown(client: Client, channel: grpc.aio.Channel) -> None:
    """Of a group with many members the states are counted and some failures named; nothing inside it is sent."""

    def answer_of(assignment: worker_pb.Assignment) -> worker_pb.Outcome:
        if assignment.signature.task == "tsum":
            return worker_pb.Outcome(error={"type": "builtins.ValueError", "message": "no"})
        return done(assignment)

    members = [chain(sig(), sig("tsum" if number % 10 == 0 else "add")) for number in range(100)]
    answer = await submit(client, group(*members))
    watched = Watched()
    async with working(channel, answer=answer_of):
        await follow(client, answer.canvas_id, watched)

    join = answer.last.node_id
    assert list(watched.nodes) == [join]
    assert watched.counts(join) == {"succeeded": 90, "failed": 10}
    failed = [node.handle.node_id for node in watched.groups[join].failures]
    assert len(failed) == 5
    assert all(node.error.message == "no" for node in watched.groups[join].failures)
    listed = await client.ListNodes(pb.ListNodesRequest(members_of=join, page_size=1000))
    assert [node.handle.node_id for node in listed.nodes if node.HasField("error")][:5] == failed


async def test_group_is_shown_that_is_asked_for(client: Client, channel: grpc.aio.Channel) -> None:
    """A group that is to be expanded is sent with its members, however many they are."""
    answer = await submit(client, group(*[sig()] * 120))
    watched = Watched()
    async with working(channel):
        await follow(client, answer.canvas_id, watched, expanded_group_ids=[answer.last.node_id])

    assert len(watched.nodes) == 121
    assert not watched.groups


@pytest.mark.parametrize("expanded", [False, True], ids=["counted", "shown"])
async def test_watch_goes_on_anywhere_without_a_gap_or_a_repeat(
    client: Client, other: Client, channel: grpc.aio.Channel, *, expanded: bool
) -> None:
    """Broken after each message and resumed at the other coordinator, the messages add up to the final state."""
    answer = await submit(client, chain(group(*[sig()] * 200), sig("tsum")))
    groups = [f"{answer.canvas_id}-0"] if expanded else []
    watched, turn = Watched(), 0
    async with working(channel, slots=8):
        while watched.canvases.get(answer.canvas_id, None) is None or not watched.canvases[
            answer.canvas_id
        ].HasField("finish_time"):
            turn += 1
            at = (client, other)[turn % 2]
            async with watch(
                at, answer.canvas_id, resume_token=watched.token, expanded_group_ids=groups
            ) as messages:
                watched.take(await anext(messages))

    assert watched.resets == 0
    assert watched.snapshots == 1
    states = await nodes_of(client, answer.canvas_id, answer.node_count)
    if expanded:
        assert {node_id: node.state for node_id, node in watched.nodes.items()} == states
    else:
        assert len(watched.nodes) == 2
        assert watched.counts(f"{answer.canvas_id}-0") == {"succeeded": 200}


async def test_error_links_inside_a_counted_group_are_not_shown(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """What fails inside a large group and what that sets free stays inside."""
    member = sig("tsum")
    member.error_links.append(sig())
    answer = await submit(client, group(*[member] * 60))
    watched = Watched()

    def answer_of(assignment: worker_pb.Assignment) -> worker_pb.Outcome:
        if assignment.signature.task == "tsum":
            return worker_pb.Outcome(error={"type": "builtins.ValueError", "message": "no"})
        return done(assignment)

    async with working(channel, answer=answer_of):
        await follow(client, answer.canvas_id, watched)

    assert list(watched.nodes) == [answer.last.node_id]
    assert watched.canvases[answer.canvas_id].node_count == 121


async def test_nodes_added_meanwhile_are_sent(client: Client, channel: grpc.aio.Channel) -> None:
    """What a task is replaced with comes to the watch as it comes to the canvas, in the place that it takes."""
    answer = await submit(client, chain(sig("tsum"), sig()))

    def answer_of(assignment: worker_pb.Assignment) -> worker_pb.Outcome:
        if assignment.signature.task == "tsum":
            outcome = worker_pb.Outcome()
            outcome.replacement.canvas.CopyFrom(group(sig(), sig()))
            return outcome
        return done(assignment)

    watched = Watched()
    async with watch(client, answer.canvas_id) as messages:
        watched.take(await anext(messages))
        async with working(channel, answer=answer_of):
            async for message in messages:
                watched.take(message)

    assert len(watched.nodes) == watched.canvases[answer.canvas_id].node_count == 2 + 3
    assert {node.state for node in watched.nodes.values()} == {node_pb2.Node.STATE_SUCCEEDED}


async def test_lost_log_is_told_by_a_new_snapshot(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """When what changed since is not known any more, the next message says so and begins with everything."""
    answer = await submit(client, chain(sig(), sig()))
    watched = Watched()
    async with watch(client, answer.canvas_id) as messages:
        watched.take(await anext(messages))
    partition = started.coordinator.store.partitions[int(answer.canvas_id[:3], 16)].number
    await started.coordinator.store.redis.hdel(f"gesso:{{{partition}}}:c:{answer.canvas_id}:m", "log")

    async with working(channel):
        await follow(client, answer.canvas_id, watched)

    assert (watched.resets, watched.snapshots) == (1, 2)
    assert len(watched.nodes) == 2


async def test_slow_client_gets_each_node_once_as_it_stands(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """Who reads late gets few messages: what changed several times is sent once."""
    answer = await submit(client, chain(*[sig()] * 30))
    async with working(channel):
        watched = Watched()
        async with watch(client, answer.canvas_id) as messages:
            watched.take(await anext(messages))
        await client.WaitNode(pb.WaitNodeRequest(node_id=answer.last.node_id))
        await follow(client, answer.canvas_id, watched)

    assert watched.messages <= 3
    assert {node.state for node in watched.nodes.values()} == {node_pb2.Node.STATE_SUCCEEDED}


def resealed(token: str) -> str:
    """Return a token with a field changed."""
    data = base64.urlsafe_b64decode(token.partition(".")[2])
    return "1." + base64.urlsafe_b64encode(data[:-1] + b"9").decode()


async def test_token_that_was_not_made_for_this_watch_is_refused(client: Client) -> None:
    """Garbage, a changed token, one of another canvas, of other options or of another version: each is told apart."""
    answer, second = [await submit(client, sig()) for _ in range(2)]
    watched = Watched()
    async with watch(client, answer.canvas_id) as messages:
        watched.take(await anext(messages))
    token = watched.token
    cases = [
        (answer.canvas_id, "x", {}, "not made by this service"),
        (answer.canvas_id, "1.", {}, "not made by this service"),
        (answer.canvas_id, "1.\u00e9\u00df", {}, "not made by this service"),
        (answer.canvas_id, token[:-4], {}, "not made by this service"),
        (answer.canvas_id, resealed(token), {}, "not made by this service"),
        (answer.canvas_id, "1." + "A" * (200 << 10), {}, "not made by this service"),
        (second.canvas_id, token, {}, "another watch"),
        (answer.canvas_id, token, {"group_limit": 7}, "another watch"),
        (answer.canvas_id, "2" + token[1:], {}, "another version"),
    ]
    for canvas_id, text, fields, told in cases:
        async with watch(client, canvas_id, resume_token=text, **fields) as messages:
            found = await refusal(anext(messages))
        assert (found.code, found.reason, found.path) == (INVALID, "BAD_RESUME_TOKEN", "resume_token")
        assert told in found.message
        assert not PYTHON.search(found.message)


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        ({"canvas_id": "x"}, INVALID, "BAD_ID"),
        ({}, INVALID, "BAD_ID"),
        ({"canvas_id": "0" * 32}, grpc.StatusCode.NOT_FOUND, "CANVAS_NOT_FOUND"),
        ({"canvas_id": "0" * 32, "group_limit": 1001}, INVALID, "OUT_OF_RANGE"),
        ({"canvas_id": "0" * 32, "group_limit": -1}, INVALID, "OUT_OF_RANGE"),
        ({"canvas_id": "0" * 32, "expanded_group_ids": ["a"] * 101}, INVALID, "OUT_OF_RANGE"),
        ({"canvas_id": "0" * 32, "expanded_group_ids": ["a"]}, grpc.StatusCode.NOT_FOUND, "NODE_NOT_FOUND"),
    ],
)
async def test_request_that_cannot_be_watched_is_refused(
    client: Client, fields: dict[str, object], code: grpc.StatusCode, reason: str
) -> None:
    """What is wrong with a request is said at once."""
    call = client.WatchCanvases(pb.WatchCanvasesRequest(**fields))  # type: ignore[arg-type]  # the fields' own
    found = await refusal(anext(aiter(call)))
    assert (found.code, found.reason) == (code, reason)


@pytest.mark.parametrize(
    "config",
    [ServerConfig(limits=Limits(watches=2)), ServerConfig(limits=Limits(watches_per_connection=2))],
    indirect=True,
    ids=["coordinator", "connection"],
)
async def test_watches_are_limited(client: Client) -> None:
    """More watches than there may be are refused for now; when one has ended there is room again."""
    answer = await submit(client, sig())
    async with watch(client, answer.canvas_id) as first:
        await anext(first)
        async with watch(client, answer.canvas_id) as second, watch(client, answer.canvas_id) as third:
            await anext(second)
            found = await refusal(anext(third))
        assert (found.code, found.reason, found.retries) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_MANY_WATCHES",
            True,
        )
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                with suppress(grpc.aio.AioRpcError):
                    async with watch(client, answer.canvas_id) as again:
                        await anext(again)
                        return


async def test_stopping_coordinator_sends_its_watches_elsewhere(
    started: Started, client: Client, other: Client, channel: grpc.aio.Channel
) -> None:
    """A watch at a coordinator that stops ends as unavailable, and goes on at the other one."""
    answer = await submit(client, sig())
    watched = Watched()
    async with watch(client, answer.canvas_id) as messages:
        watched.take(await anext(messages))
        started.coordinator.drain()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(messages)
    found = read(caught.value)
    assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    started.coordinator.draining = False

    async with working(channel):
        await follow(other, answer.canvas_id, watched)
    assert (watched.resets, watched.snapshots) == (0, 1)
    assert watched.canvases[answer.canvas_id].state == SUCCEEDED
