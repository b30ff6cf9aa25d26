"""One assignment, from its arrival to its report."""

from __future__ import annotations

from dataclasses import dataclass, field

from gesso.request import Asked
from gesso.v1.worker_service_pb2 import Assignment
from gesso_worker.interruption import CoroutineInterruption, ThreadInterruption
from gesso_worker.limits import Limits
from gesso_worker.token import Token


@dataclass(slots=True, eq=False)
class Job:
    """A task that the child holds and has not finished.

    Each field has one writer: `started_at`, `run_seconds` and `interruption` the thread or coroutine that runs the
    task, the others the event loop.
    """

    assignment: Assignment
    token: Token
    limits: Limits | None = None
    """Its time limits, and whether it is delivered at most once. None when it has none."""
    asked: Asked = field(default_factory=Asked)
    """What the attempt asks for while it runs, and is asked."""
    on_loop: bool = False
    """Whether it runs on the event loop, and not in a thread."""
    started_at: float | None = None
    """When it began, by `time.monotonic`. None before."""
    run_seconds: float = 0.0
    """How long it ran. 0 before its end."""
    start_told: bool = False
    """Whether the coordinator was told on this stream that it began."""
    announced: bool = False
    """Whether it holds a slot, and begins when the coordinator knows that it does."""
    interruption: ThreadInterruption | CoroutineInterruption | None = None
    """What interrupts it at its soft time limit."""
    unwanted: bool = False
    """Whether its outcome no longer counts; it is then not reported."""
