"""Where the values of a coordinator's metrics come from (`metrics.py` has the metrics)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from gesso_server.dispatch import metrics
from gesso_server.dispatch.metrics import ERROR, OUTCOME, PEER, QUEUE, REASON, SERVER, STATE, TIMER
from gesso_server.dispatch.registry import Registry
from gesso_server.dispatch.standings import Standing, Standings
from gesso_server.dispatch.tally import REASONS, Spread, Tally
from gesso_telemetry.metering import Metering, Metric, Points, Read

K = TypeVar("K")

_TASK_STATES = {
    "S": "succeeded", "F": "failed", "U": "failed_upstream", "D": "dead", "V": "revoked", "X": "expired",
    "C": "cancelled", "I": "ignored", "N": "not_needed",
}  # fmt: skip
_CANVAS_STATES = {"canvas S": "succeeded", "canvas F": "failed", "canvas C": "cancelled"}


def tally_of(metering: Metering) -> Tally:
    """Return a tally whose distributions are collected."""
    return Tally(
        Spread(
            queued=metering.distribution(metrics.QUEUED),
            ran=metering.distribution(metrics.RAN),
            canvases=metering.distribution(metrics.TOOK),
            calls=metering.distribution(metrics.CALLS),
            reports=metering.distribution(metrics.REPORTS),
            grants=metering.distribution(metrics.GRANTS),
        )
    )


class Instruments:
    """The metrics of one coordinator."""

    def __init__(self, tally: Tally, registry: Registry, standings: Standings) -> None:
        """Have their values come from these.

        Args:
            tally: What the coordinator has done.
            registry: Its workers' sessions.
            standings: How the store stands.
        """
        self.conversations: Callable[[], int] = lambda: 0
        """How many conversations with clients are open."""
        self.rollbacks: Callable[[], int] = lambda: 0
        """How often the store was seen to have forgotten something."""
        self._tally = tally
        self._registry = registry
        self._standings = standings

    def register(self, metering: Metering) -> None:
        """Let all be collected."""
        for metric, read in {**self._own(), **self._shared()}.items():
            metering.observe(metric, read)

    def _own(self) -> Mapping[Metric, Read]:
        tally = self._tally
        return {
            metrics.CANVASES_ACCEPTED: lambda: _one(tally.accepted),
            metrics.CANVASES_ENDED: lambda: self._ended(_CANVAS_STATES),
            metrics.TASKS_ENDED: lambda: self._ended(_TASK_STATES),
            metrics.DELIVERIES: lambda: _one(tally.deeds["grant"]),
            metrics.ATTEMPTS: self._attempts,
            metrics.OVERRAN: lambda: _one(tally.deeds["overrun"]),
            metrics.LOST: lambda: _one(tally.deeds["crash"]),
            metrics.RETRIES: lambda: _one(tally.deeds["retry"]),
            metrics.RETURNS: lambda: _one(tally.deeds["return"]),
            metrics.LEASE_EXPIRIES: lambda: _one(tally.deeds["lapse"]),
            metrics.REFUSED: lambda: [(tally.refused[reason], {REASON: reason}) for reason in REASONS],
            metrics.FRAMES: lambda: _one(tally.frames),
            metrics.ROLLBACKS: lambda: _one(self.rollbacks()),
            metrics.STREAMS: self._streams,
            metrics.SLOTS: lambda: _one(sum(session.slots for session in self._registry.sessions)),
        }

    def _shared(self) -> Mapping[Metric, Read]:
        return {
            metrics.DEPTH: self._of(lambda now: [(each.waiting, {QUEUE: each.queue}) for each in now.queues]),
            metrics.OLDEST: self._of(
                lambda now: [((each.oldest_ms or 0) / 1000, {QUEUE: each.queue}) for each in now.queues]
            ),
            metrics.RUNNING: self._of(
                lambda now: [(each.running, {QUEUE: each.queue}) for each in now.queues]
            ),
            metrics.WORKERS: self._of(
                lambda now: [(each.sessions, {QUEUE: each.queue}) for each in now.queues]
            ),
            metrics.PAUSED: self._of(
                lambda now: [(int(each.paused), {QUEUE: each.queue}) for each in now.queues]
            ),
            metrics.UNROUTABLE: self._of(
                lambda now: [(count, {QUEUE: queue}) for queue, count in now.total.parked.items()]
            ),
            metrics.TIMERS: self._of(_timers),
            metrics.DEAD: self._of(lambda now: _one(now.total.dead)),
            metrics.DEAD_DROPPED: self._of(lambda now: _one(now.total.dead_trimmed)),
            metrics.KEPT: self._of(lambda now: _one(now.total.canvases)),
            metrics.OPEN_NODES: self._of(lambda now: _one(now.total.open_nodes)),
            metrics.BACKLOG: self._of(lambda now: _one(now.total.work)),
            metrics.MEMORY: self._of(
                lambda now: [(each.used_bytes, {SERVER: each.address}) for each in now.servers]
            ),
            metrics.MEMORY_LIMIT: self._of(
                lambda now: [(each.limit_bytes, {SERVER: each.address}) for each in now.servers]
            ),
            metrics.SCRIPT_TIME: self._of(
                lambda now: [(each.script_seconds, {SERVER: each.address}) for each in now.servers]
            ),
            metrics.SCRIPT_CALLS: self._of(
                lambda now: [(each.script_calls, {SERVER: each.address}) for each in now.servers]
            ),
        }

    def _of(self, read: Callable[[Standing], Points]) -> Read:
        """Return what reads a metric of how the store stands: nothing while it does not say."""

        def points() -> Points:
            standing = self._standings.now()
            return read(standing) if standing is not None else ()

        return points

    def _ended(self, states: Mapping[str, str]) -> Points:
        return [(self._tally.deeds[word], {STATE: state}) for word, state in states.items()]

    def _attempts(self) -> Points:
        return [
            (count, {OUTCOME: outcome, ERROR: error} if error else {OUTCOME: outcome})
            for (outcome, error), count in _now(self._tally.attempts)
        ]

    def _streams(self) -> Points:
        return [(len(self._registry), {PEER: "worker"}), (self.conversations(), {PEER: "client"})]


def _timers(now: Standing) -> Points:
    total = now.total
    return [
        (total.due, {TIMER: "due"}),
        (total.expiring, {TIMER: "expiry"}),
        (total.deadlines, {TIMER: "deadline"}),
    ]


def _one(value: float) -> Points:
    return [(value, {})]


def _now(counts: Counter[K]) -> list[tuple[K, int]]:
    """Return counts as they are: the loop's thread goes on adding to them."""
    return list(dict(counts).items())
