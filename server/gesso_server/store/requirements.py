"""What a store must be before a coordinator uses it, and what is known about one.

Rules, the same for the embedded store and for one given by address:

- The version is 7.2 or later, of Valkey or of Redis. Valkey pretends to be Redis 7.2.4 in
  `redis_version` for the sake of old clients, so its own `valkey_version` is what counts.
- `maxmemory-policy` is `noeviction`. Any other lets the store throw away parts of a canvas that is
  still alive, and its joins would then wait for ever.
- Where durability to the disk is asked for, the append-only file is on and `appendfsync` is `always`.

Managed stores refuse CONFIG. What INFO does not tell either is unknown there, which is `None`.
A cluster is checked node by node: each primary has settings of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gesso_server.store.errors import StoreRefused, StoreUnavailable


class Engine(StrEnum):
    """Who made the store's server."""

    VALKEY = "valkey"
    REDIS = "redis"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Version:
    """A release of the store's server; compares as releases do."""

    major: int
    minor: int = 0
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the version that `text` names, as in `9.1.2` or `8.0.0-rc1`.

        Raises:
            ValueError: If it does not start with a number.
        """
        release, _, _ = text.partition("-")
        major, minor, patch, *_ = [*(int(part) for part in release.split(".")), 0, 0]
        return cls(major=major, minor=minor, patch=patch)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


# Before 7.2 the clock moves while a script runs (99 ms measured on 7.0), and the scripts take one
# instant to be one. It is also the last release that Valkey and Redis have in common.
MINIMUM_VERSION = Version(major=7, minor=2)

NOEVICTION = "noeviction"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What one node of a store says about itself. `None` is unknown: the node does not tell."""

    engine: Engine
    version: Version
    appendonly: bool | None
    """Whether every write also goes to the append-only file."""
    appendfsync: str | None
    """When that file is forced to the disk: `always`, `everysec` or `no`."""
    maxmemory_bytes: int | None
    """The memory limit. Zero is no limit."""
    maxmemory_policy: str | None
    """What the node does at the limit."""
    cluster_enabled: bool
    replica_count: int
    """Replicas connected now."""
    sentinel: bool = False
    """Whether it is a Sentinel."""


async def check_store(client: Redis, *, fsync_always: bool = False, clustered: bool = False) -> StoreFacts:
    """Return what the store says about itself, if it may be used.

    Args:
        client: A connection to one node.
        fsync_always: Whether an answer to a client promises that the disk has it.
        clustered: Whether it is used as a node of a cluster.

    Raises:
        StoreRefused: If it may not be used; the text says what to change.
        StoreUnavailable: If it does not answer.
    """
    facts = await read_facts(client)
    check_version(facts.engine, facts.version)
    check_kind(facts, clustered=clustered)
    check_eviction(facts)
    if fsync_always:
        check_fsync(facts)
    return facts


async def read_facts(client: Redis) -> StoreFacts:
    """Return what the store says about itself, good or bad.

    Raises:
        StoreUnavailable: If it does not answer.
    """
    try:
        info = await client.info()
        config = await _read_config(client)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"The store does not answer: {error}") from error
    return facts_from({str(name): str(value) for name, value in info.items()}, config)


def facts_from(info: Mapping[str, str], config: Mapping[str, str]) -> StoreFacts:
    """Return the facts in a node's INFO and CONFIG.

    Args:
        info: Fields of INFO by name, values as text.
        config: Settings by name; empty when CONFIG is refused.
    """
    engine = Engine.VALKEY if "valkey_version" in info else Engine.REDIS
    maxmemory_bytes = info.get("maxmemory", config.get("maxmemory"))
    aof_enabled = info.get("aof_enabled")
    return StoreFacts(
        engine=engine,
        version=Version.parse(info[f"{engine}_version"]),
        appendonly=None if aof_enabled is None else aof_enabled == "1",
        appendfsync=config.get("appendfsync"),
        maxmemory_bytes=None if maxmemory_bytes is None else int(maxmemory_bytes),
        maxmemory_policy=info.get("maxmemory_policy", config.get("maxmemory-policy")),
        cluster_enabled=info.get("cluster_enabled") == "1",
        replica_count=int(info.get("connected_slaves", "0")),
        sentinel=info.get("redis_mode", info.get("server_mode")) == "sentinel",
    )


def check_version(engine: Engine, version: Version) -> None:
    """Refuse a server that is too old.

    Raises:
        StoreRefused: If `version` is below 7.2.
    """
    if version < MINIMUM_VERSION:
        raise StoreRefused(
            f"The store is {engine.capitalize()} {version}, where the clock moves while a script runs, and "
            f"Gesso's time limits are counted by it: use Valkey or Redis {MINIMUM_VERSION} or later."
        )


def check_kind(facts: StoreFacts, *, clustered: bool) -> None:
    """Refuse a Sentinel, and a node of a cluster that is used as if it were all of it.

    Raises:
        StoreRefused: If it is one.
    """
    if facts.sentinel:
        raise StoreRefused(
            "This is a Sentinel, which holds no data: name it as redis+sentinel://host:port/service, with the name "
            "that the store has there."
        )
    if facts.cluster_enabled and not clustered:
        raise StoreRefused("The store is a node of a cluster: name it as redis+cluster://host:port.")


def check_eviction(facts: StoreFacts) -> None:
    """Refuse a store that may throw live canvases away. An unknown policy passes.

    Raises:
        StoreRefused: If the policy is known and not `noeviction`.
    """
    if facts.maxmemory_policy not in (None, NOEVICTION):
        raise StoreRefused(
            f"The store's maxmemory-policy is {facts.maxmemory_policy}, so at its memory limit it would "
            f"throw away canvases that are still running: set maxmemory-policy to {NOEVICTION} in its "
            f"configuration, or give Gesso a store of its own."
        )


def check_fsync(facts: StoreFacts) -> None:
    """Refuse a store that may answer before the disk has the write.

    Raises:
        StoreRefused: If it does not say that it forces every write to the disk.
    """
    if facts.appendonly is not True or facts.appendfsync != "always":
        raise StoreRefused(
            f"Durability fsync needs a store with appendonly yes and appendfsync always; this one says "
            f"appendonly {_yes_or_no(facts.appendonly)}, appendfsync {facts.appendfsync or 'unknown'}: "
            f"change its configuration, or ask for less durability."
        )


async def _read_config(client: Redis) -> Mapping[str, str]:
    """Return the settings of interest; none where the store's owner has taken CONFIG away."""
    try:
        config = await client.config_get("appendfsync", "maxmemory", "maxmemory-policy")
    except ResponseError:
        return {}
    return {_text(name): _text(value) for name, value in config.items()}


def _text(text: object) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)


def _yes_or_no(known: bool | None) -> str:  # noqa: FBT001 - the value shown, not a switch
    match known:
        case None:
            return "unknown"
        case True:
            return "yes"
        case False:
            return "no"
