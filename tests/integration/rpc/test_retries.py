"""Retry policies, end to end: the coordinator schedules, and the three counters stay apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest

from gesso.v1 import canvas_pb2, node_pb2
from gesso.v1 import coordinator_service_pb2 as cs
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.config import ServerConfig, Timing
from gesso_server.ids import CanvasId
from gesso_server.main import Started
from gesso_server.store.store import Store
from support.client import Client
from support.grpc_worker import Stream, done, hello, working
from support.messages import sig

SOON = ServerConfig(timing=Timing(sweep=timedelta(milliseconds=20)))
State = node_pb2.Node.State


def retried(**policy: Any) -> canvas_pb2.Canvas:
    """Return a task with a retry policy, which waits for a millisecond unless it says otherwise."""
    canvas = sig()
    canvas.signature.options.retry.initial_delay.FromMilliseconds(1)
    canvas.stamps["who"].values.append('"me"')
    for field, value in policy.items():
        if isinstance(value, list):
            getattr(canvas.signature.options.retry, field).extend(value)
        else:
            setattr(canvas.signature.options.retry, field, value)
    return canvas


def failed(kind: str = "builtins.ConnectionError", *, final: bool = False) -> pb.Outcome:
    """Return the outcome of an attempt that raised."""
    outcome = pb.Outcome()
    outcome.error.type = kind
    outcome.error.base_types.extend(["builtins.OSError", "builtins.Exception"])
    outcome.error.final = final
    return outcome


async def ended(client: Client, canvas: canvas_pb2.Canvas) -> node_pb2.Node:
    """Submit a canvas, wait for its end and return its last node."""
    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas))
    await client.WaitNode(cs.WaitNodeRequest(node_id=made.last.node_id), timeout=20)
    return (await client.GetNode(cs.GetNodeRequest(node_id=made.last.node_id))).node


@pytest.mark.parametrize("config", [SOON], indirect=True)
async def test_task_is_run_again_under_its_id_with_its_stamps(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """Each failure is counted, and nothing else; a later success is the end."""

    def answer(assignment: pb.Assignment) -> pb.Outcome:
        return done(assignment) if assignment.failure_count == 2 else failed()

    async with working(channel, answer=answer) as stream:
        node = await ended(client, retried())
        attempts = stream.assignments

    assert node.state == State.STATE_SUCCEEDED
    assert [(each.token.attempt, each.failure_count) for each in attempts] == [(1, 0), (2, 1), (3, 2)]
    assert {each.token.node_id for each in attempts} == {node.handle.node_id}
    assert all(each.stamps["who"].values == ['"me"'] for each in attempts)
    assert (node.delivery_count, node.crash_count, node.failure_count) == (3, 0, 2)


@pytest.mark.parametrize("config", [SOON], indirect=True)
@pytest.mark.parametrize(
    ("policy", "outcome", "runs"),
    [
        ({"max_retry_count": 2}, failed(), 3),
        ({"max_retry_count": 0}, failed(), 1),
        ({"retried_types": ["builtins.OSError"]}, failed(), 4),
        ({"retried_types": ["builtins.KeyError"]}, failed(), 1),
        ({"final_types": ["builtins.OSError"]}, failed(), 1),
        ({"max_retry_count": 25, "jitter": 0.0, "factor": 1.0}, failed(), 26),
        ({}, failed(final=True), 1),
    ],
)
async def test_policy_says_what_is_retried_and_how_often(
    client: Client, channel: grpc.aio.Channel, policy: dict[str, Any], outcome: pb.Outcome, runs: int
) -> None:
    """By the error's class and those that it derives from. Retries are no deliveries too many: 25 are fine."""
    async with working(channel, answer=lambda _: outcome) as stream:
        node = await ended(client, retried(**policy))

    assert node.state == State.STATE_FAILED
    assert node.error.type == "builtins.ConnectionError"
    assert len(stream.assignments) == node.failure_count == runs


OVERRUN_POLICIES: list[dict[str, Any]] = [{}, {"retried_types": ["gesso.TimeLimitExceeded"]}]


