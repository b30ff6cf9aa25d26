"""Which promises hold with a store as it is: facts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from gesso_server.store.errors import StoreRefused
from gesso_server.store.examination import Server
from gesso_server.store.location import Kind
from gesso_server.store.measurement import Health
from gesso_server.store.requirements import StoreFacts, check_eviction, check_version


class Verdict(StrEnum):
    """Whether a promise holds."""

    HOLDS = "holds"
    LIMITED = "limited"
    """It holds up to a bound, which the reason names."""
    UNKNOWN = "unknown"
    """The store does not tell."""
    BROKEN = "broken"


_WEIGHT = (Verdict.HOLDS, Verdict.LIMITED, Verdict.UNKNOWN, Verdict.BROKEN)
_FULL = 0.8
"""From this share of its limit on a store is nearly full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One promise, judged."""

    promise: str
    verdict: Verdict
    reason: str
    """Why, and what to change where it does not hold."""


def findings(servers: Sequence[Server], kind: Kind, *, covered: bool = True) -> tuple[Finding, ...]:
    """Return every promise that depends on the store, in the order of their weight.

    Args:
        servers: Its primaries, at least one.
        kind: How they belong together.
        covered: Whether every slot of a cluster has a primary.
    """
    of_each = zip(*(_of_one(server) for server in servers), strict=True)
    return (
        *(_worst([server.address for server in servers], found) for found in of_each),
        _failover(servers, kind, covered=covered),
    )


def _of_one(server: Server) -> tuple[Finding, ...]:
    facts, health = server.facts, server.health
    version = f"{facts.engine.capitalize()} {facts.version}"
    return (
        _required(
            "Time limits are counted right", lambda: check_version(facts.engine, facts.version), version
        ),
        _required("Nothing that is alive is thrown away", lambda: check_eviction(facts), _policy(facts)),
        _writable(health),
        _allowed(server.missing),
        _restart(facts),
        _power_cut(facts),
        _machine(facts, health),
        _memory(facts, health),
    )


def _worst(addresses: Sequence[str], found: Sequence[Finding]) -> Finding:
    """Return the worst of one finding about several servers, with the servers that it is about."""
    worst = max(found, key=lambda finding: _WEIGHT.index(finding.verdict))
    if len(found) == 1:
        return worst
    concerned = [
        address for address, finding in zip(addresses, found, strict=True) if finding.reason == worst.reason
    ]
    who = "every primary" if len(concerned) == len(found) else ", ".join(concerned)
    return replace(worst, reason=f"{worst.reason} ({who})")


def _required(promise: str, check: Callable[[], None], reason: str) -> Finding:
    try:
        check()
    except StoreRefused as error:
        return Finding(promise=promise, verdict=Verdict.BROKEN, reason=str(error))
    verdict = Verdict.UNKNOWN if "unknown" in reason else Verdict.HOLDS
    return Finding(promise=promise, verdict=verdict, reason=reason)


def _policy(facts: StoreFacts) -> str:
    return f"maxmemory-policy is {facts.maxmemory_policy or 'unknown'}"


def _writable(health: Health) -> Finding:
    promise = "What is submitted is taken"
    if health.replica:
        reason = "it is a replica, and takes no writes: name the primary"
        return Finding(promise=promise, verdict=Verdict.BROKEN, reason=reason)
    if health.writing is False:
        reason = "its last write to the append-only file failed: is the disk full?"
        return Finding(promise=promise, verdict=Verdict.BROKEN, reason=reason)
    return Finding(
        promise=promise, verdict=Verdict.HOLDS, reason="it is a primary, and its file can be written"
    )


def _restart(facts: StoreFacts) -> Finding:
    promise = "What was acknowledged survives when the store is killed"
    match facts.appendonly:
        case True:
            return Finding(promise=promise, verdict=Verdict.HOLDS, reason="appendonly is yes")
        case False:
            reason = "appendonly is no, so it would start empty: set appendonly to yes"
            return Finding(promise=promise, verdict=Verdict.BROKEN, reason=reason)
        case None:
            return Finding(promise=promise, verdict=Verdict.UNKNOWN, reason="appendonly is unknown")


def _power_cut(facts: StoreFacts) -> Finding:
    promise = "What was acknowledged survives a power cut"
    match facts.appendfsync if facts.appendonly else "off":
        case "always":
            return Finding(promise=promise, verdict=Verdict.HOLDS, reason="appendfsync is always")
        case "everysec":
            reason = (
                "appendfsync is everysec: the last second or two may be lost; --durability fsync keeps all"
            )
            return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)
        case None:
            return Finding(promise=promise, verdict=Verdict.UNKNOWN, reason="appendfsync is unknown")
        case "off":
            return Finding(
                promise=promise, verdict=Verdict.LIMITED, reason="nothing is kept on disk: all may be lost"
            )
        case other:
            reason = f"appendfsync is {other}: as much may be lost as the system had not written yet"
            return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)


def _allowed(missing: tuple[str, ...] | None) -> Finding:
    promise = "A coordinator may do what it must"
    if missing is None:
        reason = "its user may not ask for its rights (ACL WHOAMI, ACL DRYRUN)"
        return Finding(promise=promise, verdict=Verdict.UNKNOWN, reason=reason)
    if missing:
        commands = " ".join(f"+{command.lower()}" for command in missing)
        reason = f"its user lacks rights: ACL SETUSER … ~gesso:* &gesso:* {commands}"
        return Finding(promise=promise, verdict=Verdict.BROKEN, reason=reason)
    return Finding(promise=promise, verdict=Verdict.HOLDS, reason="its user has every right that is needed")


def _machine(facts: StoreFacts, health: Health) -> Finding:
    promise = "What was acknowledged survives the loss of the store's machine"
    lacking = (
        "a failover may lose, or run again, what its replicas lack, now the last "
        f"{health.lag_bytes or 0} bytes and {health.lag_seconds or 0} s"
    )
    if facts.replica_count == 0:
        reason = "it has no replica: what it holds is gone with its disk"
    elif not health.min_replicas_to_write:
        reason = f"{lacking}, and without bound if they fall behind: set min-replicas-to-write to 1"
    else:
        reason = (
            f"{lacking}, and at most {health.min_replicas_max_lag} s (min-replicas-max-lag); with --durability "
            "replicas:1 nothing is acknowledged that no replica has"
        )
    return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)


def _memory(facts: StoreFacts, health: Health) -> Finding:
    promise = "At its memory's limit what runs goes on"
    if facts.maxmemory_bytes is None:
        return Finding(promise=promise, verdict=Verdict.UNKNOWN, reason="maxmemory is unknown")
    if facts.maxmemory_bytes == 0:
        reason = "it has no limit, so its machine's end is its own: set maxmemory below what the machine has"
        return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)
    share = health.memory_bytes / facts.maxmemory_bytes
    reason = f"{share:.0%} of maxmemory is used"
    if share >= _FULL:
        reason += ", and at the limit nothing new is taken"
    return Finding(
        promise=promise, verdict=Verdict.LIMITED if share >= _FULL else Verdict.HOLDS, reason=reason
    )


def _failover(servers: Sequence[Server], kind: Kind, *, covered: bool) -> Finding:
    promise = "Work goes on by itself when the store's machine is lost"
    alone = [server.address for server in servers if server.facts.replica_count == 0]
    if not covered:
        reason = "a part of the cluster has no primary: canvases there wait until it has"
        return Finding(promise=promise, verdict=Verdict.BROKEN, reason=reason)
    if kind is Kind.STANDALONE:
        reason = "it is one server, and nobody makes a replica take its place: Sentinels or a cluster do"
        return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)
    if alone:
        reason = f"no replica can take the place of {', '.join(alone)}"
        return Finding(promise=promise, verdict=Verdict.BROKEN, reason=reason)
    if kind is Kind.CLUSTER and any(server.health.full_coverage is not False for server in servers):
        reason = (
            "a replica takes a primary's place, and until it has, every partition waits: set "
            "cluster-require-full-coverage to no, and only that primary's do"
        )
        return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)
    return Finding(promise=promise, verdict=Verdict.HOLDS, reason="a replica takes a primary's place")
