"""A worker's stream: what it may say, what it gets for what is wrong, and what stays open."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.config import ServerConfig, Timing
from gesso_server.main import Started
from support.client import Client
from support.grpc_worker import Stream, hello, working
from support.messages import chain, chord, group, read, sig

INVALID = grpc.StatusCode.INVALID_ARGUMENT
LATE = grpc.StatusCode.DEADLINE_EXCEEDED
HASTY = ServerConfig(timing=Timing(hello=timedelta(milliseconds=100), silence=timedelta(milliseconds=100)))
TOKEN = pb.Token(node_id="0" * 32 + "-0", attempt=1, nonce=1)

BAD_HELLOS: dict[str, tuple[Any, grpc.StatusCode, str, str]] = {
    "bytes": (b"\xff\xff", INVALID, "MALFORMED_MESSAGE", ""),
    "an empty message": (b"", INVALID, "PROTOCOL", "hello"),
    "a frame": (pb.WorkRequest(frame=1, credit_count=1), INVALID, "PROTOCOL", "hello"),
    "no version": (hello(protocol_version=0), grpc.StatusCode.FAILED_PRECONDITION, "VERSION", ""),
    "a version to come": (hello(protocol_version=2), grpc.StatusCode.FAILED_PRECONDITION, "VERSION", ""),
    "no session": (hello(session_id=""), INVALID, "BAD_ID", "hello.session_id"),
    "a short session": (hello(session_id="x" * 15), INVALID, "BAD_ID", "hello.session_id"),
    "a session with a colon": (hello(session_id="x" * 15 + ":"), INVALID, "BAD_ID", "hello.session_id"),
    "epoch 0": (hello(epoch=0), INVALID, "OUT_OF_RANGE", "hello.epoch"),
    "no slots": (hello(slot_count=0), INVALID, "BAD_CREDIT", "hello.slot_count"),
    "too many slots": (hello(slot_count=1001), INVALID, "BAD_CREDIT", "hello.slot_count"),
    "no queues": (hello(queues=[]), INVALID, "BAD_QUEUE_NAME", "hello.queues"),
    "a bad queue": (hello(queues=["a b"]), INVALID, "BAD_QUEUE_NAME", "hello.queues"),
    "too many queues": (
        hello(queues=[f"q{i}" for i in range(65)]),
        INVALID,
        "BAD_QUEUE_NAME",
        "hello.queues",
    ),
    "too many tasks": (hello(tasks=[f"t{i}" for i in range(10_001)]), INVALID, "OUT_OF_RANGE", "hello.tasks"),
    "a long name": (hello(worker="w" * 129), INVALID, "OUT_OF_RANGE", "hello.worker"),
    "a task without a name": (hello(tasks=["add", ""]), INVALID, "BAD_TASK_NAME", "hello.tasks"),
    "a control character in a task's name": (hello(tasks=["a\nb"]), INVALID, "BAD_TASK_NAME", "hello.tasks"),
    "a long task's name": (hello(tasks=["é" * 129]), INVALID, "BAD_TASK_NAME", "hello.tasks"),
    "a dead session that is none": (
        hello(dead_sessions=[{"session_id": "x:y"}]),
        INVALID,
        "BAD_ID",
        "hello.dead_sessions",
    ),
    "a bad token that crashed": (
        hello(dead_sessions=[{"session_id": "x" * 16, "crashed": [pb.Token(node_id="x")]}]),
        INVALID,
        "BAD_ID",
        "token.node_id",
    ),
    "a bad token that overran": (
        hello(dead_sessions=[{"session_id": "x" * 16, "overran": [pb.Token(node_id="x")]}]),
        INVALID,
        "BAD_ID",
        "token.node_id",
    ),
    "a limit without a key": (
        hello(limits=[{"rate_count": 1}]),
        INVALID,
        "BAD_LIMIT_KEY",
        "hello.limits[0].key",
    ),
    "a limit out of time": (
        hello(limits=[{"key": "add", "rate_count": 1, "rate_period": {"seconds": 2**62}}]),
        INVALID,
        "BAD_DURATION",
        "hello.limits[0].rate_period",
    ),
    "a bad token held": (hello(held=[pb.Token(node_id="x")]), INVALID, "BAD_ID", "token.node_id"),
}
BAD_FRAMES: dict[str, tuple[Any, str, str]] = {
    "bytes": (b"\xff\xff", "MALFORMED_MESSAGE", ""),
    "a second hello": (hello(), "PROTOCOL", "hello"),
    "negative credits": (pb.WorkRequest(frame=1, credit_count=-1), "BAD_CREDIT", "credit_count"),
    "too many credits": (pb.WorkRequest(frame=1, credit_count=1001), "BAD_CREDIT", "credit_count"),
    "a bad token": (pb.WorkRequest(frame=1, started=[pb.Token(node_id="x-0")]), "BAD_ID", "token.node_id"),
    "a state in lower case": (
        pb.WorkRequest(frame=1, progress=[{"token": TOKEN, "state": "baking"}]),
        "OUT_OF_RANGE",
        "progress.state",
    ),
    "a state that says too much": (
        pb.WorkRequest(
            frame=1, progress=[{"token": TOKEN, "state": "BAKING", "meta": {"data": bytes(65_537)}}]
        ),
        "PAYLOAD_TOO_LARGE",
        "progress.meta",
    ),
    "a state of nobody": (
        pb.WorkRequest(frame=1, progress=[{"state": "BAKING"}]),
        "BAD_ID",
        "token.node_id",
    ),
    "a bad token returned": (
        pb.WorkRequest(frame=1, returned=[pb.Token(node_id="x-0")]),
        "BAD_ID",
        "token.node_id",
    ),
    "a report without a token": (pb.WorkRequest(frame=1, reports=[pb.Report()]), "BAD_ID", "token.node_id"),
}


@pytest.fixture
async def stream(channel: grpc.aio.Channel) -> AsyncIterator[Stream]:
    """A stream on which nothing was said."""
    stream = Stream(channel)
    yield stream
    await stream.close()


async def submit(client: Client, canvas: Any = None) -> cs.SubmitCanvasResponse:
    """Submit a canvas, one task by default."""
    return await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas or sig()))


async def wait(client: Client, node_id: str) -> cs.WaitNodeResponse:
    """Wait for a node's end."""
    return await client.WaitNode(cs.WaitNodeRequest(node_id=node_id), timeout=20)


