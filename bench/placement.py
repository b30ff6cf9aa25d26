"""Which CPUs the processes of a deployment may run on.

Threads and processes that hand work to each other do so faster on one CPU than over two, one of which sleeps: see
docs/performance.md. As `taskset -c` does, so that nothing of it is known to what is placed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.processes import ProgramError


@dataclass(frozen=True, slots=True)
class Placement:
    """A CPU for each half of a deployment."""

    coordinators: int
    """With the embedded store, which a coordinator starts."""
    workers: int
    """With the client."""


def two_cpus() -> Placement:
    """Return the first two CPUs that there are.

    Raises:
        ProgramError: If there are fewer, or the system places no processes.
    """
    if sys.platform != "linux":
        raise ProgramError("processes are placed on CPUs on Linux only")
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:  # noqa: PLR2004 - as the name says
        raise ProgramError("there is one CPU only")
    return Placement(coordinators=cpus[1], workers=cpus[0])


@contextmanager
def placed(cpu: int | None) -> Generator[None]:
    """Have the processes that this thread starts meanwhile, and those that they start, run on one CPU; None for any."""
    if cpu is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
