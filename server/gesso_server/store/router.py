"""Calls to the store, each to the server that has its partition, wherever that is now.

One loop handles what can be in the way: the server has not the library (it is loaded), the slot is elsewhere (the call
follows), the server is no primary any more (the topology is looked at again). Everything else is answered at once: the
store does not answer, and the caller repeats, which is safe.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MaxConnectionsError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gesso_server.store.errors import StoreError, StoreFull, StoreUnavailable
from gesso_server.store.health import Health, kind_of
from gesso_server.store.library import Library
from gesso_server.store.link import Link, execute
from gesso_server.store.location import Endpoint, Kind, Location
from gesso_server.store.topology import Topology, finder_for

_log = logging.getLogger(__name__)

_LOOK_S = 1.0
"""How often the topology is looked at."""
_LOOK_SOON_S = 0.1
"""How often at the most, when something is in the way."""
_REDIRECTIONS = 5
_ACKNOWLEDGED = frozenset({"submit", "naming_set", "grow_join", "rerun_begin", "rerun_submit"})
"""Functions after which a client is told that a canvas is accepted."""
_EACH_SECOND = "sweep"
"""A function that every coordinator calls on every partition each second, and that writes."""
_UNAVAILABLE = (
    "LOADING", "READONLY", "MISCONF", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "UNBLOCKED",
)  # fmt: skip


class Router:
    """The primaries of one store."""

    def __init__(self, location: Location, library: Library, replicas: int) -> None:
        """Prepare; nothing is opened before `refresh`.

        Args:
            location: Where the store is.
            library: The functions.
            replicas: How many replicas must have what a client is told is accepted.
        """
        self.topology = Topology(())
        self.changed = asyncio.Event()
        """Set when the topology changes, and replaced by another event."""
        self._location = location
        self._library = library
        self._replicas = replicas
        self._finder = finder_for(location)
        self._health = Health()
        self._links: dict[Endpoint, Link] = {}
        self._routes: dict[str, Link] = {}
        self._slots: dict[str, int] = {}
        self._hurry = asyncio.Event()
        self._lock = asyncio.Lock()
        self._looks = 0
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow the topology until cancelled."""
        if self._location.kind is Kind.STANDALONE:
            await asyncio.Event().wait()
        known = True
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._hurry.wait()
                self._hurry.clear()
                await asyncio.sleep(_LOOK_SOON_S)
            except TimeoutError:
                pass
            try:
                await self.refresh()
            except StoreError as error:
                _log.log(logging.WARNING if known else logging.DEBUG, "topology.unknown reason=%s", error)
                known = False
            else:
                known = True

    async def close(self) -> None:
        """Close every connection."""
        await self._finder.close()
        links, self._links, self._routes = self._links, {}, {}
        await asyncio.gather(*(link.close() for link in links.values()), *self._closing)

    @property
    def links(self) -> list[Link]:
        """The primaries."""
        return [self._links[endpoint] for endpoint in self.topology.primaries]

    def link(self, key: str) -> Link:
        """Return the primary that has a key.

        Raises:
            StoreUnavailable: If there is none now.
        """
        found = self._routes.get(key)
        if found is None:
            endpoint = self.topology.primary_of(self._slot(key))
            if endpoint is None:
                self._hurry.set()
                self._health.failed(key, "no primary")
                raise StoreUnavailable("a part of the store has no primary")
            found = self._routes[key] = self._links[endpoint]
        return found

    async def refresh(self) -> None:
        """Look at the topology now.

        Raises:
            StoreUnavailable: If nobody who knows it answers.
            StoreRefused: If who answers does not know the store.
        """
        before = self._looks
        async with self._lock:
            if self._looks != before:
                return  # somebody else has looked in the meantime
            topology = await self._finder.find()
            self._looks += 1
            self._adopt(topology)

    def hurry(self) -> None:
        """Let the topology be looked at soon: something is in the way."""
        self._hurry.set()

    async def load(self, links: Iterable[Link]) -> None:
        """See to it that primaries have the library.

        Raises:
            StoreError: If one does not take it.
        """
        try:
            for link in links:
                await link.load(self._library)
        except (RedisError, OSError) as error:
            raise translated(error) from error

    async def execute(self, key: str, *words: bytes | str | int) -> Any:
        """Run a command on the primary that has a key.

        Raises:
            StoreError: If it fails.
        """
        try:
            return await execute(self.link(key).redis, *words)
        except (RedisError, OSError) as error:
            self._hurry.set()
            raise translated(error) from error

    async def call(self, function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        """Call a function of the library on the partition `key`.

        Raises:
            StoreError: If it fails. Whether it was applied is then not known; repeating is safe.
        """
        name = self._library.function(function)
        for _ in range(_REDIRECTIONS):
            link = self._routes.get(key) or self.link(key)
            try:
                if self._replicas and function in _ACKNOWLEDGED:
                    return await link.fcall_replicated(name, key, args, self._replicas)
                reply = await link.fcall(name, key, args)
            except ResponseError as error:
                if not await self._cleared(link, key, error):
                    raise self._failed(key, error) from error
            except (RedisError, OSError) as error:
                self._hurry.set()
                raise self._failed(key, error) from error
            else:
                if function == _EACH_SECOND:
                    self._health.answered(key)
                return reply
        message = "the servers of the store send calls to each other"
        raise StoreUnavailable(message)

    def _failed(self, key: str, error: RedisError | OSError) -> StoreError:
        found = translated(error)
        if isinstance(found, StoreUnavailable):
            self._health.failed(key, kind_of(error))
        return found

    async def _cleared(self, link: Link, key: str, error: ResponseError) -> bool:
        """Whether what was in the way of a call, which was not applied, is so no more."""
        if "Function not found" in str(error):
            await self.load([link])
            return True
        if isinstance(error, MovedError):
            primary = Endpoint(error.host or link.endpoint.host, error.port)
            self._adopt(self.topology.moved(error.slot_id, primary))
            self._hurry.set()
            return True
        if isinstance(error, ReadOnlyError):
            try:
                await self.refresh()
            except StoreError:
                return False
            return self.link(key) is not link
        if isinstance(error, (AskError, TryAgainError)):
            _log.warning(
                "slot.migrating slot=%d: its partitions wait until it has moved; with atomic migration they go on",
                self._slot(key),
            )
        self._hurry.set()
        return False

    def _slot(self, key: str) -> int:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = key_slot(key.encode())
        return slot

    def _adopt(self, topology: Topology) -> None:
        known, self.topology = self.topology, topology
        if topology == known:
            return
        self._routes = {}
        primaries = topology.primaries
        for endpoint in primaries:
            if endpoint not in self._links:
                self._links[endpoint] = Link(endpoint, self._location.server_url(endpoint))
        if known.shards and known.primaries != primaries:
            _log.info("topology.changed primaries=%s", ",".join(map(str, primaries)))
        # Calls that hang there end now, and are repeated at the new place.
        for endpoint in set(self._links) - set(primaries):
            closing = asyncio.create_task(_closed(self._links.pop(endpoint)))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


async def _closed(link: Link) -> None:
    try:
        await link.close()
    except (RedisError, OSError) as error:
        _log.warning("link.close.failed server=%s reason=%s", link.endpoint, error)


def translated(error: RedisError | OSError) -> StoreError:
    """Return the error of ours that an error of redis-py is."""
    if isinstance(error, OutOfMemoryError) or str(error).startswith("OOM"):
        return StoreFull("the store has reached its memory limit")
    transient = (
        RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError, MaxConnectionsError,
        ClusterDownError, MasterDownError, TryAgainError, MovedError, OSError,
    )  # fmt: skip
    if isinstance(error, transient) or str(error).startswith(_UNAVAILABLE):
        return StoreUnavailable(f"the store does not answer: {error}")
    if isinstance(error, AskError) and not isinstance(error, MovedError):
        return StoreUnavailable("the partition is being moved key by key, and waits until it has")
    return StoreError(str(error))