@pytest.mark.parametrize(("first", "code", "reason", "path"), BAD_HELLOS.values(), ids=BAD_HELLOS)
async def test_stream_must_begin_with_a_good_hello(
    stream: Stream, first: Any, code: grpc.StatusCode, reason: str, path: str
) -> None:
    """Anything else ends the stream with its reason."""
    await stream.send(first)

    found = read(await stream.ended())

    assert (found.code, found.reason, found.path) == (code, reason, path)


@pytest.mark.parametrize(("bad", "reason", "path"), BAD_FRAMES.values(), ids=BAD_FRAMES)
async def test_bad_frame_ends_the_stream(stream: Stream, bad: Any, reason: str, path: str) -> None:
    """What is wrong after the hello ends the stream with its reason, too."""
    await stream.send(hello())
    await stream.until(lambda: stream.frames)
    await stream.send(bad)

    found = read(await stream.ended())

    assert (found.code, found.reason, found.path) == (INVALID, reason, path)


@pytest.mark.parametrize("config", [HASTY], indirect=True)
async def test_stream_without_a_hello_is_closed(stream: Stream) -> None:
    """A stream on which nothing is said does not hang."""
    found = read(await stream.ended())

    assert (found.code, found.reason) == (LATE, "HELLO_TIMEOUT")


@pytest.mark.parametrize("config", [HASTY], indirect=True)
async def test_stream_that_is_silent_is_closed(stream: Stream) -> None:
    """A worker that sends no heartbeat loses its stream."""
    await stream.send(hello())

    found = read(await stream.ended())

    assert (found.code, found.reason) == (LATE, "HEARTBEAT_TIMEOUT")


