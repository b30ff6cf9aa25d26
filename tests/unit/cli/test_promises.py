"""Which promises `gesso doctor` says hold, for stores as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gesso_server.promises import Verdict, findings
from gesso_server.store.examination import Server
from gesso_server.store.location import Kind
from gesso_server.store.measurement import Health, Latency
from gesso_server.store.requirements import Engine, StoreFacts, Version

FACTS = StoreFacts(
    engine=Engine.VALKEY, version=Version(major=9), appendonly=True, appendfsync="everysec", maxmemory_bytes=0,
    maxmemory_policy="noeviction", cluster_enabled=False, replica_count=0,
)  # fmt: skip
HEALTH = Health(replica=False, writing=True, memory_bytes=1 << 20, min_replicas_to_write=0)
FAST = Latency.of([0.001])
RIGHT, KEPT, TAKEN, ALLOWED, RESTART, POWER, MACHINE, MEMORY, FAILOVER = range(9)


def server(
    facts: StoreFacts = FACTS,
    health: Health = HEALTH,
    *,
    address: str = "one:1",
    missing: tuple[str, ...] | None = (),
) -> Server:
    """Return a primary as it was examined."""
    return Server(address=address, facts=facts, health=health, missing=missing, round_trip=FAST, write=FAST)


def test_the_embedded_store_holds_what_it_must() -> None:
    """As Gesso starts it, only a power cut and the loss of the machine cost something."""
    verdicts = [finding.verdict for finding in findings([server()], Kind.STANDALONE)]

    assert verdicts == [Verdict.HOLDS] * 5 + [Verdict.LIMITED] * 4


@pytest.mark.parametrize(
    ("facts", "place", "verdict", "reason"),
    [
        (replace(FACTS, version=Version(major=7)), RIGHT, Verdict.BROKEN, "use Valkey or Redis 7.2"),
        (replace(FACTS, maxmemory_policy="volatile-lru"), KEPT, Verdict.BROKEN, "set maxmemory-policy"),
        (replace(FACTS, maxmemory_policy=None), KEPT, Verdict.UNKNOWN, "unknown"),
        (replace(FACTS, appendonly=False), RESTART, Verdict.BROKEN, "set appendonly to yes"),
        (replace(FACTS, appendonly=None), RESTART, Verdict.UNKNOWN, "unknown"),
        (replace(FACTS, appendonly=False), POWER, Verdict.LIMITED, "all may be lost"),
        (replace(FACTS, appendfsync="always"), POWER, Verdict.HOLDS, "always"),
        (replace(FACTS, appendfsync="no"), POWER, Verdict.LIMITED, "appendfsync is no"),
        (replace(FACTS, appendfsync=None), POWER, Verdict.UNKNOWN, "unknown"),
        (replace(FACTS, replica_count=1), MACHINE, Verdict.LIMITED, "min-replicas-to-write"),
        (FACTS, MEMORY, Verdict.LIMITED, "set maxmemory"),
        (replace(FACTS, maxmemory_bytes=10 << 20), MEMORY, Verdict.HOLDS, "10% of maxmemory"),
        (replace(FACTS, maxmemory_bytes=1 << 20), MEMORY, Verdict.LIMITED, "nothing new is taken"),
        (replace(FACTS, maxmemory_bytes=None), MEMORY, Verdict.UNKNOWN, "unknown"),
    ],
)
def test_settings_decide(facts: StoreFacts, place: int, verdict: Verdict, reason: str) -> None:
    """Each setting that a promise depends on changes that promise, and the reason says what to do."""
    finding = findings([server(facts)], Kind.STANDALONE)[place]

    assert finding.verdict is verdict
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("health", "reason"),
    [(replace(HEALTH, replica=True), "name the primary"), (replace(HEALTH, writing=False), "disk full")],
)
def test_a_store_that_takes_no_writes_is_broken(health: Health, reason: str) -> None:
    """A replica, and a store whose file cannot be written, take nothing."""
    finding = findings([server(health=health)], Kind.STANDALONE)[TAKEN]

    assert finding.verdict is Verdict.BROKEN
    assert reason in finding.reason


def test_replicas_that_must_be_there_bound_the_loss() -> None:
    """With min-replicas-to-write what a failover may lose is named, and how much it would be now."""
    health = replace(HEALTH, min_replicas_to_write=1, min_replicas_max_lag=7, lag_bytes=42, lag_seconds=1)

    finding = findings([server(replace(FACTS, replica_count=1), health)], Kind.SENTINEL)[MACHINE]

    assert "the last 42 bytes and 1 s, and at most 7 s (min-replicas-max-lag)" in finding.reason


@pytest.mark.parametrize(
    ("missing", "verdict", "reason"),
    [((), Verdict.HOLDS, "every right"), (("HSET", "SPUBLISH"), Verdict.BROKEN, "&gesso:* +hset +spublish"),
     (None, Verdict.UNKNOWN, "ACL DRYRUN")],
)  # fmt: skip
def test_rights_that_are_missing_are_named(
    missing: tuple[str, ...] | None, verdict: Verdict, reason: str
) -> None:
    """The reason is what an administrator types."""
    finding = findings([server(missing=missing)], Kind.STANDALONE)[ALLOWED]

    assert finding.verdict is verdict
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("kind", "replicas", "full_coverage", "covered", "verdict", "reason"),
    [
        (Kind.STANDALONE, 1, None, True, Verdict.LIMITED, "Sentinels or a cluster"),
        (Kind.SENTINEL, 1, None, True, Verdict.HOLDS, "takes a primary's place"),
        (Kind.SENTINEL, 0, None, True, Verdict.BROKEN, "no replica can take the place of one:1"),
        (Kind.CLUSTER, 1, True, True, Verdict.LIMITED, "set cluster-require-full-coverage to no"),
        (Kind.CLUSTER, 1, False, True, Verdict.HOLDS, "takes a primary's place"),
        (Kind.CLUSTER, 1, False, False, Verdict.BROKEN, "has no primary"),
    ],
)
def test_who_takes_a_primarys_place_is_told(
    *,
    kind: Kind,
    replicas: int,
    full_coverage: bool | None,
    covered: bool,
    verdict: Verdict,
    reason: str,
) -> None:
    """Replicas, and who promotes them, decide whether work goes on by itself."""
    one = server(replace(FACTS, replica_count=replicas), replace(HEALTH, full_coverage=full_coverage))

    finding = findings([one], kind, covered=covered)[FAILOVER]

    assert finding.verdict is verdict
    assert reason in finding.reason


def test_of_several_primaries_the_worst_counts() -> None:
    """The reason names the primaries that it is about."""
    weak = server(replace(FACTS, appendonly=False), address="two:2")

    finding = findings([server(), weak, server(address="three:3")], Kind.CLUSTER)[RESTART]

    assert finding.verdict is Verdict.BROKEN
    assert finding.reason.endswith("(two:2)")
