"""How much a partition has of what, and what calls say that they have done, for metrics."""

from __future__ import annotations

from gesso_server.store.calls import Deeds
from gesso_server.store.standing import PartitionStanding
from integration.store.scripts.rig import NAMESPACE, Rig
from support.trees import call, calls, chain, group


async def standing(rig: Rig) -> PartitionStanding:
    """Return how the partition stands."""
    return await rig.partition.standing(NAMESPACE, ["default", "none"])


async def test_parked_tasks_are_counted_until_somebody_knows_them(rig: Rig) -> None:
    """A run of tasks that no worker knows counts as so many, until one comes that does."""
    await rig.submit(group(*calls(3, task="strange")))
    stranger = rig.worker()
    await stranger.hello()
    before = await standing(rig)
    await stranger.take()
    parked = await standing(rig)
    worker = rig.worker(tasks=("strange",))
    await worker.hello()
    await worker.take()

    assert [each.parked for each in (before, parked, await standing(rig))] == [
        {"default": 0, "none": 0},
        {"default": 3, "none": 0},
        {"default": 0, "none": 0},
    ]


async def test_what_is_kept_is_counted(rig: Rig) -> None:
    """Canvases are counted while they are kept, nodes until they have ended."""
    await rig.submit(chain(*calls(3)))
    begun = await standing(rig)
    worker = rig.worker()
    await worker.hello()
    await worker.drain()
    ended = await standing(rig)

    assert (begun.canvases, begun.open_nodes) == (1, 3)
    assert (ended.canvases, ended.open_nodes) == (1, 0)


async def test_repeated_call_has_done_nothing(rig: Rig) -> None:
    """What a call says that it did it says once: its repetition did nothing."""
    await rig.submit(call("add"))
    worker = rig.worker()
    await worker.hello()

    first = await worker.exchange(want=1)
    again = await worker.exchange(want=1, seq=worker.seq)

    assert counts(first.duties.deeds) == {"grant": 1}
    assert counts(again.duties.deeds) == {}
    assert len(again.grants) == 1


def counts(deeds: Deeds) -> dict[str, int]:
    """Return how often a call did what."""
    words = [word.decode() for word in deeds.counts[::2] if isinstance(word, bytes)]
    return dict(zip(words, (int(count) for count in deeds.counts[1::2]), strict=True))
