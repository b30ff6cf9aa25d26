"""Promise: of a group with `max_in_flight` never more members are under way, however they come and whatever they do."""

from __future__ import annotations

from collections.abc import Sequence

from acceptance.tasks import Ledger, call
from gesso import chain, chord, group
from support.system import System

MOST = 3


def most_at_once(keys: Sequence[str]) -> int:
    """Return how many were begun and not ended at one time, by what was written."""
    now = most = 0
    for key in keys:
        now += 1 if key.startswith("begin") else -1
        most = max(most, now)
    return most


def test_members_that_are_streamed_take_turns(system: System, ledger: Ledger) -> None:
    """A generator's members, sent while they run, are never more at once than they may be, and all are run."""
    coordinator = system.coordinator()
    system.worker(coordinator, processes=2, threads=4)
    system.client(coordinator)

    members = (call("track", ledger.path, key) for key in range(1_000))
    values = group(members, max_in_flight=MOST).delay().get(timeout=60)

    assert values == list(range(1_000))
    assert 1 < most_at_once(ledger.keys()) <= MOST


def test_members_that_are_added_and_replaced_take_turns(system: System, ledger: Ledger) -> None:
    """A member that is replaced keeps its place until its chain has ended; members that tasks add wait for theirs."""
    coordinator = system.coordinator()
    system.worker(coordinator, processes=2, threads=4)
    system.client(coordinator)
    header = [
        *(call("track_and_grow", ledger.path, key, 5) for key in range(10)),
        *(call("track_instead", ledger.path, key) for key in range(10, 20)),
        *(chain(call("track", ledger.path, key), call("add", 1)) for key in range(20, 30)),
    ]  # fmt: skip

    added = [1000 * (key + 1) + number for key in range(10) for number in range(5)]
    value = chord(header, call("total"), max_in_flight=MOST).delay().get(timeout=60)

    assert value == sum(range(30)) + 10 + sum(added)
    assert most_at_once(ledger.keys()) <= MOST
