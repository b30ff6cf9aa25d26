"""Promise: coordinators hold no state that matters; when one dies, its clients and workers go on by themselves."""

from __future__ import annotations

import signal

import pytest

from acceptance.tasks import Ledger, call
from gesso import chord, group
from support.system import System, port_of, until

COUNT = 1_000
EARLY = 200


def test_chord_survives_kill_of_coordinator_with_embedded_store(system: System, ledger: Ledger) -> None:
    """Started again on its data and port, the coordinator is found by client and worker; the body runs once."""
    coordinator = system.coordinator()
    system.worker(coordinator, processes=2)
    system.client(coordinator)
    header = [call("mark", ledger.path, key) for key in range(COUNT)]

    result = chord(header, call("close_books", ledger=ledger.path)).delay()
    until(lambda: len(ledger) >= EARLY, "the header's beginning")
    coordinator.program.kill()
    assert len(ledger) < COUNT
    system.coordinator(port=port_of(coordinator.address))

    assert result.get(timeout=30) == sum(range(COUNT))
    assert ledger.counts().keys() == {"body", *map(str, range(COUNT))}
    assert ledger.counts()["body"] == 1


def test_submission_waits_for_a_coordinator_that_starts_again(system: System) -> None:
    """A client that was connected submits while nobody listens, and is answered once someone does."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    system.client(coordinator)
    assert call("add", 1, 1).delay().get(timeout=30) == 2

    coordinator.program.kill()
    submitted = system.background(lambda: call("add", 2, 2).delay().get(timeout=30))
    system.coordinator(port=port_of(coordinator.address))

    assert submitted.result(30) == 4


@pytest.mark.parametrize(("dying", "partitions"), [(0, 1), (1, 1), (0, 4)])
def test_group_survives_kill_of_one_of_two_coordinators(
    system: System, ledger: Ledger, dying: int, partitions: int
) -> None:
    """Clients and workers that know both addresses go on with the one that lives, whichever dies."""
    store = system.store()
    pair = [system.coordinator(f"--partitions={partitions}", store=store) for _ in range(2)]
    workers = [system.worker(*pair), system.worker(*pair)]
    system.client(*pair)

    result = group(call("mark", ledger.path, key) for key in range(COUNT)).delay()
    until(lambda: len(ledger) >= EARLY, "the group's beginning")
    pair[dying].program.kill()
    assert len(ledger) < COUNT

    assert result.get(timeout=30) == list(range(COUNT))
    assert call("add", 1, 1).delay().get(timeout=30) == 2
    assert ledger.counts().keys() == set(map(str, range(COUNT)))
    assert all(worker.process.poll() is None for worker in workers)


@pytest.mark.long
@pytest.mark.parametrize("hanging", [0, 1])
def test_group_survives_a_coordinator_that_hangs(system: System, ledger: Ledger, hanging: int) -> None:
    """A coordinator that answers nothing, with its connections open, is left by clients and workers."""
    store = system.store()
    pair = [system.coordinator(store=store), system.coordinator(store=store)]
    for _ in range(3):
        system.worker(*pair)
    system.client(*pair)

    result = group(call("mark", ledger.path, key) for key in range(COUNT)).delay()
    until(lambda: len(ledger) >= EARLY, "the group's beginning")
    pair[hanging].program.process.send_signal(signal.SIGSTOP)

    assert result.get(timeout=40) == list(range(COUNT))
    assert [call("add", number, 1).delay().get(timeout=40) for number in range(10)] == list(range(1, 11))
    assert result.completed_count() == COUNT


@pytest.mark.parametrize("partitions", [1, 4])
def test_two_coordinators_serve_the_same_clients_and_workers(system: System, partitions: int) -> None:
    """What is submitted through one is worked on through the other, and waited for at either."""
    store = system.store()
    first, second = (system.coordinator(f"--partitions={partitions}", store=store) for _ in range(2))
    system.worker(second)
    one, other = system.client(first), system.client(second)
    header = [call("add", number, number) for number in range(10)]

    results = [chord(header, call("total"), app=app).delay() for app in (one, other)]
    elsewhere = [other.AsyncResult(results[0].id), one.AsyncResult(results[1].id)]

    assert [result.get(timeout=30) for result in results + elsewhere] == [90] * 4
    assert all(result.ready() for result in elsewhere)


def test_coordinator_joins_anothers_embedded_store(system: System) -> None:
    """The address in the ready line of a coordinator with an embedded store lets a second one share it."""
    first = system.coordinator()
    second = system.coordinator(store=first)
    system.worker(first)
    system.client(second)

    result = group(call("add", number, 1) for number in range(100)).delay()

    assert result.get(timeout=30) == list(range(1, 101))
