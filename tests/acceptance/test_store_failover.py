"""Promise: when a primary dies, coordinators go on with the replica that takes its place; what that costs is counted.

G17: what was acknowledged within the replication lag may be lost, or may run again. On one machine that is nearly
nothing, and the tests print it. They assert what holds whatever is lost: nothing hangs, no value is wrong.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from threading import Event

import pytest

from acceptance.tasks import Ledger, call
from gesso import AsyncResult, chord
from gesso.errors import NotFound
from support.stores import Cluster, Servers, Watch, cluster, sentinel_store
from support.system import Coordinator, Program, System, until

HEADER = 5
SUM = sum(range(HEADER))
PARTITIONS = 8
WAIT_SECONDS = 40
IN_FLIGHT = 4
"""What two workers and one client have under way at one instant: as much may be within the replication lag."""


@dataclass
class Load:
    """A stream of chords, and what came of them."""

    ledger: Ledger
    results: dict[str, AsyncResult[int]] = field(default_factory=dict)
    ended: int = 0
    lost: list[str] = field(default_factory=list)
    _stop: Event = field(default_factory=Event)

    def run(self) -> None:
        """Submit until stopped."""
        for number in count():
            if self._stop.is_set():
                return
            name = str(number)
            header = [call("mark_for", self.ledger.path, name, key) for key in range(HEADER)]
            self.results[name] = chord(header, call("close_book", ledger=self.ledger.path, book=name)).delay()

    def stop(self) -> None:
        """Submit nothing more."""
        self._stop.set()

    def bodies(self) -> int:
        """Return how many bodies have run."""
        return sum(key.startswith("body-") for key in self.ledger.counts())

    def collect(self) -> None:
        """Wait for every result, and hold it to what it must be."""
        for name, result in self.results.items():
            try:
                assert result.get(timeout=WAIT_SECONDS) == SUM, name
                self.ended += 1
            except NotFound:  # it was acknowledged, and the replica has never seen it
                self.lost.append(name)

    def account(self) -> str:
        """Check the ledger, and return what was lost and what ran more than once."""
        counts = self.ledger.counts()
        bodies = {name: counts[f"body-{name}"] for name in self.results}
        assert all(times >= 1 for name, times in bodies.items() if name not in self.lost)
        twice = [name for name, times in bodies.items() if times > 1]
        assert len(self.lost) + len(twice) <= IN_FLIGHT, f"lost {self.lost}, bodies twice {twice}"
        again = sum(times - 1 for times in counts.values())
        return (
            f"{len(self.results)} canvases, {self.ended} ended, {len(self.lost)} lost, {len(twice)} bodies twice, "
            f"{again} tasks run again"
        )


def failed_over(system: System, ledger: Ledger, store: Servers, victim: int, *, stop: bool = False) -> None:
    """Kill (or stop) a primary under load, with two coordinators and two workers, and check what came of it."""
    options = (f"--partitions={PARTITIONS}",) if isinstance(store, Cluster) else ()
    system.lease_seconds, system.grace_seconds = 30, 10  # the product's own: what runs outlives the failover
    pair = [system.coordinator(*options, store=store) for _ in range(2)]
    workers = [system.worker(*pair), system.worker(*pair)]
    system.client(*pair)
    load = Load(ledger)
    loading = system.background(load.run)
    until(lambda: load.bodies() >= 20 or loading.done(), "the load's beginning")

    watch = Watch()
    if stop:
        store.programs[victim].process.send_signal(signal.SIGSTOP)
    else:
        store.kill(victim)
    others = [port for port in store.programs if port != victim]
    before = {port for port in others if store.is_primary(port)}
    until(lambda: any(store.is_primary(port) for port in others if port not in before), "the failover")
    detected = watch.seconds()
    reached = load.bodies() + 1
    until(lambda: load.bodies() >= reached + 20, "the load's going on")
    recovered = watch.seconds()
    load.stop()
    loading.result(WAIT_SECONDS)
    load.collect()

    assert all(program.process.poll() is None for program in [*workers, *programs(pair)])
    assert not any("Traceback" in program.said or "fault id=" in program.said for program in programs(pair))
    rollbacks = sum(program.said.count("redis.rollback.detected") for program in programs(pair))
    print(  # noqa: T201 - what the promise asks for
        f"{load.account()}; the replica took over after {detected:.1f} s, the load went on after {recovered:.1f} s; "
        f"{rollbacks} rollbacks detected"
    )


def programs(coordinators: list[Coordinator]) -> Iterator[Program]:
    """Return the coordinators' processes."""
    return (coordinator.program for coordinator in coordinators)


def test_cluster_goes_on_when_a_primary_is_killed(system: System, ledger: Ledger) -> None:
    """Of three primaries one is killed under load; its replica takes its place and every canvas ends or is counted."""
    store = cluster(system)
    failed_over(system, ledger, store, store.slots()[0][2])


def test_sentinels_lead_to_the_new_primary(system: System, ledger: Ledger) -> None:
    """The primary is killed under load; coordinators go on with the one that the Sentinels choose."""
    store = sentinel_store(system)
    failed_over(system, ledger, store, store.primary())


@pytest.mark.long
def test_a_primary_that_hangs_is_left(system: System, ledger: Ledger) -> None:
    """A primary that answers nothing, with its connections open, is left for the one that the Sentinels choose."""
    store = sentinel_store(system)
    failed_over(system, ledger, store, store.primary(), stop=True)


@pytest.mark.long
@pytest.mark.parametrize("number", range(3))
def test_any_primary_of_a_cluster_may_hang(system: System, ledger: Ledger, number: int) -> None:
    """Whichever primary stops answering, its replica takes its place."""
    store = cluster(system)
    failed_over(system, ledger, store, sorted({port for _, _, port in store.slots()})[number], stop=True)
