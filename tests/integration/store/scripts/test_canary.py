"""The canary: whatever a coordinator was answered and the store has forgotten, its next call tells."""

from __future__ import annotations

import asyncio

from gesso_server.store.store import Store
from integration.store.scripts.rig import Rig
from support.trees import call

KEY = "gesso:{0}:canary:c1"


async def forget(rig: Rig, calls: int) -> None:
    """Let the store go back to before the last calls."""
    await rig.store.redis.decrby(KEY, calls)


async def test_loss_of_a_single_call_is_told_by_the_next_one(rig: Rig) -> None:
    """Once, and no sweep is needed: a submission that was acknowledged, or anything else."""
    await rig.sweep()
    await rig.submit(call("a"))
    await forget(rig, 1)

    worker = rig.worker()

    assert (await worker.hello()).duties.rolled_back
    assert not (await worker.exchange()).duties.rolled_back
    assert not (await rig.sweep()).duties.rolled_back


async def test_calls_of_others_hide_no_loss(rig: Rig, other_store: Store) -> None:
    """Each coordinator's calls are counted apart."""
    await rig.sweep()
    await rig.sweep()
    await forget(rig, 1)
    for _ in range(5):
        await other_store.partitions[0].sweep(staging_ms=60_000, overran=b"", idle_queues=())

    assert (await rig.sweep()).duties.rolled_back


async def test_calls_at_one_time_are_no_loss(rig: Rig) -> None:
    """Whatever the order of their answers; and a loss is told once, however many are under way."""
    swept = await asyncio.gather(*(rig.sweep() for _ in range(50)))
    assert not any(each.duties.rolled_back for each in swept)
    await forget(rig, 10)

    swept = await asyncio.gather(*(rig.sweep() for _ in range(50)))

    assert sum(each.duties.rolled_back for each in swept) == 1


async def test_coordinator_that_is_gone_leaves_nothing(rig: Rig) -> None:
    """Its count has an end, which its sweeps move."""
    await rig.submit(call("a"))
    first = await rig.store.redis.pttl(KEY)
    await rig.store.redis.pexpire(KEY, 1000)
    await rig.sweep()

    assert first > 1000
    assert await rig.store.redis.pttl(KEY) > 1000
