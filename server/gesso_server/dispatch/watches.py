"""The watches of one coordinator: who is woken when a canvas has changed.

What has changed stands in the store's logs. A watch reads there at its client's pace, so that nothing waits for a slow
client and nothing is kept for it here; a signal says that there is something to read. What may have been lost with a
signal is found by looking at a few watches each second, which also keeps their logs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from gesso_server.config import Limits
from gesso_server.ids import CanvasId

_LOOKS_PER_ROUND = 64
_GATHER_S = 0.05
"""A watch reads no more often than this: what changes in between comes together."""


@dataclass(eq=False)  # not frozen: contextlib sets the traceback of what it lets through
class TooManyWatchesError(Exception):
    """There are as many watches as there may be."""

    most: int
    """How many that are."""
    on_connection: bool


class WatchMovedError(Exception):
    """The coordinator is stopping; another one goes on with the watch."""


class Watch:
    """One watch. Not more than one coroutine uses it."""

    def __init__(self) -> None:
        self._due = asyncio.Event()
        self._partitions: set[int] = set()
        self._read_at = 0.0
        self._moving = False
        self.void = False
        """Whether the store has forgotten something that was read: the watch begins anew, and says so."""

    def wake(self, partition: int) -> None:
        """Let it read a partition."""
        self._partitions.add(partition)
        self._due.set()

    def move(self) -> None:
        """Let it end, so that its client goes to another coordinator."""
        self._moving = True
        self._due.set()

    async def woken(self) -> set[int]:
        """Return the partitions that may have something to read, once there are any.

        Raises:
            WatchMovedError: If it is to end here.
        """
        await self._due.wait()
        loop = asyncio.get_running_loop()
        rest = self._read_at + _GATHER_S - loop.time()
        if rest > 0 and not self._moving:
            await asyncio.sleep(rest)
        if self._moving:
            raise WatchMovedError
        self._due.clear()
        self._read_at = loop.time()
        partitions, self._partitions = self._partitions, set()
        return partitions


class Watches:
    """The watches of one coordinator."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._watches: dict[Watch, str] = {}
        self._by_key: dict[str, set[Watch]] = {}
        self._by_peer = Counter[str]()

    def __len__(self) -> int:
        return len(self._watches)

    @contextmanager
    def canvas(self, canvas_id: CanvasId, peer: str) -> Generator[Watch]:
        """Register a watch of a canvas for as long as the block lasts.

        Args:
            canvas_id: Which canvas.
            peer: The connection that it is for.

        Raises:
            TooManyWatchesError: If there are as many as there may be.
        """
        with self._registered(canvas_id, peer) as watch:
            yield watch

    @contextmanager
    def namespace(self, namespace: str, peer: str) -> Generator[Watch]:
        """Register a watch of canvases. Otherwise as `canvas`."""
        with self._registered(f"@{namespace}", peer) as watch:
            yield watch

    def canvas_changed(self, partition: int, canvas_id: CanvasId) -> None:
        """Wake the watches of a canvas."""
        for watch in self._by_key.get(canvas_id, ()):
            watch.wake(partition)

    def canvases_changed(self, partition: int, namespace: str) -> None:
        """Wake the watches of a namespace's canvases."""
        for watch in self._by_key.get(f"@{namespace}", ()):
            watch.wake(partition)

    def recheck(self, partition: int) -> None:
        """Take note that signals may have been lost."""
        for watch in self._watches:
            watch.wake(partition)

    def recheck_some(self, partition_count: int) -> None:
        """Look at the next few watches again, in turn."""
        for watch in list(islice(self._watches, _LOOKS_PER_ROUND)):
            self._watches[watch] = self._watches.pop(watch)
            for partition in range(partition_count):
                watch.wake(partition)

    def rolled_back(self, partition: int) -> None:
        """Take note that a partition has forgotten something."""
        for watch in self._watches:
            watch.void = True
            watch.wake(partition)

    def drain(self) -> None:
        """Let every watch go to another coordinator."""
        for watch in self._watches:
            watch.move()

    @contextmanager
    def _registered(self, key: str, peer: str) -> Generator[Watch]:
        for most, known, on_connection in (
            (self._limits.watches, len(self._watches), False),
            (self._limits.watches_per_connection, self._by_peer[peer], True),
        ):
            if known >= most:
                raise TooManyWatchesError(most, on_connection)
        watch = Watch()
        self._watches[watch] = key
        self._by_key.setdefault(key, set()).add(watch)
        self._by_peer[peer] += 1
        try:
            yield watch
        finally:
            del self._watches[watch]
            self._by_key[key].discard(watch)
            if not self._by_key[key]:
                del self._by_key[key]
            self._by_peer[peer] -= 1
            if not self._by_peer[peer]:
                del self._by_peer[peer]
