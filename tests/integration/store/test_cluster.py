"""A real cluster: partitions over its primaries, and what may happen to one while it is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
from redis.crc import key_slot

from gesso_server.doctor import examine
from gesso_server.promises import Verdict
from gesso_server.store.errors import StoreBehind, StoreRefused, StoreUnavailable
from gesso_server.store.requirements import check_store
from gesso_server.store.store import CLUSTER_PARTITIONS, Store
from support.stores import Cluster, cluster
from support.system import System, until

LIMIT_SECONDS = 20.0
NAMESPACE = "default"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for all tests of the module: starting one takes some seconds."""
    with System(tmp_path_factory.mktemp("cluster")) as system:
        yield cluster(system)


@pytest.fixture
async def store(nodes: Cluster) -> AsyncIterator[Store]:
    """Connections of a coordinator `c1`."""
    store = Store(nodes.store, "c1")
    await store.connect(None)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(store.follow())
        yield store
        following.cancel()
    await store.close()


async def keeps(store: Store, number: int, task_id: str) -> bool:
    """Whether a partition takes a write, and has it."""
    partition = store.partitions[number]
    await partition.name(NAMESPACE, [(task_id, "0" * 32 + "-0")], ttl_ms=60_000)
    return await partition.named(NAMESPACE, task_id) is not None


def slot_of(number: int) -> int:
    """Return the slot of a partition."""
    return key_slot(str(number).encode())


async def test_partitions_are_spread_over_the_primaries(store: Store, nodes: Cluster) -> None:
    """There are 64 unless told otherwise, each primary has some, and each takes calls."""
    assert len(store.partitions) == CLUSTER_PARTITIONS
    assert len({nodes.primary_of(slot_of(number)) for number in range(CLUSTER_PARTITIONS)}) == 3
    assert all([await keeps(store, number, "a") for number in range(CLUSTER_PARTITIONS)])


async def test_another_number_of_partitions_is_refused(store: Store, nodes: Cluster) -> None:
    """The number is written to the store once."""
    assert store.partitions
    other = Store(nodes.store, "c2")

    with pytest.raises(StoreRefused, match="set up with 64 partitions"):
        await other.connect(4)

    await other.close()


async def test_one_node_is_not_taken_for_the_store(nodes: Cluster) -> None:
    """Named as a server of its own, a node is refused with what to write instead."""
    alone = Store(f"redis://127.0.0.1:{next(iter(nodes.programs))}", "c2")
    await alone.open()

    with pytest.raises(StoreRefused, match=r"redis\+cluster://host:port"):
        await check_store(alone.redis)

    await alone.close()


async def test_signals_and_calls_follow_a_partition_that_moves(store: Store, nodes: Cluster) -> None:
    """While a slot moves in one piece, calls follow; the channel is heard where the slot is then."""
    number = 5
    source = nodes.primary_of(slot_of(number))
    target = next(port for _, _, port in nodes.slots() if port != source)
    heard: asyncio.Queue[str] = asyncio.Queue()
    resumed: asyncio.Queue[frozenset[int]] = asyncio.Queue()
    assert await keeps(store, number, "before")

    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as group:
        listening = group.create_task(
            store.signals(
                lambda _, text: heard.put_nowait(text), lambda numbers, _: resumed.put_nowait(numbers)
            )
        )
        while number not in await resumed.get():
            pass
        words = "CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot_of(number), slot_of(number), "NODE"
        nodes.ask(source, *words, nodes.ask(target, "CLUSTER", "MYID"))
        await asyncio.to_thread(until, lambda: nodes.primary_of(slot_of(number)) == target, "the slot's move")

        assert await keeps(store, number, "after")
        assert await store.partitions[number].named(NAMESPACE, "before")
        while number not in await resumed.get():
            pass
        nodes.ask(target, "SPUBLISH", f"gesso:{{{number}}}:ch:c1", "wake default default 1")
        assert await heard.get() == "wake default default 1"
        listening.cancel()


async def test_partition_waits_while_its_slot_moves_key_by_key(store: Store, nodes: Cluster) -> None:
    """A call is not sent after half a partition: it fails as unavailable until the slot has moved or stays."""
    number = 7
    source = nodes.primary_of(slot_of(number))
    target = next(port for _, _, port in nodes.slots() if port != source)
    nodes.ask(
        target, "CLUSTER", "SETSLOT", slot_of(number), "IMPORTING", nodes.ask(source, "CLUSTER", "MYID")
    )
    nodes.ask(
        source, "CLUSTER", "SETSLOT", slot_of(number), "MIGRATING", nodes.ask(target, "CLUSTER", "MYID")
    )

    with pytest.raises(StoreUnavailable, match="key by key"):
        await keeps(store, number, "a")
    for port in (source, target):
        nodes.ask(port, "CLUSTER", "SETSLOT", slot_of(number), "STABLE")

    assert await keeps(store, number, "a")


async def test_slot_of_nobody_is_unavailable_and_told_once(
    store: Store, nodes: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """CLUSTERDOWN for as long as nobody has the slot, however often it is called."""
    number = 9
    primary = nodes.primary_of(slot_of(number))
    assert await keeps(store, number, "a")
    nodes.ask(primary, "CLUSTER", "DELSLOTS", slot_of(number))

    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            await store.partitions[number].named(NAMESPACE, "a")
    nodes.ask(primary, "CLUSTER", "ADDSLOTS", slot_of(number))

    await asyncio.to_thread(until, nodes.serves, "the cluster's service")
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            with suppress(StoreUnavailable):
                assert await keeps(store, number, "a")
                break
    told = [line for line in caplog.messages if line.startswith("store.unavailable")]
    assert told
    assert len(told) == len(set(told)) <= 2
    assert told[0].endswith("reason=CLUSTERDOWN")


async def test_library_is_loaded_again_where_it_is_missing(store: Store, nodes: Cluster) -> None:
    """A primary that has lost its functions gets them with the next call."""
    nodes.ask(nodes.primary_of(slot_of(1)), "FUNCTION", "FLUSH")

    assert await keeps(store, 1, "a")


@pytest.mark.parametrize(("replicas", "reached"), [(1, True), (2, False)])
async def test_acknowledgement_waits_for_replicas(nodes: Cluster, replicas: int, reached: bool) -> None:  # noqa: FBT001
    """With one replica a primary, `replicas:1` is reached, and `replicas:2` fails, so that the caller repeats."""
    store = Store(nodes.store, "c3", replicas=replicas)
    await store.connect(None)

    if reached:
        assert await keeps(store, 2, "a")
    else:
        with pytest.raises(StoreBehind, match="1 of 2 replicas"):
            await keeps(store, 2, "a")

    await store.close()


async def test_doctor_examines_every_primary(nodes: Cluster) -> None:
    """Each has its replica; that all partitions wait for one failover is said, with the setting that changes it."""
    report = await examine(nodes.store, None, "localhost:1")

    assert len(report.servers) == 3
    assert [server.facts.replica_count for server in report.servers] == [1, 1, 1]
    assert not any(server.missing for server in report.servers)
    assert report.findings[-1].verdict is Verdict.LIMITED
    assert "cluster-require-full-coverage" in report.findings[-1].reason
