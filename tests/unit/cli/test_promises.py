"""Which promises `gesso doctor` says hold, for stores as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gesso_server.promises import Finding, Verdict, findings
from gesso_server.store.measurement import Health
from gesso_server.store.requirements import Engine, StoreFacts, Version

FACTS = StoreFacts(
    engine=Engine.VALKEY, version=Version(major=9), appendonly=True, appendfsync="everysec", maxmemory_bytes=0,
    maxmemory_policy="noeviction", cluster_enabled=False, replica_count=0,
)  # fmt: skip
HEALTH = Health(replica=False, writing=True, memory_bytes=1 << 20, min_replicas_to_write=0)
RIGHT, KEPT, TAKEN, RESTART, POWER, MACHINE = range(6)


def test_the_embedded_store_holds_what_it_must() -> None:
    """As Gesso starts it, only a power cut and the loss of the machine cost something."""
    verdicts = [finding.verdict for finding in findings(FACTS, HEALTH)]

    assert verdicts == [Verdict.HOLDS] * 4 + [Verdict.LIMITED] * 2


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
    ],
)
def test_settings_decide(facts: StoreFacts, place: int, verdict: Verdict, reason: str) -> None:
    """Each setting that a promise depends on changes that promise, and the reason says what to do."""
    finding = findings(facts, HEALTH)[place]

    assert finding.verdict is verdict
    assert reason in finding.reason


@pytest.mark.parametrize(
    ("health", "reason"),
    [(replace(HEALTH, replica=True), "name the primary"), (replace(HEALTH, writing=False), "disk full")],
)
def test_a_store_that_takes_no_writes_is_broken(health: Health, reason: str) -> None:
    """A replica, and a store whose file cannot be written, take nothing."""
    finding = findings(FACTS, health)[TAKEN]

    assert finding.verdict is Verdict.BROKEN
    assert reason in finding.reason


def test_replicas_that_must_be_there_bound_the_loss() -> None:
    """With min-replicas-to-write what a failover may lose is named."""
    finding: Finding = findings(replace(FACTS, replica_count=1), replace(HEALTH, min_replicas_to_write=1))[
        MACHINE
    ]

    assert "min-replicas-max-lag" in finding.reason
