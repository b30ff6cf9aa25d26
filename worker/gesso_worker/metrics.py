"""How long attempts run, by task: what the worker knows and a coordinator does not count, whose names nobody bounds."""

from __future__ import annotations

from collections.abc import Container
from typing import Final, Self

from gesso.v1.worker_service_pb2 import Outcome
from gesso_telemetry.distribution import Distribution
from gesso_telemetry.metering import SECONDS, Kind, Metering, Metric
from gesso_worker.job import Job

_DEFAULT_QUEUE: Final = "default"
_OUTCOMES = {"value": "succeeded", "error": "failed", "retry": "failed", "replacement": "replaced"}

PROCESS_DURATION: Final = Metric(
    name="messaging.process.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    text="How long an attempt ran",
    labels=(
        "messaging.system",
        "messaging.operation.name",
        "messaging.destination.name",
        "gesso.task",
        "gesso.outcome",
    ),
    bounds=SECONDS,
)


SLOTS: Final = Metric(
    name="gesso.worker.process.slots",
    kind=Kind.SUM,
    unit="{slot}",
    text="Tasks that the process can run at one time",
)


class RunMetrics:
    """Counts the attempts of one child."""

    def __init__(self, durations: Distribution, tasks: Container[str]) -> None:
        """Count attempts at some tasks, the ones of the child's app."""
        self._durations = durations
        self._tasks = tasks

    @classmethod
    def found(cls, tasks: Container[str], slot_count: int) -> Self | None:
        """Return what counts, with a metric of the child's slots beside it; None where no SDK was set up."""
        metering = Metering.found("gesso.worker")
        if metering is None:
            return None
        metering.observe(SLOTS, lambda: [(slot_count, {})])
        return cls(metering.distribution(PROCESS_DURATION), tasks)

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Count an attempt that has ended."""
        signature = job.assignment.signature
        if signature.task not in self._tasks:
            return
        kind = outcome.WhichOneof("kind") or "none"
        queue = signature.options.queue or _DEFAULT_QUEUE
        key = ("gesso", "run", queue, signature.task, _OUTCOMES.get(kind, kind))
        self._durations.add((job.run_seconds,), key)
