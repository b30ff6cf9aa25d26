"""How the store stands, read for metrics: once for each time that somebody collects, with a bounded number of calls.

Metrics are collected in threads of their own; the reading is the event loop's. What one collection reads of it serves
every metric of that collection, and another one that comes within a second.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from gesso_server.config import DEFAULT_NAMESPACE
from gesso_server.dispatch.fleet import Fleet
from gesso_server.store.calls import QueueStanding
from gesso_server.store.errors import StoreError
from gesso_server.store.standing import PartitionStanding, ServerStanding
from gesso_server.store.store import Store

_log = logging.getLogger(__name__)

MOST_QUEUES = 100
"""Queues that are told apart, the first ones by name; anyone who submits can name new ones."""
_FRESH = timedelta(seconds=1)
_PATIENCE = timedelta(seconds=5)
"""How long a collection waits for the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the store stood at one time."""

    queues: Sequence[QueueStanding]
    total: PartitionStanding
    servers: Sequence[ServerStanding]


class Standings:
    """Reads how the store stands."""

    def __init__(self, store: Store, fleet: Fleet) -> None:
        """Read nothing yet. To be made on the event loop that the store is used on."""
        self._store = store
        self._fleet = fleet
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._last: Standing | None = None
        self._read_at = -_FRESH.total_seconds()
        self._closed = False

    def close(self) -> None:
        """Read nothing any more: the loop is about to end."""
        self._closed = True

    def now(self) -> Standing | None:
        """Return how the store stands, from any thread but the loop's. None when it does not say in time."""
        with self._lock:
            if time.monotonic() - self._read_at >= _FRESH.total_seconds():
                self._last = self._asked()
                self._read_at = time.monotonic()
            return self._last

    def _asked(self) -> Standing | None:
        if self._closed or self._loop.is_closed():
            return None
        asked = asyncio.run_coroutine_threadsafe(self.read(), self._loop)
        try:
            return asked.result(_PATIENCE.total_seconds())
        except (StoreError, TimeoutError, asyncio.CancelledError) as error:
            asked.cancel()
            _log.warning("metrics.incomplete", extra={"reason": str(error) or type(error).__name__})
            return None

    async def read(self) -> Standing:
        """Read how the store stands.

        Raises:
            StoreError: If it does not answer.
        """
        queues: list[QueueStanding] = []
        async for queue in self._fleet.queues(DEFAULT_NAMESPACE, ""):
            if len(queues) == MOST_QUEUES:
                break
            queues.append(queue)
        names = [queue.queue for queue in queues]
        parts, servers = await asyncio.gather(
            asyncio.gather(*(part.standing(DEFAULT_NAMESPACE, names) for part in self._store.partitions)),
            self._store.servers(),
        )
        return Standing(queues=queues, total=PartitionStanding.sum(parts), servers=servers)
