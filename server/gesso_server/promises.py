"""Which promises hold with a store as it is: facts in, findings out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gesso_server.store.errors import StoreRefused
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One promise, judged."""

    promise: str
    verdict: Verdict
    reason: str
    """Why, and what to change where it does not hold."""


def findings(facts: StoreFacts, health: Health) -> tuple[Finding, ...]:
    """Return every promise that depends on the store, in the order of their weight."""
    version = f"{facts.engine.capitalize()} {facts.version}"
    return (
        _required(
            "Time limits are counted right", lambda: check_version(facts.engine, facts.version), version
        ),
        _required("Nothing that is alive is thrown away", lambda: check_eviction(facts), _policy(facts)),
        _writable(health),
        _restart(facts),
        _power_cut(facts),
        _machine(facts, health),
    )


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


def _machine(facts: StoreFacts, health: Health) -> Finding:
    promise = "What was acknowledged survives the loss of the store's machine"
    if facts.replica_count == 0:
        reason = "it has no replica: what it holds is gone with its disk"
    elif not health.min_replicas_to_write:
        reason = "replicas may lag behind by any amount: set min-replicas-to-write to 1"
    else:
        reason = "a failover may lose the last moments, up to min-replicas-max-lag"
    return Finding(promise=promise, verdict=Verdict.LIMITED, reason=reason)
