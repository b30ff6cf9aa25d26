"""Promise: what was acknowledged is in the store; when the store comes back, everything goes on."""

from __future__ import annotations

import pytest

from acceptance.tasks import Ledger, call
from gesso import chain
from support.system import System, port_of, until

STEPS = 300
EARLY = 50


@pytest.mark.parametrize("coordinators", [1, 2])
def test_chain_survives_kill_of_store(system: System, ledger: Ledger, coordinators: int) -> None:
    """Started again on its append-only file, the store has every step that had ended; the chain goes on."""
    store = system.store()
    running = [system.coordinator(store=store) for _ in range(coordinators)]
    worker = system.worker(*running)
    system.client(*running)

    steps = [call("mark_next", ledger.path) for _ in range(STEPS)]
    result = chain(call("mark", ledger.path, 0), *steps).delay()
    until(lambda: len(ledger) >= EARLY, "the chain's beginning")
    store.program.kill()
    assert len(ledger) < STEPS
    system.store(port=port_of(store.store))

    assert result.get(timeout=30) == STEPS
    assert ledger.counts().keys() == set(map(str, range(STEPS + 1)))
    assert worker.process.poll() is None
    assert all(coordinator.program.process.poll() is None for coordinator in running)


def test_submission_is_not_lost_with_the_store(system: System) -> None:
    """A task that was accepted before the store died is run after it has come back, by a worker that came later."""
    store = system.store()
    coordinator = system.coordinator(store=store)
    system.client(coordinator)

    result = call("add", 20, 22).delay()
    store.program.kill()
    system.store(port=port_of(store.store))
    system.worker(coordinator)

    assert result.get(timeout=30) == 42
