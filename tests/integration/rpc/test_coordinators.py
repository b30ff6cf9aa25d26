"""Coordinators together, without their store, at their end, and with a large backlog."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.config import ServerConfig, Timing
from gesso_server.main import Started, serving
from integration.store.connections import DeathWatch
from support.client import Client, client_of
from support.grpc_worker import Stream, hello, staying, working
from support.messages import Refused, chain, chord, group, read, sig

LIMIT_SECONDS = 30.0
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
_PROGRAM = Path(__file__).with_name("coordinator_process.py")
_RISE_LIMIT_KIB = 50 << 10


@pytest.fixture
async def other(started: Started) -> AsyncIterator[Started]:
    """Another coordinator on the same store."""
    async with serving(ServerConfig(address="localhost:0", store=started.store)) as other:
        yield other


def stub(channel: grpc.aio.Channel) -> Client:
    """Return a client."""
    return client_of(channel)


async def test_two_coordinators_serve_the_same_canvas(started: Started, other: Started) -> None:
    """Submitted at one, worked on at the other, waited for at the first, read at the other."""
    async with (
        grpc.aio.insecure_channel(started.address) as here,
        grpc.aio.insecure_channel(other.address) as there,
        working(there),
    ):
        canvas = chord([chain(sig(), sig())] * 50, sig("tsum"))
        submitted = await stub(here).SubmitCanvas(pb.SubmitCanvasRequest(canvas=canvas))
        node_id = submitted.last.node_id
        ended = await stub(here).WaitNode(pb.WaitNodeRequest(node_id=node_id), timeout=LIMIT_SECONDS)
        node = (await stub(there).GetNode(pb.GetNodeRequest(node_id=node_id))).node

    assert ended.HasField("value")
    assert node.state == ended.state
    assert node.delivery_count == 1


async def test_idle_worker_is_woken_across_coordinators(started: Started, other: Started) -> None:
    """Work that comes at one coordinator reaches a worker that waits at the other, without waiting for a sweep."""
    async with (
        grpc.aio.insecure_channel(started.address) as here,
        grpc.aio.insecure_channel(other.address) as there,
        working(there) as worker,
    ):
        for count in range(1, 21):
            submitted = await stub(here).SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
            await worker.take(count)
            request = pb.WaitNodeRequest(node_id=submitted.last.node_id, timeout={"seconds": 20})
            await stub(here).WaitNode(request)

    assert other.coordinator.registry.sessions == []


async def test_request_is_recognized_by_the_other_coordinator(started: Started, other: Started) -> None:
    """A client that repeats its submission elsewhere gets the canvas that was accepted first."""
    request = pb.SubmitCanvasRequest(canvas=group(sig(), sig()), request_id="r")
    async with (
        grpc.aio.insecure_channel(started.address) as here,
        grpc.aio.insecure_channel(other.address) as there,
    ):
        first = await stub(here).SubmitCanvas(request)
        again = await stub(there).SubmitCanvas(request)

    assert (again.canvas_id, again.deduplicated) == (first.canvas_id, True)


async def test_draining_coordinator_asks_workers_to_move(started: Started, other: Started) -> None:
    """A worker is told, gets nothing more where it is, and takes what it holds along."""
    async with (
        grpc.aio.insecure_channel(other.address) as there,
        grpc.aio.insecure_channel(started.address) as here,
    ):
        stream = Stream(there)
        first = hello()
        await stream.send(first)
        await stream.frame(credit_count=5)
        one = await stub(here).SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
        held = (await stream.take())[0]

        other.coordinator.drain()
        await stream.until(lambda: [frame for frame in stream.frames if frame.draining])
        await stub(here).SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
        await stream.frame(credit_count=5, started=[held.token])
        await stream.acknowledged()
        moved = Stream(here)
        await moved.send(hello(first.hello.session_id, epoch=2, held=[held.token]))
        await moved.report([held], credit_count=5)
        await stub(here).WaitNode(pb.WaitNodeRequest(node_id=one.last.node_id), timeout=LIMIT_SECONDS)
        await moved.take()
        refused = Stream(there)
        await refused.send(hello())
        found = read(await refused.ended())
        for open_stream in (stream, moved, refused):
            await open_stream.close()

    assert (found.code, found.reason) == (UNAVAILABLE, "DRAINING")
    assert len(stream.assignments) == 1


def store_pid(started: Started) -> int:
    """Return the number of the store's process."""
    data = str(started.coordinator.config.data)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if data in words or any(started.store.removeprefix("unix://") in word for word in words):
            return int(process.name)
    raise AssertionError(started.store)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the store's process in /proc")
