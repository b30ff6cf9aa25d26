"""Partitions whose permits are carried by hand, so that messages can be lost, repeated and late, and time stands."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count

from gesso_server.config import ServerConfig
from gesso_server.plan import Element
from gesso_server.store.calls import AccountNews, Duties, Grant, PermitDelivery
from gesso_server.store.limits import Limit
from gesso_server.store.store import Store
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, Worker, name


@dataclass
class Post:
    """A store with some partitions, and what their accounts and homes have said that nobody has carried yet."""

    store: Store
    news: list[tuple[int, AccountNews]] = field(default_factory=list)
    deliveries: list[PermitDelivery] = field(default_factory=list)
    now: int = 0

    def __post_init__(self) -> None:
        self.rigs = [Rig(self.store, ServerConfig()) for _ in self.store.partitions]
        for rig, partition in zip(self.rigs, self.store.partitions, strict=True):
            rig.partition = partition

    # --- time ------------------------------------------------------------------------------------

    async def stop_clocks(self) -> None:
        """Let time stand, an hour ahead; from now on only `pass_ms` moves it."""
        seconds, _ = await self.store.redis.time()
        self.now = (int(seconds) + 3600) * 1000
        await self.pass_ms(0)

    async def pass_ms(self, ms: int) -> None:
        """Move time."""
        self.now += ms
        for number in range(len(self.rigs)):
            await self.store.redis.set(f"gesso:{{{number}}}:clock", self.now)

    # --- what people and workers do --------------------------------------------------------------

    async def limit(self, key: str, limit: Limit) -> None:
        """Set a limit everywhere."""
        first, *others = self.store.partitions
        assert await first.set_limit(f"{NAMESPACE}\0{key}", limit)
        table = await first.limit_table()
        for partition in others:
            await partition.copy_limits(table)

    async def submit(self, element: Element, partition: int = 0) -> Canvas:
        """Submit a canvas to a partition."""
        requests = (secrets.token_hex(8) for _ in count())
        request = next(
            found for found in requests if self.store.partition_for(NAMESPACE, found).number == partition
        )
        return await self.rigs[partition].submit(element, request_id=request)

    async def worker(self, partition: int = 0, *, lease_ms: int = 10**7) -> Worker:
        """Return a worker's session in a partition."""
        worker = self.rigs[partition].worker()
        assert (await worker.hello(lease_ms=lease_ms)).accepted
        return worker

    async def take(self, worker: Worker, most: int = 64) -> list[Grant]:
        """Ask for tasks; what the partition says besides is kept."""
        reply = await worker.exchange(want=most)
        self.keep(self.rigs.index(worker.rig), reply.duties)
        return reply.grants

    async def names(self, worker: Worker, most: int = 64) -> list[str]:
        """Ask for tasks, once more when permits have been carried; return their names."""
        found = await self.take(worker, most)
        await self.carry()
        return list(map(name, found + await self.take(worker, most - len(found))))

    async def report(self, worker: Worker, *grants: Grant, kind: str = "v") -> None:
        """Report that tasks ended."""
        self.keep(self.rigs.index(worker.rig), (await worker.report(*grants, kind=kind)).duties)

    # --- the post --------------------------------------------------------------------------------

    def keep(self, partition: int, duties: Duties) -> None:
        """Keep what a partition said."""
        self.news += ((partition, said) for said in duties.news)
        self.deliveries += duties.deliveries

    async def settle(self, news: Iterable[tuple[int, AccountNews]]) -> None:
        """Carry news to their homes."""
        for number, said in news:
            home = self.home(said.name)
            self.keep(home, await self.store.partitions[home].settle_limits([(number, said)]))

    async def receive(self, deliveries: Iterable[PermitDelivery]) -> None:
        """Carry deliveries to their accounts."""
        for delivery in deliveries:
            duties = await self.store.partitions[delivery.partition].receive_permits([delivery])
            self.keep(delivery.partition, duties)

    async def carry(self) -> int:
        """Carry until nothing is left; return how many calls it took."""
        for calls in range(1000):
            if self.news:
                news, self.news = self.news, []
                await self.settle(news)
            elif self.deliveries:
                deliveries, self.deliveries = self.deliveries, []
                await self.receive(deliveries)
            else:
                return calls
        raise AssertionError("the post never ends")

    async def sweep(self) -> None:
        """Sweep every partition once."""
        for number, rig in enumerate(self.rigs):
            self.keep(number, (await rig.sweep()).duties)

    def home(self, name: str) -> int:
        """Return the number of the partition that a limit is at home in."""
        return self.store.partition_for(*name.split("\0")).number

    async def unsettled(self) -> list[str]:
        """Return what is still to be looked at in any partition."""
        found: list[str] = []
        for number in range(len(self.rigs)):
            members = await self.store.redis.zrange(f"gesso:{{{number}}}:lu", 0, -1)
            found += [bytes(member).decode() for member in members]  # type: ignore[arg-type]  # bytes
        return found
