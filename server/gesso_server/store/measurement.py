"""How fast a store answers and how it is doing, for `gesso doctor`."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from gesso_server.store.errors import StoreUnavailable

_CALLS = 300
_FSYNCS = 30
_KEY_LIFE = timedelta(minutes=1)
_VALUE_BYTES = 150  # about what one task takes
_DRAFT_BYTES = 4096
_REPLICA = re.compile(r"slave\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one thing took, done many times."""

    p50: timedelta
    p99: timedelta

    @classmethod
    def of(cls, seconds: list[float]) -> Latency:
        """Return the latency of some tries, at least one."""
        ordered = sorted(seconds)
        last = len(ordered) - 1
        return cls(
            p50=timedelta(seconds=ordered[round(0.50 * last)]),
            p99=timedelta(seconds=ordered[round(0.99 * last)]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a store says about how it is doing. `None` is unknown: it does not tell."""

    replica: bool
    """Whether it only follows another, and takes no writes."""
    writing: bool | None
    """Whether its last write to the append-only file succeeded."""
    memory_bytes: int
    min_replicas_to_write: int | None
    """How many replicas must be there for it to take a write."""
    min_replicas_max_lag: int | None = None
    """Seconds after which a replica that is silent counts as gone."""
    lag_seconds: int | None = None
    """Seconds since the slowest replica was heard from. None without replicas."""
    lag_bytes: int | None = None
    """How far it is behind. None without replicas."""
    full_coverage: bool | None = None
    """Of a node of a cluster: whether it stops when any other primary is gone without a replica in its place."""


async def read_health(client: Redis) -> Health:
    """Return how a store is doing.

    Raises:
        StoreUnavailable: If it does not answer.
    """
    try:
        info = await client.info()
        config = await _config(client)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"The store does not answer: {error}") from error
    status = info.get("aof_last_write_status")
    needed, lag = config.get("min-replicas-to-write"), config.get("min-replicas-max-lag")
    replicas = [
        value for name, value in info.items() if _REPLICA.fullmatch(str(name)) and isinstance(value, dict)
    ]
    offset = int(info.get("master_repl_offset", 0))
    coverage = config.get("cluster-require-full-coverage")
    return Health(
        replica=str(info.get("role")) in {"slave", "replica"},
        writing=None if status is None else str(status) == "ok",
        memory_bytes=int(info.get("used_memory", 0)),
        min_replicas_to_write=None if needed is None else int(needed),
        min_replicas_max_lag=None if lag is None else int(lag),
        lag_seconds=max((int(replica.get("lag", 0)) for replica in replicas), default=None),
        lag_bytes=max((max(offset - int(replica.get("offset", 0)), 0) for replica in replicas), default=None),
        full_coverage=None if coverage is None else coverage == "yes",
    )


async def measure_round_trip(client: Redis) -> Latency:
    """Return how long the store takes to answer.

    Raises:
        StoreUnavailable: If it does not answer.
    """
    return await _measured(client.ping)


async def measure_write(client: Redis, tag: str = "0") -> Latency:
    """Return how long the store takes to acknowledge a small write, to a key that is removed again.

    Args:
        client: A connection to a primary.
        tag: Hash tag of the key, one whose slot the primary has.

    Raises:
        StoreUnavailable: If it does not answer.
    """
    key = f"gesso:{{{tag}}}:doctor:{secrets.token_hex(8)}"
    value = b"x" * _VALUE_BYTES
    try:
        return await _measured(lambda: client.set(key, value, ex=_KEY_LIFE))
    finally:
        await _measured(lambda: client.delete(key), count=1)


def measure_fsync(directory: Path) -> Latency:
    """Return how long the disk under `directory` takes to keep a small write.

    Raises:
        OSError: If nothing can be written there.
    """
    taken: list[float] = []
    with tempfile.TemporaryFile(dir=directory) as draft:
        for _ in range(_FSYNCS):
            draft.write(b"x" * _DRAFT_BYTES)
            draft.flush()
            begin = time.perf_counter()
            os.fsync(draft.fileno())
            taken.append(time.perf_counter() - begin)
    return Latency.of(taken)


async def _measured(call: Callable[[], Awaitable[object]], count: int = _CALLS) -> Latency:
    taken: list[float] = []
    try:
        for _ in range(count):
            begin = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - begin)
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"The store does not answer: {error}") from error
    return Latency.of(taken)


async def _config(client: Redis) -> dict[str, str]:
    try:
        found = await client.config_get(
            "min-replicas-to-write", "min-replicas-max-lag", "cluster-require-full-coverage"
        )
    except ResponseError:  # its owner has taken CONFIG away
        return {}
    return {_text(name): _text(value) for name, value in found.items()}


def _text(text: object) -> str:
    return text.decode() if isinstance(text, bytes) else str(text)
