"""One assignment, from its arrival to its report."""

from __future__ import annotations

from dataclasses import dataclass

from gesso.v1.worker_service_pb2 import Assignment
from gesso_worker.token import Token


@dataclass(slots=True, eq=False)
class Job:
    """A task that the child holds and has not finished.

    Each field has one writer: `started_at` and `run_seconds` the thread or coroutine that runs the task, the
    others the event loop.
    """

    assignment: Assignment
    token: Token
    started_at: float | None = None
    """When it began, by `time.monotonic`. None before."""
    run_seconds: float = 0.0
    """How long it ran. 0 before its end."""
    start_told: bool = False
    """Whether the coordinator was told on this stream that it began."""
    unwanted: bool = False
    """Whether its outcome no longer counts; it is then not reported."""
