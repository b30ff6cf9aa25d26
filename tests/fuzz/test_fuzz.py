"""Any bytes on any method: a documented answer, bounded memory, and the service goes on."""

from __future__ import annotations

import os
from pathlib import Path

import grpc
import pytest

from acceptance.tasks import call
from fuzz.caller import Caller
from gesso import group
from gesso.v1 import operations_service_pb2 as ops
from gesso.v1.operations_service_pb2_grpc import OperationsServiceStub
from support.system import Coordinator, System

SIDE_BY_SIDE = 24
GROWTH_BYTES = 48 << 20
"""What a coordinator may take more at the end than after the first tenth: its buffers and caches."""


async def fuzz(coordinator: Coordinator, messages: int, seed: int) -> tuple[Caller, int, int]:
    """Send so many messages; return the caller, and the coordinator's memory after the first tenth and at the end."""
    async with grpc.aio.insecure_channel(coordinator.address) as channel:
        caller = Caller(channel, seed)
        await caller.run(messages // 10, side_by_side=SIDE_BY_SIDE)
        early = coordinator.resident_bytes()
        await caller.run(messages, side_by_side=SIDE_BY_SIDE)
        return caller, early, coordinator.resident_bytes()


async def undo(coordinator: Coordinator) -> None:
    """Resume queues and remove limits: what was set by calls that were right holds, and would hold up work."""
    async with grpc.aio.insecure_channel(coordinator.address) as channel:
        operations = OperationsServiceStub(channel)
        for queue in (await operations.ListQueues(ops.ListQueuesRequest(page_size=1000))).queues:
            if queue.paused:
                await operations.ResumeQueue(ops.ResumeQueueRequest(queue=queue.queue))
        for limit in (await operations.ListLimits(ops.ListLimitsRequest())).limits:
            await operations.SetLimit(ops.SetLimitRequest(key=limit.key))


async def check(folder: Path, messages: int) -> None:
    """Fuzz a coordinator, and check what is true of every run."""
    seed = int(os.environ.get("GESSO_FUZZ_SEED") or int.from_bytes(os.urandom(4)))
    with System(folder) as system:
        coordinator = system.coordinator(settings=["timing.hello=500ms", "limits.open_nodes=200000"])

        caller, early, late = await fuzz(coordinator, messages, seed)

        found = caller.findings
        print(f"seed {seed}: {early >> 20} MiB, then {late >> 20} MiB\n{found.table()}")  # noqa: T201 - the report
        assert not found.wrong[:5]
        assert late - early < GROWTH_BYTES
        assert "fault" not in coordinator.program.said
        await undo(coordinator)
        system.worker(coordinator)
        system.client(coordinator)
        assert group(call("add", n, 1) for n in range(100)).delay().get(timeout=30) == list(range(1, 101))


@pytest.mark.parametrize("messages", [3_000])
async def test_mutated_messages_get_documented_answers(tmp_path: Path, messages: int) -> None:
    """Each answer to a damaged message is in the contract, memory stays bounded, and work is done afterwards."""
    await check(tmp_path, messages)


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_hundred_thousand_mutated_messages_get_documented_answers(tmp_path: Path) -> None:
    """As above, 100,000 times."""
    await check(tmp_path, 100_000)