async def test_stream_that_ends_before_a_hello_is_refused(stream: Stream) -> None:
    """Half-closing at once is out of turn."""
    await stream.call.done_writing()

    found = read(await stream.ended())

    assert (found.code, found.reason) == (INVALID, "PROTOCOL")


async def test_second_connection_of_a_session_needs_a_higher_epoch(
    channel: grpc.aio.Channel, stream: Stream
) -> None:
    """The same epoch again is a connection that was replaced."""
    session = secrets.token_hex(8)
    await stream.send(hello(session))
    await stream.until(lambda: stream.frames)
    again = Stream(channel)
    await again.send(hello(session))

    found = read(await again.ended())

    assert (found.code, found.reason) == (grpc.StatusCode.ABORTED, "PROTOCOL")
    await again.close()


async def test_newer_connection_ends_the_older_one(
    channel: grpc.aio.Channel, client: Client, stream: Stream
) -> None:
    """A worker that reconnects is sent what it holds and did not name, with the same token, on the new stream."""
    session = secrets.token_hex(8)
    await stream.send(hello(session))
    await stream.frame(credit_count=1)
    await submit(client)
    (assignment,) = await stream.take()
    newer = Stream(channel)
    await newer.send(hello(session, epoch=2))

    assert (await newer.take())[0].token == assignment.token
    await stream.frame(started=[assignment.token])
    assert read(await stream.ended()).code is grpc.StatusCode.ABORTED
    await newer.close()


async def test_result_with_an_old_token_is_stale(client: Client, stream: Stream) -> None:
    """It changes nothing, is answered as stale, and the stream stays open."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)
    (old,) = await stream.take()
    await stream.frame(returned=[old.token], credit_count=1)
    new = (await stream.take(2))[-1]

    await stream.report([old])
    refusal = await stream.until(lambda: [r for frame in stream.frames for r in frame.refusals])
    assert (refusal[0].reason, refusal[0].token) == (pb.WorkResponse.Refusal.REASON_STALE, old.token)
    await stream.report([new])
    ended = await wait(client, submitted.last.node_id)

    assert ended.HasField("value")


@pytest.mark.parametrize("canvas_id", ["0" * 32, "f" * 32])
async def test_result_of_an_unknown_task_is_refused(stream: Stream, canvas_id: str) -> None:
    """A report about nothing is answered as unknown, and the stream stays open."""
    token = pb.Token(node_id=f"{canvas_id}-7", attempt=1, nonce=2**64 - 1)
    await stream.send(hello())
    outcome = pb.Outcome()
    outcome.value.data = b"1"

    await stream.frame(reports=[pb.Report(token=token, outcome=outcome)], started=[token], returned=[token])
    await stream.acknowledged()

    reasons = [refusal.reason for frame in stream.frames for refusal in frame.refusals]
    assert reasons == [pb.WorkResponse.Refusal.REASON_UNKNOWN_TASK] * 3


async def test_repeated_result_is_a_duplicate(client: Client, stream: Stream) -> None:
    """The same report twice counts once."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    await submit(client)
    assignments = await stream.take()

    await stream.report(assignments)
    await stream.report(assignments)
    (refusal,) = await stream.until(lambda: [r for frame in stream.frames for r in frame.refusals])

    assert refusal.reason == pb.WorkResponse.Refusal.REASON_DUPLICATE


async def test_result_without_an_outcome_fails_the_task(client: Client, stream: Stream) -> None:
    """A worker that reports nothing about a task has failed it; nothing hangs."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)

    await stream.report(await stream.take(), lambda _: pb.Outcome())
    ended = await wait(client, submitted.last.node_id)

    assert ended.error.type == "gesso.BadOutcome"


async def test_result_that_is_too_large_fails_the_task(client: Client, stream: Stream) -> None:
    """A value over the limit is not kept, and the task says so."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)
    large = pb.Outcome()
    large.value.data = b"x" * 1_300_000

    await stream.report(await stream.take(), lambda _: large)
    ended = await wait(client, submitted.last.node_id)

    assert ended.error.type == "gesso.ResultTooLarge"


