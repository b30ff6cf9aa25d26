"""However large tasks and their errors are, no message is larger than the other side takes."""

from __future__ import annotations

import secrets

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.config import ServerConfig
from gesso_server.main import Started
from support.client import Client
from support.grpc_worker import Stream, hello, working
from support.messages import chord, group, sig

TASKS = 40
TASK_BYTES = 300_000
FRAME_BYTES = 2 << 20
LARGE = b'["' + b"x" * TASK_BYTES + b'"]'


async def submit_large(client: Client, count: int = TASKS) -> None:
    """Submit tasks that together are many times a frame."""
    for _ in range(count):
        await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=sig(args=LARGE)))


def fail(_: pb.Assignment) -> pb.Outcome:
    """Fail with an error that says a lot."""
    outcome = pb.Outcome()
    outcome.error.type, outcome.error.traceback = "builtins.ValueError", "x" * TASK_BYTES
    return outcome


def sizes(stream: Stream) -> list[int]:
    """Return how many bytes each frame had that brought tasks."""
    return [frame.ByteSize() for frame in stream.frames if frame.assignments]


@pytest.mark.parametrize("config", [ServerConfig(), ServerConfig(partitions=3)], indirect=True)
async def test_a_backlog_of_large_tasks_comes_in_frames(client: Client, channel: grpc.aio.Channel) -> None:
    """A worker with room for all of them gets all of them, each once, a frame at a time."""
    await submit_large(client)
    stream = Stream(channel)
    await stream.send(hello())
    await stream.frame(credit_count=2 * TASKS)

    await stream.take(TASKS)

    assert len({task.token.node_id for task in stream.assignments}) == len(stream.assignments) == TASKS
    assert max(sizes(stream)) < FRAME_BYTES
    await stream.close()


async def test_what_a_worker_lacks_comes_in_frames(client: Client, channel: grpc.aio.Channel) -> None:
    """A connection that takes the place of another is sent what was assigned on that one, in as many frames."""
    await submit_large(client)
    session = secrets.token_hex(8)
    stream = Stream(channel)
    await stream.send(hello(session))
    await stream.frame(credit_count=TASKS)
    held = await stream.take(TASKS)
    newer = Stream(channel)
    await newer.send(hello(session, epoch=2, held=[held[0].token]))

    lacked = await newer.take(TASKS - 1)

    assert {task.token.node_id for task in lacked} == {task.token.node_id for task in held[1:]}
    assert max(sizes(newer)) < FRAME_BYTES
    await newer.report(held)
    await newer.acknowledged()
    await newer.close()
    await stream.close()


async def test_one_task_may_have_more_than_a_frame(client: Client, channel: grpc.aio.Channel) -> None:
    """It comes alone: what it is called with, and what the step before it left, may be a MiB each."""
    most = b'["' + b"x" * ((1 << 20) - 100) + b'"]'
    for _ in range(3):
        canvas = sig(args=most)
        canvas.signature.kwargs.data = b'{"y":' + most + b"}"
        await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas))
    stream = Stream(channel)
    await stream.send(hello())
    await stream.frame(credit_count=TASKS)

    await stream.take(3)

    assert [len(frame.assignments) for frame in stream.frames if frame.assignments] == [1, 1, 1]
    await stream.close()


async def test_a_task_may_have_more_than_its_canvas(client: Client, started: Started) -> None:
    """Behind an error link it has its own arguments, those of the task that failed, and the error."""
    text = b"x" * ((1 << 20) - 600)
    canvas, link = sig(args=b'["' + text + b'"]'), sig("tsum", b'["' + text + b'"]')
    for each in (canvas, link):
        each.signature.kwargs.data = b'{"y":"' + text + b'"}'
    canvas.error_links.append(link)
    assert (
        canvas.ByteSize() < started.coordinator.config.limits.message_bytes < canvas.ByteSize() + TASK_BYTES
    )
    options = [("grpc.max_receive_message_length", 2 * started.coordinator.config.limits.message_bytes)]
    async with grpc.aio.insecure_channel(started.address, options=options) as channel:
        stream = Stream(channel)
        await stream.send(hello())
        await stream.frame(credit_count=2)
        await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas))
        (failing,) = await stream.take()
        await stream.report([failing], fail)

        link_task = (await stream.take(2))[-1]

        assert link_task.failed.signature.args.data == canvas.signature.args.data
        assert link_task.failed.error.traceback == "x" * TASK_BYTES
        await stream.close()


async def test_a_page_of_nodes_is_shorter_where_their_errors_are_large(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """All of them are found, page by page."""
    submitted = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=group(*[sig()] * TASKS)))
    async with working(channel, slots=4, answer=fail):
        await client.WaitNode(cs.WaitNodeRequest(node_id=submitted.last.node_id), timeout=20)
    found: list[str] = []
    token, pages = "", 0
    while token or not pages:
        request = cs.ListNodesRequest(members_of=submitted.last.node_id, page_size=1000, page_token=token)
        page = await client.ListNodes(request)
        found += [node.handle.node_id for node in page.nodes]
        token, pages = page.next_page_token, pages + 1
        assert page.ByteSize() < FRAME_BYTES

    assert len(set(found)) == len(found) == TASKS
    assert pages > 1


async def test_what_a_watch_tells_of_counted_groups_fits(client: Client, channel: grpc.aio.Channel) -> None:
    """Of their first failures as many are told as there is room for; every group is counted to its end."""
    canvas = group(*[chord([sig()] * 4, sig("tsum"))] * 10)
    submitted = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas))
    outer = submitted.last.node_id
    request = cs.WatchCanvasesRequest(
        canvas_id=submitted.canvas_id, group_limit=1, expanded_group_ids=[outer]
    )
    async with working(channel, slots=4, answer=fail):
        messages = [message async for message in client.WatchCanvases(request, timeout=20)]
        again = [message async for message in client.WatchCanvases(request, timeout=20)]

    for watched in (messages, again):
        assert max(message.ByteSize() for message in watched) < FRAME_BYTES
        groups = {each.node_id: each for message in watched for each in message.groups}
        assert len(groups) == 10
        assert sum(count.count for each in groups.values() for count in each.counts) == TASKS
        assert any(each.failures for each in groups.values())
