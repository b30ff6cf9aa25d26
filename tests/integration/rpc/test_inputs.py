"""Inputs that are too large for an assignment: whose they are, and who may read them."""

from __future__ import annotations

import json

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import worker_service_pb2 as pb
from gesso.v1.worker_service_pb2_grpc import WorkerServiceStub
from support.client import Client
from support.grpc_worker import Stream, hello
from support.messages import chain, chord, group, read, sig

SESSION = "holder-0123456789"
OTHER = "other-0123456789"
LARGE = json.dumps("x" * 150_000).encode()


def large(_assignment: pb.Assignment) -> pb.Outcome:
    """End a task with a value of which two are too large for an assignment."""
    outcome = pb.Outcome()
    outcome.value.data = LARGE
    return outcome


async def connected(channel: grpc.aio.Channel, session: str) -> Stream:
    """Return the stream of a worker that has been welcomed."""
    stream = Stream(channel)
    await stream.send(hello(session))
    await stream.until(lambda: stream.frames)
    return stream


async def holding(channel: grpc.aio.Channel, client: Client) -> tuple[Stream, pb.Assignment]:
    """Return a worker that holds a chord's body, and the assignment."""
    request = cs.SubmitCanvasRequest(canvas=chain(chord([sig(), sig()], sig("tsum")), sig()), request_id="r")
    await client.SubmitCanvas(request)
    stream = await connected(channel, SESSION)
    await stream.frame(credit_count=3)
    await stream.report(await stream.take(2), large, credit_count=2)
    body = (await stream.take(3))[-1]
    assert body.WhichOneof("input") == "elsewhere"
    return stream, body


async def read_input(
    channel: grpc.aio.Channel, request: pb.ReadInputRequest
) -> list[bytes] | grpc.aio.AioRpcError:
    """Return the payloads of an input, or why there is none."""
    try:
        return [
            item.value.data
            async for response in WorkerServiceStub(channel).ReadInput(request)
            for item in response.items
            if item.HasField("value")
        ]
    except grpc.aio.AioRpcError as error:
        return error


async def test_session_reads_the_input_of_what_it_holds(channel: grpc.aio.Channel, client: Client) -> None:
    """It says which attempt it is for."""
    stream, body = await holding(channel, client)

    request = pb.ReadInputRequest(session_id=SESSION, node_id=body.elsewhere.node_id, token=body.token)

    assert await read_input(channel, request) == [LARGE, LARGE]
    await stream.close()


@pytest.mark.parametrize("wrong", ["session", "attempt", "nonce", "member", "canvas", "ended"])
async def test_nobody_else_reads_it_and_nothing_else_is_read(
    channel: grpc.aio.Channel, client: Client, wrong: str
) -> None:
    """Another session, another attempt, another node, another canvas, an attempt that has ended: one answer for all."""
    stream, body = await holding(channel, client)
    node = body.elsewhere.node_id
    request = pb.ReadInputRequest(session_id=SESSION, node_id=node, token=body.token)
    canvas_id = node.partition("-")[0]
    match wrong:
        case "session":
            other = await connected(channel, OTHER)
            await other.close()
            request.session_id = OTHER
        case "attempt":
            request.token.attempt += 1
        case "nonce":
            request.token.nonce ^= 1
        case "member":
            request.node_id = stream.assignments[0].token.node_id
        case "canvas":
            request.node_id = f"{'0' * 32}-{node.partition('-')[2]}"
        case _:
            await stream.report([body])
            await stream.acknowledged()

    found = await read_input(channel, request)

    assert isinstance(found, grpc.aio.AioRpcError)
    refused = read(found)
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_HELD")
    assert canvas_id not in refused.message
    await stream.close()


@pytest.mark.parametrize(
    ("session", "node", "path"),
    [
        (SESSION, "x", "node_id"),
        ("short", f"{'0' * 32}-0", "session_id"),
        (SESSION, f"{'0' * 32}-0", "token.node_id"),
    ],
)
async def test_request_that_names_no_attempt_is_refused(
    channel: grpc.aio.Channel, session: str, node: str, path: str
) -> None:
    """The path says what is wrong."""
    found = await read_input(channel, pb.ReadInputRequest(session_id=session, node_id=node))

    assert isinstance(found, grpc.aio.AioRpcError)
    assert read(found)[:3] == (grpc.StatusCode.INVALID_ARGUMENT, "BAD_ID", path)


async def test_task_behind_a_replaced_one_reads_what_took_its_place(
    channel: grpc.aio.Channel, client: Client
) -> None:
    """Its input is the value of a group that the task before was replaced with."""
    request = cs.SubmitCanvasRequest(canvas=chain(sig(), sig("tsum")), request_id="r")
    await client.SubmitCanvas(request)
    stream = await connected(channel, SESSION)
    await stream.frame(credit_count=4)
    outcome = pb.Outcome()
    outcome.replacement.canvas.CopyFrom(group(sig(), sig()))
    await stream.report(await stream.take(1), lambda _: outcome)
    await stream.report((await stream.take(3))[-2:], large)
    last = (await stream.take(4))[-1]

    found = await read_input(
        channel, pb.ReadInputRequest(session_id=SESSION, node_id=last.elsewhere.node_id, token=last.token)
    )

    assert found == [LARGE, LARGE]
    await stream.close()