FAR = [{"seconds": 2**62}, {"seconds": -(2**63)}, {"seconds": 2**63 - 1, "nanos": 2**31 - 1}, {"nanos": -1}]
"""Spans of time that are none, or far too long."""


@pytest.mark.parametrize("span", FAR, ids=str)
async def test_retry_after_any_span_is_taken(client: Client, stream: Stream, span: dict[str, int]) -> None:
    """A task may ask to be retried after any time: one that is too long is ten years, one that is none is at once."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)

    await stream.report(await stream.take(), lambda _: pb.Outcome(retry={"delay": span}))
    await stream.acknowledged()
    node = (await client.GetNode(cs.GetNodeRequest(node_id=submitted.last.node_id))).node

    assert node.failure_count == 1
    assert not stream.call.done()


@pytest.mark.parametrize("span", FAR, ids=str)
async def test_run_of_any_length_is_a_result(client: Client, stream: Stream, span: dict[str, int]) -> None:
    """The result of a worker whose clock went wrong counts; how long it ran is not known then."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)

    await stream.report(await stream.take(), lambda _: pb.Outcome(value={"data": b"1"}, run_duration=span))
    ended = await wait(client, submitted.last.node_id)
    node = (await client.GetNode(cs.GetNodeRequest(node_id=submitted.last.node_id))).node

    assert ended.value.data == b"1"
    assert not node.HasField("run_duration")


@pytest.mark.parametrize(
    "outcome",
    [
        pb.Outcome(ignored={"custom_state": "burnt"}),
        pb.Outcome(ignored={"custom_state": "X" * 65}),
        pb.Outcome(ignored={}, progress={"state": "\n"}),
        pb.Outcome(ignored={}, progress={"state": "BURNT", "meta": {"data": bytes(65_537)}}),
    ],
    ids=["in lower case", "long", "a control character", "says too much"],
)
async def test_bad_state_of_an_ignored_task_fails_it(
    client: Client, stream: Stream, outcome: pb.Outcome
) -> None:
    """What a client would be shown is checked at the end of a task as it is while it runs."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)

    await stream.report(await stream.take(), lambda _: outcome)
    ended = await wait(client, submitted.last.node_id)

    assert ended.error.type == "gesso.BadOutcome"


async def test_goodbye_ends_the_stream_well(client: Client, stream: Stream) -> None:
    """After a goodbye the stream ends without an error, and what was held is another's at once."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    await submit(client)
    await stream.take()

    await stream.frame(goodbye=pb.WorkRequest.Goodbye())

    assert await stream.ended() is None


async def test_lost_session_is_handed_to_others(
    channel: grpc.aio.Channel, client: Client, started: Started, stream: Stream
) -> None:
    """A worker that says goodbye while it holds a task leaves it to the next one."""
    await stream.send(hello())
    await stream.frame(credit_count=1)
    submitted = await submit(client)
    await stream.take()
    await stream.frame(goodbye=pb.WorkRequest.Goodbye())

    async with working(channel):
        ended = await wait(client, submitted.last.node_id)

    assert ended.HasField("value")
    assert not started.coordinator.registry.sessions


async def test_canvases_run(channel: grpc.aio.Channel, client: Client) -> None:
    """Values travel from step to step, into bodies and out of groups."""
    canvas = chain(sig("add"), chord([sig("add"), sig("add")], sig("tsum")), group(sig("add"), sig("add")))
    async with working(channel):
        ended = await wait(client, (await submit(client, canvas)).last.node_id)

    step = '["add", ["add", null]]'
    body = f'["tsum", [{step}, {step}]]'
    assert [value.data.decode() for value in ended.values.values] == [f'["add", {body}]'] * 2


