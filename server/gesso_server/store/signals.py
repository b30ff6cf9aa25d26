"""The signals that reach this coordinator: one subscription to each primary, resumed wherever the partitions go.

Sharded publishing is used on every store, for it is the same on one server and on a cluster: a channel lies
behind its partition's tag, and is heard on the server that has the partition.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from gesso_server.store.errors import StoreError, StoreUnavailable
from gesso_server.store.link import Cancellable, Link
from gesso_server.store.location import Endpoint
from gesso_server.store.router import Router, translated

_log = logging.getLogger(__name__)

_SILENCE_S = 10.0
"""A server that answers nothing for so long is taken for dead."""
_PING_S = 3.0
_AGAIN_S = 0.5
"""About so long after a subscription was lost it is tried again."""

Told: TypeAlias = Callable[[int, str], None]
"""Told a partition's number and the text of a signal."""
Resumed: TypeAlias = Callable[[frozenset[int], bool], None]
"""Told which partitions are listened to again, and whether their server is another than before, or started anew: what
it acknowledged last it may have forgotten."""


class Signals:
    """The subscriptions of one coordinator."""

    def __init__(self, router: Router, keys: Iterable[str], coordinator: str) -> None:
        """Prepare; nothing is opened before `run`.

        Args:
            router: Knows where the partitions are.
            keys: The partitions' keys, by number.
            coordinator: Whose channels.
        """
        self._router = router
        self._keys = list(keys)
        self._coordinator = coordinator
        self._servers: dict[int, tuple[Endpoint, str]] = {}
        """The server that each partition was last heard from, and the id of its run."""

    async def run(self, told: Told, resumed: Resumed) -> None:
        """Listen until cancelled."""
        tasks: dict[tuple[Link, frozenset[int]], asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                changed = self._router.changed
                wanted = self._by_server()
                for gone in tasks.keys() - wanted:
                    tasks.pop(gone).cancel()
                for link, numbers in wanted - tasks.keys():
                    tasks[link, numbers] = group.create_task(self._follow(link, numbers, told, resumed))
                await changed.wait()

    def _by_server(self) -> set[tuple[Link, frozenset[int]]]:
        links: dict[Link, set[int]] = {}
        for number, key in enumerate(self._keys):
            try:
                links.setdefault(self._router.link(key), set()).add(number)
            except StoreUnavailable:
                continue  # nobody has it; the topology changes when somebody does
        return {(link, frozenset(numbers)) for link, numbers in links.items()}

    async def _follow(self, link: Link, numbers: frozenset[int], told: Told, resumed: Resumed) -> None:
        heard = True

        def back(numbers: frozenset[int], anew: bool) -> None:  # noqa: FBT001  as `Resumed` has it
            nonlocal heard
            heard = True
            resumed(numbers, anew)

        while True:
            connection = link.connection(_SILENCE_S)
            try:
                await self._listen(link, connection, numbers, told, back)
            except (StoreError, RedisError, OSError, TimeoutError) as error:
                level = logging.WARNING if heard else logging.DEBUG
                _log.log(level, "signals.lost server=%s reason=%s", link.endpoint, error)
                heard = False
            finally:
                await connection.disconnect(nowait=True)
            self._router.hurry()
            await asyncio.sleep(_AGAIN_S * random.uniform(0.5, 1.5))  # noqa: S311  jitter, no secret

    async def _listen(
        self,
        link: Link,
        connection: AbstractConnection,
        numbers: frozenset[int],
        told: Told,
        resumed: Resumed,
    ) -> None:
        channels = {f"{self._keys[number]}:ch:{self._coordinator}": number for number in sorted(numbers)}
        if 0 in numbers:
            channels[f"{self._keys[0]}:ch:all"] = 0
        await self._router.load([link])
        with Cancellable():
            run = await _subscribed(connection, channels)
        resumed(numbers, self._anew(numbers, (link.endpoint, run)))
        pinging = asyncio.create_task(_ping(connection))
        try:
            while True:
                with Cancellable():
                    heard = await connection.read_response()
                match heard:
                    case [b"smessage", bytes(sent_to), bytes(text)]:
                        told(channels[sent_to.decode()], text.decode())
                    case [b"sunsubscribe", *_]:
                        message = "a partition has moved"
                        raise StoreUnavailable(message)
                    case _:
                        pass  # an answer to a ping
        finally:
            pinging.cancel()

    def _anew(self, numbers: frozenset[int], server: tuple[Endpoint, str]) -> bool:
        known = {self._servers.get(number, server) for number in numbers}
        self._servers |= dict.fromkeys(numbers, server)
        return known != {server}


async def _ping(connection: AbstractConnection) -> None:
    """Keep a connection from being silent; whoever reads from it learns when it is dead."""
    while True:
        await asyncio.sleep(_PING_S)
        try:
            with Cancellable():
                await connection.send_command("PING")
        except (RedisError, OSError):
            return


async def _subscribed(connection: AbstractConnection, channels: Iterable[str]) -> str:
    """Open a connection and subscribe. Returns the id of the server's run."""
    await connection.connect()  # type: ignore[no-untyped-call]
    run = await _run_id(connection)
    for channel in channels:  # one at a time: on a cluster they lie in several slots
        await connection.send_command("SSUBSCRIBE", channel)
        await connection.read_response()
    return run


async def _run_id(connection: AbstractConnection) -> str:
    """Return the id of a server's run, empty where its owner has taken INFO away."""
    await connection.send_command("INFO", "server")
    try:
        info: Any = await connection.read_response()
    except ResponseError as error:
        if translated(error).__class__ is StoreUnavailable:
            raise
        return ""
    lines = info.decode().splitlines()
    return next((line.partition(":")[2] for line in lines if line.startswith("run_id:")), "")
