"""Sweeps each partition each second, at the next due time, and when a call has left work in the list.

Every coordinator sweeps every partition; a sweep is bounded, atomic and repeatable, so it does not matter who is first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from gesso_server.config import Timing
from gesso_server.dispatch.overrun import OVERRAN
from gesso_server.dispatch.registry import Registry
from gesso_server.store.calls import Duties
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.partition import Partition
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

SeeTo: TypeAlias = Callable[[Partition, Duties], None]
"""What is done with the duties that a call on a partition left."""

_SECOND = timedelta(seconds=1)
_MS = timedelta(milliseconds=1)


class Sweepers:
    """The sweepers of a coordinator, one for each partition."""

    def __init__(self, store: Store, registry: Registry, timing: Timing) -> None:
        self._store = store
        self._registry = registry
        self._timing = timing
        self._hurry: dict[int, asyncio.Event] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self.saw_limits: Callable[[int, int], None] = lambda _partition, _version: None
        """Told of each partition's version of the table of limits."""

    def hurry(self, partition: int) -> None:
        """Let a partition be swept now."""
        self._hurry.setdefault(partition, asyncio.Event()).set()

    def expect(self, partition: int, due_ms: int) -> None:
        """Let a partition be swept when something is due, if it would not be before."""
        loop = asyncio.get_running_loop()
        at = loop.time() + (due_ms + 1) / 1000
        timer = self._timers.get(partition)
        if due_ms * _MS >= self._timing.sweep or (timer is not None and loop.time() < timer.when() <= at):
            return
        if timer is not None:
            timer.cancel()
        self._timers[partition] = loop.call_at(at, self.hurry, partition)

    async def run(self, see_to: SeeTo) -> None:
        """Sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            for partition in self._store.partitions:
                group.create_task(self._run(partition, see_to))

    async def _run(self, partition: Partition, see_to: SeeTo) -> None:
        hurry = self._hurry.setdefault(partition.number, asyncio.Event())
        while True:
            hurry.clear()
            wait = await self._sweep(partition, see_to)
            try:
                async with asyncio.timeout(wait):
                    await hurry.wait()
            except TimeoutError:
                pass

    async def _sweep(self, partition: Partition, see_to: SeeTo) -> float:
        """Sweep once; return how many seconds to wait."""
        most = self._timing.sweep / _SECOND
        try:
            swept = await partition.sweep(
                staging_ms=self._timing.staging // _MS,
                overran=OVERRAN,
                idle_queues=self._registry.idle_queues(partition.number),
            )
        except StoreError as error:
            _log.log(level_of(error), "sweep.failed partition=%d reason=%s", partition.number, error)
            return most
        self.saw_limits(partition.number, swept.limits_version)
        see_to(partition, swept.duties)
        if swept.more or swept.duties.work:
            return 0
        return most if swept.next_due_ms is None else min(most, (swept.next_due_ms + 1) / 1000)