@pytest.mark.parametrize("config", [SOON], indirect=True)
@pytest.mark.parametrize("policy", OVERRUN_POLICIES, ids=["every error", "this one"])
async def test_overrun_that_its_worker_ended_is_not_retried(
    client: Client, channel: grpc.aio.Channel, policy: dict[str, Any]
) -> None:
    """What was killed for its time limit fails for good, whatever its policy says."""
    async with working(channel, answer=lambda _: failed("gesso.TimeLimitExceeded")) as stream:
        node = await ended(client, retried(**policy))

    assert (node.state, node.error.type) == (State.STATE_FAILED, "gesso.TimeLimitExceeded")
    assert len(stream.assignments) == node.failure_count == 1


@pytest.mark.parametrize("config", [SOON], indirect=True)
@pytest.mark.parametrize("policy", OVERRUN_POLICIES, ids=["every error", "this one"])
async def test_overrun_that_the_coordinator_ended_is_not_retried(
    client: Client, channel: grpc.aio.Channel, started: Started, policy: dict[str, Any]
) -> None:
    """It is the same when nobody reports it, and a sweep finds it."""
    canvas = retried(**policy)
    canvas.signature.options.time_limit.FromSeconds(1)
    stream = Stream(channel)
    await stream.send(hello())
    await stream.until(lambda: stream.frames)
    await stream.frame(credit_count=1)
    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=canvas))
    (held,) = await stream.take()
    await stream.frame(started=[held.token])
    await stream.acknowledged()

    partition = started.coordinator.store.partition_of(CanvasId(made.canvas_id))
    assert partition is not None
    store = Store(started.store, "test")
    await store.connect(None)
    seconds, _ = await store.redis.time()
    await store.redis.set(f"gesso:{{{partition.number}}}:clock", (int(seconds) + 10) * 1000)
    await store.close()
    await client.WaitNode(cs.WaitNodeRequest(node_id=made.last.node_id), timeout=20)
    node = (await client.GetNode(cs.GetNodeRequest(node_id=made.last.node_id))).node

    assert (node.state, node.error.type) == (State.STATE_FAILED, "gesso.TimeLimitExceeded")
    assert node.failure_count == 1
    await stream.close()


@pytest.mark.parametrize("config", [SOON], indirect=True)
async def test_task_that_asks_without_a_delay_waits_as_its_policy_says(
    client: Client, channel: grpc.aio.Channel
) -> None:
    """And as often; `unlimited` and a number of its own go before that."""

    def answer(assignment: pb.Assignment) -> pb.Outcome:
        if assignment.failure_count == 5:
            return done(assignment)
        outcome = pb.Outcome()
        outcome.retry.error.type = "builtins.ValueError"
        outcome.retry.unlimited = True
        return outcome

    async with working(channel, answer=answer) as stream:
        node = await ended(client, retried(max_retry_count=1))

    assert node.state == State.STATE_SUCCEEDED
    assert len(stream.assignments) == 6


@pytest.mark.parametrize("config", [SOON], indirect=True)
async def test_policy_is_known_on_another_stream(client: Client, channel: grpc.aio.Channel) -> None:
    """A worker that came back with a task that another stream assigned has its failure retried all the same."""
    session = "s" * 16
    first = Stream(channel)
    await first.send(hello(session))
    await first.until(lambda: first.frames)
    await first.frame(credit_count=1)
    made = await client.SubmitCanvas(cs.SubmitCanvasRequest(canvas=retried()))
    (held,) = await first.take()
    first.call.cancel()

    again = Stream(channel)
    await again.send(hello(session, epoch=2, held=[held.token]))
    await again.until(lambda: again.frames)
    await again.report([held], lambda _: failed(), credit_count=1)
    (assignment,) = await again.take()
    await again.report([assignment])
    ended = await client.WaitNode(cs.WaitNodeRequest(node_id=made.last.node_id), timeout=20)

    assert assignment.token.attempt == 2
    assert ended.state == State.STATE_SUCCEEDED
    await again.close()
