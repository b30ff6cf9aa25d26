"""Two versions of the scripts on one store, as during a rolling update."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gesso_server.config import ServerConfig
from gesso_server.store.embedded import EmbeddedStore
from gesso_server.store.library import Bounds, library
from gesso_server.store.store import Store
from integration.store.scripts.rig import Rig, Worker
from support.keyspace import Keyspace
from support.store_invariants import check
from support.trees import call, calls, chain, chord

OTHER = Bounds(crashes=4)
"""What makes the other version: its scripts differ in a number."""


@pytest.fixture
async def newer(store: EmbeddedStore) -> AsyncIterator[Rig]:
    """A coordinator of another version."""
    connection = Store(store.url, "c2", OTHER)
    await connection.connect(None)
    yield Rig(connection, ServerConfig())
    await connection.close()


async def test_two_versions_work_on_the_same_canvas(rig: Rig, newer: Rig) -> None:
    """Submitted by the one and worked on through both, a canvas goes on, and a repeat may be made of either."""
    canvas = await rig.submit(chain(chord(calls(3), call("body")), call("end")), request_id="r")
    again = await newer.submit(chain(chord(calls(3), call("body")), call("end")), request_id="r")
    old, new = rig.worker(), newer.worker()
    await old.hello()
    await new.hello()

    one, two = await old.take(2)
    (three,) = await new.take(5)
    await new.report(three)
    await old.report(one)
    moved = Worker(newer, old.session, old.queues, old.tasks, epoch=old.epoch, held=[two])
    assert (await moved.hello(held=[two])).drops == []
    assert (await moved.report(two, want=1)).grants
    await moved.report(*moved.held)
    await old.hello()  # of an older epoch: refused
    await new.drain()

    assert (again.id, again.accepted.known) == (canvas.id, True)
    assert await rig.states(canvas) == await newer.states(canvas) == "SSSSSS"
    check(await Keyspace.read(rig.store.redis))


async def test_versions_are_loaded_side_by_side(rig: Rig, newer: Rig) -> None:
    """Each coordinator finds its own functions, and loading one replaces none of the other."""
    listed: Any = await rig.store.redis.execute_command("FUNCTION LIST")  # type: ignore[no-untyped-call]

    names = {entry[1].decode() for entry in listed}
    assert {library().name, library(OTHER).name} <= names
    assert library().name != library(OTHER).name
    assert newer.store.partitions


async def test_version_that_was_removed_is_loaded_again(rig: Rig, newer: Rig) -> None:
    """A store that lost a version's functions gets them with the next call."""
    await rig.store.redis.function_delete(library().name)

    canvas = await rig.submit(call("a"))

    worker = newer.worker()
    await worker.hello()
    assert await worker.drain() == ["a"]
    assert await rig.states(canvas) == "S"
