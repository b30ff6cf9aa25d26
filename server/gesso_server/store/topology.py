"""Which server is the primary of which slots, as the servers themselves say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError, ResponseError

from gesso_server.store.errors import StoreRefused, StoreUnavailable
from gesso_server.store.link import execute
from gesso_server.store.location import Endpoint, Kind, Location

SLOTS = 16_384
_ASK_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary, and the slots from `first` to `last` that it has."""

    first: int
    last: int
    primary: Endpoint
    replicas: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """The primaries of a store. There may be slots without one."""

    shards: tuple[Shard, ...]

    @classmethod
    def single(cls, primary: Endpoint, replicas: Iterable[Endpoint] = ()) -> Topology:
        """Return that of a store with one primary."""
        return cls((Shard(0, SLOTS - 1, primary, tuple(replicas)),))

    @property
    def primaries(self) -> tuple[Endpoint, ...]:
        """The primaries, each once."""
        return tuple(dict.fromkeys(shard.primary for shard in self.shards))

    @property
    def covered(self) -> bool:
        """Whether every slot has a primary."""
        return sum(shard.last - shard.first + 1 for shard in self.shards) == SLOTS

    def primary_of(self, slot: int) -> Endpoint | None:
        """Return the primary of a slot."""
        for shard in self.shards:
            if shard.first <= slot <= shard.last:
                return shard.primary
        return None

    def tag_on(self, primary: Endpoint) -> str:
        """Return a hash tag whose slot a primary has."""
        return next(tag for tag in map(str, count()) if self.primary_of(key_slot(tag.encode())) == primary)

    def moved(self, slot: int, primary: Endpoint) -> Topology:
        """Return it with one slot elsewhere."""
        return Topology((Shard(slot, slot, primary), *self.shards))


class Finder(Protocol):
    """Finds out the topology of a store."""

    async def find(self) -> Topology:
        """Return the topology as it is now.

        Raises:
            StoreUnavailable: If nobody who knows it answers.
            StoreRefused: If who answers does not know the store.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def finder_for(location: Location) -> Finder:
    """Return who finds out the topology of a store."""
    match location.kind:
        case Kind.STANDALONE:
            return _Fixed(location.seeds[0])
        case Kind.SENTINEL:
            return _Sentinels(location)
        case Kind.CLUSTER:
            return _Cluster(location)


class _Fixed:
    """One server that stays where it is."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def find(self) -> Topology:
        return Topology.single(self._endpoint)

    async def close(self) -> None:
        pass


class _Sentinels:
    """Asks one Sentinel after the other, first the one that answered last."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._known = _Known(location.seeds)
        self._sentinels = _Clients(location.sentinel_url)
        self._servers = _Clients(location.server_url)

    async def find(self) -> Topology:
        problem = "no Sentinel answers"
        unknown = False
        for sentinel in self._known.in_turn():
            try:
                topology = await self._ask(sentinel)
            except (RedisError, OSError) as error:
                problem = f"asked the Sentinel at {sentinel}: {error}"
                continue
            if topology is not None:
                self._known.answered(sentinel)
                return topology
            unknown = True
        if unknown:
            raise StoreRefused(
                f"No Sentinel knows a primary called {self._location.service}: is that its name there?"
            )
        raise StoreUnavailable(problem)

    async def close(self) -> None:
        await self._sentinels.close()
        await self._servers.close()

    async def _ask(self, sentinel: Endpoint) -> Topology | None:
        redis, service = self._sentinels.of(sentinel), self._location.service
        found = await execute(redis, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
        if not found:
            return None
        primary = _endpoint(found[0], found[1], sentinel)
        # A Sentinel may be behind, and a primary that came back may not know yet that it is none.
        role = await execute(self._servers.of(primary), "ROLE")
        if _text(role[0]) != "master":
            raise ResponseError(f"{primary} is not the primary any more")
        self._known.learn(
            _endpoint(fields["ip"], fields["port"], sentinel)
            for fields in map(_fields, await execute(redis, "SENTINEL", "SENTINELS", service))
        )
        return Topology.single(primary, (_endpoint(replica[0], replica[1], primary) for replica in role[2]))


class _Cluster:
    """Asks one node after the other, first the one that answered last."""

    def __init__(self, location: Location) -> None:
        self._known = _Known(location.seeds)
        self._nodes = _Clients(location.server_url)

    async def find(self) -> Topology:
        problem = "no node of the cluster answers"
        for node in self._known.in_turn():
            try:
                topology = _slots(await execute(self._nodes.of(node), "CLUSTER", "SLOTS"), node)
            except ResponseError as error:
                if "cluster support disabled" in str(error):
                    message = f"{node} is not a node of a cluster: name it as redis://{node}."
                    raise StoreRefused(message) from error
                problem = f"asked {node}: {error}"
                continue
            except (RedisError, OSError) as error:
                problem = f"asked {node}: {error}"
                continue
            if topology.shards:
                self._known.answered(node)
                self._known.learn(topology.primaries)
                self._known.learn(replica for shard in topology.shards for replica in shard.replicas)
                return topology
            problem = f"{node} knows no primary"
        raise StoreUnavailable(problem)

    async def close(self) -> None:
        await self._nodes.close()


class _Known:
    """Whom to ask, the seeds and those learned of."""

    def __init__(self, seeds: tuple[Endpoint, ...]) -> None:
        self._seeds = seeds
        self._learned: dict[Endpoint, None] = {}
        self._first = seeds[0]

    def in_turn(self) -> list[Endpoint]:
        return list(dict.fromkeys((self._first, *self._learned, *self._seeds)))

    def answered(self, endpoint: Endpoint) -> None:
        """Take note of who answered; what others said of those around it is forgotten."""
        self._first = endpoint
        self._learned = {}

    def learn(self, endpoints: Iterable[Endpoint]) -> None:
        self._learned |= dict.fromkeys(endpoints)


class _Clients:
    """A connection to each of those that are asked."""

    def __init__(self, url_of: Callable[[Endpoint], str]) -> None:
        self._url_of = url_of
        self._clients: dict[Endpoint, Redis] = {}

    def of(self, endpoint: Endpoint) -> Redis:
        client = self._clients.get(endpoint)
        if client is None:
            client = self._clients[endpoint] = Redis.from_url(
                self._url_of(endpoint), protocol=2, socket_timeout=_ASK_TIMEOUT_S,
                socket_connect_timeout=_ASK_TIMEOUT_S, retry=Retry(NoBackoff(), 0),
            )  # fmt: skip
        return client

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()


def _slots(reply: Iterable[Sequence[Any]], asked: Endpoint) -> Topology:
    shards = []
    for first, last, primary, *replicas in reply:
        places = [_endpoint(place[0], place[1], asked) for place in (primary, *replicas)]
        shards.append(Shard(first, last, places[0], tuple(places[1:])))
    return Topology(tuple(shards))


def _endpoint(host: bytes | str | None, port: bytes | str | int, asked: Endpoint) -> Endpoint:
    """Return an endpoint; who does not know its own host says nothing, and is where it was asked."""
    return Endpoint(_text(host) if host else asked.host, int(port))


def _fields(flat: Sequence[bytes]) -> dict[str, str]:
    return {_text(flat[at]): _text(flat[at + 1]) for at in range(0, len(flat), 2)}


def _text(text: bytes | str) -> str:
    return text.decode() if isinstance(text, bytes) else text
