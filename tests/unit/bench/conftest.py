"""Results that were never measured."""

from __future__ import annotations

import pytest

from bench.results import LIMITS_SYSTEM, Results
from bench.workloads import LIMITS, WORKLOADS


@pytest.fixture
def results() -> Results:
    """Gesso does a workload in 1, 2 and 3 s, Celery in 20, Dramatiq in 10, except the chord, where it fails."""
    sizes = {workload.key: workload.size for workload in (*WORKLOADS, *LIMITS)}
    made = Results(["gesso", "celery", "dramatiq"], sizes, {"machine": "a <machine> & more"})
    for workload in WORKLOADS:
        for seconds in (3.0, 1.0, 2.0):
            made.add("gesso", workload.key, [seconds])
        made.add("celery", workload.key, [20.0])
        made.add("dramatiq", workload.key, [10.0])
    made.fail("dramatiq", "chord", "no <callback>")
    for workload in LIMITS:
        made.add(LIMITS_SYSTEM, workload.key, [1.0])
    return made