async def test_coordinator_lives_through_an_outage_of_its_store(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """While the store is away calls are UNAVAILABLE with a word on when to repeat them; then everything goes on.

    Its worker is asked to connect again: a store that was restarted may have forgotten what it acknowledged.
    """
    async with staying(channel):
        async with await DeathWatch.open(started.store) as watch:
            before = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=chain(*[sig()] * 50)))
            pid = store_pid(started)
            os.kill(pid, signal.SIGKILL)
            with suppress(ConnectionResetError):
                await watch.wait()
        refusals = await submit_until_taken(client)
        ended = await client.WaitNode(pb.WaitNodeRequest(node_id=before.last.node_id), timeout=LIMIT_SECONDS)

    assert ended.HasField("value")
    assert all(found[:2] == (UNAVAILABLE, "STORE_UNAVAILABLE") and found.retries for found in refusals)
    assert refusals


async def submit_until_taken(client: Client) -> list[Refused]:
    """Submit until the store is back; return the errors met."""
    found: list[Refused] = []
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            try:
                await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
            except grpc.aio.AioRpcError as error:
                found.append(read(error))
            else:
                return found


@pytest.mark.parametrize(
    "config", [ServerConfig(timing=Timing(grace=timedelta(milliseconds=50), sweep=timedelta(milliseconds=50)))],
    indirect=True,
)  # fmt: skip
async def test_task_of_a_broken_connection_goes_to_another_worker(
    started: Started, client: Client, channel: grpc.aio.Channel
) -> None:
    """A worker that is cut off and stays away loses its task after the grace time."""
    async with grpc.aio.insecure_channel(started.address) as elsewhere:
        stream = Stream(elsewhere)
        await stream.send(hello())
        await stream.frame(credit_count=1)
        submitted = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
        await stream.take()
        stream.call.cancel()

        async with working(channel):
            request = pb.WaitNodeRequest(node_id=submitted.last.node_id)
            ended = await client.WaitNode(request, timeout=LIMIT_SECONDS)
        await stream.close()

    assert ended.HasField("value")


async def test_wait_ends_with_its_caller(started: Started, client: Client) -> None:
    """A caller that goes away leaves no wait behind, at whatever moment it goes."""
    submitted = await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
    for turns in range(40):
        call = client.WaitNode(pb.WaitNodeRequest(node_id=submitted.last.node_id))
        task = asyncio.ensure_future(call)
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with asyncio.timeout(LIMIT_SECONDS):
        while len(started.coordinator.waits):
            await client.GetNode(pb.GetNodeRequest(node_id=submitted.last.node_id))


class CoordinatorProcess:
    """A coordinator in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self.address = address
        self._process = process

    async def resident_kib(self) -> int:
        """Return how much memory it has."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return int(await _line(self._process))


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_SECONDS):
        return (await process.stdout.readline()).decode().strip()


@asynccontextmanager
async def coordinator_process(data: Path) -> AsyncGenerator[CoordinatorProcess, None]:
    """Run a coordinator in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_PROGRAM), str(data), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        yield CoordinatorProcess(process, await _line(process))
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(LIMIT_SECONDS):
            await process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
async def test_backlog_adds_little_memory(tmp_path: Path) -> None:
    """200,000 queued tasks add less than 50 MB to the coordinator's process."""
    async with (
        coordinator_process(tmp_path / "data") as coordinator,
        grpc.aio.insecure_channel(coordinator.address) as channel,
    ):
        client = stub(channel)
        await client.SubmitCanvas(pb.SubmitCanvasRequest(canvas=sig()))
        before = await coordinator.resident_kib()
        request = pb.SubmitCanvasRequest(canvas=group(*[sig(args=b"[1, 2]")] * 10_000))
        for _ in range(20):
            await client.SubmitCanvas(request)
        after = await coordinator.resident_kib()

    assert after - before < _RISE_LIMIT_KIB


async def test_coordinator_that_is_stopped_at_once_ends(started: Started) -> None:
    """At whatever moment of its start a coordinator is stopped, it stops: no cancellation is lost on the way."""
    async with asyncio.timeout(LIMIT_SECONDS):
        for turns in range(20):
            async with serving(ServerConfig(address="localhost:0", store=started.store)):
                for _ in range(turns):
                    await asyncio.sleep(0)
