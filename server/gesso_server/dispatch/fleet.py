"""Queues and workers over all partitions, for the people who run them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gesso_server.dispatch.duties import DutyDesk
from gesso_server.store.calls import QueueStanding, WorkerStanding
from gesso_server.store.partition import Partition
from gesso_server.store.store import Store

_ONE_CALL = 10
"""Queues or workers that one call to the store looks at: a worker may know 10,000 tasks."""

S = TypeVar("S", QueueStanding, WorkerStanding)


class Fleet:
    """The queues and workers of one store."""

    def __init__(self, store: Store, desk: DutyDesk) -> None:
        self._store = store
        self._desk = desk

    async def pause(self, namespace: str, queue: str, *, paused: bool) -> None:
        """Deliver nothing of a queue any more, or again. When this returns, every partition has it.

        Raises:
            StoreError: If the store does not answer. Some partitions may have it; repeating is safe.
        """
        for partition in self._store.partitions:
            duties = await partition.pause_queue(namespace, queue, paused=paused)
            self._desk.see_to(partition, duties)

    def queues(self, namespace: str, behind: str) -> AsyncIterator[QueueStanding]:
        """Walk through the queues that have tasks or workers or are paused, by name, behind a name."""
        return self._walk(
            behind, lambda partition, at: partition.queues(namespace, behind=at, most=_ONE_CALL), _one_queue,
            lambda found: found.queue,
        )  # fmt: skip

    def workers(self, namespace: str, behind: str) -> AsyncIterator[WorkerStanding]:
        """Walk through the workers' sessions, by id, behind an id."""
        return self._walk(
            behind, lambda partition, at: partition.workers(namespace, behind=at, most=_ONE_CALL), _one_worker,
            lambda found: found.session,
        )  # fmt: skip

    async def _walk(
        self,
        behind: str,
        ask: Callable[[Partition, str], Awaitable[list[S]]],
        one: Callable[[Sequence[S]], S],
        name: Callable[[S], str],
    ) -> AsyncIterator[S]:
        """Walk through what partitions know of the same things, by name."""
        while True:
            answers = await asyncio.gather(*(ask(partition, behind) for partition in self._store.partitions))
            found: dict[str, list[S]] = {}
            for each in (each for answer in answers for each in answer):
                found.setdefault(name(each), []).append(each)
            # A partition that gave all it may has more behind; each of these is complete.
            page = sorted(found)[:_ONE_CALL]
            for each_name in page:
                yield one(found[each_name])
                behind = each_name
            if len(page) < _ONE_CALL:
                return


def _one_queue(parts: Sequence[QueueStanding]) -> QueueStanding:
    ages = [part.oldest_ms for part in parts if part.oldest_ms is not None]
    return replace(
        parts[0],
        waiting=sum(part.waiting for part in parts),
        running=sum(part.running for part in parts),
        entered=sum(part.entered for part in parts),
        delivered=sum(part.delivered for part in parts),
        ended=sum(part.ended for part in parts),
        sessions=max(part.sessions for part in parts),
        paused=any(part.paused for part in parts),
        oldest_ms=max(ages, default=None),
        unknown=frozenset[str]().union(*(part.unknown for part in parts)),
    )


def _one_worker(parts: Sequence[WorkerStanding]) -> WorkerStanding:
    return replace(
        parts[0],
        held=sum(part.held for part in parts),
        seen_ms=max(part.seen_ms for part in parts),
        reported=sum(part.reported for part in parts),
    )
