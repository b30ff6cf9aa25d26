"""Promise: whatever dies, and however often, canvases end right; every role is killed while they flow."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from acceptance.tasks import Ledger, call
from gesso import App, chain, chord
from support.system import Coordinator, Program, StoreServer, System, port_of, until

KILLS = 40
MEMBERS = 150
CLIENTS = 3


class Potters:
    """Threads that submit canvases one after the other, and check each.

    Attributes:
        done: How many canvases ended right.
        faults: What went wrong.
    """

    def __init__(self, app: App, ledger: Ledger) -> None:
        """Nothing runs yet."""
        self.done = 0
        self.faults: list[str] = []
        self._app = app
        self._ledger = ledger
        self._enough = threading.Event()
        self._counted = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(CLIENTS)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def worked(self, enough: int) -> bool:
        """Return whether the ledger has so many lines, or none will come."""
        return len(self._ledger) > enough or bool(self.faults)

    def stop(self) -> None:
        """Let each thread end its last canvas."""
        self._enough.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a canvas hangs"

    def _run(self, number: int) -> None:
        first = number * 1_000_000
        while not self._enough.is_set() and not self.faults:
            keys = range(first, first + MEMBERS)
            first += MEMBERS
            header = [call("mark", self._ledger.path, key) for key in keys]
            body = chain(call("close_books", ledger=self._ledger.path), call("add", 1))
            try:
                value = chord(header, body, app=self._app).delay().get(timeout=60)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
                self.faults.append(repr(error))
                return
            if value != sum(keys) + 1:
                self.faults.append(f"{value} is not {sum(keys) + 1}")
            with self._counted:
                self.done += 1


class Pottery:
    """Two coordinators, their store and two workers, each of which is started again when it was killed."""

    def __init__(self, system: System, ledger: Ledger) -> None:
        """Start everything."""
        self._system = system
        self._ledger = ledger
        self._store: StoreServer = system.store()
        self.pair: list[Coordinator] = [system.coordinator(store=self._store) for _ in range(2)]
        self._workers: list[Program] = [system.worker(*self.pair, processes=2) for _ in range(2)]

    def kill_store(self, _chance: random.Random) -> None:
        """Kill the store."""
        self._store.program.kill()
        self._store = self._system.store(port=port_of(self._store.store))

    def kill_coordinator(self, chance: random.Random) -> None:
        """Kill a coordinator."""
        which = chance.randrange(2)
        old = self.pair[which]
        old.program.kill()
        self.pair[which] = self._system.coordinator(store=self._store, port=port_of(old.address))

    def kill_worker(self, chance: random.Random) -> None:
        """Kill the parent of a worker."""
        which = chance.randrange(2)
        self._workers[which].kill()
        self._workers[which] = self._system.worker(*self.pair, processes=2)

    def kill_child(self, chance: random.Random) -> None:
        """Kill a worker's process that was at work lately."""
        with suppress(ProcessLookupError):  # it was killed before
            os.kill(chance.choice(self._ledger.process_ids()[-4:]), signal.SIGKILL)

    def kill_something(self, chance: random.Random) -> None:
        """Kill one of them."""
        kinds: list[Callable[[random.Random], None]] = [
            self.kill_store, self.kill_coordinator, self.kill_worker, self.kill_child,
        ]  # fmt: skip
        chance.choice(kinds)(chance)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_canvases_end_right_whatever_is_killed(system: System, ledger: Ledger, seed: int) -> None:
    """Canvases go on to end while their store, coordinators and workers are killed; every member has run."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    pottery = Pottery(system, ledger)
    potters = Potters(system.client(*pottery.pair), ledger)
    potters.start()

    for _ in range(KILLS):
        enough = len(ledger) + MEMBERS
        until(partial(potters.worked, enough), "work between kills")
        pottery.kill_something(chance)
    potters.stop()

    counts = ledger.counts()
    assert potters.faults == []
    assert len(counts) - 1 == potters.done * MEMBERS
    repeats = sum(counts.values()) - len(counts) + 1 - counts["body"]
    print(f"{potters.done} canvases, {KILLS} kills, {repeats} members ran again")  # noqa: T201
    assert potters.done <= counts["body"] <= potters.done + KILLS
