"""The benchmarks run to their end, and leave nothing behind when they are stopped. Run by `pytest -m bench`."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.compare import compare
from bench.processes import ROOT, ProgramError
from bench.scale_run import Plan, run
from bench.systems.launch import Running
from support.system import Program, System, until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


def _broken(_folder: Path) -> AbstractContextManager[Running]:
    raise ProgramError("not installed: no network")


def test_a_quick_comparison_prints_every_measure() -> None:
    """Gesso alone, once: a table, the limits, the targets and where the files are."""
    words = [sys.executable, "-m", "bench.compare", "--quick", "--repeats", "1", "--systems", "gesso"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    for part in (
        "one task there and back, p99",
        "a chord of 2,000",
        "bare loop",
        "to reach",
        "bench-quick.svg",
    ):
        assert part in done.stdout
    assert "n/a" not in done.stdout


def test_a_peer_that_is_missing_has_its_reason_in_its_column() -> None:
    """The limits are measured all the same."""
    results = compare({"celery": _broken}, repeats=1, quick=True)
    assert results.fault("celery", "group") == "not installed: no network"
    assert results.spread("limits", "transitions") is not None


@pytest.mark.parametrize("kind", ["group", "chord", "backlog", "echo"])
def test_a_run_of_scale_measures_what_it_is_for(kind: str) -> None:
    """Times, memory, and for a chord the way to its body."""
    outcome = run(Plan(kind=kind, size=500, payload=1_000 if kind == "echo" else 0))
    assert outcome.fault == ""
    assert outcome.signature_bytes == 150
    assert outcome.us_a_task is not None
    assert outcome.idle.keys() == outcome.submitting.keys() == {"client", "coordinator", "worker", "store"}
    assert (outcome.handover_s is not None) == (kind == "chord")
    assert (outcome.store_bytes_a_node is not None) == (kind == "backlog")


def test_an_interrupted_comparison_leaves_nothing_behind(system: System) -> None:
    """Ctrl-C ends every process that it started, stores and workers too."""
    command = [sys.executable, "-m", "bench.compare", "--quick", "--systems", "gesso"]
    program: Program = system.run("bench", command, PYTHONPATH=str(ROOT), TMPDIR=str(system.folder))
    program.line("1/2  group  gesso")
    program.process.send_signal(2)
    assert program.process.wait(60) == 130

    def nobody_left() -> bool:
        listed = subprocess.run(["ps", "-axo", "command="], capture_output=True, text=True, check=True).stdout  # noqa: S607
        return str(system.folder) not in listed

    until(nobody_left, "everything that was started has ended")
