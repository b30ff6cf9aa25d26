"""Whatever dies, hangs or is cut off: nothing acknowledged is lost, nothing counts twice, nothing hangs.

Each scenario is one fault in the middle of a stream of chains, groups, chords and chords in chords. What happened is
judged by two ledgers outside of the system, and printed: the verdict, the time until canvases ended again, and the
rates before, during and after. The short ones have short leases; the long ones those that are shipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos.fleet import Fleet
from chaos.load import Load, Verdict
from support.system import System, until

ENDS = 40
"""Canvases that end before a fault, and after it, at the least."""
MOST_SECONDS = 170.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a fleet: begun, held for a while, and ended."""

    begin: Callable[[Fleet, Load], None]
    end: Callable[[Fleet], None] = lambda _fleet: None


def _nothing(_fleet: Fleet, _load: Load) -> None:
    """Do nothing."""


def _kill_child(fleet: Fleet, load: Load) -> None:
    fleet.kill(load.processes()[-1])


def _rolling(fleet: Fleet, _load: Load) -> None:
    for number in range(len(fleet.workers)):
        fleet.replace_worker(number)
    for number in range(len(fleet.coordinators)):
        fleet.replace_coordinator(number)


def _slow(fleet: Fleet, _load: Load) -> None:
    for wire in (*fleet.wires_of_store, *fleet.wires_of_workers):
        wire.slow(0.02)


def _mend(fleet: Fleet) -> None:
    for wire in (*fleet.wires_of_store, *fleet.wires_of_workers, *fleet.wires_of_clients):
        wire.mend()


FAULTS: dict[str, Fault] = {
    "nothing": Fault(_nothing),
    "rolling restart": Fault(_rolling),
    "worker process killed": Fault(_kill_child),
    "worker killed": Fault(lambda fleet, _: fleet.restart_worker(0)),
    "coordinator killed": Fault(lambda fleet, _: fleet.restart_coordinator(0)),
    "store killed": Fault(lambda fleet, _: fleet.restart_store()),
    "worker frozen": Fault(
        lambda fleet, _: fleet.freeze(fleet.workers[1]), lambda fleet: fleet.thaw(fleet.workers[1])
    ),
    "coordinator frozen": Fault(
        lambda fleet, _: fleet.freeze(fleet.coordinators[1].program),
        lambda fleet: fleet.thaw(fleet.coordinators[1].program),
    ),
    "workers cut off from a coordinator": Fault(lambda fleet, _: fleet.wires_of_workers[0].cut(), _mend),
    "workers' connections reset": Fault(lambda fleet, _: fleet.wires_of_workers[0].reset()),
    "workers' connections silent": Fault(lambda fleet, _: fleet.wires_of_workers[0].silence(), _mend),
    "clients' connections silent": Fault(lambda fleet, _: fleet.wires_of_clients[0].silence(), _mend),
    "store cut off from a coordinator": Fault(lambda fleet, _: fleet.wires_of_store[0].cut(), _mend),
    "store silent for a coordinator": Fault(lambda fleet, _: fleet.wires_of_store[0].silence(), _mend),
    "latency": Fault(_slow, _mend),
}
QUIET = {"nothing", "rolling restart"}
"""After these nothing may have run twice, either."""
SHORT = ("rolling restart", "store killed", "workers' connections silent")
"""The others are tried alone elsewhere (test_worker_death.py, test_coordinator_death.py), and all in the long run."""


def run(
    folder: Path, fault: Fault, *, hold_seconds: float, lease_seconds: float, grace_seconds: float
) -> Verdict:
    """Put a fleet under load, do something to it, and judge."""
    with (
        System(folder, lease_seconds=lease_seconds, grace_seconds=grace_seconds) as system,
        Fleet(system) as fleet,
    ):
        load = Load(fleet.client(), folder, seed=1)
        load.start()
        started = time.monotonic()
        until(lambda: load.ended() >= ENDS, "canvases before the fault", limit=MOST_SECONDS)
        begun = time.monotonic()
        fault.begin(fleet, load)
        held = begun + hold_seconds
        until(lambda: time.monotonic() >= held, "the fault's time", limit=MOST_SECONDS)
        fault.end(fleet)
        over = time.monotonic()
        enough = load.ended() + ENDS
        until(lambda: load.ended() >= enough, "canvases after the fault", limit=MOST_SECONDS)
        stopped = time.monotonic()
        load.stop()
        verdict = load.verdict()
        pause, recovery = load.longest_gap(begun, stopped), load.first_end(over) or 0.0
        print(  # noqa: T201 - the report
            f"\n{verdict}\nlongest pause {pause:.2f} s, first end after the fault {recovery:.2f} s; "
            f"canvases a second: before {load.rate(started, begun):.0f}, during {load.rate(begun, over):.0f}, "
            f"after {load.rate(over, stopped):.0f}"
        )
        return verdict


def check(name: str, verdict: Verdict) -> None:
    """Check what is promised."""
    assert verdict.good, verdict
    if name in QUIET:
        assert verdict.repeated == 0, verdict


@pytest.mark.parametrize("name", SHORT)
def test_fault_in_a_stream_of_canvases_breaks_no_promise(tmp_path: Path, name: str) -> None:
    """Nothing is lost, made up, wrong, counted twice or left hanging; without a fault nothing runs twice."""
    check(name, run(tmp_path, FAULTS[name], hold_seconds=0.5, lease_seconds=3, grace_seconds=1))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FAULTS)
def test_long_fault_breaks_no_promise(tmp_path: Path, name: str) -> None:
    """The same with the leases that are shipped, and faults of 45 s where they last."""
    check(name, run(tmp_path, FAULTS[name], hold_seconds=45, lease_seconds=30, grace_seconds=10))
