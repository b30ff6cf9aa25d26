"""A store that would break the promises is refused, with a sentence that says what to do."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.errors import StoreRefused, StoreUnavailable
from gesso_server.store.requirements import (
    Engine,
    StoreFacts,
    Version,
    check_eviction,
    check_fsync,
    check_store,
    check_version,
    facts_from,
    read_facts,
)

# What Valkey 7.2 answers, cut down to what is read.
INFO = {
    "redis_version": "7.2.4",
    "valkey_version": "8.1.3",
    "aof_enabled": "1",
    "maxmemory": "1000",
    "maxmemory_policy": "noeviction",
    "cluster_enabled": "1",
    "connected_slaves": "2",
}


@pytest.fixture(params=["2", "3"])
async def protocol_client(request: pytest.FixtureRequest, store: EmbeddedStore) -> Redis:
    """A connection that speaks either version of the protocol, and leaves answers as bytes."""
    return Redis.from_url(f"{store.url}?protocol={request.param}")


async def test_facts_are_those_of_the_running_store(protocol_client: Redis) -> None:
    """A real store's facts are read whole, in either protocol, and its true version is Valkey's."""
    async with protocol_client as client:
        facts = await check_store(client)

    assert facts.version >= Version(major=7, minor=2)
    assert facts == StoreFacts(
        engine=Engine.VALKEY,
        version=facts.version,
        appendonly=True,
        appendfsync="everysec",
        maxmemory_bytes=0,
        maxmemory_policy="noeviction",
        cluster_enabled=False,
        replica_count=0,
    )


def test_version_is_the_one_that_valkey_does_not_pretend() -> None:
    """The Redis version that Valkey shows to old clients is passed over."""
    facts = facts_from(INFO, {})

    assert (facts.engine, facts.version) == (Engine.VALKEY, Version(major=8, minor=1, patch=3))


@pytest.mark.parametrize("text", ["6.2.14", "7.0.15", "7.1.240"])
def test_old_version_is_refused(text: str) -> None:
    """Anything before 7.2 is refused, and told why."""
    with pytest.raises(StoreRefused, match=r"clock moves while a script runs.*7\.2\.0 or later"):
        check_version(Engine.REDIS, Version.parse(text))


@pytest.mark.parametrize("text", ["7.2", "7.2.4", "8.0.0-rc1", "9.1.2", "10.0.0", "255.255.255"])
def test_newer_version_is_accepted(text: str) -> None:
    """Releases, candidates and builds from source of 7.2 and later will do."""
    check_version(Engine.VALKEY, Version.parse(text))


async def test_store_that_evicts_is_refused(client: Redis) -> None:
    """A store that would throw live canvases away is refused with the setting to change."""
    await client.config_set("maxmemory-policy", "allkeys-lru")

    with pytest.raises(
        StoreRefused, match=r"maxmemory-policy is allkeys-lru.*set maxmemory-policy to noeviction"
    ):
        await check_store(client)


async def test_durability_fsync_needs_a_store_that_forces_writes(client: Redis) -> None:
    """Everysec is refused where fsync is promised, and always is accepted."""
    with pytest.raises(StoreRefused, match="appendfsync everysec"):
        await check_store(client, fsync_always=True)

    await client.config_set("appendfsync", "always")

    assert (await check_store(client, fsync_always=True)).appendfsync == "always"


async def test_facts_of_a_store_without_config_come_from_info(store: EmbeddedStore, client: Redis) -> None:
    """Where CONFIG is refused, as on managed stores, what INFO tells is known and the rest is unknown."""
    await client.acl_setuser("guest", enabled=True, nopass=True, commands=["+@all", "-config"])

    async with Redis.from_url(store.url, username="guest", password="any") as guest:
        facts = await check_store(guest)

    assert facts.appendfsync is None
    assert facts.appendonly is True
    assert facts.maxmemory_policy == "noeviction"


def test_unknown_fsync_is_not_taken_for_always() -> None:
    """Durability that cannot be seen is not promised."""
    with pytest.raises(StoreRefused, match="appendfsync unknown"):
        check_fsync(facts_from(INFO, {}))


def test_unknown_eviction_policy_passes() -> None:
    """A store that tells nobody its policy is used: it may well be the right one."""
    check_eviction(facts_from({"redis_version": "7.2.0"}, {}))


async def test_store_that_does_not_answer_is_unavailable(store: EmbeddedStore) -> None:
    """No answer is another error than a wrong one: the call may succeed later."""
    client = Redis.from_url(store.url, retry=Retry(NoBackoff(), 0))
    await store.stop()

    with pytest.raises(StoreUnavailable):
        await read_facts(client)
    await client.aclose()
