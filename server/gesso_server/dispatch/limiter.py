"""Carries permits between the homes of limits and the partitions that need them. docs/limits.md has the protocol.

All that counts is in the store, and every message may be repeated, lost or come late: what this coordinator drops, by
dying or because the store did not answer, the next sweep of any coordinator finds again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from gesso_server.store.calls import AccountNews, Duties, PermitDelivery
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.inspection import LimitUse
from gesso_server.store.limits import Limit, LimitTable
from gesso_server.store.partition import Partition
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

SeeTo: TypeAlias = Callable[[Partition, Duties], None]
"""What is done with the duties that a call on a partition left."""

T = TypeVar("T")

_NEWS_PER_CALL = 100
_DELIVERIES_PER_CALL = 16
"""Each may move as many entries as an account has spare permits, 64."""
_COPIES_AT_ONCE = 32


class TooManyLimitsError(Exception):
    """The table of limits is full."""


class Limiter:
    """The limits, as one coordinator knows and serves them."""

    def __init__(self, store: Store, hurry: Callable[[int], None]) -> None:
        """Prepare to run.

        Args:
            store: Is connected.
            hurry: Lets a partition be swept now.
        """
        self._store = store
        self._hurry = hurry
        self._table = LimitTable(-1, {})
        self._versions: dict[int, int] = {}
        self._news: dict[tuple[int, str], AccountNews] = {}
        self._deliveries: dict[tuple[int, str], PermitDelivery] = {}
        self._event = asyncio.Event()

    # --- the table -------------------------------------------------------------------------------

    async def set(self, namespace: str, key: str, limit: Limit) -> None:
        """Set a limit, or remove it if it limits nothing. When this returns, every partition obeys.

        Raises:
            TooManyLimitsError: If there are too many.
            StoreError: If the store does not answer; repeating is safe.
        """
        if not await self._store.partitions[0].set_limit(f"{namespace}\0{key}", limit):
            raise TooManyLimitsError
        await self._copy()

    async def declare(self, namespace: str, limits: dict[str, Limit]) -> None:
        """Set limits that came with tasks, where no person set another. Otherwise as `set`."""
        if not limits:
            return
        known = self._table.limits(namespace)
        if any(key not in known or known[key] != limit for key, limit in limits.items()):
            known = await self.limits(namespace)
        for key, limit in limits.items():
            found = known.get(key)
            if found is None or (found.declared and found != limit):
                await self.set(namespace, key, limit)

    async def limits(self, namespace: str) -> dict[str, Limit]:
        """Return the limits of a namespace, by key.

        Raises:
            StoreError: If the store does not answer.
        """
        self._table = await self._store.partitions[0].limit_table()
        return self._table.limits(namespace)

    async def uses(self, namespace: str) -> dict[str, LimitUse]:
        """Return what is done under the limits of a namespace, by key.

        Raises:
            StoreError: If the store does not answer.
        """
        total: dict[str, LimitUse] = {}
        answers = await asyncio.gather(
            *(each.inspection.limits(namespace) for each in self._store.partitions)
        )
        for use in (use for answer in answers for use in answer):
            known = total.get(use.key, LimitUse(use.key, 0, 0))
            total[use.key] = LimitUse(use.key, known.held + use.held, known.waiting + use.waiting)
        return total

    async def _copy(self) -> None:
        """Give every partition the table that the first one has."""
        first, *others = self._store.partitions
        self._table = table = await first.limit_table()
        for some in _parts(others, _COPIES_AT_ONCE):
            await asyncio.gather(*(partition.copy_limits(table) for partition in some))
        for partition in self._store.partitions:
            self._versions[partition.number] = table.version
            self._hurry(partition.number)

    def saw(self, partition: int, version: int) -> None:
        """Take note of the version of a partition's table, in case a copy was not finished."""
        self._versions[partition] = version
        if partition == 0 and version != self._table.version:
            self._table = LimitTable(-1, {})  # another coordinator has changed it
        if version != self._versions.get(0, version):
            self._event.set()

    # --- permits ---------------------------------------------------------------------------------

    def offer(self, partition: Partition, duties: Duties) -> None:
        """Take in what accounts and homes of a partition say."""
        for news in duties.news:
            known = self._news.get((partition.number, news.name))
            if known is None or (known.epoch, known.version) <= (news.epoch, news.version):
                self._news[partition.number, news.name] = news
        for delivery in duties.deliveries:
            last = self._deliveries.get((delivery.partition, delivery.name))
            if last is None or (last.epoch, last.granted, last.heard) <= (delivery.epoch, *delivery[3:]):
                self._deliveries[delivery.partition, delivery.name] = delivery
        if duties.news or duties.deliveries:
            self._event.set()

    async def run(self, see_to: SeeTo) -> None:
        """Carry until cancelled."""
        while True:
            await self._event.wait()
            self._event.clear()
            if len(set(self._versions.values())) > 1:
                await self._repair()
            while self._news or self._deliveries:
                await self._carry(see_to)

    async def _repair(self) -> None:
        try:
            await self._copy()
        except StoreError as error:
            _log.log(level_of(error), "limits.stale reason=%s", error)

    async def _carry(self, see_to: SeeTo) -> None:
        news, self._news = self._news, {}
        deliveries, self._deliveries = self._deliveries, {}
        homes: dict[int, list[tuple[int, AccountNews]]] = {}
        for (number, name), said in news.items():
            homes.setdefault(self._home(name).number, []).append((number, said))
        accounts: dict[int, list[PermitDelivery]] = {}
        for (number, _), delivery in deliveries.items():
            accounts.setdefault(number, []).append(delivery)
        calls = [
            self._settle(self._store.partitions[number], part, see_to)
            for number, said in homes.items()
            for part in _parts(said, _NEWS_PER_CALL)
        ]
        calls += [
            self._receive(self._store.partitions[number], part, see_to)
            for number, come in accounts.items()
            if number < len(self._store.partitions)
            for part in _parts(come, _DELIVERIES_PER_CALL)
        ]
        await asyncio.gather(*calls)

    def _home(self, name: str) -> Partition:
        namespace, _, key = name.partition("\0")
        return self._store.partition_for(namespace, key)

    async def _settle(self, home: Partition, news: Sequence[tuple[int, AccountNews]], see_to: SeeTo) -> None:
        try:
            see_to(home, await home.settle_limits(news))
        except StoreError as error:
            _log.log(level_of(error), "limits.delayed partition=%d reason=%s", home.number, error)

    async def _receive(
        self, partition: Partition, deliveries: Sequence[PermitDelivery], see_to: SeeTo
    ) -> None:
        try:
            see_to(partition, await partition.receive_permits(deliveries))
        except StoreError as error:
            _log.log(level_of(error), "limits.delayed partition=%d reason=%s", partition.number, error)


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
