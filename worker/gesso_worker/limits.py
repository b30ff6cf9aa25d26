"""What of a task's options concerns how long it runs and how often: read once, when it is assigned."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from gesso.v1.worker_service_pb2 import Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one attempt."""

    hard_seconds: float | None
    """After so long its process is killed."""
    soft_seconds: float | None
    """After so long it is told, by an error raised inside it."""
    at_most_once: bool
    """Whether it is never delivered again."""

    @property
    def binding(self) -> bool:
        """Whether the coordinator must know of its start before it begins, and a process ends with it."""
        return self.hard_seconds is not None or self.at_most_once


def limits_of(assignment: Assignment) -> Limits | None:
    """Return the limits of an attempt; None when it has none, as most."""
    if not assignment.signature.HasField("options"):
        return None
    options = assignment.signature.options
    hard = seconds(options.time_limit) if options.HasField("time_limit") else None
    soft = seconds(options.soft_time_limit) if options.HasField("soft_time_limit") else None
    if hard is None and soft is None and not options.at_most_once:
        return None
    return Limits(hard_seconds=hard, soft_seconds=soft, at_most_once=options.at_most_once)


def seconds(duration: Duration) -> float:
    """Return a span in seconds."""
    return duration.seconds + duration.nanos / 1e9
