"""The store, as the rest of the coordinator sees it: its partitions, and the signals that reach this coordinator.

redis-py's own retries are off: they would apply a write again whose reply was lost without the caller knowing. Every
function is repeatable, and the caller repeats.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    MaxConnectionsError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from gesso_server.ids import PARTITION_LIMIT, CanvasId, partition_of
from gesso_server.store.errors import StoreError, StoreFull, StoreRefused, StoreUnavailable
from gesso_server.store.library import Bounds, library
from gesso_server.store.packing import packing_pool
from gesso_server.store.partition import Partition

_log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 10.0
"""How long one call may take; the slowest script takes some milliseconds."""
_CONNECTIONS = 64
_PARTITIONS_KEY = "gesso:partitions"
_UNAVAILABLE = (
    "LOADING",
    "READONLY",
    "MISCONF",
    "BUSY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "UNBLOCKED",
)


class Store:
    """A connection to one store."""

    def __init__(self, url: str, coordinator: str, bounds: Bounds = Bounds()) -> None:  # noqa: B008  a value
        """Prepare a connection; nothing is opened before `connect`.

        Args:
            url: `redis://`, `rediss://` or `unix://`.
            coordinator: Id of this coordinator, as its signals bear it.
            bounds: Numbers that the scripts are made with.
        """
        self.url = url
        self.coordinator = coordinator
        self.partitions: list[Partition] = []
        self._library = library(bounds)
        pool = packing_pool(
            url, max_connections=_CONNECTIONS, timeout=CALL_TIMEOUT_S, socket_timeout=CALL_TIMEOUT_S,
            socket_connect_timeout=CALL_TIMEOUT_S, retry=Retry(NoBackoff(), 0), retry_on_error=[],
        )  # fmt: skip
        self.redis: Redis = Redis(connection_pool=pool)

    async def connect(self, partition_count: int | None) -> None:
        """Load the scripts and agree on the number of partitions.

        Args:
            partition_count: How many to use, None for what the store has, or 1.

        Raises:
            StoreRefused: If the store has another number.
            StoreUnavailable: If it does not answer.
        """
        wanted = partition_count or 1
        if not 1 <= wanted <= PARTITION_LIMIT:
            message = f"The number of partitions must lie between 1 and {PARTITION_LIMIT}, not {wanted}."
            raise StoreRefused(message)
        try:
            await self.redis.set(_PARTITIONS_KEY, wanted, nx=True)
            found = int(await self.redis.get(_PARTITIONS_KEY) or wanted)
            await self._load()
        except RedisError as error:
            raise _translated(error) from error
        if partition_count is not None and found != partition_count:
            message = (
                f"This store was set up with {found} partitions and cannot be used with {partition_count}: "
                f"canvases would be looked for in the wrong place. Start with --partitions {found}, or without."
            )
            raise StoreRefused(message)
        self.partitions = [
            Partition(number, f"gesso:{{{number}}}", self.coordinator, self._call) for number in range(found)
        ]

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()

    async def ping(self) -> None:
        """Return if the store answers.

        Raises:
            StoreError: If it does not.
        """
        try:
            await self.redis.ping()
        except RedisError as error:
            raise _translated(error) from error

    async def fullness(self) -> float:
        """Return the part of its memory that the store uses; 0 where it has no limit.

        Raises:
            StoreError: If it does not answer.
        """
        try:
            memory = await self.redis.info("memory")
        except RedisError as error:
            raise _translated(error) from error
        most = int(memory.get("maxmemory", 0))
        return int(memory["used_memory"]) / most if most else 0.0

    def partition_of(self, canvas_id: CanvasId) -> Partition | None:
        """Return the partition that holds a canvas, None for an id that no canvas of this store has."""
        number = partition_of(canvas_id)
        return self.partitions[number] if number < len(self.partitions) else None

    def partition_for(self, namespace: str, request_id: str) -> Partition:
        """Return the partition that a submission goes to."""
        digest = sha256(f"{namespace}\0{request_id}".encode()).digest()
        return self.partitions[int.from_bytes(digest[:4]) % len(self.partitions)]

    @asynccontextmanager
    async def signals(self) -> AsyncGenerator[AsyncIterator[tuple[int, str]], None]:
        """Subscribe to the signals for this coordinator: the partition's number and the text of each."""
        channels = {f"gesso:{{{p.number}}}:ch:{self.coordinator}": p.number for p in self.partitions}
        channels["gesso:{0}:ch:all"] = 0
        # A connection of its own: a blocking read must have no socket timeout, a call must.
        redis = Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), health_check_interval=5)
        subscription = redis.pubsub(ignore_subscribe_messages=True)
        try:
            await subscription.subscribe(*channels)
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # lost as in `_fcall`
                raise asyncio.CancelledError
            yield self._messages(subscription, channels)
        except RedisError as error:
            raise _translated(error) from error
        finally:
            await subscription.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
            await redis.aclose()

    async def _messages(self, subscription: Any, channels: dict[str, int]) -> AsyncIterator[tuple[int, str]]:
        async for message in subscription.listen():
            if message["type"] == "message":
                yield channels[message["channel"].decode()], message["data"].decode()

    async def _load(self) -> None:
        try:
            await self.redis.function_load(self._library.source)
        except ResponseError as error:
            if "already exists" not in str(error):
                raise

    async def _call(self, function: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        name = self._library.function(function)
        try:
            try:
                return await self._fcall(name, key, args)
            except ResponseError as error:
                if "Function not found" not in str(error):
                    raise
                await self._load()
                return await self._fcall(name, key, args)
        except RedisError as error:
            raise _translated(error) from error
        except (TimeoutError, OSError) as error:
            message = f"the store did not answer {function} in time"
            raise StoreUnavailable(message) from error

    async def _fcall(self, name: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        # The pool's and the socket's timeouts limit it. A cancellation is let through: redis-py (8.1) loses one that
        # comes while it looks for a connection.
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            return await self.redis.execute_command("FCALL", name, 1, key, *args)  # type: ignore[no-untyped-call]
        finally:
            if task is not None and task.cancelling() > before:
                raise asyncio.CancelledError


def _translated(error: RedisError) -> StoreError:
    if isinstance(error, OutOfMemoryError) or str(error).startswith("OOM"):
        return StoreFull("the store has reached its memory limit")
    transient = (
        RedisConnectionError,
        RedisTimeoutError,
        BusyLoadingError,
        ReadOnlyError,
        MaxConnectionsError,
    )
    if isinstance(error, transient) or str(error).startswith(_UNAVAILABLE):
        return StoreUnavailable(f"the store does not answer: {error}")
    return StoreError(str(error))
