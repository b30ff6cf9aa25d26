"""A coordinator whose store drops answers again and again: all ends right, and what counts counts once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import worker_service_pb2 as worker_pb
from gesso_server.config import ServerConfig, Timing
from gesso_server.main import Started, serving
from support.client import Client, client_of
from support.grpc_worker import done, working
from support.lossy_proxy import LossyProxy
from support.messages import chain, chord, read, sig

LIMIT_SECONDS = 30.0
CHORDS = 4
REPEATED = {"submit", "exchange", "sweep", "renew", "watch"}
"""The calls after whose loss the worker's stream goes on."""
TASKS = ("add", "flaky", "broken", "body", "told")


@pytest.fixture
async def proxy(started: Started, tmp_path: Path) -> AsyncIterator[LossyProxy]:
    """A proxy before the store of a coordinator that has no other part in this."""
    async with LossyProxy(started.store.removeprefix("unix://"), tmp_path / "lossy").running() as proxy:
        yield proxy


class Hands:
    """Does the tasks, and counts."""

    def __init__(self) -> None:
        self.runs = Counter[tuple[str, int]]()
        """Node and attempt."""

    def __call__(self, assignment: worker_pb.Assignment) -> worker_pb.Outcome:
        """End a task as its name says; a flaky one is retried once."""
        self.runs[assignment.token.node_id, assignment.token.attempt] += 1
        outcome = worker_pb.Outcome()
        match assignment.signature.task:
            case "flaky" if assignment.failure_count == 0:
                outcome.retry.error.type = "Flaky"
                outcome.retry.delay.SetInParent()  # at once
            case "broken":
                outcome.error.type = "Broken"
            case _:
                return done(assignment)
        return outcome


def _check(error: grpc.aio.AioRpcError) -> None:
    """Only what a client repeats may come."""
    assert read(error).code == grpc.StatusCode.UNAVAILABLE


async def submitted(client: Client, request: pb.SubmitCanvasRequest) -> pb.SubmitCanvasResponse:
    """Submit until it is answered, as a client does."""
    while True:
        try:
            return await client.SubmitCanvas(request)
        except grpc.aio.AioRpcError as error:
            _check(error)


async def ended(client: Client, node_id: str) -> pb.WaitNodeResponse:
    """Wait for a node until it is answered, as a client does."""
    while True:
        try:
            return await client.WaitNode(pb.WaitNodeRequest(node_id=node_id), timeout=LIMIT_SECONDS)
        except grpc.aio.AioRpcError as error:
            _check(error)


@pytest.mark.parametrize("every", [3, 5, 7])
async def test_canvases_end_right_though_answers_are_lost(proxy: LossyProxy, every: int) -> None:
    """With each third, fifth … answer dropped, chords, errors and retries end as without, their bodies once."""
    timing = Timing(sweep=timedelta(milliseconds=100), grace=timedelta(seconds=20))
    config = ServerConfig(address="localhost:0", store=proxy.url, timing=timing)
    hands = Hands()
    async with serving(config) as coordinator, grpc.aio.insecure_channel(coordinator.address) as channel:
        client = client_of(channel)
        async with working(channel, answer=hands, tasks=TASKS):
            proxy.counts = REPEATED.__contains__
            proxy.drops = lambda number: number % every == 0
            good, bad = [], []
            for number in range(CHORDS):
                header = [sig("add"), chain(sig("flaky"), sig("add"))]
                good.append(
                    await submitted(client, _request(f"g{every}{number}", chord(header, sig("body"))))
                )
                failing = chord([sig("add"), sig("broken")], sig("body"))
                bad.append(await submitted(client, _request(f"b{every}{number}", failing)))
            values = [await ended(client, answer.last.node_id) for answer in good]
            errors = [await ended(client, answer.last.node_id) for answer in bad]
            proxy.drops = lambda _number: False

    flaky = ["add", ["flaky", None]]
    assert [json.loads(value.value.data) for value in values] == [["body", [["add", None], flaky]]] * CHORDS
    assert all(error.HasField("error") for error in errors)
    assert set(hands.runs.values()) == {1}, "no delivery was handed out twice"
    assert len({node for node, _ in hands.runs}) == len(good) * 4 + len(bad) * 2
    assert proxy.dropped


def _request(request_id: str, canvas: object) -> pb.SubmitCanvasRequest:
    return pb.SubmitCanvasRequest(canvas=canvas, request_id=request_id)  # type: ignore[arg-type]  # a Canvas
