"""The connections to one server of the store, and the calls over them.

redis-py's own retries are off: they would apply a write again whose reply was lost without the caller knowing. Every
function is repeatable, and the caller repeats. (Its asyncio client of clusters, 8.1, is not used: it sleeps and repeats
inside, packs in Python, and follows ASK, which would run a script where most of a partition's keys are not yet.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from gesso_server.store.errors import StoreBehind
from gesso_server.store.library import Library
from gesso_server.store.location import Endpoint
from gesso_server.store.wire import Wire

CALL_TIMEOUT_S = 10.0
"""How long one call may take; the slowest script takes some milliseconds."""
_CONNECTIONS = 64
_REPLICATION_MS = 1000
"""How long a call may wait for replicas."""


class Link:
    """One server."""

    def __init__(self, endpoint: Endpoint, url: str) -> None:
        """Prepare connections; none is opened before the first call."""
        self.endpoint = endpoint
        self._url = url
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=CALL_TIMEOUT_S, socket_timeout=CALL_TIMEOUT_S,
            socket_connect_timeout=CALL_TIMEOUT_S, retry=Retry(NoBackoff(), 0), retry_on_error=[],
        )  # fmt: skip
        self.redis: Redis = Redis(connection_pool=pool)
        self._wire = Wire(self._connected, CALL_TIMEOUT_S)

    async def close(self) -> None:
        """Close every connection; calls under way fail."""
        self._wire.close()
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()

    def connection(self, silence_seconds: float) -> AbstractConnection:
        """Return a connection apart from the others, not opened yet, on which reading fails after so much silence."""
        pool = ConnectionPool.from_url(
            self._url, protocol=2, socket_timeout=silence_seconds, socket_connect_timeout=silence_seconds,
            retry=Retry(NoBackoff(), 0), retry_on_error=[],
        )  # fmt: skip
        made: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        return made

    async def _connected(self) -> AbstractConnection:
        connection = self.connection(CALL_TIMEOUT_S)
        try:
            with Cancellable():
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def load(self, library: Library) -> None:
        """See to it that the server has the library."""
        try:
            await execute(self.redis, "FUNCTION", "LOAD", library.source)
        except ResponseError as error:
            if "already exists" not in str(error):
                raise

    async def fcall(self, name: str, key: str, args: Sequence[bytes | str | int]) -> Any:
        """Call a function."""
        return await self._wire.call("FCALL", name, 1, key, *args)

    async def fcall_replicated(
        self, name: str, key: str, args: Sequence[bytes | str | int], replicas: int
    ) -> Any:
        """Call a function, and wait until so many replicas have what it wrote.

        Raises:
            StoreBehind: If they did not have it in time.
        """
        words: Any = ("FCALL", name, 1, key, *args)  # hiredis says a tuple of one, and means of any length
        wait: Any = ("WAIT", replicas, _REPLICATION_MS)
        # On one connection: WAIT speaks of what its own connection wrote last.
        packed = [hiredis.pack_command(words), hiredis.pack_command(wait)]
        with Cancellable():
            reply, reached = await self._both(packed)
        if isinstance(reply, ResponseError):
            raise reply
        if reached < replicas:
            raise StoreBehind(f"{reached} of {replicas} replicas had it within {_REPLICATION_MS} ms")
        return reply

    async def _both(self, packed: list[bytes]) -> tuple[Any, Any]:
        """Send two commands in one piece; return what both answer, the first perhaps an error."""
        pool = self.redis.connection_pool
        connection: AbstractConnection = await pool.get_connection()  # type: ignore[no-untyped-call]
        whole = False
        try:
            await connection.send_packed_command(packed)
            try:
                reply = await connection.read_response()
            except ResponseError as error:
                reply = error
            second = await connection.read_response()
            whole = True
            return reply, second
        finally:
            if not whole:
                await connection.disconnect(nowait=True)
            await pool.release(connection)


class Cancellable:
    """Lets a cancellation through that redis-py (8.1) loses, when it comes while a connection is looked for."""

    __slots__ = ("_before", "_task")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task is not None else 0

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None and self._task.cancelling() > self._before:
            raise asyncio.CancelledError


async def execute(redis: Redis, *words: bytes | str | int) -> Any:
    """Run a command. The pool's and the socket's timeouts limit it."""
    with Cancellable():
        return await redis.execute_command(*words)  # type: ignore[no-untyped-call]
