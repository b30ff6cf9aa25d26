"""Processes of a benchmark run on the CPUs that they are placed on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.placement import placed, two_cpus
from bench.processes import ProgramError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are placed on Linux only")

_CPUS = "import os; print(*sorted(os.sched_getaffinity(0)))"


def _cpus() -> set[int]:
    """Return the CPUs of a process that is started now."""
    return set(map(int, subprocess.check_output([sys.executable, "-c", _CPUS]).split()))


def test_what_is_started_meanwhile_is_placed() -> None:
    """What starts it stays where it was, also when the start fails."""
    every = os.sched_getaffinity(0)
    cpu = max(every)

    with placed(cpu):
        inside = _cpus()
    with pytest.raises(ProgramError), placed(cpu):
        raise ProgramError

    assert inside == {cpu}
    assert os.sched_getaffinity(0) == every == _cpus()


def test_nothing_is_placed_unless_asked() -> None:
    """None is any of those that there are."""
    with placed(None):
        assert _cpus() == os.sched_getaffinity(0)


def test_one_cpu_is_too_few_for_two_halves() -> None:
    """It stands in the column as the reason."""
    with placed(min(os.sched_getaffinity(0))), pytest.raises(ProgramError, match="one CPU only"):
        two_cpus()
