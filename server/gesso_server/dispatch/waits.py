"""Who waits for the end of which node.

A waiter registers before it reads, so no end is missed between the two. The store announces an end to each
coordinator that watches the node; what an announcement might have been lost with (a broken subscription, a lost
reply) makes every wait look again.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice

from gesso_server.ids import NodeRef
from gesso_server.store.calls import Looked
from gesso_server.store.errors import StoreError, level_of
from gesso_server.store.records import State
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

_RECHECKS_PER_ROUND = 64


@dataclass(slots=True)
class _Watched:
    """One node, and those who wait for it."""

    namespace: str
    futures: set[asyncio.Future[Looked | None]] = field(default_factory=set)
    seen: bool = False
    """Whether the store has had it; if it has no more, it was lost."""


class Waits:
    """The waits of one coordinator."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: dict[NodeRef, _Watched] = {}
        self._due: asyncio.Event = asyncio.Event()
        self._ended: set[NodeRef] = set()

    def __len__(self) -> int:
        return len(self._watched)

    def expect(self, namespace: str, ref: NodeRef) -> asyncio.Future[Looked | None]:
        """Return a future of a node's end that the store announces. Give it to `forget` in the end.

        It is None when the store has lost the node: after a failover, or a restart without its file.
        """
        future: asyncio.Future[Looked | None] = asyncio.get_running_loop().create_future()
        watched = self._watched.get(ref)
        if watched is None:
            watched = self._watched[ref] = _Watched(namespace)
        watched.futures.add(future)
        return future

    def forget(self, ref: NodeRef, future: asyncio.Future[Looked | None]) -> None:
        """Stop waiting."""
        watched = self._watched.get(ref)
        if watched is not None:
            watched.futures.discard(future)
            if not watched.futures:
                del self._watched[ref]
        future.cancel()

    async def wait(self, namespace: str, ref: NodeRef) -> Looked | None:
        """Return a node once it is final. None when there is no such node, or no more.

        Raises:
            StoreError: If the store does not answer at first; later failures only delay the answer.
        """
        future = self.expect(namespace, ref)
        try:
            found = await self._watch(namespace, ref)
            if found is None or State(found.record[0]).final:
                return found
            self._watched[ref].seen = True
            return await future
        finally:
            self.forget(ref, future)

    async def until(self, ref: NodeRef, end: asyncio.Future[Looked | None]) -> Looked | None:
        """Return an accepted node that `expect` was asked for once it is final. None if the store has lost it."""
        try:
            self._watched[ref].seen = True
            return await end
        finally:
            self.forget(ref, end)

    def tell(self, ref: NodeRef, node: Looked) -> None:
        """Tell those who wait for a node, if it is final."""
        watched = self._watched.get(ref)
        if watched is None or not State(node.record[0]).final:
            return
        for future in watched.futures:
            if not future.done():
                future.set_result(node)

    def announce(self, ref: NodeRef) -> None:
        """Take note that a node has ended: it is looked at, and those who wait for it are told."""
        if ref in self._watched:
            self._ended.add(ref)
            self._due.set()

    def recheck(self) -> None:
        """Take note that announcements may have been lost."""
        self._ended.update(self._watched)
        if self._ended:
            self._due.set()

    def recheck_some(self) -> None:
        """Look at the next few waits again, in turn."""
        for ref in list(islice(self._watched, _RECHECKS_PER_ROUND)):
            self._watched[ref] = self._watched.pop(ref)
            self._ended.add(ref)
            self._due.set()

    async def run(self) -> None:
        """Read the nodes that have ended, and tell those who wait for them."""
        while True:
            await self._due.wait()
            self._due.clear()
            ended, self._ended = self._ended, set()
            for ref in ended:
                if ref not in self._watched:
                    continue
                try:
                    await self._look(ref)
                except StoreError as error:
                    _log.log(level_of(error), "wait.delayed reason=%s", error)
                    self._ended.add(ref)

    async def _look(self, ref: NodeRef) -> None:
        watched = self._watched[ref]
        seen = watched.seen  # before the look: one that is accepted meanwhile may not have been there for it
        found = await self._watch(watched.namespace, ref)
        if found is not None:
            self.tell(ref, found)
        elif seen:
            _log.error("node.lost canvas=%s index=%d", ref.canvas_id, ref.index)
            for future in watched.futures:
                if not future.done():
                    future.set_result(None)

    async def _watch(self, namespace: str, ref: NodeRef) -> Looked | None:
        partition = self._store.partition_of(ref.canvas_id)
        return None if partition is None else await partition.watch(namespace, ref.canvas_id, ref.index)
