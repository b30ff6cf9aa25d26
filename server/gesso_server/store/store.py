"""The store, as the rest of the coordinator sees it: its partitions, and the signals that reach this coordinator."""

from __future__ import annotations

from hashlib import sha256

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gesso_server.ids import PARTITION_LIMIT, CanvasId, partition_of
from gesso_server.store.errors import StoreRefused
from gesso_server.store.library import Bounds, library
from gesso_server.store.link import execute
from gesso_server.store.location import Endpoint, Kind, parse_location, shown
from gesso_server.store.partition import Partition
from gesso_server.store.router import Router, translated
from gesso_server.store.signals import Resumed, Signals, Told
from gesso_server.store.standing import ServerStanding
from gesso_server.store.timing import Took, timed
from gesso_server.store.topology import Topology

CLUSTER_PARTITIONS = 64
"""How many a cluster has unless told otherwise: more than it will ever have primaries, for the number stays."""
_PARTITIONS_KEY = "gesso:partitions"


class Store:
    """The connections to one store."""

    def __init__(
        self,
        url: str,
        coordinator: str,
        bounds: Bounds = Bounds(),  # noqa: B008  a value
        *,
        replicas: int = 0,
        took: Took | None = None,
    ) -> None:
        """Prepare connections; nothing is opened before `open`.

        Args:
            url: As `location` says.
            coordinator: Id of this coordinator, as its signals bear it.
            bounds: Numbers that the scripts are made with.
            replicas: How many replicas must have a canvas before it is accepted.
            took: Told how long each call of a function took; None if nobody wants to know.

        Raises:
            StoreRefused: If the address is not one.
        """
        self.url = url
        self.location = parse_location(url)
        self.coordinator = coordinator
        self.partitions: list[Partition] = []
        self._router = Router(self.location, library(bounds), replicas)
        self._call = self._router.call if took is None else timed(self._router.call, took)
        self._signals = Signals(self._router, (), coordinator)

    async def open(self) -> None:
        """Find the primaries, each of which answers.

        Raises:
            StoreRefused: If this is no such store.
            StoreUnavailable: If one does not answer.
        """
        await self._router.refresh()
        await self.ping()

    async def connect(self, partition_count: int | None) -> None:
        """Open, load the scripts and agree on the number of partitions.

        Args:
            partition_count: How many to use, None for what the store has, or the usual.

        Raises:
            StoreRefused: If the store has another number.
            StoreUnavailable: If it does not answer.
        """
        usual = CLUSTER_PARTITIONS if self.location.kind is Kind.CLUSTER else 1
        wanted = partition_count or usual
        if not 1 <= wanted <= PARTITION_LIMIT:
            message = f"The number of partitions must lie between 1 and {PARTITION_LIMIT}, not {wanted}."
            raise StoreRefused(message)
        await self.open()
        await self._router.execute(_PARTITIONS_KEY, "SET", _PARTITIONS_KEY, wanted, "NX")
        found = int(await self._router.execute(_PARTITIONS_KEY, "GET", _PARTITIONS_KEY) or wanted)
        if partition_count is not None and found != partition_count:
            message = (
                f"This store was set up with {found} partitions and cannot be used with {partition_count}: "
                f"canvases would be looked for in the wrong place. Start with --partitions {found}, or without."
            )
            raise StoreRefused(message)
        await self._router.load(self._router.links)
        keys = [f"gesso:{{{number}}}" for number in range(found)]
        self.partitions = [
            Partition(number, key, self.coordinator, self._call) for number, key in enumerate(keys)
        ]
        self._signals = Signals(self._router, keys, self.coordinator)

    async def close(self) -> None:
        """Close every connection."""
        await self._router.close()

    async def ping(self) -> None:
        """Return if every primary answers.

        Raises:
            StoreError: If one does not.
        """
        try:
            for redis in self.primaries:
                await execute(redis, "PING")
        except RedisError as error:
            raise translated(error) from error

    @property
    def topology(self) -> Topology:
        """The primaries, and what each has."""
        return self._router.topology

    @property
    def primaries(self) -> list[Redis]:
        """A connection to each primary, in the topology's order."""
        return [link.redis for link in self._router.links]

    @property
    def redis(self) -> Redis:
        """A connection to the first primary: the only one of a store that is no cluster."""
        return self.primaries[0]

    async def fullness(self) -> float:
        """Return the part of its memory that the fullest primary uses; 0 where none has a limit.

        Raises:
            StoreError: If one does not answer.
        """
        try:
            memories = [await execute(redis, "INFO", "memory") for redis in self.primaries]
        except RedisError as error:
            raise translated(error) from error
        limited = [(int(memory["used_memory"]), int(memory.get("maxmemory", 0))) for memory in memories]
        return max((used / most for used, most in limited if most), default=0.0)

    async def servers(self) -> list[ServerStanding]:
        """Return how the primaries do.

        Raises:
            StoreError: If one does not answer.
        """
        try:
            return [
                ServerStanding.parse(
                    _server_name(link.endpoint), await execute(link.redis, "INFO", "memory", "commandstats")
                )
                for link in self._router.links
            ]
        except (RedisError, OSError) as error:
            raise translated(error) from error

    def partition_of(self, canvas_id: CanvasId) -> Partition | None:
        """Return the partition that holds a canvas, None for an id that no canvas of this store has."""
        number = partition_of(canvas_id)
        return self.partitions[number] if number < len(self.partitions) else None

    def partition_for(self, namespace: str, request_id: str) -> Partition:
        """Return the partition that a submission goes to."""
        digest = sha256(f"{namespace}\0{request_id}".encode()).digest()
        return self.partitions[int.from_bytes(digest[:4]) % len(self.partitions)]

    async def follow(self) -> None:
        """Follow the store's primaries until cancelled."""
        await self._router.run()

    async def signals(self, told: Told, resumed: Resumed) -> None:
        """Listen to the signals for this coordinator until cancelled."""
        await self._signals.run(told, resumed)


def _server_name(endpoint: Endpoint) -> str:
    """Return what metrics call a server: a socket's path may be another one at each start."""
    text = shown(str(endpoint))
    return "local" if text.startswith("unix:") else text