async def test_failure_reaches_everything_behind_it(channel: grpc.aio.Channel, client: Client) -> None:
    """A header's failure is a ChordError of the body, with the failing task and its error as cause."""

    def fail(_: pb.Assignment) -> pb.Outcome:
        outcome = pb.Outcome()
        outcome.error.type, outcome.error.message = "builtins.ValueError", "no"
        return outcome

    async with working(channel, answer=fail):
        submitted = await submit(client, chain(chord([sig("add")], sig("tsum")), sig("add")))
        ended = await wait(client, submitted.last.node_id)

    failing = f"{submitted.canvas_id}-1"
    assert ended.error.type == "gesso.ChordError"
    assert ended.error.message == f"Dependency {failing} raised ValueError('no')"
    assert (ended.error.cause.type, ended.error.cause.node_id) == ("builtins.ValueError", failing)


IMPATIENT = ServerConfig(timing=Timing(standstill=timedelta(milliseconds=50)))


@pytest.mark.parametrize("config", [IMPATIENT], indirect=True)
async def test_worker_that_begins_nothing_loses_its_tasks(client: Client, channel: grpc.aio.Channel) -> None:
    """A worker that is heard and has free slots, but begins nothing it was given, is sent away; others do the work."""
    stands, works = Stream(channel), Stream(channel)
    await stands.send(hello())
    await stands.frame(credit_count=1)
    submitted = await submit(client)
    (given,) = await stands.take()

    async with asyncio.timeout(20):
        with suppress(asyncio.InvalidStateError, grpc.aio.AioRpcError):
            while not stands.call.done():
                await stands.frame()  # a heartbeat
                await asyncio.sleep(0.01)
    error = await stands.ended()
    assert error is not None
    assert error.code() is LATE
    await works.send(hello())
    await works.frame(credit_count=1)
    (again,) = await works.take()
    await works.report([again])

    assert again.token.attempt == given.token.attempt
    assert (await wait(client, submitted.last.node_id)).HasField("value")
    await works.close()


@pytest.mark.parametrize("config", [IMPATIENT], indirect=True)
async def test_worker_whose_slots_are_full_may_hold_more(client: Client, channel: grpc.aio.Channel) -> None:
    """What waits for a slot is no standstill."""
    stream = Stream(channel)
    await stream.send(hello(slot_count=1))
    await stream.frame(credit_count=2)
    await submit(client, group(sig(), sig()))
    first, _ = await stream.take(2)
    await stream.frame(started=[first.token])

    for _ in range(10):
        await stream.frame()
        await asyncio.sleep(0.01)
    await stream.acknowledged()

    assert not stream.call.done()
    await stream.close()


async def test_state_of_a_running_task_is_shown(client: Client, channel: grpc.aio.Channel) -> None:
    """It and what is said about it stand in the node while it runs; at the end only that of an ignored task."""
    stream = Stream(channel)
    await stream.send(hello())
    await stream.frame(credit_count=2)
    submitted = await submit(client, group(sig(), sig()))
    running = await stream.take(2)
    said = pb.WorkRequest.Progress(state="BAKING", meta={"data": b"42"})

    await stream.frame(
        started=[each.token for each in running],
        progress=[
            pb.WorkRequest.Progress(token=each.token, state=said.state, meta=said.meta) for each in running
        ],
    )
    await stream.acknowledged()
    nodes = [(await client.GetNode(cs.GetNodeRequest(node_id=each.token.node_id))).node for each in running]
    ignored = pb.Outcome(ignored={"custom_state": "BURNT"}, progress=said)
    await stream.report(running[:1])
    await stream.report(running[1:], lambda _: ignored)
    await stream.acknowledged()
    ended = [(await client.GetNode(cs.GetNodeRequest(node_id=each.token.node_id))).node for each in running]

    assert [(node.custom_state, node.custom_meta.data) for node in nodes] == [("BAKING", b"42")] * 2
    assert [(node.custom_state, node.custom_meta.data) for node in ended] == [("", b""), ("BURNT", b"42")]
    assert submitted.node_count == 3
    await stream.close()
